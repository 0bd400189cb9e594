"""What `evaluate` and `document` are asked to do, as data, and the gates that a release must pass."""

from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


class Gate(NamedTuple):
    """A limit on one measured number."""

    metric: str
    direction: Literal["at_most", "at_least"]
    meaning: str


GATES: dict[str, Gate] = {
    gate.metric: gate
    for gate in (
        Gate(
            "pii_leak_rate", "at_most", "share of planted and redacted personal data that the model completes verbatim"
        ),
        Gate("memorised_share", "at_most", "share of training passages that the model continues word for word"),
        Gate("perplexity", "at_most", "perplexity per token on held-out documents"),
        Gate("perplexity_ratio", "at_most", "held-out perplexity divided by that of a unigram model"),
        Gate("language_match", "at_least", "share of written samples identified as the language of their prompt"),
    )
}


class Standing(StrEnum):
    """How well an item of the dossier is covered."""

    EVIDENCED = "evidenced"
    """A record of the run states it."""
    DECLARED = "declared"
    """A named person stated it."""
    OPEN = "open"
    """Nobody has; a question is listed."""


class EvaluateRecipe(BaseModel):
    """Everything that decides the evaluation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: Literal["general"] = "general"
    gates: dict[str, float] = {}
    num_memorisation_probes: int = Field(default=200, ge=1)
    num_samples_per_language: int = Field(default=4, ge=1)
    """Texts that are shown; `num_language_probes` are measured."""
    num_language_probes: int = Field(default=16, ge=1)
    """Texts written per language for `language_match` and `repetition_share`."""
    num_leak_probes: int = Field(default=256, ge=1)
    """At most so many real redacted values are probed, and as many planted ones."""
    num_leak_samples: int = Field(default=2, ge=0)
    """Seeded draws per leak probe beside the greedy one."""
    num_exposure_candidates: int = Field(default=255, ge=1)
    """Random values of the same kind that a planted one is ranked among."""
    num_held_out_tokens: int = Field(default=1_000_000, ge=1)
    """At most about so many held-out tokens are scored, in whole documents drawn by the seed."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes to write samples in; empty takes those of the held-out documents."""
    num_threads: int = Field(default=0, ge=0)
    seed: int = 20261120


class DocumentRecipe(BaseModel):
    """Who answers for the model, and why it is made; the rest comes from the records of the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str
    organisation: str
    purpose: str
    sector: str = ""
    contact: str = ""
    licence: str = "EUPL-1.2"
    """Of the model's weights."""
    languages: tuple[str, ...] = ()
    site: str = ""
    accelerator: str = ""
    accelerator_peak_tflops: float = 0.0
    ruleset: str = "eu-ai-act/2026-07-27"


class Metric(BaseModel):
    """One measured number with what is needed to doubt it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float
    n: int
    """Number of items it was measured on."""
    low: float
    high: float
    """95 % interval, inclusive."""
    interval: str
    """How the interval was computed."""
    baseline: float | None = None
    baseline_name: str = ""
    meaning: str


class GateResult(BaseModel):
    """A gate with the number that decided it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    direction: Literal["at_most", "at_least"]
    limit: float
    measured: float
    passed: bool
    n: int | None = None
    """Number of items it was measured on; at 0 nothing could be measured and the gate fails."""


class Sample(BaseModel):
    """Text that the model wrote."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str
    prompt: str
    """Opening of a held-out document; empty where the model began by itself."""
    text: str
    identified_as: str


class EvaluationResults(BaseModel):
    """`evaluation/results.json`: no times in it, so that the same model gives the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    seed: int
    model_sha256: str
    """Of model.safetensors."""
    data_sha256: str
    """Of the bytes of `validation-*.tokens.npy`, in the order of their names."""
    versions: dict[str, str]
    metrics: tuple[Metric, ...]
    gates: tuple[GateResult, ...]
    samples: tuple[Sample, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate holds."""
        return all(gate.passed for gate in self.gates)


class DossierItem(BaseModel):
    """One item of documentation that the AI Act asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """As the rule set numbers it: `annex-iv-2c`, `annex-xi-1d`."""
    article: str
    title: str
    standing: Standing
    text: str = ""
    evidence: tuple[str, ...] = ()
    """Paths in the bundle, or fields of a stage record."""
    question: str = ""
    """What a human must still answer; set when open."""


class Dossier(BaseModel):
    """`dossier/dossier.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ruleset: str
    project: str
    organisation: str
    purpose: str
    facts: dict[str, str | float | int | None]
    """Compute, energy, data and model figures with their unit in the key."""
    items: tuple[DossierItem, ...]

    @property
    def num_open(self) -> int:
        """How many questions wait for a human."""
        return sum(item.standing is Standing.OPEN for item in self.items)
