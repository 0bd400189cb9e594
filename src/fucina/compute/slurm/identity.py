"""Which rows of Slurm are of which job: ids are given again, comments come late."""

from collections.abc import Iterable, Mapping

from fucina.compute.slurm.intents import Earlier, Intent
from fucina.compute.slurm.sacct import AccountingRow
from fucina.compute.slurm.sbatch import key_of
from fucina.compute.slurm.squeue import QueueRow

SKEW_S = 600
"""Clocks of hub, agent and Slurm may differ by so much."""


def was_lost(row: QueueRow | AccountingRow, intent: Intent) -> bool:
    """Whether the row is of a submission that Slurm has lost before."""
    return any(row.base_id == name.job_id and name.submit_at in (None, row.submit_at) for name in intent.earlier)


def holders(queue: Iterable[QueueRow]) -> dict[tuple[int, int | None], str]:
    """Whose each id of the queue is: keys by id and time of submission, empty for jobs that are not ours."""
    return {(row.base_id, row.submit_at): key_of(row.comment) for row in queue}


def is_anothers(row: AccountingRow, key: str, held: Mapping[tuple[int, int | None], str]) -> bool:
    """Whether the queue says that a row without a comment is of a job that got the id after ours was lost."""
    return not row.comment and held.get((row.base_id, row.submit_at), key) != key


def is_of(row: AccountingRow, intent: Intent) -> bool:
    """Whether a row is of this job, and not of one that was given its id before or after a reset.

    Accounting learns the comment when a job ends, and at some sites never.
    """
    if not row.step and row.comment:
        return key_of(row.comment) == intent.key
    return any(_has_name(row, name, intent) for name in intent.names if name.job_id == row.base_id)


def _has_name(row: AccountingRow, name: Earlier, intent: Intent) -> bool:
    if name.submit_at is None or row.submit_at is None:
        return (row.submit_at or intent.intended_at) >= intent.intended_at - SKEW_S
    return row.submit_at >= name.submit_at - 1 if row.step else row.submit_at == name.submit_at
