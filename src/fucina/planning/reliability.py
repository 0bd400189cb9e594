"""How often a large job is interrupted, how often to save, what share of the time is useful, and what must improve.

Interruptions come as a Poisson process whose rate grows with the nodes (Kokolis et al. 2024, "Revisiting reliability in
large-scale machine learning research clusters", arXiv 2410.21680, finds that mean times to failure scale with 1/nodes).
"""

import math
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from fucina.errors import BadInput

DAY_S = 86_400.0


class BadReliability(BadInput):
    """Failure figures that no machine can have."""

    code = "bad_reliability"


class FailureRate(NamedTuple):
    """A published failure rate."""

    per_1000_node_days: float
    accelerators_per_node: int
    source: str


RATES: dict[str, FailureRate] = {
    "rsc-1": FailureRate(6.50, 8, "Kokolis et al. 2024 (arXiv 2410.21680): RSC-1, 16,384 A100"),
    "rsc-2": FailureRate(2.34, 8, "Kokolis et al. 2024 (arXiv 2410.21680): RSC-2, 8,192 A100"),
    "llama-3": FailureRate(
        466 / 54 / 2048 * 1000, 8, "Llama Team 2024 (arXiv 2407.21783): 466 interruptions in 54 days on 16,384 H100"
    ),
}
"""Published rates, in interruptions of a job per 1,000 node-days."""

DEFAULT_RATE = "llama-3"


MOST = 1e12
"""Of interruptions and of seconds: larger figures are mistakes."""


class Resilience(BaseModel):
    """How a job is saved and brought back."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    failures_per_1000_node_days: float = Field(default=RATES[DEFAULT_RATE].per_1000_node_days, ge=0, le=MOST)
    """Interruptions of the job, whatever their cause, per 1,000 nodes and day."""
    checkpoint_stall_s: float = Field(default=5.0, ge=0, le=MOST)
    """Time that a checkpoint holds the job up: the copy to the host's memory where the write goes on behind."""
    restart_s: float = Field(default=600.0, ge=0, le=MOST)
    """From an interruption to the first step after it: to notice, to replace the node, to load, to start."""
    repair_s: float = Field(default=DAY_S, ge=0, le=MOST)
    """Until a failed node is back; decides how many spares are needed."""


class Goodput(BaseModel):
    """What interruptions cost a job."""

    model_config = ConfigDict(frozen=True)

    num_nodes: int
    mttf_s: float | None
    """Mean time between interruptions; None where nothing fails."""
    interruptions_per_day: float
    checkpoint_interval_s: float | None
    """The best work between two checkpoints by the exact renewal form."""
    daly_interval_s: float | None
    """Daly's estimate of the same (2006, equation 37), a cross-check."""
    young_interval_s: float | None
    """Young's first-order estimate, which breaks down where interruptions come nearly as fast as restarts."""
    share: float
    """Useful share of the wall time."""
    lost_to_checkpoints: float
    lost_to_rework: float
    lost_to_restarts: float
    num_spares: int
    """Spare nodes that are enough 99 times in 100, if failed nodes come back after the repair time."""


class Lever(BaseModel):
    """One thing to improve, alone, until a wanted goodput is reached."""

    model_config = ConfigDict(frozen=True)

    name: str
    now: float
    needed: float | None
    """None where even a perfect value does not reach it."""
    unit: str


def mttf_s(num_nodes: int, *, failures_per_1000_node_days: float) -> float:
    """Mean time between interruptions of a job on that many nodes, s."""
    if num_nodes < 1 or failures_per_1000_node_days < 0 or not math.isfinite(failures_per_1000_node_days):
        raise BadReliability(
            f"{num_nodes} nodes with {failures_per_1000_node_days} failures per 1,000 node-days make no sense.",
            hint="Give at least one node and a rate of zero or more.",
        )
    if failures_per_1000_node_days == 0:
        return math.inf
    return DAY_S / (num_nodes * failures_per_1000_node_days / 1000)


def best_interval_s(mttf: float, *, checkpoint_stall_s: float) -> float:
    """Work between two checkpoints that wastes least, s: the exact optimum for exponential interruptions.

    Minimises (e^{(w+c)/M} - 1)/w over the work w, so w = M(1 + W(-e^{-1-c/M})) with Lambert's W; the restart does not
    enter. Solved as x = 1 - e^{-(x + c/M)} for x = w/M by Newton's method, which converges from above.
    """
    if math.isinf(mttf) or checkpoint_stall_s == 0:
        return math.inf if math.isinf(mttf) else 0.0
    stall = checkpoint_stall_s / mttf
    x = 1.0
    for _ in range(100):
        left = math.exp(-(x + stall))
        step = (x - 1 + left) / (1 - left)
        x -= step
        if abs(step) <= 1e-15 * x:
            break
    return x * mttf


