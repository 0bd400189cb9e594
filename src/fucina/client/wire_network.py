"""What goes over the wire about the catalogue of the network; the records are those of `fucina.network.catalogue`."""

from datetime import date

from pydantic import AwareDatetime, Field, JsonValue

from fucina.client.wire import Answer, Request
from fucina.network.catalogue import Antenna, Factory, Programme, Service, Source, Supercomputer


class EditInfo(Answer):
    """A fact that was changed at this hub."""

    field: str
    shipped: JsonValue
    """What the file says."""
    by: str
    at: AwareDatetime


class _Entry(Answer):
    edits: tuple[EditInfo, ...] = ()
    """What was changed here; the record has the changed values."""


class FactoryEntry(_Entry):
    """A factory."""

    record: Factory


class AntennaEntry(_Entry):
    """An antenna."""

    record: Antenna


class SystemEntry(_Entry):
    """A machine."""

    record: Supercomputer


class ProgrammeEntry(_Entry):
    """A programme."""

    record: Programme


class OfferEntry(Answer):
    """A service, and the ids of the factories that name it."""

    service: Service
    factories: tuple[str, ...]


class EditionInfo(Answer):
    """Which catalogue this hub has, with the sources that its records name."""

    version: str
    facts_as_of: date
    num_edits: int
    sources: tuple[Source, ...]


class LoadedInfo(Answer):
    """What came of loading a catalogue."""

    version: str
    num_added: int
    num_changed: int
    num_withdrawn: int
    num_edits: int
    """Facts that stay as they were changed here."""


class FactEdit(Request):
    """A fact as it is to stand here."""

    field: str = Field(max_length=64)
    value: JsonValue = None
    back_to_shipped: bool = False
    """Forget what was changed here."""
