"""Replays a trace on one machine under a policy, exact to the second, and tells what the jobs met."""

import hashlib
from enum import StrEnum

import numpy as np
from pydantic import BaseModel, ConfigDict

from fucina.errors import BadInput
from fucina.planning.simulate import backfill_kernels, conservative_kernels, plain
from fucina.planning.simulate.compiled import COMPILED
from fucina.planning.simulate.trace import Ints, Trace, fitting

BOUND_S = 10
"""Runs shorter than this do not blow up the bounded slowdown."""


class UnknownSize(BadInput):
    """Nobody says how large the machine is."""

    code = "unknown_machine_size"


class Policy(StrEnum):
    """Who may start before whom."""

    FCFS = "fcfs"
    EASY = "easy"
    CONSERVATIVE = "conservative"


class Replay(BaseModel):
    """What the jobs of a trace met."""

    model_config = ConfigDict(frozen=True)

    policy: Policy
    processors: int
    jobs: int
    mean_wait_s: float
    median_wait_s: float
    p95_wait_s: float
    max_wait_s: int
    mean_bounded_slowdown_10s: float
    """max(1, (wait + run) / max(run, 10 s))."""
    utilisation: float
    """Processor-seconds used over those that there were from the first submission to the last end."""
    makespan_s: int
    start_times_sha256: str
    """First 16 hexadecimal digits of SHA-256 over the start times in the order of the jobs, joined by commas."""
    compiled: bool
    notes: tuple[str, ...] = ()


def start_times(trace: Trace, *, machine_size: int, policy: Policy, compiled: bool = COMPILED) -> Ints:
    """The second at which each job starts. Every job must fit the machine; compiled or plain, the result is the
    same."""
    if not compiled:
        submit, run, estimate, size = (c.tolist() for c in (trace.submit_s, trace.run_s, trace.estimate_s, trace.size))
        if policy is Policy.FCFS:
            return np.asarray(plain.fcfs(submit, run, size, machine_size), np.int64)
        chosen = plain.easy if policy is Policy.EASY else plain.conservative
        return np.asarray(chosen(submit, run, estimate, size, machine_size), np.int64)
    start = np.empty(len(trace), np.int64)
    if policy is Policy.FCFS:
        backfill_kernels.fcfs(trace.submit_s, trace.run_s, trace.size, machine_size, start)
    elif policy is Policy.EASY:
        backfill_kernels.easy(trace.submit_s, trace.run_s, trace.estimate_s, trace.size, machine_size, start)
    else:
        conservative_kernels.conservative(
            trace.submit_s, trace.run_s, trace.estimate_s, trace.size, machine_size, start
        )
    return start


def replay(trace: Trace, *, machine_size: int | None, policy: Policy, compiled: bool = COMPILED) -> Replay:
    """Replay a trace on a machine of that size, or of the size that the trace tells.

    Raises UnknownSize, and BadTrace when no job fits.
    """
    size = machine_size if machine_size is not None else trace.machine_size
    if size is None:
        raise UnknownSize("The trace does not say how large its machine is.", hint="Give it with --procs.")
    if size < 1:
        raise UnknownSize(f"A machine of {size} processors runs nothing.", hint="Give a number of 1 or more.")
    trace = fitting(trace, machine_size=size)
    start = start_times(trace, machine_size=size, policy=policy, compiled=compiled)
    wait = start - trace.submit_s
    end = start + trace.run_s
    slowdown = np.maximum(1.0, (wait + trace.run_s) / np.maximum(trace.run_s, BOUND_S))
    makespan = int(end.max() - trace.submit_s.min())
    return Replay(
        policy=policy,
        processors=size,
        jobs=len(trace),
        mean_wait_s=round(float(wait.mean()), 3),
        median_wait_s=round(float(np.median(wait)), 1),
        p95_wait_s=round(float(np.percentile(wait, 95)), 1),
        max_wait_s=int(wait.max()),
        mean_bounded_slowdown_10s=round(float(slowdown.mean()), 4),
        utilisation=round(float((trace.run_s * trace.size).sum() / (size * makespan)), 5),
        makespan_s=makespan,
        start_times_sha256=start_digest(start),
        compiled=compiled,
        notes=trace.notes,
    )


def start_digest(start: Ints) -> str:
    """First 16 hexadecimal digits of SHA-256 over the start times joined by commas."""
    return hashlib.sha256(",".join(map(str, start.tolist())).encode()).hexdigest()[:16]
