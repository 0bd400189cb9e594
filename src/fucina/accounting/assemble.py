"""From the runs in Slurm's accounting to one usage record per job.

Slurm gives a requeued job a new time of submission and a new row, and it gives old job ids to new jobs after its
database was reset. Two rows of one id are runs of one job when the first may go on, or when the second was submitted
right after the first had ended, by the same user for the same account. Where that guess is wrong, GPU-seconds are still
right: they only stand in one record instead of two.
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from fucina.accounting.billing import billed_gpu_s, billed_gpus
from fucina.accounting.sacct import MAY_GO_ON, Run, array_task, component
from fucina.accounting.usage import Period, UsageRecord
from fucina.errors import BadInput
from fucina.network.spec import Partition, Site

COMMENT_PREFIX = "fucina:"
"""The comment of a job that the hub started is this and its key."""

REQUEUE_WITHIN_S = 3600
"""Between the end of a run and a requeue by hand Slurm forgets a job; its default is five minutes."""

_KEY = re.compile(r"^fucina:([A-Za-z0-9._-]{1,180})$")
_STATES = {
    "COMPLETED": "succeeded",
    "CANCELLED": "cancelled",
    "REVOKED": "cancelled",
    "TIMEOUT": "timed_out",
    "DEADLINE": "timed_out",
}


class UnknownPartition(BadInput):
    """A job ran in a partition that the site's file does not describe."""

    code = "unknown_partition"


def group(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs of one raw job id as jobs, each in the order of its runs."""
    jobs: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: run.submit):
        if jobs and _goes_on(jobs[-1][-1], run):
            jobs[-1].append(run)
        else:
            jobs.append([run])
    return jobs


def _goes_on(before: Run, after: Run) -> bool:
    """Slurm 22.05 writes a run's comment at its end, so that an empty one says nothing before.

    An earlier run without one beside a later run of ours was lost by its controller, which then gave its id again.
    """
    comments = {before.comment, after.comment} - {""}
    if (before.account, before.user) != (after.account, after.user) or len(comments) > 1:
        return False
    if own_key(after) and not before.comment:
        return False
    if own_key(before) and not after.comment and after.end is not None and after.state != "CANCELLED":
        # Somebody else's, who got the id of a job that was lost; one cancelled while it waits gets no comment.
        return False
    if before.end is None or (before.comment == after.comment and after.comment.startswith(COMMENT_PREFIX)):
        return True
    return before.state in MAY_GO_ON or abs(after.submit - before.end) <= REQUEUE_WITHIN_S


def is_over(job: Sequence[Run]) -> bool:
    """Whether the newest known run has ended; after some states Slurm may still start another."""
    return job[-1].end is not None


def may_go_on(job: Sequence[Run]) -> bool:
    """Whether Slurm must be asked if the job really is over."""
    return job[-1].state in MAY_GO_ON


def is_half_told(job: Sequence[Run]) -> bool:
    """Whether slurmdbd has heard of the newest run's end and not of its beginning, which says what the job is.

    Such a row has no partition and no resources, and that of an array's task reads as if it were the array.
    """
    return job[-1].end is not None and not job[-1].partition


def own_key(run: Run) -> str:
    """The hub's key of a job that it started; empty for others. Tasks and further components have their own."""
    match = _KEY.match(run.comment)
    if match is None:
        return ""
    task, offset = array_task(run.label), component(run.label)
    return match[1] + (f".t{task}" if task is not None else f".h{offset}" if offset else "")


def slurm_key(run: Run) -> str:
    """A key for a job that the hub did not start, if this is its first run."""
    cluster = re.sub(r"[^A-Za-z0-9._-]", "_", run.cluster)
    return f"slurm.{cluster}.{run.job_id}.{run.submit}"


def partition_of(run: Run, site: Site) -> Partition | None:
    """The partition in the site's file; the first known one of a job that could have run in several."""
    names = run.partition.split(",")
    for name in names:
        for partition in site.partitions:
            if name == (partition.slurm_name or partition.id):
                return partition
    return None


def usage_record(job: Sequence[Run], *, site: Site, measured_at: datetime | None) -> UsageRecord:
    """The record of a job from all its runs. Raises UnknownPartition when one that used something cannot be priced."""
    last = job[-1]
    end = max(run.end or run.submit for run in job)
    starts = [run.start for run in job if run.start is not None]
    periods, most, gpu_s = [], 0, 0
    for run in job:
        used, gpus = _price(run, site)
        gpu_s += used
        most = max(most, gpus)
        if used and run.start is not None and run.end is not None:
            periods.append(Period(started_at=_at(run.start), ended_at=_at(run.end), gpu_s=used, state=run.state))
    own = next(filter(None, map(own_key, reversed(job))), "")
    partition = partition_of(last, site)
    energies = [run.energy_j for run in job if run.energy_j is not None]
    return UsageRecord(
        site=site.id,
        job_key=own or slurm_key(job[0]),
        same_as=tuple(slurm_key(run) for run in (job if own else job[1:])),
        state=_STATES.get(last.state, "failed"),
        native_state=last.state,
        started_at=_at(min(starts)) if starts and min(starts) <= end else None,
        ended_at=_at(end),
        submitted_at=_at(job[0].submit),
        wall_s=float(sum(run.elapsed_s for run in job)),
        num_gpus=most,
        gpu_s=gpu_s,
        num_attempts=len(job),
        periods=tuple(periods) if len(job) > 1 else (),
        energy_j=sum(energies) if energies else None,
        native_id=last.label,
        cluster=last.cluster,
        account=last.account,
        user=last.user,
        partition=partition.id if partition else last.partition,
        num_nodes=last.allocated.num_nodes,
        num_cpus=last.allocated.num_cpus,
        exit_code=last.exit_code,
        measured_at=measured_at,
    )


def _price(run: Run, site: Site) -> tuple[int, int]:
    """GPU-seconds of a run, and the accelerators that it was charged for, rounded up."""
    if not run.elapsed_s or (not run.partition and not run.allocated.num_devices):
        # A row without a partition is one of which slurmdbd never heard the beginning: it counts nothing for it.
        return 0, 0
    partition = partition_of(run, site)
    if partition is None:
        raise UnknownPartition(
            f"Job {run.label} ran in partition {run.partition!r}, which the file of site {site.id} does not describe.",
            hint="Add the partition to the site's file, with `slurm_name` where Slurm calls it differently.",
        )
    gpus = billed_gpus(run.allocated, partition)
    return billed_gpu_s(run.allocated, partition, elapsed_s=run.elapsed_s), math.ceil(gpus)


def _at(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, tz=UTC)
