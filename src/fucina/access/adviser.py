"""The adviser: from plain answers to who one is, what is needed, where it fits, how to ask, and by when it is known."""

import math
from datetime import date, datetime
from enum import StrEnum

from pydantic import BaseModel

from fucina.access.eligibility import Case, Route, applicant_of, route_of
from fucina.access.first import Help, help_for
from fucina.access.fit import PlaceAdvice, rank_places
from fucina.access.intake import BadIntake, Goal, Intake, Who
from fucina.access.modes import BRUSSELS, ModesFile, shipped_modes
from fucina.access.needs import MODEL_WORK, Need, need_of, workstation_days
from fucina.access.places import Places, shipped_places
from fucina.access.sme import SOURCE, Enterprise, Finding, SmeClass, classify
from fucina.access.words import number, say

LOCAL = "local"
"""Family of the modes of a factory's own machine, on which nobody needs advice."""


class Verdict(StrEnum):
    """What to do."""

    WORKSTATION = "workstation"
    TALK = "talk-first"
    APPLY = "apply"
    CHECK = "apply-after-asking"
    NONE = "no-mode-fits"


class SizeFinding(BaseModel, frozen=True):
    """The size of a company."""

    sme_class: SmeClass
    is_sme: bool
    name: str
    reasons: tuple[str, ...]
    source: str


class NeedFinding(BaseModel, frozen=True):
    """What the work takes."""

    flops: float | None
    memory_gb: float
    reasons: tuple[str, ...]
    sources: tuple[str, ...]


class Prefill(BaseModel, frozen=True):
    """What an application takes over."""

    access_mode: str
    gpu_hours: float
    partition: str
    project: str
    purpose: str
    sector: str


class Advice(BaseModel, frozen=True):
    """The answer."""

    on: date
    verdict: Verdict
    summary: str
    size: SizeFinding | None
    need: NeedFinding
    first: tuple[Help, ...]
    routes: tuple[Route, ...]
    """Best first."""
    places: tuple[PlaceAdvice, ...]
    """Best first, those that do not fit at the end."""
    application: Prefill | None


def advise(intake: Intake, *, now: datetime, modes: ModesFile | None = None, places: Places | None = None) -> Advice:
    """What to do, with reasons, costs and dates. Raises BadIntake, BadEnterprise."""
    modes, places = modes or shipped_modes(), places or shipped_places()
    today = now.astimezone(BRUSSELS).date()
    _check(intake, today)
    size = _size(intake, today)
    applicant = applicant_of(intake, size.sme_class if size else None)
    need = need_of(intake, places)
    on_offer = [mode for mode in modes.on(today).values() if mode.family != LOCAL]
    offered = frozenset(name for mode in on_offer for name in mode.bounds_by_partition)
    ranked = rank_places(intake, need, places, offered=offered)
    cases = [Case(mode, intake, applicant, need, None, modes, places, now) for mode in on_offer]
    routes = sorted((_best_case(case, ranked) for case in cases), key=_route_order)
    verdict, days = _verdict(intake, need, routes, places)
    chosen = routes[0] if verdict in (Verdict.APPLY, Verdict.CHECK) else None
    return Advice(
        on=today,
        verdict=verdict,
        summary=_summary(verdict, days, chosen, places, intake.language),
        size=_size_in_words(size, intake.language),
        need=_need_in_words(need, places),
        first=help_for(
            intake,
            sme_class=applicant.sme_class,
            route=chosen,
            none_fits=verdict is Verdict.NONE,
            need=need,
            places=places,
        ),
        routes=tuple(routes),
        places=ranked if need.is_known else (),
        application=_prefill(intake, chosen),
    )


def _check(intake: Intake, today: date) -> None:
    if intake.founded_on is not None and intake.founded_on > today:
        raise BadIntake(
            f"The company was founded on {intake.founded_on}, which is after today, {today}.",
            hint="Give the day on which it was founded.",
        )
    if intake.needed_by is not None and intake.needed_by < today:
        raise BadIntake(
            f"The time is needed by {intake.needed_by}, which is over; today is {today}.", hint="Give a day to come."
        )


