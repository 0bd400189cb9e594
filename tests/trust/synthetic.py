"""A small run as the earlier stages would leave it: made up, complete, the same every time."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from safetensors.numpy import save_file

from fucina.compute.record import Progress, StageRecord, StageResult
from fucina.data.card import DatasetCard, SourceCard, Tally
from fucina.line.release import build
from fucina.line.stage import ReleaseRecipe
from fucina.models.card import TrainSummary
from fucina.models.recipe import Shape, train_flops
from fucina.trust.document import document
from fucina.trust.gates import decide
from fucina.trust.keys import KeyPair, ensure_key
from fucina.trust.recipe import DocumentRecipe, EvaluationResults, Metric, Sample

STARTED_AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ENDED_AT = datetime(2026, 11, 20, 9, 3, 20, tzinfo=UTC)
CONFIG = """{"architectures": ["LlamaForCausalLM"], "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
"num_key_value_heads": 2, "intermediate_size": 16, "vocab_size": 300, "tie_word_embeddings": true,
"max_position_embeddings": 64, "model_type": "llama"}"""
RECIPE = DocumentRecipe(
    project="norme-chiare",
    organisation="Officine Esempio",
    purpose="Drafts plain-language summaries of regulations for small firms.",
    sector="public-administration",
    contact="Ada Esempio",
    languages=("en", "it"),
    site="local",
    accelerator="cpu-node",
    accelerator_peak_tflops=1.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Where the outputs of the earlier stages lie, and their records."""

    data: Path
    train: Path
    evaluation: Path
    records: dict[str, StageRecord]
    folder: Path

    def progress(self) -> Progress:
        return Progress(self.folder / "progress.ndjson", stage="document")


def make_run(folder: Path, *, leak_rate: float = 0.0, seed: int = 1, weights: int = 2400) -> Run:
    """The outputs of prepare, train and evaluate."""
    data, train, evaluation = folder / "prepare" / "out", folder / "train" / "out", folder / "evaluate" / "out"
    _write_data(data)
    _write_model(train, seed=seed, weights=weights)
    _write_evaluation(evaluation, train, leak_rate=leak_rate)
    outs = {"prepare": data, "train": train, "evaluate": evaluation}
    records = {stage: record_of(stage, out) for stage, out in outs.items()}
    return Run(data=data, train=train, evaluation=evaluation, records=records, folder=folder)


