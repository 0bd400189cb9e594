"""Access modes and their calls as dated data.

A mode says who may apply, for how much and how long, when, by which steps it is decided, by which criteria, and how
soon. An entry holds from its `valid_from` on; an application keeps the entry that it was made under.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from dateutil.relativedelta import relativedelta
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fucina.errors import BadInput

BRUSSELS = ZoneInfo("Europe/Brussels")


class UnknownMode(BadInput):
    """No access mode of that name on that day."""

    code = "unknown_access_mode"


class BadMode(BadInput):
    """A mode that cannot be used, or that nobody could ever apply in."""

    code = "bad_access_mode"


class Fact(BaseModel):
    """Frozen, and no key that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RuleSource(Fact):
    """Where a rule comes from."""

    title: str
    published_on: date | None = None
    url: str = ""


class CountryList(Fact):
    """Countries by their two letters."""

    source: str
    codes: tuple[str, ...]
    note: str = ""


class ApplicantKind(StrEnum):
    """What an organisation is, as far as access goes."""

    STARTUP = "startup"
    SME = "sme"
    INDUSTRY = "industry"
    """A company above the ceilings of an SME."""
    ACADEMIA = "academia"
    RESEARCH = "research-institute"
    PUBLIC = "public-sector"


class Opening(StrEnum):
    """When one may apply."""

    ALWAYS = "permanently"
    CUT_OFFS = "cut-offs"
    """At any time; what came in is looked at after each cut-off."""
    CLOSED = "closed"


class Step(StrEnum):
    """A part of the way to a decision, in this order."""

    ADMIN_CHECK = "admin-check"
    TECHNICAL_ASSESSMENT = "technical-assessment"
    PEER_REVIEW = "peer-review"
    RIGHT_TO_REPLY = "right-to-reply"
    PANEL = "panel"
    DECISION = "decision"


class Overrun(StrEnum):
    """What happens to a job that runs when its grant ends or is used up."""

    WARN = "warn"
    STOP = "stop"


class Unit(StrEnum):
    """What the published amounts of a mode count."""

    GPU_HOURS = "gpu-hours"
    NODE_HOURS = "node-hours"


class Bounds(Fact):
    """How much one may ask for; None where nobody published a limit."""

    at_least: float | None = Field(default=None, ge=0)
    more_than: float | None = Field(default=None, ge=0)
    at_most: float | None = Field(default=None, gt=0)

    @property
    def is_empty(self) -> bool:
        """Whether no amount at all lies within."""
        low = max(self.at_least or 0.0, self.more_than or 0.0)
        return self.at_most is not None and (self.at_most < low or (self.more_than is not None and self.at_most <= low))

    def allow(self, amount: float) -> bool:
        """Whether the amount lies within."""
        return (
            (self.at_least is None or amount >= self.at_least)
            and (self.more_than is None or amount > self.more_than)
            and (self.at_most is None or amount <= self.at_most)
        )


class Criterion(Fact):
    """What reviewers judge by."""

    id: str
    name: dict[str, str]
    max_score: float = Field(default=5, gt=0)
    weight: float = Field(default=1, gt=0)
    threshold: float = Field(default=0, ge=0)


class Review(Fact):
    """How an application is judged."""

    criteria: tuple[Criterion, ...] = Field(min_length=1)
    num_reviewers: int = Field(default=2, ge=1)
    threshold_total: float = Field(default=0, ge=0)
    step: float = Field(default=0.5, gt=0)
    """Between two scores."""
    blind: bool = False
    """Whether reviewers are kept from seeing who applies."""
    partial_from: float | None = Field(default=None, gt=0, le=1)
    """Smallest share of what was asked for that may be awarded; None awards all or nothing."""


