"""What is publicly known of the AI Factories network, every record with its sources; None is unknown."""

from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fucina.errors import BadInput

RECALLED = "recalled"
"""Source of what is general knowledge and was not found in a document."""


class BadCatalogue(BadInput):
    """A catalogue file that cannot be used."""

    code = "bad_catalogue"


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    """A file may not have unknown keys (`parse_catalogue`); an older client ignores what a newer hub says more."""


class Status(StrEnum):
    """How far a service or a machine is."""

    OPERATIONAL = "operational"
    STARTING = "starting"
    DEPLOYING = "deploying"
    CONTRACT_SIGNED = "contract-signed"
    TENDER_CLOSED = "tender-closed"
    TENDER_OPEN = "tender-open"
    SELECTED = "selected"
    PLANNED = "planned"


class Source(_Plain):
    """Where a fact was read."""

    id: str
    title: str
    url: str | None = None
    dated: date | None = None
    """When it was published, or read by who cites it."""
    reading: str | None = None
    """How near to the origin it is."""


class Named(_Plain):
    """A word of a vocabulary in the languages of the portal."""

    id: str
    en: str
    it: str

    def label(self, language: str) -> str:
        """The word in a language; English where it has none."""
        return self.it if language.startswith("it") else self.en


class Country(Named):
    """A country by ISO 3166-1 alpha-2, with its official languages (Unicode CLDR)."""

    languages: tuple[str, ...] = ()
    """Two-letter codes."""
    participates: bool | None = None
    """In the EuroHPC Joint Undertaking, as of October 2025."""


