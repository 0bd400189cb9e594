"""95 % intervals of measured numbers, and metrics made of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fucina.trust.recipe import Metric

LEVEL = 0.95
NUM_RESAMPLES = 1000
_MAX_RESAMPLED_NUMBERS = 4_000_000
"""Numbers held at once while resampling; bounds memory, changes no result."""

Statistic = Callable[..., Any]


class Interval(NamedTuple):
    """Bounds, inclusive, and how they were computed."""

    low: float
    high: float
    method: str


def exact_interval(*, num_hits: int, n: int) -> Interval:
    """Of a share, by Clopper and Pearson (1934); of nothing, everything between 0 and 1."""
    if n == 0:
        return Interval(0.0, 1.0, "none: nothing to measure")
    bounds = stats.binomtest(num_hits, n).proportion_ci(confidence_level=LEVEL, method="exact")
    return Interval(float(bounds.low), float(bounds.high), "exact (Clopper-Pearson)")


def bootstrap_interval(statistic: Statistic, *columns: NDArray[np.float64], items: str, seed: int) -> Interval:
    """Percentile bootstrap of `statistic(*columns, axis)`, drawing whole items, all columns together."""
    n = len(columns[0])
    if n < 2:
        value = float(statistic(*columns, axis=-1)) if n else 0.0
        return Interval(value, value, f"none: n = {n}")
    bounds = stats.bootstrap(
        columns,
        statistic,
        n_resamples=NUM_RESAMPLES,
        batch=max(1, _MAX_RESAMPLED_NUMBERS // n),
        vectorized=True,
        paired=True,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(bounds.low), float(bounds.high), f"bootstrap over {items}, {NUM_RESAMPLES} resamples")


def mean(column: NDArray[np.float64], axis: int) -> Any:
    """The mean, as a statistic for the bootstrap."""
    return np.mean(column, axis=axis)


def rounded(value: float) -> float:
    """To six significant digits: more would print noise of the arithmetic, not of the measurement."""
    return float(f"{value:.6g}")


def metric(
    name: str,
    value: float,
    *,
    n: int,
    interval: Interval,
    meaning: str,
    baseline: float | None = None,
    against: str = "",
) -> Metric:
    """A metric with its numbers rounded; bounds never exclude the value."""
    value = rounded(value)
    return Metric(
        name=name,
        value=value,
        n=n,
        low=min(value, rounded(interval.low)),
        high=max(value, rounded(interval.high)),
        interval=interval.method,
        baseline=None if baseline is None else rounded(baseline),
        baseline_name=against if baseline is not None else "",
        meaning=meaning,
    )


def share_metric(
    name: str,
    *,
    num_hits: int,
    n: int,
    meaning: str,
    unmeasured: float,
    baseline: tuple[int, int] | None = None,
    against: str = "",
) -> Metric:
    """A share of n items; where n is 0 it takes the worse end of its range, `unmeasured`, and never looks good.

    The baseline is given as hits and items; of no items there is no baseline.
    """
    return metric(
        name,
        num_hits / n if n else unmeasured,
        n=n,
        interval=exact_interval(num_hits=num_hits, n=n),
        meaning=meaning,
        baseline=baseline[0] / baseline[1] if baseline is not None and baseline[1] else None,
        against=against,
    )