def _size(intake: Intake, today: date) -> Finding | None:
    if intake.who is not Who.COMPANY or not intake.periods:
        return None
    enterprise = Enterprise(
        founded_on=intake.founded_on,
        periods=intake.periods,
        relations=intake.relations,
        public_share=intake.public_share,
        earlier_class=intake.earlier_class,
    )
    return classify(enterprise, today=today, language=intake.language)


def _best_case(case: Case, ranked: tuple[PlaceAdvice, ...]) -> Route:
    """The mode on the best machine on which its amounts allow the work, or on the best that it offers at all."""
    only = case.mode.bounds_by_partition
    offered = [place for place in ranked if place.fits and (not only or place.partition in only)]
    routes = [route_of(case._replace(place=place)) for place in offered if place.gpu_hours is not None]
    if not routes:
        return route_of(case)
    return min(routes, key=lambda route: STANDINGS.index(route.standing))


STANDINGS = ("yes", "ask", "no")


def _route_order(route: Route) -> tuple[int, int, int, date, str]:
    against = sum(finding.standing == "no" for finding in route.findings)
    to_ask = sum(finding.standing == "ask" for finding in route.findings)
    return STANDINGS.index(route.standing), against, to_ask, route.decision_on or date.max, route.mode


def _verdict(intake: Intake, need: Need, routes: list[Route], places: Places) -> tuple[Verdict, float | None]:
    """What to do, and the days on a workstation where that is enough."""
    if intake.goal in (Goal.UNSURE, Goal.PROVE):
        return Verdict.TALK, None
    if intake.goal is Goal.CLASSIC and intake.gpu_hours is None:
        return Verdict.WORKSTATION, None
    if intake.goal in MODEL_WORK and not intake.has_data:
        return Verdict.TALK, None
    days = workstation_days(need, places.assumptions)
    if days is not None and intake.goal in (*MODEL_WORK, Goal.CLASSIC):
        return Verdict.WORKSTATION, days
    standing = routes[0].standing if routes else "no"
    return {"yes": Verdict.APPLY, "ask": Verdict.CHECK}.get(standing, Verdict.NONE), None


def _summary(verdict: Verdict, days: float | None, route: Route | None, places: Places, language: str) -> str:
    if route is not None:
        key = "verdict-apply" if verdict is Verdict.APPLY else "verdict-check"
        where = places.partition(route.partition).name if route.partition else "—"
        return say(key, language, mode=route.name, partition=where, day=route.decision_on or "—")
    if verdict is Verdict.WORKSTATION and days is not None:
        if days <= 1:
            return say("verdict-workstation-day", language)
        return say("verdict-workstation", language, days=number(math.ceil(days), language))
    keys = {Verdict.WORKSTATION: "verdict-workstation-plain", Verdict.TALK: "verdict-talk"}
    return say(keys.get(verdict, "verdict-none"), language)


def _size_in_words(size: Finding | None, language: str) -> SizeFinding | None:
    if size is None:
        return None
    name = say(f"class-{size.sme_class}", language)
    return SizeFinding(
        sme_class=size.sme_class, is_sme=size.sme_class.is_sme, name=name, reasons=size.reasons, source=SOURCE
    )


def _need_in_words(need: Need, places: Places) -> NeedFinding:
    sources = places.titles(places.assumptions.sources) if need.is_known else ()
    return NeedFinding(flops=need.flops, memory_gb=need.memory_gb, reasons=need.reasons, sources=sources)


def _prefill(intake: Intake, route: Route | None) -> Prefill | None:
    if route is None or route.gpu_hours is None:
        return None
    return Prefill(
        access_mode=route.mode,
        gpu_hours=math.ceil(route.gpu_hours),
        partition=route.partition,
        project=intake.project,
        purpose=intake.purpose,
        sector=intake.sector,
    )
