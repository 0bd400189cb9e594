"""Working days as the institutions of the Union in Brussels keep them: promises of access are counted in them.

The Commission publishes its holidays each year; the rule here gives those that return every year (general knowledge,
no document read), and a year's own decision can replace them.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache

from dateutil.easter import easter

from fucina.access.modes import BRUSSELS

SOURCE = "Holidays of the institutions in Brussels, by rule; general knowledge, no document read"

DECIDED: Mapping[int, frozenset[date]] = {}
"""Holidays of single years as they were published, where they differ from the rule."""


@cache
def holidays(year: int) -> frozenset[date]:
    """Days of that year on which no institution works, week-ends left out."""
    if year in DECIDED:
        return DECIDED[year]
    sunday = easter(year)
    by_easter = {sunday + timedelta(days=days) for days in (-3, -2, 1, 39, 40, 50)}
    fixed = {
        date(year, month, day) for month, day in ((1, 1), (1, 2), (5, 1), (5, 9), (7, 21), (8, 15), (11, 1), (11, 2))
    }
    year_end = {date(year, 12, day) for day in range(24, 32)}
    return frozenset(day for day in by_easter | fixed | year_end if day.weekday() < 5)


def is_working_day(day: date) -> bool:
    """Whether the institutions work."""
    return day.weekday() < 5 and day not in holidays(day.year)


def add_working_days(start: date, count: int) -> date:
    """The day on which `count` working days after `start` are over; the day itself does not count.

    With 0 it is the start, or the next working day where the start is none.
    """
    day = start
    while not is_working_day(day) and count == 0:
        day += timedelta(days=1)
    while count > 0:
        day += timedelta(days=1)
        count -= is_working_day(day)
    return day


def working_days_between(start: date, end: date) -> int:
    """Working days after `start` up to and with `end`; 0 where the end is not later."""
    return sum(is_working_day(start + timedelta(days=days)) for days in range(1, (end - start).days + 1))


def due_on(start: datetime, count: int) -> date:
    """The day, in Brussels, by which something promised at `start` is due."""
    return add_working_days(start.astimezone(BRUSSELS).date(), count)
