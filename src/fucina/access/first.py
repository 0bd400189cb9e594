"""Whom to talk to, or what to settle, before or beside an application."""

from pydantic import BaseModel

from fucina.access.eligibility import Route
from fucina.access.intake import Experience, Goal, Intake, Sensitivity, Who
from fucina.access.needs import Need
from fucina.access.places import Places
from fucina.access.sme import SmeClass
from fucina.access.words import say

LARGE_GPU_HOURS = 10_000
"""From which on a plan of the run pays."""


class Help(BaseModel, frozen=True):
    """Whom to talk to, or what to do, before or beside an application."""

    id: str
    text: str
    sources: tuple[str, ...]


def help_for(
    intake: Intake, *, sme_class: SmeClass | None, route: Route | None, none_fits: bool, need: Need, places: Places
) -> tuple[Help, ...]:
    """The most pressing first; `route` is the one to apply by, where there is one."""
    before = _before(intake, sme_class, places)
    return (*before, *_beside(intake, sme_class, route, need, places), *_near(intake, none_fits, places))


def _help(topic: str, intake: Intake, places: Places, source: str, /, **values: object) -> Help:
    return Help(id=topic, text=say(f"first-{topic}", intake.language, **values), sources=places.titles((source,)))


def _before(intake: Intake, sme_class: SmeClass | None, places: Places) -> list[Help]:
    found = []
    if intake.who is Who.PERSON:
        found.append(_help("organisation", intake, places, "limes-notes"))
    if intake.goal is Goal.PROVE:
        found.append(_test_facility(intake, places))
    if not intake.has_data:
        found.append(_help("data", intake, places, "recalled"))
    is_small = intake.who is Who.COMPANY and sme_class is not SmeClass.LARGE
    is_new = intake.goal in (Goal.UNSURE, Goal.CLASSIC) or intake.experience is Experience.NONE
    if (is_small or intake.who is Who.PUBLIC) and is_new:
        found.append(_help("edih", intake, places, "recalled"))
    return found


def _test_facility(intake: Intake, places: Places) -> Help:
    sector = intake.sector.casefold()
    near = [facility.name for facility in places.test_facilities if any(name in sector for name in facility.sectors)]
    if len(near) == 1:
        return _help("tef", intake, places, "tef", name=near[0])
    names = near or [facility.name for facility in places.test_facilities]
    return _help("tef-any", intake, places, "tef", names=", ".join(names))


def _beside(intake: Intake, sme_class: SmeClass | None, route: Route | None, need: Need, places: Places) -> list[Help]:
    found = []
    if intake.sensitivity in (Sensitivity.PERSONAL, Sensitivity.SPECIAL):
        found.append(_help("sensitive", intake, places, "recalled"))
    if sme_class is SmeClass.LARGE:
        found.append(_help("large", intake, places, "limes-notes"))
    if route is not None and need.flops is not None and (route.gpu_hours or 0) >= LARGE_GPU_HOURS:
        found.append(_help("plan", intake, places, "recalled"))
    return found


def _near(intake: Intake, none_fits: bool, places: Places) -> list[Help]:
    found = [
        _help("antenna", intake, places, "antennas", name=antenna.name, linked=", ".join(antenna.linked))
        for antenna in places.antennas
        if antenna.country == intake.country
    ]
    near = ", ".join(factory.name for factory in places.factories if intake.country in factory.countries)
    if near:
        found.append(_help("factory", intake, places, "factories", names=near))
    if near and none_fits:
        found.append(_help("national", intake, places, "limes-notes", names=near))
    return found
