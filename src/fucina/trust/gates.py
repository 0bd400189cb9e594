"""Gates: measured numbers against their limits. Needs nothing heavy, so that `verify` can decide again."""

import math
import sys
from collections.abc import Iterable, Mapping

from fucina.errors import BadInput
from fucina.trust.recipe import GATES, GateResult, Metric


class UnknownGate(BadInput):
    """A limit was set on something that is not measured."""

    code = "unknown_gate"


class BadLimit(BadInput):
    """A limit that no measured number can be compared with."""

    code = "bad_limit"


def decide(gates: Mapping[str, float], metrics: Iterable[Metric]) -> tuple[GateResult, ...]:
    """Every gate with the number that decided it, in the order of the table of gates.

    A gate on a metric that is missing, that was measured on nothing, or that is not a finite number fails.
    Raises UnknownGate, BadLimit.
    """
    for name, limit in gates.items():
        if name not in GATES:
            raise UnknownGate(f"There is no gate {name!r}.", hint=f"The gates are {', '.join(GATES)}.")
        if not math.isfinite(limit):
            raise BadLimit(f"The limit of gate {name} is {limit}, not a finite number.", hint="Write a number.")
    measured = {metric.name: metric for metric in metrics}
    return tuple(_decide(name, gates[name], measured.get(name)) for name in GATES if name in gates)


def _decide(name: str, limit: float, metric: Metric | None) -> GateResult:
    direction = GATES[name].direction
    if metric is None or not math.isfinite(metric.value):
        worst = sys.float_info.max if direction == "at_most" else -sys.float_info.max
        return GateResult(metric=name, direction=direction, limit=limit, measured=worst, passed=False, n=0)
    holds = metric.value <= limit if direction == "at_most" else metric.value >= limit
    return GateResult(
        metric=name, direction=direction, limit=limit, measured=metric.value, passed=metric.n > 0 and holds, n=metric.n
    )
