"""The project file: who, why, and the five stages. All but name, organisation, purpose and sources has a default."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from fucina.data.recipe import FOUND_BY_SHAPE, HtmlProfile, PersonalData
from fucina.network.broker import Preference
from fucina.trust.recipe import GATES
from fucina.units import NotACount, parse_count


class StageName(StrEnum):
    """The five stages, in order."""

    PREPARE = "prepare"
    TRAIN = "train"
    EVALUATE = "evaluate"
    DOCUMENT = "document"
    RELEASE = "release"


STAGES = tuple(StageName)


def _count(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_count(value)
    except NotACount as error:
        raise ValueError(f"not a count; {error.hint}") from error


Count = Annotated[int, BeforeValidator(_count)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Source(_Part):
    """Documents to train on."""

    path: str = Field(min_length=1)
    """A file or a glob, relative to the project file; never outside its folder."""
    licence: str = Field(min_length=1)
    """SPDX expression, or `public-domain`, or the owner's words."""
    origin: str = ""
    """Where the documents come from: an address or a sentence for the cards."""


class DataSpec(_Part):
    """The `prepare` stage."""

    sources: tuple[Source, ...] = Field(min_length=1)
    """Files or globs with their licence."""
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2}$")], ...] = ()
    """ISO 639-1 codes of the languages to keep; empty keeps all."""
    redact: tuple[PersonalData, ...] = FOUND_BY_SHAPE
    """Kinds of personal data to replace by a placeholder."""
    drop_with: tuple[PersonalData, ...] = ()
    """Documents with personal data of these kinds are dropped."""
    html: HtmlProfile = HtmlProfile.FAST
    """How the main text of web pages is found: `fast`, or `best` at a quarter of the speed."""
    licences: tuple[str, ...] = ()
    """Licences to keep, of records that state one and of sources; empty keeps all."""
    min_characters: int = Field(default=200, ge=1)
    """Shorter documents are dropped."""
    quality: bool = True
    """Whether the quality rules drop documents."""
    near_duplicate_threshold: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of word 5-grams from which on two documents are one."""
    vocabulary_size: Count = Field(default=4096, ge=300, le=262144)
    """Entries of the tokenizer that is trained."""
    tokenizer: str = ""
    """A given `tokenizer.json`, relative to the project file; empty trains one."""
    num_canaries: int = Field(default=16, ge=0, le=1000)
    """Synthetic personal records planted before redaction, to measure what slips through."""
    sensitivity: Literal["public", "internal", "confidential", "health"] = "public"
    """Class of the documents; they go only to sites that may hold it."""


class TrainSpec(_Part):
    """The `train` stage."""

    recipe: Literal["pretrain"] = "pretrain"
    """`pretrain` trains a model from scratch."""
    size: str = "3M"
    """Name of a model size."""
    tokens: Count = Field(default=12_000_000, ge=1)
    """Tokens to train on, repeats counted: 12M, 1.5B."""
    sequence_length: int = Field(default=256, ge=16, le=131072)
    """Tokens that the model sees at once."""


class EvaluateSpec(_Part):
    """The `evaluate` stage; gates are limits that a release must keep."""

    suite: Literal["general"] = "general"
    """Which evaluations to run."""
    gates: dict[str, float] = {"pii_leak_rate": 0.0, "memorised_share": 0.01}
    """Limits on measured numbers; a release is signed only when all hold."""

    @field_validator("gates")
    @classmethod
    def _known(cls, gates: dict[str, float]) -> dict[str, float]:
        for name in gates:
            if name not in GATES:
                raise ValueError(f"there is no gate {name!r}; the gates are {', '.join(GATES)}")
        return gates


class ComputeSpec(_Part):
    """Where it runs and how much it may use at most."""

    site: str = "auto"
    """Where to run: a site, `site/partition`, or `auto`, which lets the factory choose and say why."""
    fallback: str = ""
    """A site or `site/partition` to go to when the chosen one falls silent or is down before anything has started."""
    prefer: Preference = Preference.BALANCED
    """What to save where there is a choice: `time`, `energy`, or both in balance."""
    gpus: int = Field(default=1, ge=1, le=131072)
    """Accelerators to train on at once, each with a process of its own."""
    gpu_hours: float = Field(default=1.0, gt=0)
    """The most that one run may use; held at the start, settled at the end."""


class ProjectSpec(_Part):
    """`project.yaml`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    """Small letters, digits and hyphens."""
    organisation: str = Field(min_length=1, max_length=200)
    """Who answers for the model."""
    purpose: str = Field(min_length=10, max_length=4000)
    """What the model is for, in a sentence or more; goes into the dossier."""
    sector: str = ""
    """Field of use."""
    contact: str = ""
    """Where questions about the model go."""
    licence: str = "EUPL-1.2"
    """Licence of the released weights."""
    data: DataSpec
    """Documents to train on."""
    train: TrainSpec = TrainSpec()
    """How to train."""
    evaluate: EvaluateSpec = EvaluateSpec()
    """What to measure and which limits hold."""
    compute: ComputeSpec = ComputeSpec()
    """Where and how much."""
    seed: int = Field(default=20261120, ge=0, lt=2**31)
    """Decides everything that is drawn."""

    def to_json(self) -> dict[str, Any]:
        """As it crosses the API."""
        return self.model_dump(mode="json")
