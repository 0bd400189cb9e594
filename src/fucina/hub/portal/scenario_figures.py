"""The answers of `fucina plan` as numbers that can stand side by side, and their charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from fucina.hub.portal.bars import BarChart, Value, bar_chart, words

Figures = dict[tuple[str, str], Value]
"""By part and name, such as `class fast-lane` and `p95_wait_s`."""

METRICS: dict[str, tuple[str | Promise, float]] = {
    "p95_wait_s": (_("Wait of 95 in 100 jobs, minutes"), 1 / 60),
    "mean_wait_s": (_("Mean wait, minutes"), 1 / 60),
    "median_wait_s": (_("Median wait, minutes"), 1 / 60),
    "mean_bounded_slowdown": (_("Mean slowdown"), 1),
    "utilisation": (_("Accelerators in use, %"), 100),
    "fragmentation": (_("Idle on partly used nodes, %"), 100),
    "goodput": (_("Useful time, %"), 100),
    "fairness": (_("Fairness among accounts, %"), 100),
    "moved_share": (_("Jobs sent elsewhere, %"), 100),
    "energy_mwh": (_("Energy, MWh"), 1),
    "carbon_t": (_("Emissions, t CO2e"), 1),
    "jobs": (_("Jobs"), 1),
    "unfinished": (_("Jobs not finished"), 1),
    "stops": (_("Jobs stopped on the way"), 1),
    "num_gpus": (_("Accelerators needed"), 1),
    "gpu_hours": (_("GPU-hours"), 1),
    "days": (_("Days"), 1),
    "num_devices": (_("Accelerators"), 1),
    "mfu": (_("Share of the peak reached, %"), 100),
    "cost_eur": (_("Cost, million EUR"), 1e-6),
    "power_mw": (_("Power, MW"), 1),
    "useful_eflops": (_("Useful speed, EFLOP/s"), 1),
}
EVERYTHING = _("Everything")
KINDS: dict[str, str | Promise] = {
    "class": _("Class %(name)s"),
    "pool": _("Pool %(name)s"),
    "aim": _("Aim: %(name)s"),
}
CHARTED = (
    "p95_wait_s", "mean_wait_s", "utilisation", "goodput", "energy_mwh", "num_gpus", "gpu_hours", "days", "cost_eur",
    "power_mw", "useful_eflops",
)  # fmt: skip
MAX_GROUPS = 12
"""Of one chart; the table has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """One number of every result."""

    part: str
    name: str | Promise
    values: tuple[str, ...]
    change: str
    """Of the second beside the first; empty where there are not two."""
    distinct: bool | None
    """Whether their intervals do not overlap; None without intervals."""


def figures_of(result: Mapping[str, Any] | None) -> Figures:
    """The numbers of an answer of any kind; none where it is of a kind that is not known."""
    if not isinstance(result, Mapping):
        return {}
    if isinstance(result.get("parts"), Mapping):
        return _of_parts(result["parts"])
    if isinstance(result.get("sitings"), list):
        return _of_sitings(result["sitings"])
    found: Figures = {}
    part = f"class {result['job_class']}" if isinstance(result.get("job_class"), str) else "all"
    for name in METRICS:
        value = result.get(name)
        low, high = None, None
        if isinstance(value, Mapping):
            low, high, value = _number(value.get("low")), _number(value.get("high")), value.get("value")
        mean = _number(value)
        if mean is not None:
            found[part, name] = Value(mean, low, high)
    layout = result.get("layout")
    if isinstance(layout, Mapping) and _is_number(layout.get("mfu")):
        found[part, "mfu"] = Value(float(layout["mfu"]))
    return found


def _of_parts(parts: Mapping[str, Any]) -> Figures:
    found: Figures = {}
    for part, numbers in parts.items():
        for name, value in numbers.items() if isinstance(numbers, Mapping) else ():
            if name in METRICS and isinstance(value, Mapping) and _is_number(value.get("mean")):
                found[str(part), name] = Value(
                    float(value["mean"]), _number(value.get("low")), _number(value.get("high"))
                )
    return found


def _of_sitings(sitings: Sequence[Any]) -> Figures:
    found: Figures = {}
    for siting in sitings:
        if isinstance(siting, Mapping):
            for name in METRICS:
                if _is_number(siting.get(name)):
                    found[f"aim {siting.get('aim', '')}", name] = Value(float(siting[name]))
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and _is_number(value) else None


def part_name(part: str) -> str:
    """A part as the reader calls it."""
    kind, _separator, name = part.partition(" ")
    if part == "all":
        return str(EVERYTHING)
    return str(KINDS.get(kind, "%(name)s")) % {"name": name or part}


def charts(names: Sequence[str], results: Sequence[Figures]) -> tuple[BarChart, ...]:
    """A chart for each number that matters and that somebody has."""
    drawn = []
    for metric in CHARTED:
        parts = [part for part in _parts(results) if any((part, metric) in found for found in results)]
        if len(parts) > 1:
            parts = [part for part in parts if part != "all"][:MAX_GROUPS]
        if parts:
            title, factor = METRICS[metric]
            groups = {part_name(part): _values(results, part, metric, factor) for part in parts}
            drawn.append(bar_chart(chart_id=f"chart-{metric}", title=str(title), names=names, groups=groups))
    return tuple(drawn)


def rows(results: Sequence[Figures]) -> tuple[FigureRow, ...]:
    """Every number of every result, side by side."""
    made = []
    for part in _parts(results):
        for metric, (title, factor) in METRICS.items():
            values = _values(results, part, metric, factor)
            if any(value is not None for value in values):
                change, distinct = _change(values)
                made.append(
                    FigureRow(
                        part=part_name(part),
                        name=title,
                        values=tuple(words(value) for value in values),
                        change=change,
                        distinct=distinct,
                    )
                )
    return tuple(made)


def _parts(results: Sequence[Figures]) -> list[str]:
    return list(dict.fromkeys(part for found in results for part, _metric in found))


def _values(results: Sequence[Figures], part: str, metric: str, factor: float) -> list[Value | None]:
    return [found[part, metric].times(factor) if (part, metric) in found else None for found in results]


def _change(values: Sequence[Value | None]) -> tuple[str, bool | None]:
    if len(values) != 2 or values[0] is None or values[1] is None:
        return "", None
    one, other = values[0], values[1]
    change = words(Value(other.mean - one.mean))
    change = f"+{change}" if other.mean > one.mean else change
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return change, None
    return change, one.high < other.low or other.high < one.low
