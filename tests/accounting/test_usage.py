"""GPU-second arithmetic."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.accounting.usage import (
    Period,
    UsageRecord,
    gpu_s_between,
    gpu_s_by_month,
    held_gpu_s,
    month_start,
    next_month,
    used_gpu_s,
)


@given(st.integers(0, 10_000), st.integers(1, 10**6), st.floats(0, 1))
def test_what_is_used_never_exceeds_what_was_held(num_gpus, walltime_s, share):
    used = used_gpu_s(num_gpus=num_gpus, wall_s=share * walltime_s)
    assert 0 <= used <= held_gpu_s(num_gpus=num_gpus, walltime_s=walltime_s)


def test_a_started_second_counts():
    assert used_gpu_s(num_gpus=4, wall_s=1.2) == 8
    assert used_gpu_s(num_gpus=4, wall_s=2.0) == 8
    assert used_gpu_s(num_gpus=0, wall_s=100) == 0


INSTANTS = st.integers(1_700_000_000, 1_800_000_000).map(lambda s: datetime.fromtimestamp(s, tz=UTC))


@st.composite
def spans(draw):
    begin, end = sorted((draw(INSTANTS), draw(INSTANTS)))
    return Period(started_at=begin, ended_at=end, gpu_s=draw(st.integers(0, 10**9)))


@given(st.lists(spans(), max_size=4))
def test_months_sum_exactly_to_the_whole(found):
    assert sum(gpu_s_by_month(found).values()) == sum(span.gpu_s for span in found)


@given(spans(), st.lists(INSTANTS, max_size=6))
def test_any_cuts_sum_exactly_to_the_whole(span, cuts):
    edges = [datetime(2000, 1, 1, tzinfo=UTC), *sorted(cuts), datetime(2030, 1, 1, tzinfo=UTC)]
    parts = [gpu_s_between((span,), a, b) for a, b in pairwise(edges)]
    assert sum(parts) == span.gpu_s
    assert min(parts) >= 0


def test_a_job_over_the_end_of_a_month_counts_in_both():
    span = Period(
        started_at=datetime(2026, 11, 30, 23, tzinfo=UTC), ended_at=datetime(2026, 12, 1, 2, tzinfo=UTC), gpu_s=300
    )
    assert gpu_s_by_month([span]) == {"2026-11": 100, "2026-12": 200}
    assert gpu_s_by_month([span.model_copy(update={"gpu_s": 1000})]) == {"2026-11": 333, "2026-12": 667}


def test_months_are_written_one_way():
    assert month_start("2026-11") == datetime(2026, 11, 1, tzinfo=UTC)
    assert next_month(datetime(2026, 12, 31, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
    for text in ("2026-13", "2026-1", "26-01", "2026", "", "2026-00", "٢٠٢٦-٠١", "0000-01"):
        with pytest.raises(ValueError):
            month_start(text)


def test_periods_must_sum_to_the_whole():
    at = datetime(2026, 11, 1, tzinfo=UTC)
    span = Period(started_at=at, ended_at=at, gpu_s=5)
    with pytest.raises(ValueError, match="do not sum"):
        UsageRecord(site="a", job_key="k", state="x", ended_at=at, wall_s=1, num_gpus=1, gpu_s=6, periods=(span,))
