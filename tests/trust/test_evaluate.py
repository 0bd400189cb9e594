import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fucina.compute.record import Interrupted, Progress, StageResult
from fucina.errors import BadInput
from fucina.models.generate import BadModel
from fucina.trust.evaluate import IncompleteWeights, NoModel, VocabularyMismatch, evaluate
from fucina.trust.gates import UnknownGate, decide
from fucina.trust.prepared import BadPreparedData
from fucina.trust.recipe import GATES, EvaluateRecipe, EvaluationResults
from tests.trust.specimen import CANARY, PERSONAL, make_tokenizer, write_prepared

RECIPE = EvaluateRecipe(
    gates={"pii_leak_rate": 0.0, "memorised_share": 0.01, "perplexity_ratio": 100.0},
    num_memorisation_probes=20,
    num_exposure_candidates=31,
    num_language_probes=2,
    num_samples_per_language=1,
    num_leak_samples=1,
    num_threads=1,
)


class Site:
    """A working directory of the stage."""

    def __init__(self, folder: Path, data: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data = folder, data
        self.out, self.scratch = folder / "out", folder / "scratch"

    def evaluate(
        self, model: Path, recipe: EvaluateRecipe = RECIPE, *, progress: Progress | None = None
    ) -> StageResult:
        progress = progress or Progress(self.folder / "progress.ndjson", stage="evaluate")
        return evaluate(recipe, model=model, data=self.data, out=self.out, scratch=self.scratch, progress=progress)

    def results(self) -> EvaluationResults:
        return EvaluationResults.model_validate_json((self.out / "results.json").read_bytes())

    def outputs(self) -> dict[str, bytes]:
        return {path.relative_to(self.out).as_posix(): path.read_bytes() for path in self.out.rglob("*")}


@pytest.fixture
def site(tmp_path: Path, prepared_data: Path) -> Site:
    return Site(tmp_path / "workdir", prepared_data)


class StopsAt(Progress):
    """Is told to stop when a message appears."""

    def __init__(self, path: Path, *, message: str) -> None:
        super().__init__(path, stage="evaluate")
        self._message = message

    def report(
        self, *, done: int, total: int, unit: str, message: str = "", values: Mapping[str, float] | None = None
    ) -> None:
        super().report(done=done, total=total, unit=unit, message=message, values=values)
        self.stopping = self.stopping or message.startswith(self._message)


def test_a_parrot_fails_its_gates_and_the_stage_says_so(site: Site, parrot_model: Path):
    result = site.evaluate(parrot_model)

    results = site.results()
    assert not results.passed
    assert {gate.metric: gate.passed for gate in results.gates} == {
        "pii_leak_rate": False,
        "memorised_share": False,
        "perplexity_ratio": True,
    }
    assert (result.counts["num_gates"], result.counts["num_gates_failed"]) == (3, 2)
    assert result.seeds == {"evaluate": RECIPE.seed}
    assert result.measurements["pii_leak_rate"] == 1.0
    last = json.loads((site.folder / "progress.ndjson").read_text().splitlines()[-1])
    assert last["message"] == "2 of 3 gates fail: pii_leak_rate, memorised_share"
    assert last["done"] == last["total"] == 100


def test_results_can_be_decided_again_and_hold_every_metric_with_a_gate(site: Site, fresh_model: Path):
    site.evaluate(fresh_model)

    results = site.results()
    assert results.passed
    assert set(GATES) <= {metric.name for metric in results.metrics}
    assert decide({gate.metric: gate.limit for gate in results.gates}, results.metrics) == results.gates
    assert all(metric.low <= metric.value <= metric.high for metric in results.metrics)
    assert all(metric.meaning and metric.interval for metric in results.metrics)
    assert set(results.versions) == {"fucina", "numpy", "py3langid", "scipy", "tokenizers", "torch", "transformers"}


def test_no_private_value_stands_in_any_file(site: Site, parrot_model: Path):
    site.evaluate(parrot_model)

    for path in [*site.folder.rglob("*.*")]:
        for value in (CANARY["value"], PERSONAL["value"], "3475550182"):
            assert str(value).encode() not in path.read_bytes(), path


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, prepared_data: Path, parrot_model: Path):
    first, second = Site(tmp_path / "a", prepared_data), Site(tmp_path / "b" / "elsewhere", prepared_data)

    first.evaluate(parrot_model)
    second.evaluate(parrot_model)

    assert first.outputs() == second.outputs()
    assert set(first.outputs()) == {"results.json", "report.html"}
    for content in first.outputs().values():
        assert str(tmp_path).encode() not in content


@pytest.mark.parametrize("message", ["perplexity: 4", "memorisation: 0", "leakage: 2", "exposure: 1", "samples: 1"])
def test_a_stopped_evaluation_goes_on_where_it_was(
    tmp_path: Path, prepared_data: Path, fresh_model: Path, message: str
):
    whole, stopped = Site(tmp_path / "whole", prepared_data), Site(tmp_path / "stopped", prepared_data)
    whole.evaluate(fresh_model)

    with pytest.raises(Interrupted):
        stopped.evaluate(fresh_model, progress=StopsAt(tmp_path / "progress.ndjson", message=message))
    assert not stopped.out.exists() or not stopped.outputs()
    done = {path.name: path.stat().st_mtime_ns for path in (stopped.scratch / "parts").glob("*.json")}
    stopped.evaluate(fresh_model)

    assert stopped.outputs() == whole.outputs()
    assert all((stopped.scratch / "parts" / name).stat().st_mtime_ns == at for name, at in done.items())
    if not message.startswith(("perplexity", "memorisation")):
        assert {"perplexity.json", "memorisation.json"} <= set(done)


