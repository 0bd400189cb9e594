"""The usage record and the arithmetic of GPU-seconds."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

NODE_FAILURES = frozenset({"NODE_FAIL", "BOOT_FAIL"})
"""States, in Slurm's words, of a run that ended through a fault of the site."""

ENDED_BY_OTHERS = frozenset({"CANCELLED", "PREEMPTED", "REQUEUED", "DEADLINE", "TIMEOUT"})
"""States of a run that did not end by itself; in a maintenance window the site ended it."""

MAX_GPU_S = 2**53
"""A hundred thousand accelerators for three thousand years."""

Key = Annotated[str, Field(min_length=1, max_length=200)]
_HIDDEN = "measured_at"


class Period(BaseModel):
    """One run of a job, from its start to its end or requeue."""

    model_config = ConfigDict(frozen=True)

    started_at: AwareDatetime
    ended_at: AwareDatetime
    gpu_s: int = Field(ge=0, le=MAX_GPU_S)
    state: str = ""
    """How it ended, in the scheduler's own word."""


class UsageRecord(BaseModel):
    """What one finished job used, over all its attempts. One job has exactly one, however often it is reported."""

    model_config = ConfigDict(frozen=True)

    site: str
    job_key: Key
    state: str
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime
    wall_s: float = Field(ge=0)
    num_gpus: int = Field(ge=0)
    gpu_s: int = Field(ge=0, le=MAX_GPU_S)
    cpu_s: float = Field(default=0.0, ge=0)
    max_rss_bytes: int = Field(default=0, ge=0)
    num_attempts: int = Field(default=1, ge=0)
    energy_j: float | None = None
    """Estimated or measured; None where the site cannot say."""
    native_id: str = ""
    """What the site's scheduler calls it."""
    account: str = ""
    """Account of the scheduler that it was charged to; finds the allocation of a job that the hub did not start."""
    user: str = ""
    """User of the site that it ran as."""
    partition: str = ""
    """`Partition.id`."""
    num_nodes: int = Field(default=1, ge=0)
    submitted_at: AwareDatetime | None = None
    cluster: str = ""
    """What the site's own accounting calls the machine."""
    num_cpus: int = Field(default=0, ge=0)
    """Processors allotted; 0 where unknown."""
    exit_code: str = ""
    """As the scheduler writes it."""
    native_state: str = ""
    """How the last attempt ended, in the scheduler's own word."""
    periods: tuple[Period, ...] = Field(default=(), max_length=10_000)
    """The attempts that used something, where there was more than one; they sum to `gpu_s`."""
    same_as: tuple[Key, ...] = Field(default=(), max_length=10_000)
    """Other keys under which the same job may have been reported."""
    measured_at: AwareDatetime | None = None
    """When the site's accounting was read; of two records of one job the later reading counts."""

    @model_validator(mode="after")
    def _sums(self) -> Self:
        if self.periods and sum(period.gpu_s for period in self.periods) != self.gpu_s:
            raise ValueError("the periods do not sum to gpu_s")
        return self

    @property
    def rank(self) -> tuple[bool, datetime, int, datetime, int]:
        """Of two records of one job, the one with the higher rank is the newer truth; accounting outranks a guess."""
        return (
            self.measured_at is not None,
            self.measured_at or self.ended_at,
            self.num_attempts,
            self.ended_at,
            self.gpu_s,
        )

    def says_the_same_as(self, other: "UsageRecord") -> bool:
        """Whether the two differ in nothing but when they were read."""
        return self.model_copy(update={_HIDDEN: None}) == other.model_copy(update={_HIDDEN: None})

    def spans(self) -> tuple[Period, ...]:
        """When its GPU-seconds were used; a job of one attempt used them evenly between start and end."""
        if self.periods:
            return self.periods
        began_at = self.started_at or self.ended_at
        state = self.native_state
        return (Period(started_at=min(began_at, self.ended_at), ended_at=self.ended_at, gpu_s=self.gpu_s, state=state),)

    def lost(self, maintenance: Iterable[tuple[datetime, datetime]] = ()) -> tuple[Period, ...]:
        """Attempts that the site ended: by nodes that failed, or in one of these half-open windows."""
        windows = list(maintenance)
        return tuple(
            span
            for span in self.spans()
            if span.state in NODE_FAILURES
            or (span.state in ENDED_BY_OTHERS and any(begin <= span.ended_at < end for begin, end in windows))
        )

    def lost_gpu_s(self, maintenance: Iterable[tuple[datetime, datetime]] = ()) -> int:
        """GPU-seconds of attempts that ended through the site."""
        return sum(span.gpu_s for span in self.lost(maintenance))


class RefusedUsage(BaseModel):
    """A record that the hub kept aside because it belongs to no allocation."""

    model_config = ConfigDict(frozen=True)

    job_key: str
    reason: str


class UsageReceipt(BaseModel):
    """What became of a batch of usage records."""

    model_config = ConfigDict(frozen=True)

    num_placed: int = 0
    refused: tuple[RefusedUsage, ...] = ()
    known_until: AwareDatetime | None = None
    """Latest reading among the site's records that the hub had before this batch: earlier than what was acknowledged
    before, it has been restored from a backup."""


def used_gpu_s(*, num_gpus: int, wall_s: float) -> int:
    """Whole GPU-seconds of `num_gpus` accelerators held for `wall_s`; a started second counts."""
    return num_gpus * math.ceil(round(wall_s, 3))


def held_gpu_s(*, num_gpus: int, walltime_s: int) -> int:
    """GPU-seconds that a job can use at most before its walltime ends it."""
    return num_gpus * walltime_s


def month_start(month: str) -> datetime:
    """The first instant of a month written as 2026-11, in UTC. Raises ValueError."""
    year, dash, number = month.partition("-")
    if not (dash and month.isascii() and len(year) == 4 and len(number) == 2 and (year + number).isdecimal()):
        raise ValueError(f"{month!r} is no month")
    return datetime(int(year), int(number), 1, tzinfo=UTC)


def next_month(at: datetime) -> datetime:
    """The first instant of the month after that of `at`, in UTC."""
    at = at.astimezone(UTC)
    return datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)


def gpu_s_between(spans: Iterable[Period], begins_at: datetime, ends_at: datetime) -> int:
    """GPU-seconds used in the half-open interval; over adjoining intervals they sum exactly to the whole."""
    return sum(_until(span, ends_at) - _until(span, begins_at) for span in spans)


def _until(span: Period, at: datetime) -> int:
    """GPU-seconds of a span used before `at`; a span without length was used at its end."""
    if at > span.ended_at:
        return span.gpu_s
    length_us = _microseconds(span.started_at, span.ended_at)
    if length_us <= 0 or at <= span.started_at:
        return 0
    return span.gpu_s * _microseconds(span.started_at, at) // length_us


def _microseconds(begins_at: datetime, ends_at: datetime) -> int:
    length = ends_at - begins_at
    return (length.days * 86_400 + length.seconds) * 1_000_000 + length.microseconds


def gpu_s_by_month(spans: Iterable[Period]) -> dict[str, int]:
    """GPU-seconds by month as 2026-11, in UTC; months without use are left out and the rest sums to the whole."""
    months: dict[str, int] = {}
    for span in spans:
        begins_at = span.started_at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        while begins_at <= span.ended_at:
            ends_at = next_month(begins_at)
            if used := gpu_s_between((span,), begins_at, ends_at):
                name = f"{begins_at:%Y-%m}"
                months[name] = months.get(name, 0) + used
            begins_at = ends_at
    return months
