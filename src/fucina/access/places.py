"""Partitions that one may ask for, what one of their GPU-hours gives, and who helps near the applicant."""

from datetime import date
from functools import cache
from importlib.resources import files

import yaml
from pydantic import Field, model_validator

from fucina.access.modes import Fact, RuleSource
from fucina.errors import BadInput
from fucina.network.catalogue import Catalogue, Status, shipped_catalogue
from fucina.planning.machines import find_accelerator


class UnknownPartition(BadInput):
    """No partition of that name."""

    code = "unknown_partition"


class Partition(Fact):
    """Equal nodes; a GPU is what the site bills."""

    id: str
    name: str
    country: str
    vendor: str
    accelerator: str = ""
    """As the planner names it; empty where nobody published it."""
    cautious_tflops: float | None = None
    """Dense 16-bit peak to plan with, where the published one is not reached."""
    status: str = Field(default="operational", pattern="^(operational|deploying)$")
    nodes: int = Field(gt=0)
    gpus_per_node: int = Field(gt=0)
    devices_per_gpu: int = Field(default=1, ge=1)
    """Devices that the scheduler shows for one billed GPU."""
    memory_gb: float | None = None
    crowded: date | None = None
    """When it was last reported full."""
    sources: tuple[str, ...] = Field(min_length=1)

    @property
    def num_gpus(self) -> int:
        """All billed GPUs."""
        return self.nodes * self.gpus_per_node

    @property
    def device_memory_gb(self) -> float | None:
        """What one process sees: of one device, not of a module."""
        return None if self.memory_gb is None else self.memory_gb / self.devices_per_gpu

    @property
    def peak_flops(self) -> float | None:
        """Dense 16-bit FLOP/s of one billed GPU; None where unknown."""
        if not self.accelerator:
            return None
        return 1e12 * self.cautious_tflops if self.cautious_tflops else find_accelerator(self.accelerator).peak_16

    def node_hours(self, gpu_hours: float) -> float:
        """The same amount in node-hours."""
        return gpu_hours / self.gpus_per_node

    def gpu_hours(self, node_hours: float) -> float:
        """The same amount in GPU-hours."""
        return node_hours * self.gpus_per_node


