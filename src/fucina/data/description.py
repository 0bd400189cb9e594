"""The one model of a dataset's metadata: Croissant, DCAT-AP, the catalogue's facets and its badge are made from it."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fucina.data.card import DatasetCard

DESCRIPTION_FILE = "data/dataset.json"
"""Where a release keeps it."""

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, Field(max_length=2000)]
Text = Annotated[str, Field(max_length=10_000)]


class Sensitivity(StrEnum):
    """How much harm a leak would do."""

    PUBLIC = "public"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"
    """Personal, health or trade secrets: no sample is shown to who has no leave."""


class Access(StrEnum):
    """How one comes to the bytes."""

    OPEN = "open"
    REQUEST = "request"
    CLOSED = "closed"
    """Only the organisation itself."""


class Theme(StrEnum):
    """The data themes of the EU's authority table."""

    AGRI = "AGRI"
    ECON = "ECON"
    EDUC = "EDUC"
    ENER = "ENER"
    ENVI = "ENVI"
    GOVE = "GOVE"
    HEAL = "HEAL"
    INTR = "INTR"
    JUST = "JUST"
    REGI = "REGI"
    SOCI = "SOCI"
    TECH = "TECH"
    TRAN = "TRAN"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Party(_Part):
    """Who publishes, or who answers questions."""

    name: Line
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    email: Annotated[str, Field(pattern=r"^([^@\s<>\"]+@[^@\s<>\"]+)?$", max_length=254)] = ""
    url: Annotated[str, Field(pattern=r"^(https?://[^\s<>\"{}|\\^`]+)?$", max_length=1000)] = ""


class Column(_Part):
    """A column of a table."""

    name: Line
    type: Literal["text", "integer", "number", "boolean"]
    description: Line = ""


class FileInfo(_Part):
    """A file of the dataset, or one that it was made from."""

    path: Annotated[str, Field(min_length=1, max_length=1000)]
    sha256: Sha256
    num_bytes: Annotated[int, Field(ge=0)]
    media_type: Annotated[str, Field(pattern=r"^[\w.+-]+/[\w.+-]+$", max_length=100)] = "application/octet-stream"
    role: Literal["source", "documents", "record"] = "documents"
    """What it was made from, what it consists of, or what is told about it."""
    num_rows: Annotated[int, Field(ge=0)] | None = None
    columns: tuple[Column, ...] = ()
    licence: Line = ""
    origin: Line = ""


class Share(_Part):
    """How much of the dataset has some property."""

    num_documents: Annotated[int, Field(ge=0)] = 0
    num_characters: Annotated[int, Field(ge=0)] = 0
    num_tokens: Annotated[int, Field(ge=0)] = 0


class Curation(_Part):
    """What `prepare` did, in numbers; none of it is a document's text."""

    num_records: int
    num_broken: int
    num_documents: int
    broken: dict[str, int] = {}
    drops: dict[str, int] = {}
    num_exact_duplicates: int
    num_near_duplicates: int
    near_duplicate_threshold: float
    duplicates_dropped: bool | None = None
    """None where no record tells."""
    redactions: dict[str, int] = {}
    num_canaries: int
    num_canaries_redacted: int
    languages: dict[str, Share] = {}
    licences: dict[str, Share] = {}
    sources: dict[str, Share] = {}
    train: Share
    validation: Share


class HealthTerms(_Part):
    """What HealthDCAT-AP asks of data for the European Health Data Space."""

    categories: Annotated[tuple[Annotated[str, Field(pattern=r"^https?://\S+$")], ...], Field(min_length=1)]
    """IRIs of the categories of Regulation (EU) 2025/327, article 51."""
    access_body: Party
    """The health data access body; needs an address or an e-mail."""
    purpose: Text = ""
    legal_basis: Line = ""
    num_individuals: Annotated[int, Field(ge=0)] | None = None
    min_age: Annotated[int, Field(ge=0, le=150)] | None = None
    max_age: Annotated[int, Field(ge=0, le=150)] | None = None
    population: Line = ""


class DatasetDescription(_Part):
    """A version of a dataset, as everybody is told about it."""

    name: Slug
    title: Annotated[str, Field(min_length=1, max_length=300)]
    description: Annotated[str, Field(min_length=1, max_length=10_000)]
    purpose: Text = ""
    version: Annotated[int, Field(ge=1)] = 1
    publisher: Party
    contact: Party | None = None
    licences: tuple[Line, ...] = ()
    """SPDX expressions, `public-domain`, or the owner's words."""
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...] = ()
    themes: tuple[Theme, ...] = ()
    keywords: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    access: Access = Access.CLOSED
    sensitivity: Sensitivity = Sensitivity.INTERNAL
    provenance: Text = ""
    issued_on: date | None = None
    changed_on: date | None = None
    run: Line = ""
    """Reference of the run that prepared it."""
    digest: Sha256 | None = None
    """Over all its files."""
    files: tuple[FileInfo, ...] = ()
    curation: Curation | None = None
    health: HealthTerms | None = None
    notes: Text = ""
    """What changed since the version before."""

    def files_of(self, *roles: str) -> tuple[FileInfo, ...]:
        """Its files of some roles."""
        return tuple(file for file in self.files if file.role in roles)

    @property
    def num_bytes(self) -> int:
        """Bytes of the documents themselves."""
        return sum(file.num_bytes for file in self.files_of("documents"))


def curation_of(card: DatasetCard) -> Curation:
    """What a card says in numbers, without its samples of text."""
    plain = card.model_dump(include=set(Curation.model_fields) - {"sources"})
    sources = {f"{source.name}": source.kept.model_dump() for source in card.sources}
    return Curation.model_validate({**plain, "sources": sources})


def sources_of(card: DatasetCard) -> tuple[FileInfo, ...]:
    """The files that a card names as read."""
    return tuple(
        FileInfo(
            path=source.name,
            sha256=source.sha256,
            num_bytes=source.num_bytes,
            role="source",
            num_rows=source.num_records,
            licence=source.licence,
            origin=source.origin,
        )
        for source in card.sources
    )
