"""Working days in Brussels."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.access.working_days import add_working_days, due_on, holidays, is_working_day, working_days_between

DAYS = st.dates(date(2020, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        (date(2026, 11, 20), 2, date(2026, 11, 24)),  # a Friday: Monday, Tuesday
        (date(2026, 11, 20), 4, date(2026, 11, 26)),
        (date(2026, 4, 1), 2, date(2026, 4, 8)),  # Easter 2026 is on 5 April; Thursday, Friday and Monday are free
        (date(2026, 5, 13), 1, date(2026, 5, 18)),  # Ascension and the Friday after it
        (date(2026, 12, 23), 1, date(2027, 1, 4)),  # the end of the year
        (date(2026, 11, 21), 0, date(2026, 11, 23)),
        (date(2026, 11, 20), 0, date(2026, 11, 20)),
    ],
)
def test_working_days_after(start, count, end):
    assert add_working_days(start, count) == end


@given(DAYS, st.integers(1, 60))
def test_counting_there_and_back(start, count):
    end = add_working_days(start, count)
    assert is_working_day(end)
    assert working_days_between(start, end) == count
    assert working_days_between(start, end - timedelta(days=1)) == count - 1


@given(st.integers(1990, 2100))
def test_a_year_has_the_holidays_that_one_expects(year):
    days = holidays(year)
    assert all(day.year == year and day.weekday() < 5 for day in days)
    assert 12 <= len(days) <= 22


def test_late_in_the_evening_of_greenwich_it_is_tomorrow_in_brussels():
    assert due_on(datetime(2026, 11, 23, 22, 59, tzinfo=UTC), 1) == date(2026, 11, 24)
    assert due_on(datetime(2026, 11, 23, 23, 1, tzinfo=UTC), 1) == date(2026, 11, 25)


def test_nothing_is_between_a_day_and_itself():
    assert working_days_between(date(2026, 11, 20), date(2026, 11, 20)) == 0
    assert working_days_between(date(2026, 11, 20), date(2026, 11, 1)) == 0
