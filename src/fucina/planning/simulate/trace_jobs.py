"""Makes the engine's jobs of a trace, and says how far a simulation is from what was recorded."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import spearmanr

from fucina.planning.simulate.cluster import BadScenario, Pool
from fucina.planning.simulate.job_table import JobTable
from fucina.planning.simulate.run import Course
from fucina.planning.simulate.state import Array
from fucina.planning.simulate.trace import BadTrace, Ints, Trace

MAX_ACCOUNTS = 30_000


class Agreement(BaseModel):
    """How a simulated schedule compares with the recorded one."""

    model_config = ConfigDict(frozen=True)

    jobs: int
    """Whose start was recorded."""
    recorded_mean_wait_s: float
    predicted_mean_wait_s: float
    recorded_median_wait_s: float
    predicted_median_wait_s: float
    mean_absolute_error_s: float
    median_absolute_error_s: float
    p90_absolute_error_s: float
    start_rank_correlation: float
    """Spearman's, of the order of the starts."""
    wait_rank_correlation: float
    """Spearman's, of the waits: who waits long."""
    same_order_share: float
    """Of all pairs of jobs that started at different times, those that start in the same order."""


def jobs_of_trace(trace: Trace, *, pools: Sequence[Pool], qos: Sequence[str]) -> JobTable:
    """The jobs of a trace: to the pool with the name of the partition, else to the first; classes of service by name,
    else the first; accounts as `account/user`, or what is known of the two.

    Raises BadScenario when a job is larger than its pool, BadTrace when there are too many accounts.
    """
    names = {pool.id: number for number, pool in enumerate(pools)}
    levels = {name: number for number, name in enumerate(qos)}
    size = len(trace)
    home = np.array([names.get(name, 0) for name in trace.partition or [""] * size], np.int16)
    room = np.array([pool.num_gpus for pool in pools], np.int64)
    too_large = np.flatnonzero(trace.size > room[home])
    if len(too_large):
        job = int(too_large[0])
        raise BadScenario(
            f"{len(too_large):,} jobs of the trace are larger than their pool; the first, in line "
            f"{trace.line[job]:,}, asks for {trace.size[job]:,} accelerators of {room[home[job]]:,}.",
            hint="Leave such jobs out, or plan a larger machine.",
        )
    who = _names(trace)
    accounts = tuple(dict.fromkeys(who))
    if len(accounts) > MAX_ACCOUNTS:
        raise BadTrace(
            f"The trace has {len(accounts):,} accounts; {MAX_ACCOUNTS:,} can be simulated.", hint="Cut the trace."
        )
    number = {name: position for position, name in enumerate(accounts)}
    given = trace.qos or ("",) * size
    groups = tuple(dict.fromkeys(name or "all" for name in given))[:100]
    return JobTable(
        submit_s=trace.submit_s - trace.submit_s[0],
        run_s=_small(trace.run_s),
        estimate_s=_small(trace.estimate_s),
        gpus=trace.size.astype(np.int32),
        account=np.array([number[name] for name in who], np.int16),
        qos=np.array([levels.get(name, 0) for name in given], np.int8),
        pool=home,
        group=np.array([groups.index(name or "all") if (name or "all") in groups else 0 for name in given], np.int8),
        data_gb=np.zeros(size, np.float32),
        accounts=accounts,
        groups=groups,
    )


def _names(trace: Trace) -> list[str]:
    size = len(trace)
    pairs = zip(trace.account or ("",) * size, trace.user or ("",) * size, strict=True)
    return ["/".join(part for part in pair if part) or "unknown" for pair in pairs]


def _small(seconds: Ints) -> Array:
    return np.minimum(seconds, 2**31 - 1).astype(np.int32)


def agreement(trace: Trace, course: Course) -> Agreement:
    """Compare a simulation of a trace with the waits that it recorded. Raises BadTrace when it recorded none."""
    recorded = trace.recorded_wait_s
    known = np.zeros(len(trace), bool) if recorded is None else (recorded >= 0) & (course.first_start_s >= 0)
    if recorded is None or known.sum() < 2:
        raise BadTrace("The trace tells no waits to compare with.", hint="Ask sacct for Start too.")
    submit, was = course.table.submit_s[known], recorded[known]
    wait = course.first_start_s[known] - submit
    error = np.abs(wait - was).astype(np.float64)
    return Agreement(
        jobs=int(known.sum()),
        recorded_mean_wait_s=round(float(was.mean()), 2),
        predicted_mean_wait_s=round(float(wait.mean()), 2),
        recorded_median_wait_s=float(np.median(was)),
        predicted_median_wait_s=float(np.median(wait)),
        mean_absolute_error_s=round(float(error.mean()), 2),
        median_absolute_error_s=float(np.median(error)),
        p90_absolute_error_s=round(float(np.percentile(error, 90)), 1),
        start_rank_correlation=_rank_correlation(submit + was, submit + wait),
        wait_rank_correlation=_rank_correlation(was, wait),
        same_order_share=same_order(submit + was, submit + wait),
    )


def _rank_correlation(one: Array, other: Array) -> float:
    """Spearman's; 1 where neither differs at all, 0 where one does not."""
    if len(set(one.tolist())) < 2 or len(set(other.tolist())) < 2:
        return 1.0 if np.array_equal(one, other) else 0.0
    return round(float(spearmanr(one, other).statistic), 4)


def same_order(one: Array, other: Array) -> float:
    """The share of the pairs that differ in the first which go the same way in the second; a tie there is half."""
    agree = 0.0
    pairs = 0
    for position in range(len(one) - 1):
        first = np.sign(one[position + 1 :] - one[position])
        second = np.sign(other[position + 1 :] - other[position])
        differs = first != 0
        pairs += int(differs.sum())
        agree += float((differs & (first == second)).sum()) + 0.5 * float((differs & (second == 0)).sum())
    return round(agree / pairs, 4) if pairs else 1.0
