"""What `prepare` says about the documents: the public card, and the private files that never leave the site."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from fucina.data.recipe import PersonalData

CARD_FILE = "card.json"
DECISIONS_FILE = "decisions.parquet"
"""One row for each record, in order: kept or not, at which step and why, its cluster, and what was measured on it."""
SPANS_FILE = "spans.parquet"
"""One row for each personal value in a kept document: where it stood in the original text, in characters."""
CANARIES_FILE = "private/canaries.json"
PERSONAL_FILE = "private/personal.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tally(_Part):
    """How much text; tokens include one end-of-document token for each document."""

    num_documents: int = 0
    num_characters: int = 0
    num_tokens: int = 0


class SourceCard(_Part):
    """One input file and what became of it."""

    name: str
    sha256: str
    num_bytes: int
    licence: str
    origin: str = ""
    num_records: int
    """Records read, broken ones included."""
    num_broken: int
    kept: Tally


class DatasetCard(_Part):
    """`card.json`: what went in, what was dropped and why, what came out. Holds no personal data and no time."""

    num_records: int
    """Records read from every source."""
    num_broken: int
    """Records that could not be read as text."""
    num_documents: int
    """Documents kept in both splits."""
    broken: dict[str, int]
    """Broken records by reason."""
    drops: dict[str, int]
    """Readable documents dropped, by reason; duplicates included."""
    drop_samples: dict[str, tuple[str, ...]]
    """Up to three short beginnings of dropped documents for each reason, personal data redacted."""
    num_exact_duplicates: int
    num_near_duplicates: int
    near_duplicate_threshold: float
    duplicates_dropped: bool | None = None
    """Whether only the first of documents that are alike stayed; None in cards of before it was told."""
    redactions: dict[str, int]
    """Personal values redacted in kept documents, by kind; planted canaries not counted."""
    num_repeats_removed: int = 0
    """Paragraphs that a document had had before, taken out of it."""
    num_canaries: int
    num_canaries_redacted: int
    """Planted records that redaction found."""
    encodings: dict[str, int]
    """Records by the encoding that they were read as."""
    languages: dict[str, Tally]
    """Kept documents by ISO 639-1 code."""
    licences: dict[str, Tally]
    """Kept documents by licence."""
    sources: tuple[SourceCard, ...]
    train: Tally
    validation: Tally
    vocabulary_size: int
    tokens_per_character: float
    given_tokenizer_sha256: str = ""
    """Of the tokenizer that the recipe named; empty when one was trained."""
    seed: int


class Canary(_Part):
    """A synthetic personal record that was planted before redaction; it belongs to nobody."""

    kind: PersonalData
    value: str
    prefix: Annotated[str, Field(max_length=200)]
    """The text right before the value, as it stood before redaction."""
    language: str
    redacted: bool
    """Whether redaction found it."""


class PersonalValue(_Part):
    """A personal value found in a training document and redacted."""

    kind: PersonalData
    value: str
    prefix: Annotated[str, Field(max_length=200)]
    """The text right before the value, as it stood before redaction."""


_CANARIES = TypeAdapter(tuple[Canary, ...])
_PERSONAL = TypeAdapter(tuple[PersonalValue, ...])


def read_card(out: Path) -> DatasetCard:
    """The card in the outputs of `prepare`."""
    return DatasetCard.model_validate_json((out / CARD_FILE).read_bytes())


def read_canaries(out: Path) -> tuple[Canary, ...]:
    """The planted records in the outputs of `prepare`."""
    return _CANARIES.validate_json((out / CANARIES_FILE).read_bytes())


def read_personal(out: Path) -> tuple[PersonalValue, ...]:
    """Redacted values of training documents in the outputs of `prepare`; a fixed sample when there are very many."""
    return _PERSONAL.validate_json((out / PERSONAL_FILE).read_bytes())


def canaries_json(canaries: tuple[Canary, ...]) -> bytes:
    """`private/canaries.json`."""
    return _CANARIES.dump_json(canaries, indent=1)


def personal_json(values: tuple[PersonalValue, ...]) -> bytes:
    """`private/personal.json`."""
    return _PERSONAL.dump_json(values, indent=1)
