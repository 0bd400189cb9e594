"""When a grant will be used up: daily use of the last weeks, carried on, with how far that can be trusted."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import fmean, pvariance

from pydantic import AwareDatetime, BaseModel, ConfigDict

METHOD = (
    "Mean daily use of the last {days} days, carried on; the range holds in four cases of five if the future is as "
    "uneven as those days, with the tie between neighbouring days taken into account."
)
MIN_DAYS = 3
"""Fewer days say nothing about the spread."""
MAX_TIE = 0.9
Z_80 = 1.2816
HORIZON_DAYS = 5 * 365
LATE_SHARE, UNDER_SHARE = 0.5, 0.5
"""Under-use: when half the time is over and less than half of what would be even has been used."""


class Warned(BaseModel):
    """Something that a project should know."""

    model_config = ConfigDict(frozen=True)

    code: str
    """`overdrawn`, `runs_out`, `may_run_out`, `under_use` or `ended`."""
    message: str


class Forecast(BaseModel):
    """What is likely to become of a project's time."""

    model_config = ConfigDict(frozen=True)

    made_at: AwareDatetime
    num_days: int
    """Days that it rests on."""
    free_gpu_s: int
    gpu_s_per_day: float
    runs_out_at: AwareDatetime | None = None
    """None where it will not within five years, or nothing can be said."""
    runs_out_early_at: AwareDatetime | None = None
    runs_out_late_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    """When the grant ends; None where it has no end."""
    used_at_end_gpu_s: int | None = None
    """Further use until the grant ends."""
    used_at_end_low_gpu_s: int | None = None
    used_at_end_high_gpu_s: int | None = None
    method: str = ""
    warnings: tuple[Warned, ...] = ()


def spread(daily: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of a day, the latter widened by the tie between neighbouring days (lag 1)."""
    mean = fmean(daily)
    variance = pvariance(daily, mean)
    if variance == 0:
        return mean, 0.0
    pairs = zip(daily, daily[1:], strict=False)
    tie = sum((a - mean) * (b - mean) for a, b in pairs) / (variance * len(daily))
    tie = min(max(tie, 0.0), MAX_TIE)
    return mean, math.sqrt(variance * len(daily) / (len(daily) - 1) * (1 + tie) / (1 - tie))


def _range(mean: float, sd: float, num_days: int, ahead: float) -> tuple[float, float, float]:
    """Low, middle and high use of the next `ahead` days; the mean itself is uncertain too."""
    middle = mean * ahead
    wide = Z_80 * sd * math.sqrt(max(ahead, 0.0) * (1 + ahead / num_days))
    return max(0.0, middle - wide), middle, middle + wide


def forecast(
    daily: Sequence[int],
    *,
    free_gpu_s: int,
    granted_gpu_s: int,
    began_at: datetime,
    ends_at: datetime | None,
    now: datetime,
) -> Forecast:
    """Carry on the use of the last days, oldest first, each in GPU-seconds."""
    base = {"made_at": now, "num_days": len(daily), "free_gpu_s": free_gpu_s, "ends_at": ends_at}
    known = len(daily) >= MIN_DAYS
    mean, sd = spread(daily) if known else (fmean(daily) if daily else 0.0, 0.0)
    found: dict[str, object] = {"gpu_s_per_day": mean}
    if known:
        found["method"] = METHOD.format(days=len(daily))
        early, middle, late = (_day_when(mean, sd, len(daily), free_gpu_s, which) for which in (2, 1, 0))
        for name, day in (("runs_out_early_at", early), ("runs_out_at", middle), ("runs_out_late_at", late)):
            found[name] = None if day is None else now + timedelta(days=day)
        if ends_at is not None and ends_at > now:
            ahead = (ends_at - now) / timedelta(days=1)
            low, mid, high = _range(mean, sd, len(daily), ahead)
            found |= {"used_at_end_low_gpu_s": round(low), "used_at_end_gpu_s": round(mid)}
            found["used_at_end_high_gpu_s"] = round(high)
    made = Forecast.model_validate(base | found)
    used_gpu_s = granted_gpu_s - free_gpu_s
    warned = _warnings(made, granted_gpu_s=granted_gpu_s, used_gpu_s=used_gpu_s, began_at=began_at, now=now)
    return made.model_copy(update={"warnings": warned})


def _day_when(mean: float, sd: float, num_days: int, free_gpu_s: int, which: int) -> float | None:
    """Days until the low, middle or high course has used what is free; None beyond the horizon."""
    if free_gpu_s <= 0:
        return 0.0
    low, high = 0.0, float(HORIZON_DAYS)
    if _range(mean, sd, num_days, high)[which] < free_gpu_s:
        return None
    while high - low > 0.01:
        half = (low + high) / 2
        low, high = (low, half) if _range(mean, sd, num_days, half)[which] >= free_gpu_s else (half, high)
    return high


def _warnings(
    made: Forecast, *, granted_gpu_s: int, used_gpu_s: int, began_at: datetime, now: datetime
) -> tuple[Warned, ...]:
    found = []
    if made.free_gpu_s < 0:
        hours = -made.free_gpu_s / 3600
        found.append(Warned(code="overdrawn", message=f"{hours:.2f} GPU-hours more were used than granted."))
    if made.ends_at is not None and now >= made.ends_at:
        found.append(Warned(code="ended", message=f"The grant ended on {made.ends_at:%Y-%m-%d}."))
        return tuple(found)
    before = made.ends_at or now + timedelta(days=28)
    if made.free_gpu_s >= 0 and made.runs_out_at is not None and made.runs_out_at < before:
        text = f"At this pace the time is used up around {made.runs_out_at:%Y-%m-%d}."
        found.append(Warned(code="runs_out", message=text))
    elif made.free_gpu_s >= 0 and made.runs_out_early_at is not None and made.runs_out_early_at < before:
        text = f"The time may be used up as early as {made.runs_out_early_at:%Y-%m-%d}."
        found.append(Warned(code="may_run_out", message=text))
    if made.ends_at is not None and granted_gpu_s > 0 and made.ends_at > began_at:
        over = (now - began_at) / (made.ends_at - began_at)
        share = used_gpu_s / granted_gpu_s
        if over >= LATE_SHARE and share < UNDER_SHARE * over:
            text = (
                f"{over:.0%} of the period is over and {share:.0%} of the time is used; the rest ends with the grant."
            )
            found.append(Warned(code="under_use", message=text))
    return tuple(found)
