"""The catalogue as it stands here: what was shipped, with what staff changed."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeVar

from fucina.client.wire_network import EditInfo, EditionInfo
from fucina.errors import NotVisible
from fucina.hub.network.catalogue_models import CatalogueEdition, CatalogueEntry
from fucina.network.catalogue import KINDS, Catalogue, Factory, Sourced, Supercomputer, shipped_catalogue

R = TypeVar("R", bound=Sourced)
Edits = Mapping[str, tuple[EditInfo, ...]]


class UnknownRecord(NotVisible):
    """The catalogue has no such record."""

    code = "unknown_record"


class Standing(NamedTuple):
    """The catalogue with the edits that are in it."""

    catalogue: Catalogue
    edits: Edits
    """By `kind/id`."""
    stamp: str
    """Of this state of it; empty while nothing was loaded and the shipped one is shown."""

    def edits_of(self, kind: str, key: str) -> tuple[EditInfo, ...]:
        """What was changed here of one record."""
        return self.edits.get(f"{kind}/{key}", ())

    def find(self, kind: str, key: str) -> Sourced:
        """A record by its kind and id. Raises UnknownRecord."""
        rows: tuple[Sourced, ...] = getattr(self.catalogue, KINDS[kind].many) if kind in KINDS else ()
        return _one(rows, kind, key)

    def factory(self, key: str) -> Factory:
        """A factory by its id. Raises UnknownRecord."""
        return _one(self.catalogue.factories, "factory", key)

    def system(self, key: str) -> Supercomputer:
        """A machine by its id. Raises UnknownRecord."""
        return _one(self.catalogue.systems, "system", key)

    @property
    def edition(self) -> EditionInfo:
        """Which catalogue it is."""
        return EditionInfo(
            version=self.catalogue.version,
            facts_as_of=self.catalogue.facts_as_of,
            num_edits=sum(len(edits) for edits in self.edits.values()),
            sources=self.catalogue.sources,
        )


def _one(rows: Iterable[R], kind: str, key: str) -> R:
    row = next((row for row in rows if row.id == key), None)
    if row is None:
        raise UnknownRecord(f"The catalogue has no {kind} {key!r}.", hint="Look at the list: `fucina network`.")
    return row


def standing() -> Standing:
    """The catalogue at this moment: one query, and one more after a change."""
    stamp = CatalogueEdition.objects.order_by("-pk").values_list("stamp", flat=True).first()
    return _read(stamp) if stamp else Standing(shipped_catalogue(), {}, "")


@lru_cache(maxsize=4)
def _read(stamp: str) -> Standing:
    edition = CatalogueEdition.objects.get(stamp=stamp)
    rows = list(CatalogueEntry.objects.filter(withdrawn=False))
    edits = {row.ref: edits_of(row) for row in rows if row.local}
    return Standing(assemble(edition.vocabulary, rows), edits, stamp)


def assemble(vocabulary: Mapping[str, object], rows: Iterable[CatalogueEntry]) -> Catalogue:
    """The catalogue from its rows. Raises pydantic's ValidationError where they do not hang together."""
    records: dict[str, list[object]] = {kind.many: [] for kind in KINDS.values()}
    for row in sorted(rows, key=lambda row: row.position):
        if not row.withdrawn:
            records[KINDS[row.kind].many].append(row.effective)
    return Catalogue.model_validate({**vocabulary, **records})


def edits_of(row: CatalogueEntry) -> tuple[EditInfo, ...]:
    """What was changed here of a record, by field."""
    return tuple(
        EditInfo(field=field, shipped=row.shipped.get(field), by=edit["by"], at=edit["at"])
        for field, edit in sorted(row.local.items())
    )
