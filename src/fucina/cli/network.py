"""What `fucina network` shows, from the hub or from what is shipped."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from fucina.cli.output import err, say, table
from fucina.cli.runs import connect, token_of
from fucina.client.hub import Hub
from fucina.client.wire_network import (
    AntennaEntry,
    FactoryEntry,
    OfferEntry,
    ProgrammeEntry,
    SystemEntry,
)
from fucina.config import load_settings
from fucina.errors import NotSignedIn, NotVisible
from fucina.network.catalogue import Money, Source, shipped_catalogue
from fucina.network.catalogue_filter import (
    Wanted,
    select_antennas,
    select_factories,
    select_programmes,
    select_services,
    select_systems,
)

DASH = "—"


class NoSuchFactory(NotVisible):
    """The catalogue has no factory of this id."""

    code = "no_such_factory"


class Found(NamedTuple):
    """A factory, and where its facts are from."""

    entry: FactoryEntry
    sources: dict[str, Source]


@contextmanager
def _hub() -> Iterator[Hub]:
    with connect(load_settings()) as hub:
        yield hub


def _takes_shipped(asked: bool) -> bool:
    """Whether to show what is shipped: when asked to, and where nobody has named a hub."""
    if asked:
        return True
    try:
        token_of(load_settings())
    except NotSignedIn:
        err.print("No hub is known here: these are the facts that this version of Fucina ships.", style="dim")
        return True
    return False


def factory_rows(wish: Wanted, *, shipped: bool) -> list[FactoryEntry]:
    """Factories that fit."""
    if _takes_shipped(shipped):
        return [FactoryEntry(record=row) for row in select_factories(shipped_catalogue(), wish)]
    with _hub() as hub:
        return hub.network_factories(wish)


def one_factory(name: str, *, shipped: bool) -> Found:
    """One factory with the sources. Raises NoSuchFactory."""
    if not _takes_shipped(shipped):
        with _hub() as hub:
            entry = hub.network_factory(name)
            return Found(entry, {source.id: source for source in hub.network_edition().sources})
    catalogue = shipped_catalogue()
    row = next((one for one in catalogue.factories if one.id == name), None)
    if row is None:
        raise NoSuchFactory(f"There is no factory {name!r}.", hint="`fucina network factories --format json` has ids.")
    return Found(FactoryEntry(record=row), {source.id: source for source in catalogue.sources})


def antenna_rows(wish: Wanted, *, shipped: bool) -> list[AntennaEntry]:
    """Antennas that fit."""
    if _takes_shipped(shipped):
        return [AntennaEntry(record=row) for row in select_antennas(shipped_catalogue(), wish)]
    with _hub() as hub:
        return hub.network_antennas(wish)


def system_rows(wish: Wanted, *, shipped: bool) -> list[SystemEntry]:
    """Machines that fit."""
    if _takes_shipped(shipped):
        return [SystemEntry(record=row) for row in select_systems(shipped_catalogue(), wish)]
    with _hub() as hub:
        return hub.network_systems(wish)


def service_rows(wish: Wanted, *, shipped: bool) -> list[OfferEntry]:
    """Services with the factories that fit."""
    if _takes_shipped(shipped):
        offers = select_services(shipped_catalogue(), wish)
        return [OfferEntry(service=one.service, factories=tuple(row.id for row in one.factories)) for one in offers]
    with _hub() as hub:
        return hub.network_services(wish)


def programme_rows(wish: Wanted, *, shipped: bool) -> list[ProgrammeEntry]:
    """Programmes that fit."""
    if _takes_shipped(shipped):
        return [ProgrammeEntry(record=row) for row in select_programmes(shipped_catalogue(), wish)]
    with _hub() as hub:
        return hub.network_programmes(wish)


def print_factories(found: Sequence[FactoryEntry]) -> None:
    """A line a factory."""
    rows = [
        (
            one.record.id + ("*" if one.edits else ""),
            one.record.name,
            f"{one.record.city}, {one.record.country}",
            one.record.services_status,
            one.record.system_status,
            ", ".join(one.record.sectors),
            f"{one.record.as_of or DASH}",
        )
        for one in found
    ]
    columns = ("id", "factory", "place", "services", "new system", "sectors", "as of")
    table(f"AI Factories: {len(found)}", columns, rows)
    if any(one.edits for one in found):
        say("* has facts that were changed at this hub.")


def print_factory(entry: FactoryEntry, sources: dict[str, Source]) -> None:
    """Every fact, with where it is from."""
    row = entry.record
    numbers = {one: f"{number}" for number, one in enumerate(row.sources, 1)}
    edited = {edit.field: edit for edit in entry.edits}
    rows = []
    for field in type(row).model_fields:
        if field in {"id", "sources", "recalled", "as_of"}:
            continue
        edit = edited.get(field)
        origin = (
            f"changed here by {edit.by}, {edit.at:%Y-%m-%d}"
            if edit
            else ", ".join(numbers.get(one, one) for one in row.sources_of(field))
        )
        value = _words(getattr(row, field))
        rows.append((field.replace("_", " "), value, origin if value != DASH else DASH))
    table(row.name, ("fact", "", "source"), rows)
    lines = []
    for one in row.sources:
        source = sources.get(one, Source(id=one, title=one))
        lines.append((numbers[one], source.title, f"{source.dated or DASH}", source.url or DASH))
    table("Sources", ("", "title", "date", "address"), lines)


def print_antennas(found: Sequence[AntennaEntry]) -> None:
    """A line an antenna."""
    rows = [
        (
            one.record.id,
            one.record.name,
            one.record.country,
            ", ".join(one.record.factories),
            one.record.lead or DASH,
            DASH if one.record.budget is None else f"{one.record.budget:,} {one.record.currency}",
        )
        for one in found
    ]
    table(f"{len(found)} antennas", ("id", "antenna", "country", "factories", "lead", "budget"), rows, right=(5,))


def print_systems(found: Sequence[SystemEntry]) -> None:
    """A line a machine."""
    rows = []
    for one in found:
        row = one.record
        names = ", ".join(dict.fromkeys(part.accelerator for part in row.partitions if part.accelerator))
        count = DASH if row.num_accelerators is None else f"{row.num_accelerators:,}"
        speed = DASH if row.rmax_pflops is None else f"{row.rmax_pflops:,.1f}"
        status = row.status or DASH
        rows.append((row.id, row.name, row.country, row.kind or DASH, status, names or DASH, count, speed))
    columns = ("id", "system", "country", "kind", "status", "accelerators", "number", "Rmax PFlop/s")
    table(f"{len(found)} systems", columns, rows, right=(6, 7))


def print_services(found: Sequence[OfferEntry]) -> None:
    """A line a service."""
    rows = [(one.service.id, one.service.en, ", ".join(one.factories)) for one in found]
    table(f"{len(found)} services", ("id", "service", "named by"), rows)


def print_programmes(found: Sequence[ProgrammeEntry]) -> None:
    """A line a programme."""
    rows = []
    for one in found:
        row = one.record
        amount = DASH if row.amount_eur is None else f"{row.amount_is + ' ' if row.amount_is else ''}{row.amount_eur:,}"
        rows.append((row.id, row.kind, row.name, amount, f"{row.begins_on or DASH}", f"{row.as_of or DASH}"))
    table(f"{len(found)} programmes", ("id", "kind", "programme", "EUR", "from", "as of"), rows, right=(3,))


def _words(value: object) -> str:
    """A fact as a line; unknown is a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(_words(item) for item in value) or DASH
    if isinstance(value, Money):
        return f"{value.amount:,} {value.currency} ({value.what})"
    named = getattr(value, "factory", None)
    if named is not None:
        return str(named)
    return DASH if value is None else str(value)