class Mode(Fact):
    """A kind of access with its own limits and procedure."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    family: str = "local"
    name: dict[str, str] = Field(min_length=1)
    """By language."""
    purpose: dict[str, str] = {}
    """Whom and what it is for, by language."""
    valid_from: date
    valid_until: date | None = None
    """First day on which it no longer holds."""
    opening: Opening = Opening.ALWAYS
    cut_offs: tuple[date, ...] = ()
    cut_off_time: time = time(10, 0)
    """In Brussels."""
    eligible: tuple[ApplicantKind, ...] = tuple(ApplicantKind)
    countries: str | None = None
    """Name of a country list; None takes every country."""
    unit: Unit = Unit.GPU_HOURS
    unit_is_certain: bool = True
    """False where the published amounts may count the other unit."""
    bounds: Bounds = Bounds()
    """Over the whole project, in the mode's unit."""
    bounds_by_partition: dict[str, Bounds] = {}
    """For single partitions, in the mode's unit; where it is not empty, only these are on offer."""
    durations_months: tuple[int, ...] = ()
    """Lengths on offer; empty where the length is free."""
    lasts_days: int | None = Field(default=None, gt=0)
    """How long a grant lasts; where it is None a grant lasts the longest of `durations_months`, or has no end."""
    systems_per_project: int | None = None
    decision: str = Field(default="manual", pattern="^(automatic|manual|brought)$")
    """`brought`: nobody decides, since a person declares time that others gave them; it cannot be applied for."""
    path: tuple[Step, ...] = (Step.ADMIN_CHECK, Step.DECISION)
    review: Review | None = None
    working_days: int | None = Field(default=None, ge=0)
    """Promised from the submission, or from the cut-off, to the decision."""
    clock_starts: str = Field(default="submission", pattern="^(submission|cut-off)$")
    questions: tuple[str, ...] = ()
    """Question sets of the form, in order."""
    obligations: tuple[str, ...] = ()
    on_overrun: Overrun = Overrun.WARN
    cost: str = ""
    site: str = ""
    """Where the time is granted; empty leaves it to applicant and officer."""
    sources: tuple[str, ...] = Field(min_length=1)
    not_established: tuple[str, ...] = ()
    """What nobody published, in words."""

    @model_validator(mode="after")
    def _consistent(self) -> "Mode":
        if not self.path:
            raise ValueError("a mode needs at least one step")
        if Step.PEER_REVIEW in self.path and self.review is None:
            raise ValueError("a peer review needs criteria")
        if list(self.path) != sorted(self.path, key=list(Step).index):
            raise ValueError(f"the steps are out of order; their order is {', '.join(Step)}")
        if self.path[-1] is not Step.DECISION:
            raise ValueError("the last step is the decision")
        return self

    @property
    def max_gpu_hours(self) -> float | None:
        """The most that a project may be granted, where it is published in GPU-hours."""
        return self.bounds.at_most if self.unit is Unit.GPU_HOURS else None

    def end_of(self, granted_at: datetime) -> datetime | None:
        """When a grant of that moment ends; None where it has no end. A month ends on the same day of another."""
        if self.lasts_days is not None:
            return granted_at + timedelta(days=self.lasts_days)
        if not self.durations_months:
            return None
        return granted_at + relativedelta(months=max(self.durations_months))

    def holds_on(self, day: date) -> bool:
        """Whether it is in force."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)

    def next_cut_off(self, at: datetime) -> datetime | None:
        """The first cut-off that is not over; None where there is none."""
        moments = (datetime.combine(day, self.cut_off_time, tzinfo=BRUSSELS) for day in sorted(self.cut_offs))
        return next((moment for moment in moments if moment >= at), None)

    def is_open(self, at: datetime) -> bool:
        """Whether an application may be submitted now."""
        if not self.holds_on(at.astimezone(BRUSSELS).date()) or self.opening is Opening.CLOSED:
            return False
        return self.opening is Opening.ALWAYS or self.next_cut_off(at) is not None


class ModesFile(Fact):
    """A file of modes with the sources and country lists that they name."""

    sources: dict[str, RuleSource]
    countries: dict[str, CountryList]
    modes: tuple[Mode, ...]

    @model_validator(mode="after")
    def _named(self) -> "ModesFile":
        for mode in self.modes:
            missing = [source for source in mode.sources if source not in self.sources]
            if missing:
                raise ValueError(f"{mode.id} names the source {missing[0]!r}, which is not in the file")
            if mode.countries is not None and mode.countries not in self.countries:
                raise ValueError(f"{mode.id} names the country list {mode.countries!r}, which is not in the file")
        return self

    def on(self, day: date) -> dict[str, Mode]:
        """The modes that hold on that day, by id."""
        known = sorted((mode for mode in self.modes if mode.holds_on(day)), key=lambda mode: mode.valid_from)
        return {mode.id: mode for mode in known}

    def mode(self, mode_id: str, *, day: date) -> Mode:
        """The mode of that name as it holds on that day. Raises UnknownMode."""
        modes = self.on(day)
        if mode_id not in modes:
            raise UnknownMode(
                f"There is no access mode {mode_id!r} on {day}.", hint=f"The modes are {', '.join(modes)}."
            )
        return modes[mode_id]


def load_modes(path: Path | None = None) -> ModesFile:
    """The modes in the file at `path`, or those shipped with the package. Raises BadMode."""
    try:
        text = (
            path.read_text(encoding="utf-8")
            if path
            else files("fucina.access").joinpath("modes.yaml").read_text("utf-8")
        )
        return ModesFile.model_validate(yaml.safe_load(text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadMode(f"{path} cannot be read: {error}", hint="Give a YAML file in UTF-8.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadMode(
            f"{path or 'modes.yaml'}, {where}: {first['msg']}.", hint="Compare it with the shipped file."
        ) from error


@cache
def shipped_modes() -> ModesFile:
    """The modes that come with the package."""
    return load_modes()


def check_mode(mode: Mode, *, modes: ModesFile, partitions: Iterable[str], today: date) -> None:
    """Raises BadMode, saying why, when nobody could ever apply in the mode."""
    known = set(partitions)
    reasons = []
    if not mode.eligible:
        reasons.append("no kind of applicant is eligible")
    if mode.countries is not None and not modes.countries[mode.countries].codes:
        reasons.append(f"country list {mode.countries} is empty")
    if mode.bounds.is_empty:
        reasons.append("no amount lies within its bounds")
    offered = {name: bounds for name, bounds in mode.bounds_by_partition.items() if not bounds.is_empty}
    if mode.bounds_by_partition and not (offered.keys() & known if known else offered):
        reasons.append("none of its partitions exists with an amount that lies within its bounds")
    if mode.opening is Opening.CUT_OFFS and not any(day >= max(today, mode.valid_from) for day in mode.cut_offs):
        reasons.append("all its cut-offs are over")
    if mode.valid_until is not None and mode.valid_until <= max(today, mode.valid_from):
        reasons.append("it is over before it begins")
    if any(months <= 0 for months in mode.durations_months):
        reasons.append("a duration is not positive")
    if reasons:
        raise BadMode(
            f"Nobody could apply in {mode.id}: {'; '.join(reasons)}.", hint="Correct the mode, then save it again."
        )
