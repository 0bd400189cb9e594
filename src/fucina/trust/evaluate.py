"""The `evaluate` stage: measures a model on what it was trained on and on what it was not, and decides the gates."""

import hashlib
import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from safetensors import safe_open

from fucina import __version__
from fucina.compute.record import Progress, StageResult
from fucina.data.card import CANARIES_FILE, PERSONAL_FILE
from fucina.errors import BadInput
from fucina.models.generate import Loaded, load
from fucina.models.threads import keep_memory, set_threads
from fucina.trust.evaluation_part import PartResult, Subject, Ticker
from fucina.trust.evaluation_report import render
from fucina.trust.exposure import measure_exposure
from fucina.trust.gates import decide
from fucina.trust.leakage import measure_leakage
from fucina.trust.memorisation import measure_memorisation
from fucina.trust.perplexity import measure_perplexity
from fucina.trust.prepared import TOKENIZER_FILE, check_same_tokenizer, open_prepared, sha256_of_files
from fucina.trust.private_values import PrivateValue
from fucina.trust.recipe import EvaluateRecipe, EvaluationResults
from fucina.trust.samples import measure_samples

RESULTS_FILE = "results.json"
REPORT_FILE = "report.html"
WEIGHTS_FILE = "model.safetensors"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_LIBRARIES = ("numpy", "py3langid", "scipy", "tokenizers", "torch", "transformers")


class NoModel(BadInput):
    """The folder to evaluate is not there or holds no weights that may be opened."""

    code = "no_model"


class VocabularyMismatch(BadInput):
    """Tokenizer and weights do not belong together."""

    code = "vocabulary_mismatch"


class IncompleteWeights(BadInput):
    """The weights file lacks parameters of the model, which would otherwise be filled at random."""

    code = "incomplete_weights"


class _Part(NamedTuple):
    name: str
    measure: Callable[[Subject, Ticker], PartResult]
    end: int
    """Percent of the whole at which it is done, by experience."""


PARTS = (
    _Part("perplexity", measure_perplexity, 20),
    _Part("memorisation", measure_memorisation, 30),
    _Part("leakage", measure_leakage, 75),
    _Part("exposure", measure_exposure, 90),
    _Part("samples", measure_samples, 100),
)


def evaluate(
    recipe: EvaluateRecipe, *, model: Path, data: Path, out: Path, scratch: Path, progress: Progress
) -> StageResult:
    """Measure the model in `model` on the outputs of `prepare` in `data`; write `results.json` and `report.html`.

    A gate that does not hold is stated, not raised: the release stage refuses it.
    Raises NoModel, BadModel, IncompleteWeights, VocabularyMismatch, BadPreparedData, NothingHeldOut, BadPrivateFile,
    BadShard, BrokenWeights, UnknownGate, BadLimit, Interrupted.
    """
    decide(recipe.gates, ())
    keep_memory()
    set_threads(recipe.num_threads)
    subject = open_subject(recipe, model=model, data=data)
    model_sha256 = sha256_of_files([model / WEIGHTS_FILE])
    shelf = _Shelf(scratch / "parts", _fingerprint(subject, model=model, data=data, model_sha256=model_sha256))
    parts = []
    begin = 0
    for part in PARTS:
        parts.append(
            _measure(part, subject, shelf, Ticker(progress=progress, part=part.name, begin=begin, end=part.end))
        )
        begin = part.end
    metrics = tuple(metric for part in parts for metric in part.metrics)
    results = EvaluationResults(
        suite=recipe.suite,
        seed=recipe.seed,
        model_sha256=model_sha256,
        data_sha256=subject.prepared.held_out_sha256,
        versions={"fucina": __version__, **{library: version(library) for library in _LIBRARIES}},
        metrics=metrics,
        gates=decide(recipe.gates, metrics),
        samples=tuple(sample for part in parts for sample in part.samples),
    )
    out.mkdir(parents=True, exist_ok=True)
    _write(out / RESULTS_FILE, results.model_dump_json(indent=1).encode() + b"\n")
    _write(out / REPORT_FILE, render(results).encode())
    failed = [gate.metric for gate in results.gates if not gate.passed]
    verdict = f"{len(failed)} of {len(results.gates)} gates fail: {', '.join(failed)}" if failed else "every gate holds"
    progress.report(
        done=100, total=100, unit="%", message=verdict, values={metric.name: metric.value for metric in metrics}
    )
    counts = {name: count for part in parts for name, count in part.counts.items()}
    return StageResult(
        counts={**counts, "num_gates": len(results.gates), "num_gates_failed": len(failed)},
        seeds={"evaluate": recipe.seed},
        measurements={metric.name: metric.value for metric in metrics},
    )


