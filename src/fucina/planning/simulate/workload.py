"""A workload generator fitted to published statistics: sizes, run times, their correlation, estimates and arrivals.

Sizes are powers of two whose chances fall geometrically, with the published median and mean. The run time of a job of g
accelerators is c g^b e^{sz} with normal z, and c, b, s meet the published median, mean and accelerator-seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import log

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import norm

from fucina.planning.simulate.cluster import BadScenario, Pool
from fucina.planning.simulate.job_table import JobTable
from fucina.planning.simulate.run import DAY_S
from fucina.planning.simulate.state import Array

POPULAR_S = (
    np.array([5, 10, 15, 30, 60, 120, 180, 240, 360, 480, 720, 1080, 1440, 2160, 2880, 4320, 5760, 7200, 10080]) * 60
)
"""Walltimes that people ask for, s."""
MAX_JOBS = 20_000_000


class Profile(BaseModel):
    """Published statistics of a cluster's accelerator jobs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    jobs: int
    mean_run_s: float
    median_run_s: float
    max_run_s: float
    mean_gpus: float
    median_gpus: float
    max_gpus: int
    gpu_s: float
    source: str


class JobClass(BaseModel):
    """A class of users with its jobs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=60)
    profile: str = "acme-kalos"
    load: float = Field(gt=0, le=3)
    """Accelerator-seconds asked for over those that there are."""
    min_gpus: int = Field(default=1, ge=1)
    max_gpus: int = Field(default=0, ge=0)
    """0 means as the profile has it."""
    max_run_s: int = Field(default=7 * DAY_S, ge=60)
    run_scale: float = Field(default=1.0, gt=0)
    """Of all run times beside the profile."""
    qos: str = ""
    """Empty means the first."""
    num_accounts: int = Field(default=10, ge=1, le=5000)
    share: float = Field(default=1.0, gt=0)
    """Fairshare of each of its accounts."""
    data_gb: float = Field(default=0.0, ge=0)
    """Median of the data that a job needs, GB."""
    pools: dict[str, float] = {}
    """Home pools with weights; empty means all by their size."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Parameters of the model of one profile."""

    sizes: Array
    chances: Array
    scale_s: float
    growth: float
    spread: float


@cache
def profiles() -> dict[str, Profile]:
    """The shipped profiles by name."""
    found = yaml.safe_load(files("fucina.planning.simulate").joinpath("workload_profiles.yaml").read_text("utf-8"))
    return {entry["id"]: Profile.model_validate(entry) for entry in found["profiles"]}


def profile(name: str) -> Profile:
    """The profile of that name. Raises BadScenario."""
    if name not in profiles():
        raise BadScenario(f"There is no workload profile {name!r}.", hint=f"There are: {', '.join(profiles())}.")
    return profiles()[name]


@cache
def fit(name: str) -> Fit:
    """Meet a profile's moments. Raises BadScenario."""
    known = profile(name)
    sizes, chances = _fit_sizes(known)
    ratio = known.gpu_s / known.jobs / (known.mean_gpus * known.mean_run_s)
    growth = _bisect(
        lambda b: _mean(sizes ** (1 + b), chances) / (known.mean_gpus * _mean(sizes**b, chances)) - ratio, -1, 3
    )
    powers = sizes**growth

    def median_over(spread: float) -> float:
        scale = known.mean_run_s / (_mean(powers, chances) * np.exp(spread**2 / 2))
        below = norm.cdf(np.log(known.median_run_s / (scale * powers)) / spread)
        return float((chances * below).sum()) - 0.5

    spread = _bisect(median_over, 0.05, 5)
    scale = known.mean_run_s / (_mean(powers, chances) * np.exp(spread**2 / 2))
    return Fit(sizes=sizes, chances=chances, scale_s=float(scale), growth=growth, spread=spread)


def _fit_sizes(known: Profile) -> tuple[Array, Array]:
    sizes = 2.0 ** np.arange(int(log(known.max_gpus, 2)) + 1)

    def chances(fall: float) -> Array:
        weights = sizes**-fall
        weights /= weights.sum()
        if weights[0] < 0.5:  # the published median is 1
            weights[1:] *= 0.5 / weights[1:].sum()
            weights[0] = 0.5
        return weights

    fall = _bisect(lambda a: known.mean_gpus - _mean(sizes, chances(a)), -2, 6)
    return sizes, chances(fall)


def _mean(values: Array, chances: Array) -> float:
    return float((values * chances).sum())


