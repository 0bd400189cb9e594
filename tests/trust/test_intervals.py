import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.trust.intervals import bootstrap_interval, exact_interval, mean, metric, share_metric


def test_exact_intervals_match_published_values():
    # Clopper-Pearson for 0 of 10 and 5 of 10 at 95 %, as tables of the binomial print them.
    none, half = exact_interval(num_hits=0, n=10), exact_interval(num_hits=5, n=10)

    assert (none.low, none.high) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert (half.low, half.high) == pytest.approx((0.1871, 0.8129), abs=1e-4)


def test_of_nothing_everything_is_possible():
    interval = exact_interval(num_hits=0, n=0)

    assert (interval.low, interval.high) == (0.0, 1.0)
    assert interval.method == "none: nothing to measure"
    assert share_metric("share", num_hits=0, n=0, meaning="", unmeasured=1.0).value == 1.0


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_exact_intervals_hold_the_share(counts: tuple[int, int]):
    interval = exact_interval(num_hits=counts[0], n=counts[1])

    assert 0 <= interval.low <= counts[0] / counts[1] <= interval.high <= 1


def test_bootstrap_covers_the_true_mean_about_95_times_in_100():
    generator = np.random.default_rng(1)

    covered = 0
    for seed in range(100):
        low, high, _ = bootstrap_interval(mean, generator.normal(3.0, 1.0, size=60), items="items", seed=seed)
        covered += low <= 3.0 <= high

    assert 88 <= covered <= 100


def test_bootstrap_is_repeated_by_its_seed_and_survives_few_or_equal_items():
    column = np.arange(20.0)

    assert bootstrap_interval(mean, column, items="x", seed=3) == bootstrap_interval(mean, column, items="x", seed=3)
    assert bootstrap_interval(mean, column, items="x", seed=3) != bootstrap_interval(mean, column, items="x", seed=4)
    assert bootstrap_interval(mean, np.array([2.0]), items="x", seed=3) == (2.0, 2.0, "none: n = 1")
    assert bootstrap_interval(mean, np.array([]), items="x", seed=3) == (0.0, 0.0, "none: n = 0")
    assert bootstrap_interval(mean, np.full(5, 2.0), items="x", seed=3)[:2] == (2.0, 2.0)


def test_bounds_never_exclude_the_value_after_rounding():
    made = metric(
        "m", 1.23456789, n=9, interval=exact_interval(num_hits=1, n=1), meaning="", baseline=None, against="ignored"
    )

    assert made.value == 1.23457 and made.high == 1.23457
    assert made.baseline is None and made.baseline_name == ""