def open_subject(recipe: EvaluateRecipe, *, model: Path, data: Path) -> Subject:
    """The model and the prepared documents, checked against each other.

    Raises NoModel, BadModel, IncompleteWeights, VocabularyMismatch, BadPreparedData, NothingHeldOut, BadPrivateFile,
    BadShard.
    """
    loaded = _load(model)
    check_same_tokenizer(data, loaded.tokenizer.get_vocab())
    prepared = open_prepared(data, vocabulary_size=int(loaded.model.config.vocab_size))
    planted = [(entry.kind, entry.value) for entry in prepared.canaries]
    real = [(entry.kind, entry.value) for entry in prepared.personal]
    return Subject(
        model=loaded.model,
        tokenizer=loaded.tokenizer,
        prepared=prepared,
        recipe=recipe,
        private_values=tuple(PrivateValue(kind=kind, value=value) for kind, value in dict.fromkeys(planted + real)),
    )


def _load(model: Path) -> Loaded:
    if not model.is_dir():
        raise NoModel(f"There is no folder {model.name}/ with a model.", hint="Run the train stage first.")
    pickles = sorted(path.name for pattern in _PICKLES for path in model.glob(pattern))
    if pickles and not (model / WEIGHTS_FILE).is_file():
        raise NoModel(
            f"{model.name}/ has {len(pickles)} files of pickled weights ({pickles[0]}) and no {WEIGHTS_FILE}.",
            hint="A pickle can run code when it is opened, so it never is. Convert the weights to safetensors.",
        )
    loaded = load(model)
    _check_complete(model / WEIGHTS_FILE, loaded)
    num_tokens, num_rows = len(loaded.tokenizer), int(loaded.model.config.vocab_size)
    end = loaded.model.config.eos_token_id
    if num_tokens > num_rows:
        raise VocabularyMismatch(
            f"The tokenizer has {num_tokens} tokens, the model a vocabulary of {num_rows}.",
            hint="Take both from one training run.",
        )
    if not isinstance(end, int) or not 0 <= end < num_tokens:
        raise VocabularyMismatch(
            f"The model's end-of-document token is {end}; the tokenizer has {num_tokens} tokens.",
            hint="Set eos_token_id in config.json to the token that ends documents in training.",
        )
    return loaded


def _check_complete(weights: Path, loaded: Loaded) -> None:
    """The library that opens models fills what is missing with random numbers and only warns."""
    with safe_open(weights, framework="pt") as file:
        names = set(file.keys())
    parameters = loaded.model.state_dict()
    stored_at = {parameters[name].data_ptr() for name in names & parameters.keys()}
    missing = [name for name, tensor in parameters.items() if name not in names and tensor.data_ptr() not in stored_at]
    if missing:
        raise IncompleteWeights(
            f"{weights.name} holds {len(names)} tensors and lacks {len(missing)} of the model, first {missing[0]}.",
            hint="Run the train stage again or fetch the model anew.",
        )


class _Shelf:
    """Results of finished parts, in files that hold only for the same inputs."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint

    def get(self, name: str) -> PartResult | None:
        """What was measured before; None when it was not, or on something else."""
        try:
            stored = json.loads(self._path(name).read_bytes())
            if stored["fingerprint"] == self._fingerprint:
                return PartResult.model_validate(stored["result"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None
        return None

    def put(self, name: str, result: PartResult) -> None:
        """Keep it, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        stored = {"fingerprint": self._fingerprint, "result": result.model_dump(mode="json")}
        _write(self._path(name), json.dumps(stored).encode())

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _measure(part: _Part, subject: Subject, shelf: _Shelf, ticker: Ticker) -> PartResult:
    ticker.advance(done=0, total=1, unit="parts")
    result = shelf.get(part.name)
    if result is None:
        result = part.measure(subject, ticker)
        shelf.put(part.name, result)
    return result


def _fingerprint(subject: Subject, *, model: Path, data: Path, model_sha256: str) -> str:
    """Of everything that decides what is measured, but the training shards, whose counts of tokens stand for them."""
    files = [model / "config.json", model / "tokenizer.json", data / CANARIES_FILE, data / PERSONAL_FILE]
    files += [data / TOKENIZER_FILE, data / "validation.parquet", *sorted(data.glob("*.offsets.npy"))]
    digest = hashlib.sha256()
    for text in (
        __version__,
        subject.recipe.model_dump_json(exclude={"gates", "num_threads"}),
        model_sha256,
        subject.prepared.held_out_sha256,
        sha256_of_files(files),
    ):
        digest.update(text.encode())
    digest.update(subject.prepared.train_counts_V.tobytes())
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Under a temporary name first, so that nobody ever sees half a file."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
