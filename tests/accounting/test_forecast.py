"""When time will be used up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.accounting.forecast import forecast, spread

NOW = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = 3600


def made(daily, *, free=100 * HOUR, granted=1000 * HOUR, days_before=100, days_left=100):
    ends_at = None if days_left is None else NOW + timedelta(days=days_left)
    return forecast(
        daily,
        free_gpu_s=free,
        granted_gpu_s=granted,
        began_at=NOW - timedelta(days=days_before),
        ends_at=ends_at,
        now=NOW,
    )


def codes(found):
    return [warned.code for warned in found.warnings]


def test_an_even_pace_is_carried_on():
    found = made([10 * HOUR] * 28)
    assert abs((found.runs_out_at - NOW).total_seconds() - 10 * 86400) < 2000
    assert found.runs_out_early_at == found.runs_out_late_at == found.runs_out_at
    assert found.used_at_end_gpu_s == found.used_at_end_low_gpu_s == 1000 * HOUR
    assert codes(found) == ["runs_out"]


def test_an_uneven_pace_has_a_range():
    found = made([0, 20 * HOUR] * 14)
    assert found.runs_out_early_at < found.runs_out_at < found.runs_out_late_at
    assert found.used_at_end_low_gpu_s < found.used_at_end_gpu_s < found.used_at_end_high_gpu_s


def test_days_that_hang_together_widen_the_range():
    mixed, blocks = [0, 8] * 14, [0] * 14 + [8] * 14
    assert spread(mixed)[0] == spread(blocks)[0]
    assert spread(blocks)[1] > 2 * spread(mixed)[1]


def test_nothing_is_foretold_from_too_little():
    for daily in ([], [5 * HOUR], [5 * HOUR] * 2):
        found = made(daily)
        assert (found.runs_out_at, found.method, found.used_at_end_gpu_s) == (None, "", None)


def test_warnings():
    assert codes(made([0] * 28, free=-HOUR)) == ["overdrawn"]
    assert codes(made([HOUR] * 28, days_left=-1)) == ["ended"]
    assert codes(made([HOUR] * 28, free=900 * HOUR, days_before=100, days_left=20)) == ["under_use"]
    assert codes(made([HOUR] * 28, free=900 * HOUR, days_before=10, days_left=100)) == []
    assert codes(made([0, 0, 0, 14 * HOUR] * 7, free=110 * HOUR, days_left=28, days_before=28)) == ["may_run_out"]
    assert codes(made([HOUR] * 28, free=900 * HOUR, days_left=None)) == []


@pytest.mark.parametrize("free", [0, -5])
def test_what_is_used_up_is_used_up_now(free):
    assert made([HOUR] * 5, free=free).runs_out_at == NOW


@given(st.lists(st.integers(0, 10**7), min_size=3, max_size=28), st.integers(-(10**6), 10**9))
def test_early_is_never_after_late(daily, free):
    found = made(daily, free=free)
    ends = [found.runs_out_early_at, found.runs_out_at, found.runs_out_late_at]
    known = [at for at in ends if at is not None]
    assert known == sorted(known)
    assert ends.index(None) == len(known) if None in ends else True
