"""The project file: who, why, and the five stages. All but name, organisation, purpose and sources has a default."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from fucina.data.recipe import PersonalData
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
    model_config = ConfigDict(frozen=True, extra="forbid")


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
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2}$")], ...] = ()
    redact: tuple[PersonalData, ...] = tuple(PersonalData)
    min_characters: int = Field(default=200, ge=1)
    quality: bool = True
    near_duplicate_threshold: float = Field(default=0.8, gt=0, le=1)
    vocabulary_size: Count = Field(default=4096, ge=300, le=262144)
    num_canaries: int = Field(default=16, ge=0, le=1000)


class TrainSpec(_Part):
    """The `train` stage."""

    recipe: Literal["pretrain"] = "pretrain"
    size: str = "3M"
    tokens: Count = Field(default=12_000_000, ge=1)
    sequence_length: int = Field(default=256, ge=16, le=131072)


class EvaluateSpec(_Part):
    """The `evaluate` stage; gates are limits that a release must keep."""

    suite: Literal["general"] = "general"
    gates: dict[str, float] = {"pii_leak_rate": 0.0, "memorised_share": 0.01}

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
    gpu_hours: float = Field(default=1.0, gt=0)


class ProjectSpec(_Part):
    """`project.yaml`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    organisation: str = Field(min_length=1, max_length=200)
    purpose: str = Field(min_length=10, max_length=4000)
    sector: str = ""
    contact: str = ""
    licence: str = "EUPL-1.2"
    """Licence of the released weights."""
    data: DataSpec
    train: TrainSpec = TrainSpec()
    evaluate: EvaluateSpec = EvaluateSpec()
    compute: ComputeSpec = ComputeSpec()
    seed: int = Field(default=20261120, ge=0, lt=2**31)

    def to_json(self) -> dict[str, Any]:
        """As it crosses the API."""
        return self.model_dump(mode="json")