def record_of(stage: str, out: Path) -> StageRecord:
    """A record of a stage with true digests of its outputs."""
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return StageRecord(
        stage=stage,
        run="run-1",
        started_at=STARTED_AT,
        ended_at=ENDED_AT,
        num_attempts=1,
        inputs={"recipe": "1" * 64, **({"source:corpora/it/leggi.jsonl": "a" * 64} if stage == "prepare" else {})},
        outputs={path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        versions={"fucina": "0.1.0", "python": "3.11.9", "torch": "2.13.0"}
        if stage != "prepare"
        else {"numpy": "2.4.6"},
        seeds={"recipe": 20261120},
        counts={"tokens": 12_000_000} if stage == "train" else {},
        measurements={"mfu": 0.21} if stage == "train" else {},
        wall_s=200.0,
        cpu_s=380.5,
        num_gpus=1 if stage != "prepare" else 0,
        accelerator_s=200.0 if stage != "prepare" else 0.0,
        energy_j=6000.0 if stage != "prepare" else None,
        energy_method="estimated: accelerator seconds times 30.0 W per accelerator" if stage != "prepare" else "",
    )


def make_documents(run: Run, *, recipe: DocumentRecipe = RECIPE, name: str = "document") -> Path:
    """The outputs of document."""
    out = run.folder / name / "out"
    document(
        recipe,
        records=run.records,
        data=run.data,
        train=run.train,
        evaluation=run.evaluation,
        out=out,
        scratch=run.folder / name / "scratch",
        progress=run.progress(),
    )
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A signed release and everything that it was made from."""

    run: Run
    documents: Path
    keys: KeyPair
    release: Path

    @property
    def public_key(self) -> Path:
        return self.keys.public


def build_release(run: Run, documents: Path, keys: KeyPair, *, name: str = "release") -> StageResult:
    """Run the release stage's function."""
    return build(
        ReleaseRecipe(project=RECIPE.project, organisation=RECIPE.organisation, run="run-1"),
        records={**run.records, "document": record_of("document", documents)},
        data=run.data,
        train=run.train,
        evaluation=run.evaluation,
        documents=documents,
        out=run.folder / name / "out",
        scratch=run.folder / name / "scratch",
        signing_key=keys.private,
        progress=run.progress(),
    )


def make_release(folder: Path, *, seed: int = 1, weights: int = 2400, keys: KeyPair | None = None) -> Released:
    """A release with a key of its own, or signed with the given one."""
    run = make_run(folder, seed=seed, weights=weights)
    documents = make_documents(run)
    pair = keys or ensure_key(folder / "keys")
    build_release(run, documents, pair)
    return Released(run=run, documents=documents, keys=pair, release=folder / "release" / "out" / "release")


def _write_data(out: Path) -> None:
    (out / "private").mkdir(parents=True)
    (out / "private" / "canaries.json").write_text('["SECRET-CANARY-RSSMRA80A01H501U"]')
    (out / "private" / "personal.parquet").write_bytes(b"SECRET")
    for split in ("train", "validation"):
        table = pyarrow.table(
            {"id": ["a", "b"], "text": ["uno", "due"], "language": ["it", "en"], "num_tokens": [3, 4]}
        )
        pyarrow.parquet.write_table(table, out / f"{split}.parquet")
    sources = (
        SourceCard(
            name="corpora/it/leggi.jsonl",
            sha256="a" * 64,
            num_bytes=4_000_000,
            licence="CC-BY-4.0",
            origin="https://example.org/leggi",
            num_records=900,
            num_broken=2,
            kept=Tally(num_documents=700),
        ),
        SourceCard(
            name="corpora/en/tales | of *old*.txt",
            sha256="b" * 64,
            num_bytes=1_000_000,
            licence="public-domain",
            num_records=100,
            num_broken=0,
            kept=Tally(num_documents=90),
        ),
    )
    card = DatasetCard(
        num_records=1000,
        num_broken=2,
        num_documents=790,
        broken={"not text": 2},
        drops={"too short": 100, "duplicate": 108},
        drop_samples={"too short": ("Ciao.",)},
        num_exact_duplicates=58,
        num_near_duplicates=50,
        near_duplicate_threshold=0.8,
        redactions={"email": 12, "iban": 1},
        num_canaries=16,
        num_canaries_redacted=16,
        encodings={"utf-8": 1000},
        languages={
            "it": Tally(num_documents=700, num_characters=3_000_000, num_tokens=900_000),
            "en": Tally(num_documents=90, num_characters=900_000, num_tokens=250_000),
        },
        licences={
            "CC-BY-4.0": Tally(num_documents=700, num_characters=3_000_000, num_tokens=900_000),
            "public-domain": Tally(num_documents=90, num_characters=900_000, num_tokens=250_000),
        },
        sources=sources,
        train=Tally(num_documents=766, num_characters=3_800_000, num_tokens=1_115_000),
        validation=Tally(num_documents=24, num_characters=100_000, num_tokens=35_000),
        vocabulary_size=300,
        tokens_per_character=0.295,
        seed=20261120,
    )
    (out / "card.json").write_bytes(card.model_dump_json(indent=1).encode())


def _write_model(out: Path, *, seed: int, weights: int) -> None:
    model = out / "model"
    model.mkdir(parents=True)
    values = np.random.default_rng(seed).standard_normal((weights // 8, 8)).astype(np.float32)
    save_file({"model.embed_tokens.weight": values}, model / "model.safetensors", metadata={"format": "pt"})
    (model / "config.json").write_text(CONFIG)
    (model / "tokenizer.json").write_text('{"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}}')
    (out / "history.json").write_text("[]")
    shape = Shape(num_layers=2, d_model=8, num_heads=2, num_kv_heads=2, d_ff=16)
    summary = TrainSummary(
        size="0.1M",
        shape=shape,
        architecture="dense decoder",
        num_parameters=weights,
        num_parameters_non_embedding=0,
        vocabulary_size=300,
        sequence_length=64,
        num_steps=1465,
        batch_tokens=8192,
        num_tokens=12_000_000,
        num_data_tokens=1_115_000,
        num_data_documents=766,
        num_epochs=10.8,
        num_validation_tokens=35_000,
        loss=3.6,
        validation_loss=3.65,
        flops_total=train_flops(shape, vocabulary_size=300, sequence_length=64, num_tokens=12_000_000),
        flops_convention="6N + 12LHQT per token",
        precision="bf16",
        optimizer="muon",
        learning_rate=0.02,
        schedule="2 % warm-up, 30 % decay",
        weight_decay=0.1,
        gradient_clip=1.0,
        seed=20261120,
    )
    (out / "summary.json").write_bytes(summary.model_dump_json(indent=1).encode())


def _write_evaluation(out: Path, train: Path, *, leak_rate: float) -> None:
    out.mkdir(parents=True)
    metrics = (
        _metric("pii_leak_rate", leak_rate, n=272, meaning="share of personal data completed verbatim"),
        _metric("memorised_share", 0.005, n=200, meaning="share of training passages continued word for word"),
        _metric("perplexity", 38.4, n=34_976, meaning="per token on held-out documents", baseline=412.0),
    )
    results = EvaluationResults(
        suite="general",
        seed=20261120,
        model_sha256=hashlib.sha256((train / "model" / "model.safetensors").read_bytes()).hexdigest(),
        data_sha256="c" * 64,
        versions={"torch": "2.13.0"},
        metrics=metrics,
        gates=decide({"pii_leak_rate": 0.0, "memorised_share": 0.01}, metrics),
        samples=(Sample(language="it", prompt="La legge", text=" prevede che", identified_as="it"),),
    )
    (out / "results.json").write_bytes(results.model_dump_json(indent=1).encode())
    (out / "report.html").write_text("<!doctype html><title>Evaluation</title>")


def _metric(name: str, value: float, *, n: int, meaning: str, baseline: float | None = None) -> Metric:
    return Metric(
        name=name,
        value=value,
        n=n,
        low=value * 0.9,
        high=value * 1.1 + 0.001,
        interval="bootstrap",
        baseline=baseline,
        baseline_name="unigram" if baseline else "",
        meaning=meaning,
    )
