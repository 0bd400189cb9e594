"""Which rows of Slurm are of which job: ids are given again, comments come late."""

from fucina.compute.slurm.intents import Earlier, Intent
from fucina.compute.slurm.sacct import AccountingRow
from fucina.compute.slurm.sbatch import key_of
from fucina.compute.slurm.squeue import QueueRow

SKEW_S = 600
"""Clocks of hub, agent and Slurm may differ by so much."""


def was_lost(row: QueueRow | AccountingRow, intent: Intent) -> bool:
    """Whether the row is of a submission that Slurm has lost before."""
    return any(row.base_id == name.job_id and name.submit_at in (None, row.submit_at) for name in intent.earlier)


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
