"""Choosing from the catalogue: the same rules for pages, API and commands."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from fucina.errors import BadInput
from fucina.network.catalogue import (
    Antenna,
    Catalogue,
    Factory,
    Programme,
    ProgrammeKind,
    Service,
    Status,
    Supercomputer,
)

T = TypeVar("T")


class BadFilter(BadInput):
    """A filter that names what the catalogue does not have."""

    code = "bad_filter"


class Wanted(BaseModel):
    """What is looked for; empty is anything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: str = ""
    """ISO 3166-1 alpha-2."""
    sector: str = ""
    language: str = ""
    """Two letters."""
    service: str = ""
    accelerator: str = ""
    """Part of a maker's or a model's name."""
    status: str = ""
    kind: str = ""
    """Of a programme."""

    def check(self, catalogue: Catalogue) -> None:
        """Raises BadFilter where a value is none of the catalogue's."""
        for field, known in choices(catalogue).items():
            value = getattr(self, field)
            if value and value not in known:
                raise BadFilter(f"There is no {field} {value!r}.", hint=f"Known are: {', '.join(known)}.")


def wanted(**values: str | None) -> Wanted:
    """What is looked for, from values as people type them."""
    told = {name: (value or "").strip() for name, value in values.items()}
    lower = {name: value.upper() if name == "country" else value.lower() for name, value in told.items()}
    return Wanted(**(lower | {"accelerator": told.get("accelerator", "")}))


def choices(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """What each filter may say; the accelerator is free."""
    return {
        "country": tuple(country.id for country in catalogue.countries),
        "sector": tuple(sector.id for sector in catalogue.sectors),
        "language": tuple(sorted({code for country in catalogue.countries for code in country.languages})),
        "service": tuple(service.id for service in catalogue.services),
        "status": tuple(status.value for status in Status),
        "kind": tuple(kind.value for kind in ProgrammeKind),
    }


def accelerators(catalogue: Catalogue) -> tuple[str, ...]:
    """Every accelerator that a partition has, by name."""
    parts = (part for system in catalogue.systems for part in system.partitions)
    return tuple(sorted({part.accelerator for part in parts if part.accelerator}))


class Offer(NamedTuple):
    """A service, and who names it."""

    service: Service
    factories: tuple[Factory, ...]


def languages_of(factory: Factory, catalogue: Catalogue) -> frozenset[str]:
    """Languages that a factory's models are named for, and the official ones of its states."""
    states = {factory.country, *factory.states}
    spoken = {code for country in catalogue.countries if country.id in states for code in country.languages}
    return frozenset(spoken | set(factory.languages))


def select_factories(catalogue: Catalogue, wish: Wanted) -> tuple[Factory, ...]:
    """Factories that fit. Raises BadFilter."""
    wish.check(catalogue)
    having = {system.id for system in catalogue.systems if _has_accelerator(system, wish.accelerator)}
    tests: dict[str, Callable[[Factory], bool]] = {
        "country": lambda one: wish.country in {one.country, *one.states},
        "sector": lambda one: wish.sector in one.sectors,
        "language": lambda one: wish.language in languages_of(one, catalogue),
        "service": lambda one: wish.service in one.services,
        "accelerator": lambda one: not having.isdisjoint((*one.systems, *one.existing_systems)),
        "status": lambda one: wish.status in {one.services_status, one.system_status},
    }
    return _all(catalogue.factories, wish, tests)


def select_antennas(catalogue: Catalogue, wish: Wanted) -> tuple[Antenna, ...]:
    """Antennas that fit, by country and sector; other filters concern factories. Raises BadFilter."""
    wish.check(catalogue)
    spoken = {country.id: country.languages for country in catalogue.countries}
    tests: dict[str, Callable[[Antenna], bool]] = {
        "country": lambda one: wish.country == one.country,
        "sector": lambda one: wish.sector in one.sectors,
        "language": lambda one: wish.language in spoken[one.country],
    }
    return _all(catalogue.antennas, wish, tests)


def select_systems(catalogue: Catalogue, wish: Wanted) -> tuple[Supercomputer, ...]:
    """Machines that fit. Raises BadFilter."""
    wish.check(catalogue)
    tests: dict[str, Callable[[Supercomputer], bool]] = {
        "country": lambda one: wish.country == one.country,
        "accelerator": lambda one: _has_accelerator(one, wish.accelerator),
        "status": lambda one: wish.status == one.status,
    }
    return _all(catalogue.systems, wish, tests)


def select_services(catalogue: Catalogue, wish: Wanted) -> tuple[Offer, ...]:
    """Services, each with the factories that fit and name it. Raises BadFilter."""
    fitting = select_factories(catalogue, wish)
    offers = (
        Offer(service, tuple(one for one in fitting if service.id in one.services)) for service in catalogue.services
    )
    return tuple(offer for offer in offers if offer.factories and wish.service in {"", offer.service.id})


def select_programmes(catalogue: Catalogue, wish: Wanted) -> tuple[Programme, ...]:
    """Programmes that fit; one without countries is for all of them. Raises BadFilter."""
    wish.check(catalogue)
    tests: dict[str, Callable[[Programme], bool]] = {
        "country": lambda one: not one.countries or wish.country in one.countries,
        "sector": lambda one: wish.sector in one.sectors,
        "kind": lambda one: wish.kind == one.kind,
    }
    return _all(catalogue.programmes, wish, tests)


def _all(rows: Iterable[T], wish: Wanted, tests: dict[str, Callable[[T], bool]]) -> tuple[T, ...]:
    asked = [test for field, test in tests.items() if getattr(wish, field)]
    return tuple(row for row in rows if all(test(row) for test in asked))


def _has_accelerator(system: Supercomputer, name: str) -> bool:
    part_of = name.casefold()
    return any(
        part_of in told.casefold()
        for part in system.partitions
        for told in (part.accelerator, part.accelerator_id, part.vendor)
        if told
    )
