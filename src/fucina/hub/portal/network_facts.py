"""Records of the catalogue as facts to read, each with its sources."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from fucina.client.wire_network import EditInfo
from fucina.hub.network.catalogue_read import Standing
from fucina.hub.portal import figures
from fucina.hub.portal.states import look
from fucina.network.catalogue import RECALLED, Money, Named, Source, Sourced, Status, Supercomputer

LABELS: dict[str, str | Promise] = {
    "acronym": _("Short name"),
    "also_known_as": _("Also known as"),
    "amount_eur": _("Amount"),
    "antennas": _("Antennas"),
    "begins_on": _("From"),
    "budget": _("Budget"),
    "city": _("City"),
    "collaborations": _("Works with"),
    "cost": _("Cost"),
    "countries": _("Countries"),
    "country": _("Country"),
    "cpu": _("Processor"),
    "ends_on": _("Until"),
    "existing_systems": _("Machines in use"),
    "expected": _("Expected"),
    "experimental_platform": _("Experimental platform"),
    "facts": _("More"),
    "factories": _("Factories"),
    "host": _("Host"),
    "in_operation_since": _("In operation since"),
    "investments": _("Money"),
    "kind": _("Kind"),
    "languages": _("Languages of its models"),
    "lead": _("Lead"),
    "mobilises_eur": _("Is to mobilise"),
    "name": _("Name"),
    "network": _("Interconnect"),
    "note": _("Note"),
    "num_partners": _("Number of partners"),
    "partners": _("Partners"),
    "performance": _("Performance"),
    "period": _("Period"),
    "place": _("Place"),
    "platform": _("Platform"),
    "rmax_pflops": _("Linpack, PFlop/s"),
    "rpeak_pflops": _("Peak, PFlop/s"),
    "scheduler": _("Scheduler"),
    "sectors": _("Sectors"),
    "sectors_named": _("Sectors, as the sources say"),
    "selected_on": _("Selected on"),
    "services": _("Services"),
    "services_named": _("Services, as the sources say"),
    "services_since": _("Services since"),
    "services_status": _("Services are"),
    "states": _("Participating states"),
    "status": _("Status"),
    "system_expected": _("New system expected"),
    "system_status": _("New system is"),
    "systems": _("New systems"),
    "technology": _("Technology"),
    "top500": _("TOP500"),
    "vendor": _("Maker"),
    "what": _("What it is"),
}
"""Fields that a page shows."""

HIDDEN = frozenset({"id", "sources", "as_of", "recalled", "lat", "lon", "wave", "national", "currency"})
BLOCKS = frozenset({"investments", "cost", "facts"})
CLASSICAL = frozenset({"name", "cpu", "network", "rmax_pflops", "rpeak_pflops", "top500", "scheduler"})
"""What is not shown of a quantum computer."""
HIDDEN_PARTS = frozenset({"partitions", "amount_is"})
KIND_NAMES: dict[str, str | Promise] = {
    "wave": _("Wave of factories"),
    "fund": _("Fund"),
    "gigafactory": _("Gigafactories"),
    "policy": _("Law and policy"),
    "support": _("Support for users"),
    "tef": _("Testing and experimentation facility"),
    "edih": _("Digital innovation hub"),
}
AMOUNT_IS: dict[str, str | Promise] = {
    "more than": _("more than"),
    "about": _("about"),
    "at most": _("at most"),
    "at least": _("at least"),
}
_RECORDS = {
    "antennas": "antenna",
    "factories": "factory",
    "systems": "system",
    "existing_systems": "system",
    "collaborations": "factory",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Part of a fact."""

    text: str
    address: str = ""
    plain: bool = True
    """Translated, or the same in every language; otherwise as the catalogue writes it, in English."""
    state: str = ""
    block: bool = False
    """On a line of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A source, with its number on the page."""

    number: int
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A field of a record."""

    label: str | Promise
    pieces: tuple[Piece, ...]
    """None is unknown."""
    cited: tuple[Cited, ...]
    recalled: bool
    edit: EditInfo | None
    shipped: str

    @property
    def span(self) -> str:
        """Sources that follow each other as one, such as 1–6; empty where they do not, or are few."""
        numbers = [one.number for one in self.cited]
        if len(numbers) < 3 or numbers[-1] - numbers[0] + 1 != len(numbers):
            return ""
        return f"{numbers[0]}–{numbers[-1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A record as facts."""

    facts: tuple[Fact, ...]
    sources: tuple[Cited, ...]


def day(value: date | None) -> str:
    """A day as the reader's language writes it."""
    return date_format(value, "j M Y") if value else figures.DASH


def amount(value: int | None, currency: str = "EUR", how: str | None = None) -> str:
    """An amount with its currency."""
    if value is None:
        return figures.DASH
    return " ".join(
        str(part) for part in (AMOUNT_IS.get(how or "", how or ""), figures.figure(value), currency) if part
    )


def labels(rows: Iterable[Named]) -> dict[str, str]:
    """Words of a vocabulary in the reader's language."""
    language = get_language() or "en"
    return {row.id: row.label(language) for row in rows}


