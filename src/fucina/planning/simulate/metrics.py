"""What a course of events meant: waits by class, use of the machines, energy and fairness, with confidence over
repetitions."""

from math import sqrt

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import t as student

from fucina.planning.simulate import state
from fucina.planning.simulate.cluster import Pool
from fucina.planning.simulate.run import DAY_S, Course
from fucina.planning.simulate.state import Array

BOUND_S = 10


class Estimate(BaseModel):
    """A mean over repetitions with its 95 % confidence interval; the interval is open where there was one
    repetition."""

    model_config = ConfigDict(frozen=True)

    mean: float
    low: float | None = None
    high: float | None = None


Values = dict[str, float]


def measure(course: Course, *, warmup_s: int) -> dict[str, Values]:
    """Numbers by part: `all`, `class NAME`, `pool NAME`. Waits leave out jobs submitted during the warm-up."""
    table = course.table
    counted = table.submit_s >= table.submit_s[0] + warmup_s
    found = {"all": _waits(course, counted) | _whole(course)}
    for number, name in enumerate(table.groups):
        found[f"class {name}"] = _waits(course, counted & (table.group == number))
    for number, pool in enumerate(course.pools):
        found[f"pool {pool.id}"] = _use(pool, course.steady[number], course.tally[number])
    return found


def _waits(course: Course, counted: Array) -> Values:
    table = course.table
    ended = counted & (course.end_s >= 0)
    wait = (course.first_start_s - table.submit_s)[ended]
    span = (course.end_s - table.submit_s)[ended]
    run = table.run_s[ended]
    values: Values = {"jobs": float(counted.sum()), "unfinished": float(counted.sum() - ended.sum())}
    if not len(wait):
        return values
    slowdown = np.maximum(1.0, span / np.maximum(run, BOUND_S))
    values |= {
        "mean_wait_s": float(wait.mean()),
        "median_wait_s": float(np.median(wait)),
        "p95_wait_s": float(np.percentile(wait, 95)),
        "p99_wait_s": float(np.percentile(wait, 99)),
        "max_wait_s": float(wait.max()),
        "mean_bounded_slowdown": float(slowdown.mean()),
        "gpu_hours": float((run * table.gpus[ended].astype(np.float64)).sum() / 3600),
        "stops": float(course.stops[ended].sum()),
    }
    return values


def _use(pool: Pool, steady: Array, tally: Array) -> Values:
    """Use of a pool up to the last submission; counts up to the end."""
    span = float(max(1, steady[state.LAST]))
    there = pool.num_gpus * span
    busy = float(steady[state.BUSY])
    watts = pool.power_w * pool.pue
    energy_kwh = (busy + (there - busy) * pool.idle_share) * watts / 3.6e6
    return {
        "utilisation": busy / there,
        "availability": float(steady[state.UPTIME]) / (pool.num_nodes * span),
        "fragmentation": float(steady[state.SCATTERED]) / there,
        "goodput": 1 - float(tally[state.LOST]) / max(1.0, float(tally[state.BUSY])),
        "energy_mwh": energy_kwh / 1000,
        "carbon_t": energy_kwh * pool.carbon_g_per_kwh / 1e6,
        "jobs": float(tally[state.SERVED]),
        "gangs_over_islands": float(tally[state.SPREAD]) / max(1.0, float(tally[state.GANGS])),
        "stopped_by_failures": float(tally[state.FAILED]),
        "preempted": float(tally[state.PREEMPTED]),
        "days": span / DAY_S,
    }


def _whole(course: Course) -> Values:
    uses = [_use(p, course.steady[i], course.tally[i]) for i, p in enumerate(course.pools)]
    weights = np.array([pool.num_gpus for pool in course.pools], np.float64)
    busy = course.tally[:, state.BUSY].astype(np.float64)
    moved = course.pool != course.table.pool
    return {
        **{
            name: float(np.average([use[name] for use in uses], weights=weights))
            for name in ("utilisation", "availability", "fragmentation")
        },
        "goodput": 1 - float(course.tally[:, state.LOST].sum()) / max(1.0, float(busy.sum())),
        "energy_mwh": sum(use["energy_mwh"] for use in uses),
        "carbon_t": sum(use["carbon_t"] for use in uses),
        "moved_share": float(moved.mean()),
        "fairness": fairness(course),
    }


def fairness(course: Course) -> float:
    """Jain's index of the accounts' mean bounded slowdown: 1 where all fare alike, 1/n where one bears all (Jain
    1984)."""
    table = course.table
    ended = course.end_s >= 0
    slowdown = np.maximum(1.0, (course.end_s - table.submit_s) / np.maximum(table.run_s, BOUND_S))[ended]
    account = table.account[ended]
    count = np.bincount(account, minlength=len(table.accounts))
    mean = np.bincount(account, weights=slowdown, minlength=len(table.accounts))[count > 0] / count[count > 0]
    return float(mean.sum() ** 2 / (len(mean) * (mean**2).sum())) if len(mean) else 1.0


def combine(repetitions: list[dict[str, Values]]) -> dict[str, dict[str, Estimate]]:
    """Means over repetitions with Student's 95 % confidence intervals."""
    first = repetitions[0]
    return {
        part: {name: estimate([r[part][name] for r in repetitions if name in r[part]]) for name in first[part]}
        for part in first
    }


def estimate(values: list[float]) -> Estimate:
    """Mean and 95 % confidence interval by Student's t."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return Estimate(mean=mean)
    deviation = sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    half = float(student.ppf(0.975, len(values) - 1)) * deviation / sqrt(len(values))
    return Estimate(mean=mean, low=mean - half, high=mean + half)