class Offered(Fact):
    """A partition that one may ask for, by its place in the catalogue, and what only an adviser needs."""

    id: str
    system: str
    partition: str
    """Name within the system."""
    name: str = ""
    """As people call it; that of the system when left out."""
    planned_as: str = ""
    """Accelerator to plan with where the catalogue names none with figures."""
    memory_gb: float | None = None
    """Where the catalogue has none."""
    cautious_tflops: float | None = None
    crowded: date | None = None
    sources: tuple[str, ...] = ()
    """Beyond those of the catalogue."""

    def joined(self, catalogue: Catalogue) -> Partition | None:
        """The partition with the catalogue's facts; None where it does not say how many accelerators there are."""
        system = next((one for one in catalogue.systems if one.id == self.system), None)
        part = next((one for one in system.partitions if one.name == self.partition), None) if system else None
        if system is None or part is None or not part.num_nodes or not part.num_accelerators_per_node:
            return None
        devices = part.devices_per_node or part.num_accelerators_per_node
        return Partition(
            id=self.id,
            name=self.name or system.name,
            country=system.country,
            vendor=part.vendor or "",
            accelerator=part.accelerator_id or self.planned_as,
            cautious_tflops=self.cautious_tflops,
            status="operational" if system.status is Status.OPERATIONAL else "deploying",
            nodes=part.num_nodes,
            gpus_per_node=part.num_accelerators_per_node,
            devices_per_gpu=max(1, devices // part.num_accelerators_per_node),
            memory_gb=part.memory_gb or self.memory_gb,
            crowded=self.crowded,
            sources=(*system.sources, *self.sources),
        )


class Workstation(Fact):
    """A card of one's own and the patience to use it."""

    accelerator: str
    days: float = Field(gt=0)


class Assumptions(Fact):
    """What an estimate rests on where the applicant gives no number."""

    efficiency: dict[str, float]
    """Share of the dense 16-bit peak, by vendor."""
    trials: float = Field(ge=1)
    bytes_per_parameter: dict[str, float]
    usable_memory: float = Field(gt=0, le=1)
    tokens_per_gb: float
    tokens_per_parameter: float
    epochs: dict[str, float]
    parameters: float
    fine_tune_tokens: float
    use_tokens: float
    trial_gpu_hours: float
    playground_gpu_hours: float
    workstation: Workstation
    months: int
    large_share: float = Field(gt=0, le=1)
    """Of a partition, from which on the site has to agree."""
    sources: tuple[str, ...]


class Antenna(Fact):
    """A national access point without a large machine."""

    name: str
    country: str
    linked: tuple[str, ...]


class NearFactory(Fact):
    """An AI Factory and the states that take part in it."""

    name: str
    countries: tuple[str, ...]


class TestFacility(Fact):
    """Where mature AI of some sectors is tried in real conditions."""

    __test__ = False

    name: str
    sectors: tuple[str, ...]


class Sheet(Fact):
    """The shipped file: what an adviser needs beyond the catalogue."""

    valid_from: date
    sources: dict[str, RuleSource]
    partitions: tuple[Offered, ...]
    assumptions: Assumptions
    sensitive: dict[str, str]
    test_facilities: tuple[TestFacility, ...]


class Places(Fact):
    """The file and the catalogue as one."""

    valid_from: date
    sources: dict[str, RuleSource]
    partitions: tuple[Partition, ...]
    assumptions: Assumptions
    sensitive: dict[str, str]
    antennas: tuple[Antenna, ...]
    factories: tuple[NearFactory, ...]
    test_facilities: tuple[TestFacility, ...]

    @model_validator(mode="after")
    def _named(self) -> "Places":
        named = [source for partition in self.partitions for source in partition.sources]
        missing = [source for source in (*named, *self.assumptions.sources) if source not in self.sources]
        if missing:
            raise ValueError(f"the source {missing[0]!r} is not in the file or the catalogue")
        return self

    def titles(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Titles of sources."""
        return tuple(self.sources[name].title for name in names)

    def partition(self, name: str) -> Partition:
        """A partition by name. Raises UnknownPartition."""
        found = next((partition for partition in self.partitions if partition.id == name.lower()), None)
        if found is None:
            raise UnknownPartition(
                f"There is no partition {name!r}.", hint=f"Name one of {', '.join(p.id for p in self.partitions)}."
            )
        return found


@cache
def _sheet() -> Sheet:
    text = files("fucina.access").joinpath("places.yaml").read_text(encoding="utf-8")
    return Sheet.model_validate(yaml.safe_load(text))


def places_of(catalogue: Catalogue) -> Places:
    """What the adviser knows with this catalogue, which may be one that staff edited."""
    sheet = _sheet()
    titles = {
        source.id: RuleSource(title=source.title, published_on=source.dated, url=source.url or "")
        for source in catalogue.sources
    }
    names = {factory.id: factory.name for factory in catalogue.factories}
    joined = (offered.joined(catalogue) for offered in sheet.partitions)
    return Places(
        valid_from=sheet.valid_from,
        sources=titles | sheet.sources,
        partitions=tuple(partition for partition in joined if partition is not None),
        assumptions=sheet.assumptions,
        sensitive=sheet.sensitive,
        antennas=tuple(
            Antenna(name=one.name, country=one.country, linked=tuple(names[key] for key in one.factories))
            for one in catalogue.antennas
        ),
        factories=tuple(
            NearFactory(name=one.name, countries=tuple(dict.fromkeys((one.country, *one.states))))
            for one in catalogue.factories
        ),
        test_facilities=sheet.test_facilities,
    )


@cache
def shipped_places() -> Places:
    """With the catalogue that comes with the package."""
    return places_of(shipped_catalogue())


@cache
def country_names() -> dict[str, str]:
    """English names of countries by their two letters (ISO 3166-1), from the time-zone database."""
    text = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {code: name for code, name in rows} | {"XK": "Kosovo"}