class Teller:
    """Tells records of one state of the catalogue in the reader's language."""

    def __init__(self, found: Standing) -> None:
        self.found = found
        catalogue = found.catalogue
        self.countries = labels(catalogue.countries)
        self.sectors = labels(catalogue.sectors)
        self.services = labels(catalogue.services)
        self._sources = {source.id: source for source in catalogue.sources}
        self._names = {
            "antenna": {row.id: row.name for row in catalogue.antennas},
            "factory": {row.id: row.name for row in catalogue.factories},
            "system": {row.id: row.name for row in catalogue.systems},
        }

    def tell(self, kind: str, row: Sourced) -> Told:
        """Every field that a page shows; what is unknown too."""
        extra = [source for part in _money(row) for source in part.sources]
        extra += [source for one in getattr(row, "collaborations", ()) for source in one.sources]
        order = [one for one in dict.fromkeys((*row.sources, *extra)) if one in self._sources]
        numbers = {one: Cited(number=n, source=self._sources[one]) for n, one in enumerate(order, 1)}
        edits = {edit.field: edit for edit in self.found.edits_of(kind, row.id)}
        facts = []
        for field in sorted(type(row).model_fields, key=lambda name: name == "note"):
            if field in HIDDEN or field in HIDDEN_PARTS or (field not in edits and _is_beside_it(row, field)):
                continue
            named = {one for part in _parts(row, field) for one in part} or set(row.sources_of(field))
            cited = tuple(numbers[one] for one in order if one in named)
            edit = edits.get(field)
            pieces = self.pieces(kind, row, field)
            facts.append(
                Fact(
                    label=LABELS[field],
                    pieces=pieces,
                    cited=cited if pieces else (),
                    recalled=bool(pieces) and RECALLED in named,
                    edit=edit,
                    shipped=_shipped(edit),
                )
            )
        return Told(facts=tuple(facts), sources=tuple(numbers.values()))

    def pieces(self, kind: str, row: Sourced, field: str) -> tuple[Piece, ...]:
        """The value of a field, in parts."""
        value = getattr(row, field)
        if value is None or value == ():
            return ()
        vocabulary = {
            "sectors": self.sectors,
            "services": self.services,
            "states": self.countries,
            "countries": self.countries,
        }.get(field)
        if vocabulary is not None:
            return tuple(Piece(text=vocabulary[one]) for one in value)
        if field in _RECORDS:
            return tuple(self._link(_RECORDS[field], one) for one in value)
        if field in {"amount_eur", "mobilises_eur", "budget"}:
            how = getattr(row, "amount_is", None) if field == "amount_eur" else None
            return (Piece(text=amount(value, getattr(row, "currency", "EUR"), how)),)
        return self._plain(kind, field, value)

    def _plain(self, kind: str, field: str, value: object) -> tuple[Piece, ...]:
        if field == "country":
            return (Piece(text=self.countries[str(value)]),)
        if field == "kind" and kind == "programme":
            return (Piece(text=str(KIND_NAMES[str(value)])),)
        if field == "languages" and isinstance(value, tuple):
            return tuple(Piece(text=figures.language_name(one)) for one in value)
        if isinstance(value, Status):
            return (Piece(text=str(look(value).word), state=value),)
        if isinstance(value, bool):
            return (Piece(text=str(_("yes") if value else _("no"))),)
        if isinstance(value, date):
            return (Piece(text=day(value)),)
        if isinstance(value, int | float):
            return (Piece(text=figures.figure(value)),)
        parts = value if isinstance(value, tuple) else (value,)
        return tuple(Piece(text=_words(part), plain=False, block=field in BLOCKS) for part in parts)

    def _link(self, kind: str, one: object) -> Piece:
        key = str(getattr(one, "factory", one))
        return Piece(text=self._names[kind][key], address=reverse("portal:network-record", args=(kind, key)))


def _money(row: Sourced) -> tuple[Money, ...]:
    return (*getattr(row, "investments", ()), *getattr(row, "cost", ()))


def _parts(row: Sourced, field: str) -> list[tuple[str, ...]]:
    """Sources that parts of a field have of their own."""
    value = getattr(row, field)
    return [one.sources for one in value if hasattr(one, "sources")] if isinstance(value, tuple) else []


def _words(part: object) -> str:
    if isinstance(part, Money):
        told = f"{amount(part.amount, part.currency)}: {part.what}"
        return f"{told} ({day(part.signed)})" if part.signed else told
    return str(part)


def _is_beside_it(row: Sourced, field: str) -> bool:
    """Whether a field means nothing for this record, or stands in the heading."""
    if isinstance(row, Supercomputer):
        is_quantum = row.kind == "quantum"
        return field in {"name", "technology"} if not is_quantum else field in CLASSICAL
    return field == "name"


def _shipped(edit: EditInfo | None) -> str:
    if edit is None:
        return ""
    value = edit.shipped
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or figures.DASH
    return figures.DASH if value is None else str(value)
