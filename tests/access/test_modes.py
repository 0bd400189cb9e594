"""Access modes as dated data."""

from datetime import date, datetime, timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fucina.access.modes import (
    BRUSSELS,
    ApplicantKind,
    BadMode,
    Bounds,
    Mode,
    Opening,
    Step,
    check_mode,
    load_modes,
    shipped_modes,
)

TODAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=BRUSSELS)
MODES = shipped_modes()


def mode(mode_id: str, **changes) -> Mode:
    return Mode.model_validate(MODES.mode(mode_id, day=TODAY).model_dump() | changes)


def test_the_modes_of_today():
    industrial, science = {"playground", "fast-lane", "large-scale"}, {"ai-for-science"}
    assert set(MODES.on(TODAY)) == {
        "local",
        "own",
        *industrial,
        *science,
        "benchmark",
        "development",
        "regular",
        "extreme",
    }
    for found in MODES.on(TODAY).values():
        assert set(found.name) == set(found.purpose) == {"en", "it"}


@pytest.mark.parametrize(
    ("mode_id", "amount", "allowed"),
    [
        ("fast-lane", 50_000, True),
        ("fast-lane", 50_000.5, False),
        ("large-scale", 50_000, False),
        ("large-scale", 50_001, True),
        ("playground", 10_000_000, True),
    ],
)
def test_where_the_fast_lane_ends_large_scale_begins(mode_id, amount, allowed):
    assert mode(mode_id).bounds.allow(amount) is allowed


@pytest.mark.parametrize(
    ("mode_id", "partition", "amount", "allowed"),
    [
        ("benchmark", "leonardo-booster", 3500, True),
        ("benchmark", "leonardo-booster", 3501, False),
        ("extreme", "jupiter-booster", 244_999, False),
        ("extreme", "jupiter-booster", 245_000, True),
        ("regular", "mn5-acc", 100_001, False),
    ],
)
def test_bounds_of_a_partition(mode_id, partition, amount, allowed):
    assert mode(mode_id).bounds_by_partition[partition].allow(amount) is allowed


def test_a_cut_off_is_at_ten_in_brussels_in_summer_and_winter():
    large = mode("large-scale")
    assert large.next_cut_off(NOON) == datetime(2026, 11, 30, 10, tzinfo=BRUSSELS)
    before = datetime(2026, 11, 30, 9, 59, tzinfo=BRUSSELS)
    assert large.next_cut_off(before) == large.next_cut_off(NOON)
    assert large.next_cut_off(before + timedelta(minutes=2)) == datetime(2026, 12, 15, 10, tzinfo=BRUSSELS)
    summer = datetime(2026, 7, 15, 10, tzinfo=BRUSSELS)
    assert large.next_cut_off(summer) == summer
    assert summer.utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize(
    ("mode_id", "is_open"),
    [("playground", True), ("large-scale", True), ("regular", False), ("extreme", False), ("benchmark", True)],
)
def test_what_is_open_today(mode_id, is_open):
    assert mode(mode_id).is_open(NOON) is is_open


def test_an_entry_holds_until_it_ends():
    assert MODES.mode("regular", day=date(2025, 9, 5)).opening is Opening.CUT_OFFS
    assert MODES.mode("regular", day=date(2025, 9, 6)).opening is Opening.CLOSED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"eligible": ()}, "no kind of applicant"),
        ({"bounds": Bounds(at_least=10, at_most=5)}, "no amount lies"),
        ({"bounds": Bounds(more_than=5, at_most=5)}, "no amount lies"),
        ({"bounds_by_partition": {"no-such": Bounds()}}, "none of its partitions"),
        ({"bounds_by_partition": {"lumi-g": Bounds(at_least=9, at_most=8)}}, "none of its partitions"),
        ({"opening": "cut-offs", "cut_offs": (date(2026, 1, 1),)}, "cut-offs are over"),
        ({"valid_until": date(2026, 1, 1)}, "over before it begins"),
        ({"durations_months": (0,)}, "not positive"),
    ],
)
def test_a_mode_that_matches_nobody_is_refused(changes, reason):
    with pytest.raises(BadMode, match=reason):
        check_mode(mode("playground", **changes), modes=MODES, partitions=["lumi-g"], today=TODAY)


def test_every_reason_is_named_at_once():
    broken = mode("playground", eligible=(), bounds=Bounds(at_least=2, at_most=1))
    with pytest.raises(BadMode, match="no kind of applicant is eligible; no amount"):
        check_mode(broken, modes=MODES, partitions=[], today=TODAY)


def test_the_open_modes_match_somebody():
    for found in MODES.on(TODAY).values():
        if found.is_open(NOON):
            check_mode(found, modes=MODES, partitions=[], today=TODAY)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": []},
        {"path": ["decision", "admin-check"]},
        {"path": ["admin-check"]},
        {"path": ["peer-review", "decision"]},
        {"decision": "perhaps"},
        {"sources": []},
        {"more": 1},
        {"eligible": ["wizard"]},
    ],
)
def test_a_mode_that_contradicts_itself(changes):
    with pytest.raises(ValidationError):
        mode("playground", **changes)


@pytest.mark.parametrize("text", ["", "[]", "modes: 3", "{", "sources: {}\ncountries: {}\nmodes: [{id: x}]", "\x00"])
def test_a_bad_file_says_where(tmp_path, text):
    path = tmp_path / "modes.yaml"
    path.write_text(text)
    with pytest.raises(BadMode, match="modes.yaml"):
        load_modes(path)


def test_a_file_that_names_what_it_lacks(tmp_path):
    data = MODES.model_dump(mode="json")
    data["modes"][1]["countries"] = "atlantis"
    path = tmp_path / "modes.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(BadMode, match="atlantis"):
        load_modes(path)


@given(low=st.floats(0, 1e6), high=st.floats(0.1, 1e6), amount=st.floats(0, 2e6))
def test_bounds_that_allow_something_are_not_empty(low, high, amount):
    bounds = Bounds(at_least=low, at_most=high)
    assert not (bounds.allow(amount) and bounds.is_empty)


def test_steps_and_kinds_are_in_the_order_of_the_process():
    assert mode("large-scale").path == tuple(Step)
    assert ApplicantKind.SME in mode("fast-lane").eligible


@pytest.mark.parametrize(
    ("mode_id", "months"),
    [
        ("playground", 3),
        ("fast-lane", 3),
        ("large-scale", 12),
        ("ai-for-science", 6),
        ("benchmark", 3),
        ("regular", 12),
    ],
)
def test_a_grant_of_every_shipped_mode_ends_after_the_longest_of_its_lengths(mode_id, months):
    whole = NOON.year * 12 + NOON.month - 1 + months
    expected = NOON.replace(year=whole // 12, month=whole % 12 + 1)
    assert MODES.mode(mode_id, day=TODAY).end_of(NOON) == expected


def test_time_on_ones_own_machine_has_no_end_and_days_come_before_months():
    assert mode("local").end_of(NOON) is None
    assert mode("own").end_of(NOON) is None
    assert mode("playground", lasts_days=10).end_of(NOON) == NOON + timedelta(days=10)


def test_a_month_ends_on_the_last_day_where_the_other_month_is_shorter():
    made = mode("playground", durations_months=(3,))
    assert made.end_of(datetime(2026, 11, 30, 12, tzinfo=BRUSSELS)) == datetime(2027, 2, 28, 12, tzinfo=BRUSSELS)