def daly_interval_s(mttf: float, *, checkpoint_stall_s: float) -> float:
    """Daly's higher-order estimate of the best interval, s (Daly 2006, equation 37)."""
    if checkpoint_stall_s >= 2 * mttf:
        return mttf
    ratio = checkpoint_stall_s / (2 * mttf)
    return math.sqrt(2 * checkpoint_stall_s * mttf) * (1 + math.sqrt(ratio) / 3 + ratio / 9) - checkpoint_stall_s


def useful_share(mttf: float, *, interval_s: float, checkpoint_stall_s: float, restart_s: float) -> float:
    """Useful share of the wall time, exact for exponential interruptions that may also strike during a restart.

    A piece of work w with its checkpoint c takes M e^{R/M} (e^{(w+c)/M} - 1) on average (Daly 2006, equation 13).
    """
    if math.isinf(mttf):
        return 1.0 if math.isinf(interval_s) else interval_s / (interval_s + checkpoint_stall_s)
    if interval_s == 0:
        return math.exp(-restart_s / mttf) if checkpoint_stall_s == 0 else 0.0
    exponent = (interval_s + checkpoint_stall_s) / mttf
    if exponent + restart_s / mttf > 700:
        return 0.0
    return interval_s / (mttf * math.exp(restart_s / mttf) * math.expm1(exponent))


def goodput(num_nodes: int, *, resilience: Resilience) -> Goodput:
    """What interruptions cost a job on that many nodes when it is saved at the best interval.

    Raises BadReliability.
    """
    mttf = mttf_s(num_nodes, failures_per_1000_node_days=resilience.failures_per_1000_node_days)
    stall, restart = resilience.checkpoint_stall_s, resilience.restart_s
    interval = best_interval_s(mttf, checkpoint_stall_s=stall)
    share = useful_share(mttf, interval_s=interval, checkpoint_stall_s=stall, restart_s=restart)
    checkpoints = 0.0 if interval in (0.0, math.inf) else share * stall / interval
    without_restart = useful_share(mttf, interval_s=interval, checkpoint_stall_s=stall, restart_s=0.0)
    rest = max(0.0, 1 - share - checkpoints)
    restarts = min(rest, 1 - share / without_restart) if without_restart > 0 else rest
    return Goodput(
        num_nodes=num_nodes,
        mttf_s=None if math.isinf(mttf) else mttf,
        interruptions_per_day=0.0 if math.isinf(mttf) else DAY_S / mttf,
        checkpoint_interval_s=None if math.isinf(interval) else interval,
        daly_interval_s=None if math.isinf(mttf) else daly_interval_s(mttf, checkpoint_stall_s=stall),
        young_interval_s=None if math.isinf(mttf) else math.sqrt(2 * stall * mttf),
        share=share,
        lost_to_checkpoints=checkpoints,
        lost_to_rework=max(0.0, rest - restarts),
        lost_to_restarts=restarts,
        num_spares=0 if math.isinf(mttf) else spares(resilience.repair_s / mttf),
    )


def spares(mean_in_repair: float, *, certainty: float = 0.99) -> int:
    """Spare nodes that are enough with `certainty`, for a Poisson number in repair."""
    if mean_in_repair > 500:
        deviations = 2.3263478740408408  # the 99th percentile of the normal distribution, which Poisson approaches
        return math.ceil(mean_in_repair + deviations * math.sqrt(mean_in_repair))
    term = total = math.exp(-mean_in_repair)
    count = 0
    while total < certainty:
        count += 1
        term *= mean_in_repair / count
        total += term
    return count


def levers(num_nodes: int, *, resilience: Resilience, wanted: float = 0.9) -> list[Lever]:
    """What each thing alone must become for a goodput of `wanted`, and all of them together by one factor.

    Raises BadReliability when `wanted` is no share.
    """
    if not 0 < wanted < 1:
        raise BadReliability(f"A goodput of {wanted} is no share between 0 and 1.", hint="90 % is 0.9.")
    fields = (
        ("failures", ("failures_per_1000_node_days",), "per 1,000 node-days"),
        ("restart", ("restart_s",), "s"),
        ("checkpoint stall", ("checkpoint_stall_s",), "s"),
        ("all three by one factor", ("failures_per_1000_node_days", "restart_s", "checkpoint_stall_s"), "of today's"),
    )
    found = []
    for name, names, unit in fields:
        now = float(getattr(resilience, names[0])) if len(names) == 1 else 1.0
        factor = _factor_needed(num_nodes, resilience, names, wanted)
        found.append(Lever(name=name, now=now, needed=None if factor is None else now * factor, unit=unit))
    return found


def _factor_needed(num_nodes: int, resilience: Resilience, names: tuple[str, ...], wanted: float) -> float | None:
    def share(factor: float) -> float:
        changed = {name: getattr(resilience, name) * factor for name in names}
        return goodput(num_nodes, resilience=resilience.model_copy(update=changed)).share

    if share(1.0) >= wanted:
        return 1.0
    low, high = 0.0, 1.0
    if share(low) < wanted:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) >= wanted else (low, middle)
    return low
