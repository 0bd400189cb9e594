"""The network of AI Factories: who is where, with what, paid by whom. Public."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from fucina.hub.network.catalogue_read import Standing, standing
from fucina.hub.portal.door import page, public
from fucina.hub.portal.figures import language_name
from fucina.hub.portal.network_facts import KIND_NAMES, Cited, Fact, Piece, Teller, amount, day
from fucina.hub.portal.network_map import NetworkMap, network_map
from fucina.hub.portal.states import look
from fucina.network.catalogue import Catalogue, Disagreement, Sourced, Supercomputer, SystemPartition
from fucina.network.catalogue_filter import (
    Offer,
    Wanted,
    accelerators,
    choices,
    select_antennas,
    select_factories,
    select_programmes,
    select_services,
    select_systems,
    wanted,
)

PLACE = "network"
FILTER_LABELS: dict[str, str | Promise] = {
    "country": _("Country"),
    "sector": _("Sector"),
    "language": _("Language"),
    "service": _("Service"),
    "accelerator": _("Accelerator"),
    "status": _("Status"),
    "kind": _("Kind"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a filter."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A filter with its values."""

    name: str
    label: str | Promise
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record in a list: its facts in the order of the columns."""

    kind: str
    record: Sourced
    cells: tuple[tuple[Piece, ...], ...]
    as_of: str
    num_sources: int
    num_edits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list with its filters."""

    filters: tuple[Filter, ...]
    rows: tuple[Row, ...]
    is_filtered: bool
    facts_as_of: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage(Listing):
    """Map, factories and antennas."""

    map: NetworkMap
    antennas: tuple[Row, ...]
    num_all: int
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """A service and who names it."""

    label: str
    what: str
    offer: Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesPage(Listing):
    """Services."""

    services: tuple[ServiceRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """One record."""

    kind: str
    record: Sourced
    facts: tuple[Fact, ...]
    sources: tuple[Cited, ...]
    partitions: Sequence[SystemPartition]
    recalled: tuple[str, ...]
    """What of the record is recalled beside whole fields, in words."""
    as_of: str
    back: str
    """Name of the list that it stands in."""


def _wish(request: HttpRequest) -> Wanted:
    return wanted(**{name: request.GET.get(name) for name in FILTER_LABELS})


def _filters(catalogue: Catalogue, teller: Teller, wish: Wanted, names: Sequence[str]) -> tuple[Filter, ...]:
    """The filters of a page; countries and languages by their names."""
    values = {**choices(catalogue), "accelerator": accelerators(catalogue)}
    words = {"country": teller.countries, "sector": teller.sectors, "service": teller.services}
    found = []
    for name in names:
        chosen = getattr(wish, name)
        pairs = [(value, _word(name, value, words.get(name, {}))) for value in values[name]]
        if name in {"country", "language", "sector", "service"}:
            pairs.sort(key=lambda pair: pair[1].casefold())
        if chosen and chosen not in values[name]:
            pairs.append((chosen, chosen))
        options = tuple(Choice(value=value, label=label, chosen=value == chosen) for value, label in pairs)
        found.append(Filter(name=name, label=FILTER_LABELS[name], choices=options))
    return tuple(found)


def _word(name: str, value: str, words: dict[str, str]) -> str:
    if name == "language":
        return language_name(value)
    if name == "status":
        return str(look(value).word)
    return str(KIND_NAMES[value]) if name == "kind" else words.get(value, value)


def _rows(teller: Teller, kind: str, rows: Sequence[Sourced], fields: Sequence[str]) -> tuple[Row, ...]:
    return tuple(
        Row(
            kind=kind,
            record=row,
            cells=tuple(_cell(teller, kind, row, field) for field in fields),
            as_of=day(row.as_of),
            num_sources=len(row.sources),
            num_edits=len(teller.found.edits_of(kind, row.id)),
        )
        for row in rows
    )


def _cell(teller: Teller, kind: str, row: Sourced, field: str) -> tuple[Piece, ...]:
    if not isinstance(row, Supercomputer):
        return teller.pieces(kind, row, field)
    if field == "accelerators":
        names = dict.fromkeys(part.accelerator for part in row.partitions if part.accelerator)
        return tuple(Piece(text=name) for name in names)
    if field == "num_accelerators":
        how = {part.num_accelerators_is for part in row.partitions} - {None}
        told = amount(row.num_accelerators, "", how.pop() if how else None)
        return (Piece(text=told),) if row.num_accelerators is not None else ()
    return teller.pieces(kind, row, field)


def _listing(found: Standing, wish: Wanted, filters: tuple[Filter, ...]) -> dict[str, object]:
    return {
        "filters": filters,
        "is_filtered": any(getattr(wish, one.name) for one in filters),
        "facts_as_of": day(found.catalogue.facts_as_of),
        "version": found.catalogue.version,
    }


@require_safe
@public
def overview(request: HttpRequest) -> HttpResponse:
    """The map, with the factories that fit and the antennas."""
    found, wish = standing(), _wish(request)
    catalogue, teller = found.catalogue, Teller(found)
    fitting = select_factories(catalogue, wish)
    filters = _filters(catalogue, teller, wish, ("country", "sector", "language", "service", "accelerator", "status"))
    context = OverviewPage(
        **_listing(found, wish, filters),  # type: ignore[arg-type]
        rows=_rows(teller, "factory", fitting, ("city", "country", "services_status", "system_status", "sectors")),
        map=network_map(catalogue, fitting),
        antennas=_rows(teller, "antenna", select_antennas(catalogue, wish), ("country", "factories", "lead", "budget")),
        num_all=len(catalogue.factories),
        disagreements=catalogue.disagreements,
    )
    return page(request, "portal/network.html", context, place=PLACE)


@require_safe
@public
def systems(request: HttpRequest) -> HttpResponse:
    """Supercomputers and quantum computers that fit."""
    found, wish = standing(), _wish(request)
    teller = Teller(found)
    filters = _filters(found.catalogue, teller, wish, ("country", "accelerator", "status"))
    columns = ("country", "kind", "status", "accelerators", "num_accelerators", "rmax_pflops")
    rows = _rows(teller, "system", select_systems(found.catalogue, wish), columns)
    context = Listing(**_listing(found, wish, filters), rows=rows)  # type: ignore[arg-type]
    return page(request, "portal/network_systems.html", context, place=PLACE)


@require_safe
@public
def services(request: HttpRequest) -> HttpResponse:
    """Services, each with the factories that fit and name it."""
    found, wish = standing(), _wish(request)
    teller, language = Teller(found), get_language() or "en"
    filters = _filters(found.catalogue, teller, wish, ("country", "sector", "language", "service"))
    offers = select_services(found.catalogue, wish)
    context = ServicesPage(
        **_listing(found, wish, filters),  # type: ignore[arg-type]
        rows=(),
        services=tuple(
            ServiceRow(label=one.service.label(language), what=one.service.what(language), offer=one) for one in offers
        ),
    )
    return page(request, "portal/network_services.html", context, place=PLACE)


@require_safe
@public
def programmes(request: HttpRequest) -> HttpResponse:
    """Money, law and help around the factories."""
    found, wish = standing(), _wish(request)
    teller = Teller(found)
    filters = _filters(found.catalogue, teller, wish, ("kind", "country", "sector"))
    columns = ("kind", "amount_eur", "begins_on", "what")
    rows = _rows(teller, "programme", select_programmes(found.catalogue, wish), columns)
    context = Listing(**_listing(found, wish, filters), rows=rows)  # type: ignore[arg-type]
    return page(request, "portal/network_programmes.html", context, place=PLACE)


@require_safe
@public
def show(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """One record, each fact with its sources."""
    found = standing()
    row = found.find(kind, key)
    told = Teller(found).tell(kind, row)
    context = RecordPage(
        kind=kind,
        record=row,
        facts=told.facts,
        sources=told.sources,
        partitions=row.partitions if isinstance(row, Supercomputer) else (),
        recalled=tuple(one.replace("_", " ") for one in row.recalled if one not in type(row).model_fields),
        as_of=day(row.as_of),
        back={"system": "portal:network-systems", "programme": "portal:network-programmes"}.get(kind, "portal:network"),
    )
    return page(request, "portal/network_record.html", context, place=PLACE)
