"""Bars of several results side by side as data for one template: bars, intervals, a table and a text alternative."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from fucina.hub.portal.figures import DASH, figure


class Value(NamedTuple):
    """A number with its 95 % confidence interval, where there is one."""

    mean: float
    low: float | None = None
    high: float | None = None

    def times(self, factor: float) -> "Value":
        """The same in another unit."""
        low, high = self.low, self.high
        return Value(self.mean * factor, None if low is None else low * factor, None if high is None else high * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar."""

    series: int
    """From 1 on; it chooses the colour and the pattern."""
    name: str
    words: str
    width: str
    """Percent of the plot."""
    whisker: tuple[str, str] | None
    """Ends of the interval, percent of the plot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The bars of one thing, one for each result."""

    name: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """A bar chart, ready for `portal/parts/bars.html`."""

    id: str
    title: str
    names: tuple[str, ...]
    groups: tuple[Group, ...]
    description: str
    rows: tuple[tuple[str, ...], ...]
    """Table view: the thing, then each result."""


def bar_chart(
    *, chart_id: str, title: str, names: Sequence[str], groups: Mapping[str, Sequence[Value | None]]
) -> BarChart:
    """A chart of groups of bars, one bar for each name; what is unknown has no bar."""
    known = [value for values in groups.values() for value in values if value is not None]
    longest = max((max(value.mean, value.high or 0.0) for value in known), default=0.0) or 1.0

    def place(number: float) -> str:
        return f"{min(1.0, max(0.0, number / longest)):.2%}"

    drawn = []
    for group, values in groups.items():
        bars = [
            Bar(
                series=number,
                name=name,
                words=words(value),
                width=place(value.mean) if value else "0%",
                whisker=(
                    (place(value.low), place(value.high))
                    if value and value.low is not None and value.high is not None
                    else None
                ),
            )
            for number, (name, value) in enumerate(zip(names, values, strict=True), start=1)
        ]
        drawn.append(Group(name=group, bars=tuple(bars)))
    told = [
        _("%(group)s: %(values)s.")
        % {"group": group.name, "values": "; ".join(f"{bar.name} {bar.words}" for bar in group.bars)}
        for group in drawn
    ]
    return BarChart(
        id=chart_id,
        title=title,
        names=tuple(names),
        groups=tuple(drawn),
        description=" ".join(told),
        rows=tuple((group.name, *(bar.words for bar in group.bars)) for group in drawn),
    )


def words(value: Value | None) -> str:
    """A number with half of its interval."""
    if value is None:
        return DASH
    if value.low is None or value.high is None or value.high == value.low:
        return figure(_short(value.mean))
    return f"{figure(_short(value.mean))} ± {figure(_short((value.high - value.low) / 2))}"


def _short(number: float) -> float:
    """Three digits are enough beside an interval."""
    return float(f"{number:.3g}")