class Sourced(_Plain):
    """A record whose facts come from its sources, but for the fields that are recalled."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)
    name: str = Field(min_length=1, max_length=300)
    sources: tuple[str, ...] = ()
    as_of: date | None = None
    """Date of its newest source; None where no source has one."""
    recalled: tuple[str, ...] = ()
    """Fields (or parts of them, in words) that are general knowledge."""
    note: str | None = None

    def sources_of(self, field: str) -> tuple[str, ...]:
        """Sources of one fact."""
        return (RECALLED,) if field in self.recalled else self.sources


class Money(_Plain):
    """An amount that was committed or announced."""

    amount: int = Field(ge=0)
    currency: str = "EUR"
    what: str
    signed: date | None = None
    sources: tuple[str, ...] = ()


class Collaboration(_Plain):
    """Working with another factory of the network."""

    factory: str
    purpose: str | None = None
    named_by: str
    """The factory that the source starts from."""
    sources: tuple[str, ...] = ()


class Factory(Sourced):
    """An AI Factory."""

    acronym: str
    also_known_as: tuple[str, ...] = ()
    city: str
    country: str
    lat: float
    lon: float
    """WGS84, good enough for a map of the continent."""
    host: str
    lead: str | None = None
    partners: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    wave: str
    selected_on: date
    services_status: Status
    services_since: str | None = None
    system_status: Status
    system_expected: str | None = None
    sectors: tuple[str, ...] = ()
    sectors_named: tuple[str, ...] = ()
    """As the sources name them."""
    services: tuple[str, ...] = ()
    services_named: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    """Languages that its models or data are named for."""
    experimental_platform: bool | None = None
    systems: tuple[str, ...] = ()
    existing_systems: tuple[str, ...] = ()
    antennas: tuple[str, ...] = ()
    collaborations: tuple[Collaboration, ...] = ()
    investments: tuple[Money, ...] = ()


class Antenna(Sourced):
    """A national access point linked to one or more factories."""

    country: str
    factories: tuple[str, ...]
    lead: str | None = None
    partners: tuple[str, ...] = ()
    num_partners: int | None = None
    sectors: tuple[str, ...] = ()
    sectors_named: tuple[str, ...] = ()
    budget: int | None = None
    currency: str = "EUR"
    period: str | None = None


class SystemPartition(_Plain):
    """Nodes of one kind in a machine."""

    name: str
    kind: str = "gpu"
    accelerator: str | None = None
    accelerator_id: str | None = None
    """Its planning figures, where model and memory are known."""
    vendor: str | None = None
    num_nodes: int | None = None
    num_accelerators_per_node: int | None = None
    num_accelerators: int | None = None
    num_accelerators_is: str | None = None
    """`at least`, `about` or `planned` where the number is not exact."""
    memory_gb: float | None = None
    """Of one accelerator."""
    cpu: str | None = None
    devices_per_node: int | None = None
    """As the scheduler counts them, where that differs."""
    gpu_hour: str | None = None
    """What one GPU-hour is at the site, where it says so."""


class Supercomputer(Sourced):
    """A machine of the network, or a national one that its users reach; a quantum computer has no partitions."""

    place: str | None = None
    country: str
    host: str | None = None
    kind: str | None = None
    status: Status | None = None
    national: bool = False
    technology: str | None = None
    """Of a quantum computer."""
    vendor: str | None = None
    platform: str | None = None
    scheduler: str | None = None
    cpu: str | None = None
    network: str | None = None
    rmax_pflops: float | None = None
    rpeak_pflops: float | None = None
    top500: str | None = None
    performance: str | None = None
    in_operation_since: str | None = None
    expected: str | None = None
    cost: tuple[Money, ...] = ()
    partitions: tuple[SystemPartition, ...] = ()

    @property
    def num_accelerators(self) -> int | None:
        """Accelerators whose number is known."""
        known = [part.num_accelerators for part in self.partitions if part.num_accelerators is not None]
        return sum(known) if known else None


class AcceleratorFacts(_Plain):
    """Peak figures of an accelerator for planning: dense, per unit."""

    id: str
    vendor: str
    form: str | None = None
    year: int | None = None
    tflops_bf16: float | None = None
    tflops_fp8: float | None = None
    memory_gb: float | None = None
    memory_gbps: float | None = None
    tdp_w: float | None = None
    system_w: float | None = None
    confidence: str | None = None
    note: str | None = None


class Service(Named):
    """A kind of service that factories name."""

    what_en: str
    what_it: str

    def what(self, language: str) -> str:
        """What it is, in a language."""
        return self.what_it if language.startswith("it") else self.what_en


class ProgrammeKind(StrEnum):
    """What a programme is."""

    WAVE = "wave"
    FUND = "fund"
    GIGAFACTORY = "gigafactory"
    POLICY = "policy"
    SUPPORT = "support"
    TEF = "tef"
    EDIH = "edih"


class Programme(Sourced):
    """Money, law or help around the factories."""

    kind: ProgrammeKind
    what: str | None = None
    amount_eur: int | None = None
    amount_is: str | None = None
    """`more than` or `about` where the amount is not exact."""
    mobilises_eur: int | None = None
    begins_on: date | None = None
    ends_on: date | None = None
    countries: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    """What else the sources say, a sentence each."""


class Disagreement(_Plain):
    """A fact on which sources differ."""

    topic: str
    one: str
    other: str
    used: str
    """`one` or `other`."""


class Catalogue(_Plain):
    """Everything that is shipped, as of a day."""

    version: str
    facts_as_of: date
    sources: tuple[Source, ...]
    countries: tuple[Country, ...]
    sectors: tuple[Named, ...]
    services: tuple[Service, ...]
    factories: tuple[Factory, ...]
    antennas: tuple[Antenna, ...]
    systems: tuple[Supercomputer, ...]
    accelerators: tuple[AcceleratorFacts, ...]
    programmes: tuple[Programme, ...]
    disagreements: tuple[Disagreement, ...] = ()

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        """Ids are unique, and whatever a record points at is there."""
        known = {kind: _ids(kind, getattr(self, kind)) for kind in (*_VOCABULARIES, *_KINDS)}
        known["sources"].add(RECALLED)
        for wrong in _dangling(self, known):
            raise ValueError(wrong)
        return self


class Kind(NamedTuple):
    """A kind of record that the hub keeps and staff may edit."""

    many: str
    type: type[Sourced]


KINDS: dict[str, Kind] = {
    "factory": Kind("factories", Factory),
    "antenna": Kind("antennas", Antenna),
    "system": Kind("systems", Supercomputer),
    "programme": Kind("programmes", Programme),
}
_VOCABULARIES = ("sources", "countries", "sectors", "services", "accelerators")
_KINDS = tuple(kind.many for kind in KINDS.values())
_POINTERS = {
    "sources": "sources",
    "sectors": "sectors",
    "services": "services",
    "states": "countries",
    "countries": "countries",
    "systems": "systems",
    "existing_systems": "systems",
    "antennas": "antennas",
    "factories": "factories",
}
"""Field of a record, and the kind that it points at."""


def _ids(kind: str, rows: tuple[BaseModel, ...]) -> set[str]:
    ids = [str(getattr(row, "id", "")) for row in rows]
    twice = next((one for one in ids if ids.count(one) > 1), None)
    if twice is not None:
        raise ValueError(f"{kind}: {twice!r} stands there twice")
    return set(ids)


def _dangling(catalogue: Catalogue, known: dict[str, set[str]]) -> list[str]:
    """What points at nothing, in words."""
    found = []
    for many in _KINDS:
        for row in getattr(catalogue, many):
            for field, target in _POINTERS.items():
                missing = set(getattr(row, field, ())) - known[target]
                found += [f"{many}: {row.id} names {one!r} in {field}, which is not there" for one in sorted(missing)]
            country = getattr(row, "country", None)
            if country is not None and country not in known["countries"]:
                found.append(f"{many}: {row.id} is in {country!r}, which is not there")
            for other in getattr(row, "collaborations", ()):
                if other.factory not in known["factories"]:
                    found.append(f"{many}: {row.id} works with {other.factory!r}, which is not there")
    return found


def load_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file. Raises BadCatalogue."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadCatalogue(f"{path} cannot be read: {error}.", hint="Give a UTF-8 text file.") from error
    return parse_catalogue(text, name=str(path))


def parse_catalogue(text: str, *, name: str) -> Catalogue:
    """A catalogue from YAML. Raises BadCatalogue."""
    try:
        data = yaml.load(text, Loader=yaml.CSafeLoader)
        return Catalogue.model_validate(data, extra="forbid")
    except yaml.YAMLError as error:
        raise BadCatalogue(f"{name} is no YAML: {error}", hint="Check the indentation and the quotes.") from error
    except ValidationError as error:
        raise BadCatalogue(f"{name}: {in_words(error)}", hint="Start from the shipped catalogue.yaml.") from error


def in_words(error: ValidationError) -> str:
    """The first of what was found wrong."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place + ': ' if place else ''}{first['msg']} ({error.error_count()} problems)."


@cache
def shipped_catalogue() -> Catalogue:
    """The catalogue of this version of Fucina."""
    file = files("fucina.network") / "catalogue.yaml"
    return parse_catalogue(file.read_text(encoding="utf-8"), name="catalogue.yaml")
