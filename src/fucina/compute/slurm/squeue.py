"""`squeue`: what is waiting and running, and what ended in the last minutes."""

from collections.abc import Sequence
from dataclasses import dataclass

from fucina.compute.slurm.rows import DELIMITER, Listing, epoch, number, parse

_FIELDS = (
    ("JobID", 12),
    ("ArrayJobID", 12),
    ("ArrayTaskID", 12),
    ("State", 24),
    ("UserName", 33),
    ("Partition", 33),
    ("SubmitTime", 20),
    ("StartTime", 20),
    ("EndTime", 20),
    ("RestartCnt", 8),
    ("exit_code", 12),
    ("Reason", 64),
    ("Comment", 208),
)
"""Fields and their widths: `squeue` cuts what is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One job, or one task of an array, as slurmctld knows it. Times are seconds since 1970."""

    job_id: int
    base_id: int
    """The array's id; the job's own where it is none."""
    task: int | None = None
    state: str
    user: str = ""
    partition: str = ""
    submit_at: int | None = None
    start_at: int | None = None
    """For a waiting job the scheduler's estimate."""
    end_at: int | None = None
    num_restarts: int = 0
    exit_cell: str = ""
    reason: str = ""
    comment: str = ""


def argv(*, users: Sequence[str] = (), job_ids: Sequence[int] = ()) -> list[str]:
    """One bulk query over all states."""
    words = ["squeue", "--noheader", "--array", "--states=all"]
    words.append("--Format=" + ",".join(f"{name}:{width}{DELIMITER}" for name, width in _FIELDS))
    if users:
        words.append("--user=" + ",".join(users))
    if job_ids:
        words.append("--jobs=" + ",".join(str(job_id) for job_id in job_ids))
    return words


def read(text: str) -> Listing[QueueRow]:
    """Rows of that query."""
    return parse(text, num_fields=len(_FIELDS), make=_row)


def _row(cells: Sequence[str]) -> QueueRow:
    job, base, task, state, user, partition, submit, start, end, restarts, code, reason, comment = cells
    job_id = int(job)
    return QueueRow(
        job_id=job_id,
        base_id=number(base) or job_id,
        task=int(task) if task.isdigit() else None,
        state=state,
        user=user,
        partition=partition,
        submit_at=epoch(submit),
        start_at=epoch(start),
        end_at=epoch(end),
        num_restarts=number(restarts),
        exit_cell=code,
        reason=reason,
        comment="" if comment == "(null)" else comment,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """What a partition's queue holds: one job, waiting or running."""

    job_id: int
    partition: str
    state: str
    num_nodes: int
    time_limit_s: int
    gres: str
    """Per node, as `gres/gpu:h200:2`; empty where none."""
    submit_at: int | None
    start_at: int | None


_LOAD = ("%A", "%P", "%T", "%D", "%l", "%b", "%V", "%S")


def load_argv() -> list[str]:
    """Everything that waits or runs, of all users, arrays folded."""
    return [
        "squeue",
        "--noheader",
        "--states=PENDING,RUNNING,COMPLETING",
        "--format=" + "".join(field + DELIMITER for field in _LOAD),
    ]


def read_load(text: str) -> Listing[WaitingRow]:
    """Rows of that query."""
    return parse(text, num_fields=len(_LOAD), make=_load_row)


def _load_row(cells: Sequence[str]) -> WaitingRow:
    job, partition, state, nodes, limit, gres, submit, start = cells
    return WaitingRow(
        job_id=int(job),
        partition=partition,
        state=state,
        num_nodes=int(nodes),
        time_limit_s=limit_seconds(limit),
        gres="" if gres == "N/A" else gres,
        submit_at=epoch(submit),
        start_at=epoch(start),
    )


def limit_seconds(cell: str) -> int:
    """A time limit such as 10:00, 2:00:00 or 2-00:00:00; 0 for none. Raises ValueError."""
    if cell in ("UNLIMITED", "INVALID", "NOT_SET", "Partition_Limit", ""):
        return 0
    days, _, clock = cell.rpartition("-")
    total = 0
    for part in clock.split(":"):
        total = total * 60 + int(part)
    return total + 86400 * int(days or 0)


_STARTS = ("%A", "%F", "%S", "%k")


def start_argv(job_ids: Sequence[int]) -> list[str]:
    """When the scheduler expects to start these jobs."""
    words = [
        "squeue",
        "--start",
        "--noheader",
        "--array",
        "--format=" + "".join(field + DELIMITER for field in _STARTS),
    ]
    return [*words, "--jobs=" + ",".join(str(job_id) for job_id in job_ids)]


def read_starts(text: str) -> Listing[tuple[int, int | None, str]]:
    """Base id, expected start in seconds since 1970 or None, and comment of each waiting job."""
    return parse(text, num_fields=len(_STARTS), make=lambda cells: (int(cells[1]), epoch(cells[2]), cells[3]))