def _bisect(over: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses zero, or the nearer end."""
    for _ in range(80):
        middle = (low + high) / 2
        if over(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def generate(
    classes: tuple[JobClass, ...],
    *,
    pools: tuple[Pool, ...],
    qos: tuple[str, ...],
    days: float,
    seed: int,
    num_jobs: int | None = None,
    daily_cycle: float = 0.5,
) -> JobTable:
    """Jobs of all classes for so many days; the load is that of all pools together. With `num_jobs`, days give way.

    Raises BadScenario for an unknown name or more than 20 million jobs.
    """
    names = [pool.id for pool in pools]
    room = np.array([pool.num_gpus for pool in pools], np.float64)
    work = np.array([pool.num_gpus * pool.speed for pool in pools], np.float64)
    parts = []
    first_account = 0
    rates = [_rate(entry, float(work.sum())) for entry in classes]
    if num_jobs is not None:
        days = num_jobs / sum(rates) / DAY_S
    for number, (entry, rate) in enumerate(zip(classes, rates, strict=True)):
        chance = np.random.default_rng([seed, number])
        if rate * days * DAY_S > MAX_JOBS:
            raise BadScenario(
                f"Class {entry.name!r} makes {rate * days * DAY_S:,.0f} jobs.", hint="Ask for fewer days or less load."
            )
        count = round(rate * days * DAY_S) if num_jobs is not None else int(chance.poisson(rate * days * DAY_S))
        columns = _jobs_of(entry, count, chance, days, daily_cycle)
        home = _homes(entry, names, room, work, columns["gpus"], chance)
        columns["gpus"] = np.minimum(columns["gpus"], room[home].astype(np.int32))
        columns["account"] = (first_account + _accounts(entry, count, chance)).astype(np.int16)
        columns["pool"] = home.astype(np.int16)
        columns["qos"] = np.full(count, _number_of(entry.qos, qos), np.int8)
        columns["group"] = np.full(count, number, np.int8)
        first_account += entry.num_accounts
        parts.append(columns)
    return _joined(classes, parts)


def _joined(classes: tuple[JobClass, ...], parts: list[dict[str, Array]]) -> JobTable:
    joined = {key: np.concatenate([part.pop(key) for part in parts]) for key in list(parts[0])}
    order = np.argsort(joined["submit_s"], kind="stable")
    for key in joined:
        joined[key] = joined[key][order]
    return JobTable(
        **joined,
        accounts=tuple(f"{entry.name}-{i + 1}" for entry in classes for i in range(entry.num_accounts)),
        groups=tuple(entry.name for entry in classes),
        shares=tuple(entry.share for entry in classes for _ in range(entry.num_accounts)),
    )


def _limits(entry: JobClass) -> tuple[Array, Array, Fit]:
    model = fit(entry.profile)
    largest = entry.max_gpus or int(model.sizes[-1])
    keep = (model.sizes >= entry.min_gpus) & (model.sizes <= largest)
    if not keep.any():
        raise BadScenario(
            f"Class {entry.name!r} has no size between {entry.min_gpus} and {largest}.",
            hint=f"{entry.profile} has powers of two up to {model.sizes[-1]:.0f}.",
        )
    chances = model.chances[keep]
    return model.sizes[keep], chances / chances.sum(), model


def _rate(entry: JobClass, num_gpus: float) -> float:
    """Jobs a second that make the load."""
    sizes, chances, model = _limits(entry)
    median = model.scale_s * entry.run_scale * sizes**model.growth
    # the mean of a lognormal cut at its limit
    cut = np.log(entry.max_run_s / median) / model.spread
    mean = median * np.exp(model.spread**2 / 2) * norm.cdf(cut - model.spread) + entry.max_run_s * norm.sf(cut)
    return entry.load * num_gpus / _mean(sizes * np.maximum(mean, 1.0), chances)


def _jobs_of(
    entry: JobClass, count: int, chance: np.random.Generator, days: float, daily_cycle: float
) -> dict[str, Array]:
    sizes, chances, model = _limits(entry)
    gpus = chance.choice(sizes, count, p=chances)
    run = model.scale_s * entry.run_scale * gpus**model.growth * np.exp(model.spread * chance.standard_normal(count))
    run = np.clip(run, 1, entry.max_run_s)
    asked = run / np.maximum(1 - chance.random(count), 0.02)
    estimate = POPULAR_S[np.minimum(np.searchsorted(POPULAR_S, asked), len(POPULAR_S) - 1)]
    return {
        "submit_s": _arrivals(count, days, daily_cycle, chance),
        "run_s": run.astype(np.int32),
        "estimate_s": np.maximum(np.minimum(estimate, entry.max_run_s), np.ceil(run)).astype(np.int32),
        "gpus": gpus.astype(np.int32),
        "data_gb": (entry.data_gb * np.exp(1.5 * chance.standard_normal(count))).astype(np.float32),
    }


def _arrivals(count: int, days: float, depth: float, chance: np.random.Generator) -> Array:
    """Instants of a Poisson process with a daily and a weekly cycle."""
    hours = np.arange(max(1, int(np.ceil(days * 24))))
    weight = 1 - depth * np.cos((hours % 24 - 4) / 24 * 2 * np.pi)
    weight = weight * np.where(hours // 24 % 7 >= 5, 1 - depth / 2, 1.0)
    weight[-1] *= days * 24 - hours[-1]
    total = np.concatenate([[0], np.cumsum(weight)])
    edges = np.concatenate([hours, [days * 24]])
    return np.asarray(np.interp(np.sort(chance.random(count)) * total[-1], total, edges) * 3600, np.int64)


def _homes(
    entry: JobClass, names: list[str], room: Array, work: Array, gpus: Array, chance: np.random.Generator
) -> Array:
    for name in entry.pools:
        _number_of(name, tuple(names))
    weights = np.array([entry.pools.get(name, 0.0) for name in names]) if entry.pools else work
    home = chance.choice(len(names), len(gpus), p=weights / weights.sum())
    too_large = gpus > room[home]
    largest = int(np.argmax(np.where(weights > 0, room, 0)))
    return np.where(too_large, largest, home)


def _accounts(entry: JobClass, count: int, chance: np.random.Generator) -> Array:
    """A few accounts bring most jobs: chances fall with the square root of the rank."""
    weights = 1 / np.sqrt(np.arange(1, entry.num_accounts + 1))
    return chance.choice(entry.num_accounts, count, p=weights / weights.sum())


def _number_of(name: str, names: tuple[str, ...]) -> int:
    if not name:
        return 0
    if name not in names:
        raise BadScenario(f"Nothing is named {name!r} here.", hint=f"There are: {', '.join(names)}.")
    return names.index(name)
