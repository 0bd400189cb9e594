"""What `prepare` is asked to do, as data."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class PersonalData(StrEnum):
    """Kinds of personal data that `prepare` can find and redact."""

    EMAIL = "email"
    PHONE = "phone"
    IBAN = "iban"
    CODICE_FISCALE = "codice-fiscale"
    CREDIT_CARD = "credit-card"
    IP_ADDRESS = "ip-address"
    NATIONAL_ID = "national-id"
    PLATE = "plate"
    CREDENTIAL = "credential"


class SourceFile(BaseModel):
    """One input file, fixed by its digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    """Where the stage reads it: absolute, or relative to the working directory."""
    name: str
    """As the project file calls it; goes into cards."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    num_bytes: Annotated[int, Field(ge=0)]
    licence: str
    """SPDX expression, or `public-domain`, or the owner's words."""
    origin: str = ""


class PrepareRecipe(BaseModel):
    """Everything that decides the outputs of `prepare`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[SourceFile, ...]
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes to keep; empty keeps all."""
    redact: tuple[PersonalData, ...] = tuple(PersonalData)
    min_characters: int = 200
    max_characters: int = 1_000_000
    quality: bool = True
    near_duplicate_threshold: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of word 5-grams at which one of two documents is dropped."""
    drop_duplicates: bool = True
    """Whether only the first of documents that are alike stays; those that stay are on one side of the split anyhow."""
    validation_share: float = Field(default=0.03, gt=0, lt=0.5)
    tokenizer: str = ""
    """Path of a given `tokenizer.json`; empty trains one."""
    vocabulary_size: int = Field(default=4096, ge=300, le=262144)
    num_canaries: int = Field(default=16, ge=0)
    """Synthetic personal records planted in training documents before redaction, to measure what slips through."""
    seed: int = 20261120
