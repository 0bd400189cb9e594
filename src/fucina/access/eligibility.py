"""Whether one may apply in a mode, rule by rule, and by when it is decided; each rule with its source."""

from datetime import date, datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel

from fucina.access.fit import PlaceAdvice
from fucina.access.intake import Experience, Goal, Intake, Who
from fucina.access.modes import BRUSSELS, ApplicantKind, Bounds, Mode, ModesFile, Opening, Unit
from fucina.access.needs import Need
from fucina.access.places import Places
from fucina.access.sme import SmeClass
from fucina.access.words import number, say
from fucina.access.working_days import add_working_days

MEMBER_STATES = "eu"
"""Name of the list of the Union's member states."""
Standing = Literal["yes", "ask", "no"]


class RuleFinding(BaseModel, frozen=True):
    """One rule in the light of the answers."""

    rule: str
    standing: Standing
    message: str
    sources: tuple[str, ...]


class Route(BaseModel, frozen=True):
    """An access mode in the light of the answers."""

    mode: str
    name: str
    standing: Standing
    """The worst of its rules."""
    findings: tuple[RuleFinding, ...]
    partition: str
    """Where the amount was counted; empty where no machine of the mode fits."""
    gpu_hours: float | None
    node_hours: float | None
    apply_by: datetime | None
    decision_on: date | None
    clock: str
    """How that day is counted; empty where none is known."""
    cost: str
    not_established: tuple[str, ...]


class Applicant(NamedTuple):
    """What the applicant is, as far as access goes."""

    kinds: tuple[ApplicantKind, ...]
    sme_class: SmeClass | None
    """None where a company gave no figures."""


class Case(NamedTuple):
    """Everything that a rule looks at."""

    mode: Mode
    intake: Intake
    applicant: Applicant
    need: Need
    place: PlaceAdvice | None
    modes: ModesFile
    places: Places
    now: datetime


def applicant_of(intake: Intake, sme_class: SmeClass | None) -> Applicant:
    """The kinds of applicant that the answers make one."""
    kinds: tuple[ApplicantKind, ...]
    match intake.who:
        case Who.COMPANY if sme_class is None:
            kinds = (ApplicantKind.SME, ApplicantKind.STARTUP, ApplicantKind.INDUSTRY)
        case Who.COMPANY if sme_class is SmeClass.LARGE:
            kinds = (ApplicantKind.INDUSTRY,)
        case Who.COMPANY:
            kinds = (ApplicantKind.SME, ApplicantKind.STARTUP)
        case Who.UNIVERSITY:
            kinds = (ApplicantKind.ACADEMIA,)
        case Who.RESEARCH:
            kinds = (ApplicantKind.RESEARCH,)
        case Who.PUBLIC:
            kinds = (ApplicantKind.PUBLIC,)
        case _:
            kinds = ()
    return Applicant(kinds, sme_class)


def route_of(case: Case) -> Route:
    """The mode with all its rules."""
    rules = (_kind, _country, _opening, _amount, _purpose, _length, _conditions)
    findings = tuple(finding for rule in rules for finding in rule(case))
    apply_by, decision_on = _clock(case)
    if decision_on is not None and case.intake.needed_by is not None and decision_on > case.intake.needed_by:
        late = _finding(case, "date", "ask", "late", day=case.intake.needed_by)
        findings = (*findings, late)
    standings: tuple[Standing, ...] = ("no", "ask", "yes")
    worst = next(s for s in standings if s == "yes" or any(f.standing == s for f in findings))
    mode, language = case.mode, case.intake.language
    return Route(
        mode=mode.id,
        name=mode.name.get(language) or mode.name["en"],
        standing=worst,
        findings=findings,
        partition=case.place.partition if case.place else "",
        gpu_hours=case.place.gpu_hours if case.place else None,
        node_hours=case.place.node_hours if case.place else None,
        apply_by=apply_by,
        decision_on=decision_on,
        clock=_clock_in_words(case, apply_by, decision_on),
        cost=_cost(case),
        not_established=mode.not_established,
    )


def _finding(case: Case, rule: str, standing: Standing, key: str, **values: object) -> RuleFinding:
    message = say(key, case.intake.language, **values)
    sources = tuple(case.modes.sources[name].title for name in case.mode.sources)
    return RuleFinding(rule=rule, standing=standing, message=message, sources=sources)


def _kind(case: Case) -> list[RuleFinding]:
    mode, language = case.mode, case.intake.language
    if not case.applicant.kinds:
        return [_finding(case, "applicant", "no", "kind-person")]
    mine = [kind for kind in case.applicant.kinds if kind in mode.eligible]
    if mine:
        names = ", ".join(say(f"kind-{kind}", language) for kind in mine)
        return [_finding(case, "applicant", "yes", "kind-yes", kinds=names)]
    if mode.family == "ai-factories-science" and case.intake.who is Who.COMPANY and case.intake.eu_project:
        return [_finding(case, "applicant", "ask", "kind-eu-project")]
    names = ", ".join(say(f"kind-{kind}", language) for kind in mode.eligible)
    return [_finding(case, "applicant", "no", "kind-no", kinds=names)]


def _country(case: Case) -> list[RuleFinding]:
    country = case.intake.country
    if case.mode.countries is None:
        return [_finding(case, "establishment", "yes", "country-any")]
    if country in case.modes.countries[MEMBER_STATES].codes:
        return [_finding(case, "establishment", "yes", "country-member", country=country)]
    if country in case.modes.countries[case.mode.countries].codes:
        return [_finding(case, "establishment", "yes", "country-listed", country=country)]
    return [_finding(case, "establishment", "no", "country-no", country=country)]


