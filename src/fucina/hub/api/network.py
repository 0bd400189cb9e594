"""The catalogue of the network: public to read, changed by staff."""

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema

from fucina.client.wire_network import (
    AntennaEntry,
    EditionInfo,
    FactEdit,
    FactoryEntry,
    LoadedInfo,
    OfferEntry,
    ProgrammeEntry,
    SystemEntry,
)
from fucina.hub.api.doors import PersonDoor, PersonRequest
from fucina.hub.network.catalogue_actions import change_facts, load
from fucina.hub.network.catalogue_read import standing
from fucina.network.catalogue import Catalogue
from fucina.network.catalogue_filter import (
    Wanted,
    select_antennas,
    select_factories,
    select_programmes,
    select_services,
    select_systems,
    wanted,
)

router = Router(tags=["network"])


class Filters(Schema):
    """What is looked for; empty is anything."""

    country: str = ""
    sector: str = ""
    language: str = ""
    service: str = ""
    accelerator: str = ""
    status: str = ""
    kind: str = ""

    def wish(self) -> Wanted:
        """As the catalogue understands it."""
        return wanted(**self.model_dump())


@router.get("", response=EditionInfo)
def edition(request: HttpRequest) -> EditionInfo:
    """Which catalogue this hub has, and the sources of its facts."""
    return standing().edition


@router.get("/factories", response=list[FactoryEntry])
def factories(request: HttpRequest, filters: Query[Filters]) -> list[FactoryEntry]:
    """AI Factories that fit."""
    found = standing()
    rows = select_factories(found.catalogue, filters.wish())
    return [FactoryEntry(record=row, edits=found.edits_of("factory", row.id)) for row in rows]


@router.get("/factories/{key}", response=FactoryEntry)
def factory(request: HttpRequest, key: str) -> FactoryEntry:
    """One AI Factory."""
    found = standing()
    return FactoryEntry(record=found.factory(key), edits=found.edits_of("factory", key))


@router.get("/antennas", response=list[AntennaEntry])
def antennas(request: HttpRequest, filters: Query[Filters]) -> list[AntennaEntry]:
    """Antennas that fit."""
    found = standing()
    rows = select_antennas(found.catalogue, filters.wish())
    return [AntennaEntry(record=row, edits=found.edits_of("antenna", row.id)) for row in rows]


@router.get("/systems", response=list[SystemEntry])
def systems(request: HttpRequest, filters: Query[Filters]) -> list[SystemEntry]:
    """Supercomputers and quantum computers that fit."""
    found = standing()
    rows = select_systems(found.catalogue, filters.wish())
    return [SystemEntry(record=row, edits=found.edits_of("system", row.id)) for row in rows]


@router.get("/systems/{key}", response=SystemEntry)
def system(request: HttpRequest, key: str) -> SystemEntry:
    """One machine with its partitions."""
    found = standing()
    return SystemEntry(record=found.system(key), edits=found.edits_of("system", key))


@router.get("/services", response=list[OfferEntry])
def services(request: HttpRequest, filters: Query[Filters]) -> list[OfferEntry]:
    """Services, each with the factories that fit and name it."""
    offers = select_services(standing().catalogue, filters.wish())
    return [OfferEntry(service=offer.service, factories=tuple(one.id for one in offer.factories)) for offer in offers]


@router.get("/programmes", response=list[ProgrammeEntry])
def programmes(request: HttpRequest, filters: Query[Filters]) -> list[ProgrammeEntry]:
    """Money, law and help around the factories."""
    found = standing()
    rows = select_programmes(found.catalogue, filters.wish())
    return [ProgrammeEntry(record=row, edits=found.edits_of("programme", row.id)) for row in rows]


@router.post("/catalogue", response=LoadedInfo, auth=PersonDoor())
def load_file(request: PersonRequest, body: Catalogue) -> LoadedInfo:
    """Take a catalogue in (staff); facts that were changed here stay."""
    return load(catalogue=body, by=request.auth, at=timezone.now())


@router.post("/{kind}/{key}/facts", response=EditionInfo, auth=PersonDoor())
def change(request: PersonRequest, kind: str, key: str, body: FactEdit) -> EditionInfo:
    """Change a fact of a record, or go back to what is shipped (staff); kind is factory, antenna, system, programme."""
    value = body.value
    if body.back_to_shipped:
        shipped = {edit.field: edit.shipped for edit in standing().edits_of(kind, key)}
        value = shipped.get(body.field, body.value)
        if body.field not in shipped:
            return standing().edition
    change_facts(kind=kind, key=key, values={body.field: value}, by=request.auth, at=timezone.now())
    return standing().edition