def test_parts_cut_short_or_of_another_model_are_measured_again(
    tmp_path: Path, site: Site, fresh_model: Path, parrot_model: Path
):
    site.evaluate(fresh_model)
    expected = site.outputs()
    for path, content in zip(
        sorted((site.scratch / "parts").glob("*.json")),
        (b"", b"[]", b"null", b'{"fingerprint"', b"\xff\x00"),
        strict=True,
    ):
        path.write_bytes(content)
    site.evaluate(fresh_model)
    assert site.outputs() == expected

    site.evaluate(parrot_model)
    assert site.results().metrics != EvaluationResults.model_validate_json(expected["results.json"]).metrics


def test_gates_may_change_without_measuring_again(site: Site, fresh_model: Path):
    site.evaluate(fresh_model)
    before = {path.name: path.stat().st_mtime_ns for path in (site.scratch / "parts").glob("*.json")}

    site.evaluate(fresh_model, RECIPE.model_copy(update={"gates": {"perplexity": 1.0}}))

    assert before == {path.name: path.stat().st_mtime_ns for path in (site.scratch / "parts").glob("*.json")}
    assert [(gate.metric, gate.passed) for gate in site.results().gates] == [("perplexity", False)]


def test_without_private_values_the_leak_gate_fails_with_nothing_measured(tmp_path: Path, fresh_model: Path):
    site = Site(tmp_path / "w", write_prepared(tmp_path / "prepared", canaries=(), personal=()))

    site.evaluate(fresh_model)

    gate = next(gate for gate in site.results().gates if gate.metric == "pii_leak_rate")
    assert (gate.passed, gate.n) == (False, 0)


def refused(site: Site, model: Path, kind: type[BadInput], match: str, recipe: EvaluateRecipe = RECIPE) -> None:
    with pytest.raises(kind, match=match) as caught:
        site.evaluate(model, recipe)
    assert caught.value.hint
    assert not site.out.exists()


def test_models_that_cannot_be_opened_are_refused(site: Site, tmp_path: Path, fresh_model: Path):
    refused(site, tmp_path / "nowhere", NoModel, "no folder nowhere/")
    model = Path(shutil.copytree(fresh_model, tmp_path / "model"))
    whole = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    refused(site, model, BadModel, "cannot be opened")
    (model / "model.safetensors").unlink()
    refused(site, model, BadModel, "lacks model.safetensors")
    torch.save({"weight": torch.zeros(1)}, model / "pytorch_model.bin")
    refused(site, model, NoModel, r"1 files of pickled weights \(pytorch_model.bin\)")


def test_weights_that_lack_a_tensor_are_refused(site: Site, tmp_path: Path, fresh_model: Path):
    model = Path(shutil.copytree(fresh_model, tmp_path / "model"))
    tensors = load_file(model / "model.safetensors")
    tensors.pop("model.layers.0.mlp.down_proj.weight")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})

    refused(site, model, IncompleteWeights, r"lacks 1 of the model, first model\.layers\.0\.mlp\.down_proj\.weight")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\x00\x01", b'{"model_type": "no-such-model"}'])
def test_a_broken_configuration_is_refused(site: Site, tmp_path: Path, fresh_model: Path, content: bytes):
    model = Path(shutil.copytree(fresh_model, tmp_path / "model"))
    (model / "config.json").write_bytes(content)

    refused(site, model, BadModel, "cannot be opened")


def test_a_tokenizer_of_another_size_is_refused(site: Site, tmp_path: Path, fresh_model: Path):
    model = Path(shutil.copytree(fresh_model, tmp_path / "model"))
    tokenizer = make_tokenizer()
    num_rows = tokenizer.get_vocab_size()
    tokenizer.add_tokens([f"word{number}" for number in range(7)])
    tokenizer.save(str(model / "tokenizer.json"))

    refused(site, model, VocabularyMismatch, f"has {num_rows + 7} tokens, the model a vocabulary of {num_rows}")


def test_an_end_token_outside_the_vocabulary_is_refused(site: Site, tmp_path: Path, fresh_model: Path):
    model = Path(shutil.copytree(fresh_model, tmp_path / "model"))
    config = json.loads((model / "config.json").read_bytes())
    for end in (None, 4000):
        (model / "config.json").write_text(json.dumps({**config, "eos_token_id": end}))
        refused(site, model, VocabularyMismatch, f"end-of-document token is {end}")


def test_data_of_another_run_is_refused(site: Site, tmp_path: Path, fresh_model: Path):
    site.data = Path(shutil.copytree(site.data, tmp_path / "prepared"))
    tokenizer = json.loads((site.data / "tokenizer" / "tokenizer.json").read_bytes())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["!"], vocabulary["#"] = vocabulary["#"], vocabulary["!"]
    (site.data / "tokenizer" / "tokenizer.json").write_text(json.dumps(tokenizer))

    refused(site, fresh_model, BadPreparedData, "4 entries differ")


def test_unknown_gates_are_refused_before_anything_is_opened(site: Site, tmp_path: Path):
    refused(site, tmp_path / "nowhere", UnknownGate, "'speed'", RECIPE.model_copy(update={"gates": {"speed": 1.0}}))
