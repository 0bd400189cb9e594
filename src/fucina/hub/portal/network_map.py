"""The map of the network: outlines of countries, and a pin for each factory that fits."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from fucina.network.catalogue import Catalogue, Factory

EARTH_KM = 6371.0
CENTRE = (math.radians(52), math.radians(10))
"""Latitude and longitude of the projection's centre, as the outlines were drawn with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A country, and what it has to do with the network."""

    code: str
    path: str
    role: str
    """`host`, `antenna`, `state` or `other`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A factory on the map."""

    factory: Factory
    x: float
    y: float

    @property
    def left(self) -> float:
        """Left edge of its square."""
        return round(self.x - 6, 1)

    @property
    def top(self) -> float:
        """Upper edge of its square."""
        return round(self.y - 6, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMap:
    """Everything that is drawn, in SVG units."""

    width: int
    height: int
    outlines: tuple[Outline, ...]
    pins: tuple[Pin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """What `outlines.yaml` holds."""

    width: int
    height: int
    west_km: float
    north_km: float
    km_per_unit: float
    paths: dict[str, str]


@cache
def _sheet() -> _Sheet:
    text = (files("fucina.network") / "outlines.yaml").read_text(encoding="utf-8")
    return _Sheet(**yaml.load(text, Loader=yaml.CSafeLoader))


def place(lat: float, lon: float) -> tuple[float, float]:
    """Where a place lies on the map: Lambert azimuthal equal-area on a sphere (Snyder 1987, 24-2 to 24-4)."""
    sheet = _sheet()
    (lat_0, lon_0), phi, lam = CENTRE, math.radians(lat), math.radians(lon)
    cos_c = math.sin(lat_0) * math.sin(phi) + math.cos(lat_0) * math.cos(phi) * math.cos(lam - lon_0)
    scale = EARTH_KM * math.sqrt(2 / (1 + cos_c))
    east = scale * math.cos(phi) * math.sin(lam - lon_0)
    north = scale * (math.cos(lat_0) * math.sin(phi) - math.sin(lat_0) * math.cos(phi) * math.cos(lam - lon_0))
    return (east - sheet.west_km) / sheet.km_per_unit, (sheet.north_km - north) / sheet.km_per_unit


def network_map(catalogue: Catalogue, fitting: Collection[Factory]) -> NetworkMap:
    """The countries of the network and the factories that fit, from north to south."""
    sheet = _sheet()
    roles = {country.id: "state" for country in catalogue.countries if country.participates}
    roles |= {antenna.country: "antenna" for antenna in catalogue.antennas}
    roles |= {factory.country: "host" for factory in catalogue.factories}
    outlines = [Outline(code=code, path=path, role=roles.get(code, "other")) for code, path in sheet.paths.items()]
    pins = []
    for factory in sorted(fitting, key=lambda one: -one.lat):
        x, y = place(factory.lat, factory.lon)
        pins.append(Pin(factory=factory, x=round(x, 1), y=round(y, 1)))
    return NetworkMap(
        width=sheet.width,
        height=sheet.height,
        outlines=tuple(sorted(outlines, key=lambda one: one.role != "other")),
        pins=tuple(pins),
    )