def _opening(case: Case) -> list[RuleFinding]:
    if not case.mode.is_open(case.now):
        return [_finding(case, "opening", "no", "open-no")]
    cut_off = case.mode.next_cut_off(case.now)
    if case.mode.opening is Opening.ALWAYS or cut_off is None:
        return [_finding(case, "opening", "yes", "open-always")]
    day, time = cut_off.date(), f"{cut_off:%H:%M}"
    return [_finding(case, "opening", "yes", "open-cut-off", day=day, time=time)]


def _amount(case: Case) -> list[RuleFinding]:
    if not case.need.is_known:
        return []
    place, language = case.place, case.intake.language
    if place is None or place.gpu_hours is None or place.node_hours is None:
        return [_finding(case, "amount", "no", "amount-nowhere")]
    bounds = bounds_for(case.mode, place.partition)
    if bounds == Bounds() and case.mode.id == "playground":
        limit = case.places.assumptions.playground_gpu_hours
        values = {"amount": number(place.gpu_hours, language), "limit": number(limit, language)}
        if place.gpu_hours <= limit:
            return [_finding(case, "amount", "yes", "amount-small", **values)]
        return [_finding(case, "amount", "ask", "amount-unsure", **values)]
    by_unit = {Unit.GPU_HOURS: place.gpu_hours, Unit.NODE_HOURS: place.node_hours}
    amount = by_unit[case.mode.unit]
    fits = bounds.allow(amount)
    other = not case.mode.unit_is_certain and any(bounds.allow(value) for value in by_unit.values())
    standing: Standing = "yes" if fits else "ask" if other else "no"
    return [
        _finding(
            case,
            "amount",
            standing,
            {"yes": "amount-yes", "ask": "amount-unit", "no": "amount-no"}[standing],
            amount=number(amount, language),
            unit=say(f"unit-{case.mode.unit}", language),
            partition=place.name,
            bounds=_bounds_in_words(bounds, language),
        )
    ]


def bounds_for(mode: Mode, partition: str) -> Bounds:
    """The limits on that partition: its own where there are some, else those of the mode."""
    return mode.bounds_by_partition.get(partition, mode.bounds)


def _bounds_in_words(bounds: Bounds, language: str) -> str:
    parts = []
    if bounds.at_least is not None:
        parts.append(say("bounds-from", language, low=number(bounds.at_least, language)))
    if bounds.more_than is not None:
        parts.append(say("bounds-above", language, low=number(bounds.more_than, language)))
    if bounds.at_most is not None:
        parts.append(say("bounds-to", language, high=number(bounds.at_most, language)))
    return " ".join(parts) or say("bounds-any", language)


def _purpose(case: Case) -> list[RuleFinding]:
    mode, intake = case.mode, case.intake
    if mode.id == "benchmark" and intake.goal is not Goal.SCALING:
        return [_finding(case, "purpose", "ask", "purpose-scaling")]
    if mode.id == "ai-for-science" and intake.goal is Goal.USE:
        return [_finding(case, "purpose", "ask", "purpose-inference")]
    if mode.id == "fast-lane" and intake.experience is Experience.NONE:
        return [_finding(case, "purpose", "ask", "purpose-practised")]
    return [_finding(case, "purpose", "yes", "purpose-yes")]


def _length(case: Case) -> list[RuleFinding]:
    wanted, lengths = case.intake.months, case.mode.durations_months
    if wanted is None or not lengths:
        return []
    months = ", ".join(str(length) for length in lengths)
    if wanted > max(lengths):
        return [_finding(case, "length", "no", "length-no", wanted=wanted, months=months)]
    return [_finding(case, "length", "yes", "length-yes", months=months)]


def _conditions(case: Case) -> list[RuleFinding]:
    found = []
    if not case.intake.civilian and "civilian" in case.mode.obligations:
        found.append(_finding(case, "civilian", "no", "civilian-no"))
    closed = case.intake.who is Who.COMPANY and not case.intake.open_research
    if closed and case.mode.id == "regular":
        found.append(_finding(case, "open-research", "no", "open-research-no"))
    return found


def _clock(case: Case) -> tuple[datetime | None, date | None]:
    """Until when to apply, and by when it is decided if one applies now."""
    mode, now = case.mode, case.now
    if not mode.is_open(now) or mode.working_days is None:
        return None, None
    if mode.clock_starts == "submission":
        return None, add_working_days(now.astimezone(BRUSSELS).date(), mode.working_days)
    cut_off = mode.next_cut_off(now)
    return cut_off, None if cut_off is None else add_working_days(cut_off.date(), mode.working_days)


def _clock_in_words(case: Case, apply_by: datetime | None, decision_on: date | None) -> str:
    if decision_on is None:
        return ""
    language, today = case.intake.language, case.now.astimezone(BRUSSELS).date()
    event = say("event-submission", language)
    if apply_by is not None:
        event = say("event-cut-off", language, day=apply_by.date())
    count = case.mode.working_days
    return say("decision-by", language, start=today, day=decision_on, count=count, event=event)


def _cost(case: Case) -> str:
    language = case.intake.language
    if not case.mode.family.endswith("industrial"):
        return say("cost-free", language)
    return say("cost-large" if case.applicant.sme_class is SmeClass.LARGE else "cost-sme", language)
