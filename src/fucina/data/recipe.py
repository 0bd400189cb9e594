"""What `prepare` is asked to do, as data."""

from enum import StrEnum
from typing import Annotated, Literal

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
    NAME = "name"
    """Of a person; found only where a list of names is given."""


FOUND_BY_SHAPE = tuple(kind for kind in PersonalData if kind is not PersonalData.NAME)
"""Kinds that need no list."""


class HtmlProfile(StrEnum):
    """How the main text of a page is found."""

    FAST = "fast"
    BEST = "best"
    """About a quarter of the speed; keeps more of pages whose markup says little."""


class QualityProfile(StrEnum):
    """Whose quality rules decide."""

    FUCINA = "fucina"
    DATATROVE = "datatrove"
    """As datatrove's filters decide, document by document; needs the extra `parity`."""


Score = Literal[
    "characters", "language_confidence", "mean_token_characters", "share_with_letters", "function_word_share",
    "symbols_per_token", "repeated_line_share", "repeated_run_share",
]  # fmt: skip
"""Measures on every document."""


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


class SampleRule(BaseModel):
    """Which documents, and what share of them stays; what is left out fits every document."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str = ""
    source: str = ""
    """A pattern of source names, such as `web/*`."""
    licence: str = ""
    scores: dict[Score, tuple[float, float]] = {}
    """Least and most of measures in `decisions.parquet`."""
    share: float = Field(ge=0, le=1)


class PrepareRecipe(BaseModel):
    """Everything that decides the outputs of `prepare`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[SourceFile, ...]
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes to keep; empty keeps all."""
    redact: tuple[PersonalData, ...] = FOUND_BY_SHAPE
    names: SourceFile | None = None
    """A list of given and family names, one a line; names of persons are then redacted too."""
    pseudonym_key: str = ""
    """Path of a file with a key: personal values give way to pseudonyms, the same for the same value."""
    drop_with: tuple[PersonalData, ...] = ()
    """Documents with personal data of these kinds are dropped."""
    html: HtmlProfile = HtmlProfile.FAST
    licences: tuple[str, ...] = ()
    """Licences to keep, of records that state one and of sources; empty keeps all."""
    blocked_words: SourceFile | None = None
    """A list, one word a line; a document that holds more than `max_blocked_share` of them is dropped."""
    max_blocked_share: float = Field(default=0.01, ge=0, lt=1)
    test_sets: tuple[SourceFile, ...] = ()
    """Documents that share a run of `test_set_words` words with one of these are dropped."""
    test_set_words: int = Field(default=13, ge=5, le=100)
    min_characters: int = 200
    max_characters: int = 1_000_000
    quality: bool = True
    quality_profile: QualityProfile = QualityProfile.FUCINA
    near_duplicate_threshold: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of word 5-grams at which one of two documents is dropped.

    A hundredth below it counts as well, below 1: words can be cut in more than one way."""
    drop_duplicates: bool = True
    """Whether only the first of documents that are alike stays; those that stay are on one side of the split anyhow."""
    remove_repeats: bool = False
    """Whether a paragraph that a document has had before is taken out of it."""
    sample: tuple[SampleRule, ...] = ()
    """Shares of documents to keep, so that a mixture comes out; the first rule that fits a document counts."""
    validation_share: float = Field(default=0.03, gt=0, lt=0.5)
    tokenizer: str = ""
    """Path of a given `tokenizer.json`; empty trains one."""
    vocabulary_size: int = Field(default=4096, ge=300, le=262144)
    num_canaries: int = Field(default=16, ge=0)
    """Synthetic personal records planted in training documents before redaction, to measure what slips through."""
    seed: int = 20261120
