"""Quantities as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.units import (
    NotACount,
    format_bytes,
    format_count,
    format_duration,
    gpu_hours,
    gpu_seconds,
    parse_count,
)


@pytest.mark.parametrize(
    ("text", "count"), [("12M", 12_000_000), ("1.5B", 1_500_000_000), ("12k", 12_000), (7, 7), (" 3 T", 3 * 10**12)]
)
def test_counts(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "twelve", "12 MB", "-3", -3, True, "1e6", "٣x", "0x10", "M"])
def test_what_is_no_count_is_refused(text):
    with pytest.raises(NotACount, match="not a count"):
        parse_count(text)


@given(st.integers(0, 10**15))
def test_a_written_count_is_within_its_digits(count):
    assert parse_count(format_count(count)) == pytest.approx(count, rel=0.006)


@given(st.integers(-(10**9), 10**9))
def test_gpu_hours_are_never_shown_as_nothing_when_there_is_something(gpu_s):
    shown = float(gpu_hours(gpu_s))
    assert (shown == 0) == (gpu_s == 0)
    assert shown == pytest.approx(gpu_s / 3600, abs=0.0051)


def test_gpu_seconds_are_whole():
    assert gpu_seconds(0.5) == 1800
    assert isinstance(gpu_seconds(1 / 3), int)


@pytest.mark.parametrize(("seconds", "words"), [(4.21, "4.2 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")])
def test_durations(seconds, words):
    assert format_duration(seconds) == words


@pytest.mark.parametrize(("size", "words"), [(12, "12 B"), (3.2 * 2**20, "3.2 MiB"), (2**50, "1024.0 TiB")])
def test_sizes(size, words):
    assert format_bytes(size) == words
