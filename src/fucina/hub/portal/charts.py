"""Line charts as data for one SVG template: ticks, lines, a table and a text alternative.

Positions are per mille of the plot, so that text keeps its size on every screen; the y axis points up.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from fucina.hub.portal.figures import figure

MAX_POINTS = 400
"""Points of one line that are drawn; of more, each bucket keeps its lowest and its highest."""

MAX_ROWS = 20
"""Rows of the table view."""

SCALE = 1000

SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
MAX_DECIMALS = 6
MAX_PLAIN = 1e15
"""Beyond these a tick is a power of ten."""


class Point(NamedTuple):
    """One measured pair."""

    x: float
    y: float


class Tick(NamedTuple):
    """A mark on an axis: where, in percent of the plot, and what it says."""

    percent: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series, drawn."""

    name: str
    points: str
    """The SVG attribute."""
    last: str
    dot: tuple[str, str] | None
    """Where a lone point stands, in percent; None when there is a line to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A line chart, ready for `portal/parts/chart.html`."""

    id: str
    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    description: str
    rows: tuple[tuple[str, ...], ...]
    """Table view: x, then each series; a dash where a series has no value there."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw yet."""
        return not self.lines


def line_chart(
    *,
    chart_id: str,
    title: str,
    x_label: str,
    y_label: str,
    series: Mapping[str, Iterable[Point]],
    from_zero: bool = False,
) -> Chart:
    """A chart of one or more series over one x axis.

    What is not finite is left out; of two values at one x the later stays.
    """
    clean = {name: _clean(points) for name, points in series.items()}
    clean = {name: points for name, points in clean.items() if points}
    xs = [point.x for points in clean.values() for point in points]
    ys = [point.y for points in clean.values() for point in points]
    if not xs:
        return Chart(
            id=chart_id,
            title=title,
            x_label=x_label,
            y_label=y_label,
            lines=(),
            x_ticks=(),
            y_ticks=(),
            description=_("No values yet."),
            rows=(),
        )
    x_low, x_high, x_steps = nice_range(0.0 if min(xs) >= 0 else min(xs), max(xs), tight=True)
    y_low, y_high, y_steps = nice_range(0.0 if from_zero else min(ys), max(ys))

    def place(point: Point) -> tuple[float, float]:
        return (point.x - x_low) / (x_high - x_low), 1 - (point.y - y_low) / (y_high - y_low)

    lines = []
    for name, points in clean.items():
        places = [place(point) for point in thin(points)]
        lines.append(
            Line(
                name=name,
                points=" ".join(f"{x * SCALE:.1f},{y * SCALE:.1f}" for x, y in places),
                last=figure(points[-1].y),
                dot=(f"{places[0][0]:.2%}", f"{places[0][1]:.2%}") if len(points) == 1 else None,
            )
        )
    return Chart(
        id=chart_id,
        title=title,
        x_label=x_label,
        y_label=y_label,
        lines=tuple(lines),
        x_ticks=tuple(Tick(f"{(x - x_low) / (x_high - x_low):.2%}", _tick(x, x_steps)) for x in x_steps),
        y_ticks=tuple(Tick(f"{1 - (y - y_low) / (y_high - y_low):.2%}", _tick(y, y_steps)) for y in y_steps),
        description=_describe(clean),
        rows=_rows(clean),
    )


def _clean(points: Iterable[Point]) -> tuple[Point, ...]:
    by_x = {point.x: point for point in points if math.isfinite(point.x) and math.isfinite(point.y)}
    return tuple(by_x[x] for x in sorted(by_x))


def thin(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """At most about `MAX_POINTS` points that keep the ends and every bucket's extremes."""
    if len(points) <= MAX_POINTS:
        return points
    num_buckets = MAX_POINTS // 2 - 1
    inner = points[1:-1]
    kept = [points[0]]
    for bucket in range(num_buckets):
        part = inner[bucket * len(inner) // num_buckets : (bucket + 1) * len(inner) // num_buckets]
        extremes = {min(part, key=lambda p: p.y), max(part, key=lambda p: p.y)}
        kept.extend(sorted(extremes))
    return (*kept, points[-1])


def nice_range(low: float, high: float, *, tight: bool = False) -> tuple[float, float, tuple[float, ...]]:
    """Ends of an axis and three to six round ticks in it; `tight` ends it at the data, not at a tick."""
    if high - low <= max(1e-12, 1e-9 * max(abs(low), abs(high))):
        margin = abs(low) * 0.1 if abs(low) > 1e-9 else 1.0
        low, high = (low, low + margin) if tight else (low - margin, high + margin)
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if tight:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return low, high, tuple(i * step for i in range(first, last + 1))
    return first * step, last * step, tuple(i * step for i in range(first, last + 1))


def _tick(value: float, steps: tuple[float, ...]) -> str:
    """A round number with as many digits as tell it from the next tick."""
    if value == 0:
        return "0"
    step = steps[1] - steps[0] if len(steps) > 1 else abs(value)
    largest = max(abs(steps[0]), abs(steps[-1]))
    scale, letter = next(((s, u) for s, u in SCALES if largest >= s and step >= s / 100), (1.0, ""))
    decimals = max(0, -math.floor(math.log10(step / scale) + 1e-9))
    if decimals > MAX_DECIMALS or largest >= MAX_PLAIN:
        return figure(float(value))
    return number_format(f"{value / scale:.{decimals}f}", force_grouping=True) + letter


def _describe(series: Mapping[str, tuple[Point, ...]]) -> str:
    sentences = []
    for name, points in series.items():
        ys = [point.y for point in points]
        sentences.append(
            _("%(name)s: %(count)s values, first %(first)s, last %(last)s, lowest %(low)s, highest %(high)s.")
            % {
                "name": name,
                "count": number_format(len(ys), force_grouping=True),
                "first": figure(ys[0]),
                "last": figure(ys[-1]),
                "low": figure(min(ys)),
                "high": figure(max(ys)),
            }
        )
    return " ".join(sentences)


def _rows(series: Mapping[str, tuple[Point, ...]]) -> tuple[tuple[str, ...], ...]:
    xs_by_series = [{point.x for point in points} for points in series.values()]
    common = set.intersection(*xs_by_series)
    xs = sorted(common if len(common) >= MAX_ROWS // 4 else set.union(*xs_by_series))
    chosen = xs if len(xs) <= MAX_ROWS else [xs[round(i * (len(xs) - 1) / (MAX_ROWS - 1))] for i in range(MAX_ROWS)]
    by_x = [{point.x: point.y for point in points} for points in series.values()]
    return tuple((figure(x), *(figure(values.get(x)) for values in by_x)) for x in chosen)
