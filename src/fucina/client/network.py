"""The catalogue of the network."""

from urllib.parse import quote

from fucina.client.door import Door
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
from fucina.network.catalogue import Catalogue
from fucina.network.catalogue_filter import Wanted

ANYTHING = Wanted()


def _asked(wish: Wanted) -> dict[str, str]:
    return {field: value for field, value in wish.model_dump().items() if value}


class NetworkCalls(Door):
    """The catalogue of the network."""

    def network_edition(self) -> EditionInfo:
        """Which catalogue the hub has, and the sources of its facts."""
        return self.get(EditionInfo, "/network")

    def network_factories(self, wish: Wanted = ANYTHING) -> list[FactoryEntry]:
        """AI Factories that fit."""
        return self.list(FactoryEntry, "/network/factories", **_asked(wish))

    def network_factory(self, key: str) -> FactoryEntry:
        """One AI Factory."""
        return self.get(FactoryEntry, f"/network/factories/{quote(key, safe='')}")

    def network_antennas(self, wish: Wanted = ANYTHING) -> list[AntennaEntry]:
        """Antennas that fit."""
        return self.list(AntennaEntry, "/network/antennas", **_asked(wish))

    def network_systems(self, wish: Wanted = ANYTHING) -> list[SystemEntry]:
        """Machines that fit."""
        return self.list(SystemEntry, "/network/systems", **_asked(wish))

    def network_services(self, wish: Wanted = ANYTHING) -> list[OfferEntry]:
        """Services, each with the factories that fit and name it."""
        return self.list(OfferEntry, "/network/services", **_asked(wish))

    def network_programmes(self, wish: Wanted = ANYTHING) -> list[ProgrammeEntry]:
        """Money, law and help around the factories."""
        return self.list(ProgrammeEntry, "/network/programmes", **_asked(wish))

    def load_network_catalogue(self, catalogue: Catalogue) -> LoadedInfo:
        """Take a catalogue in; facts that were changed at the hub stay."""
        return self.post(LoadedInfo, "/network/catalogue", catalogue)

    def change_network_fact(self, kind: str, key: str, edit: FactEdit) -> EditionInfo:
        """Change a fact of a record, or go back to what is shipped."""
        return self.post(EditionInfo, f"/network/{quote(kind, safe='')}/{quote(key, safe='')}/facts", edit)
