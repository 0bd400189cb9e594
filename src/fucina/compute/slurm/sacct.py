"""`sacct`: what the accounting database knows of jobs, their runs and their steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from fucina.compute.slurm.rows import DELIMITER, Listing, epoch, number, parse, seconds, size_bytes, task_indices

_FIELDS = (
    "JobID",
    "JobIDRaw",
    "User",
    "State",
    "ExitCode",
    "Submit",
    "Start",
    "End",
    "ElapsedRaw",
    "TotalCPU",
    "MaxRSS",
    "Reason",
    "Comment",
)
MAX_IDS = 4000
"""Ids in one call: one argument of a process holds 128 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountingRow:
    """One run of a job, or one step of it. Times are seconds since 1970."""

    job_id: int
    base_id: int
    tasks: tuple[int, ...] = ()
    """Array tasks that the row stands for; none where the job is no array."""
    step: str = ""
    user: str = ""
    state: str
    exit_cell: str = ""
    submit_at: int | None = None
    start_at: int | None = None
    end_at: int | None = None
    elapsed_s: int = 0
    cpu_s: float = 0.0
    max_rss_bytes: int = 0
    reason: str = ""
    comment: str = ""


def argv(
    *, job_ids: Sequence[int] = (), name: str = "", since: int = 0, users: Sequence[str] = (), steps: bool = True
) -> list[str]:
    """Every run, duplicates included; `since` in seconds since 1970 bounds a query that names no ids."""
    words = ["sacct", "--noheader", "--parsable", f"--delimiter={DELIMITER}", "--duplicates"]
    words.append("--format=" + ",".join(_FIELDS))
    if not steps:
        words.append("--allocations")
    if job_ids:
        words.append("--jobs=" + ",".join(str(job_id) for job_id in job_ids))
    if users:
        words.append("--user=" + ",".join(users))
    elif not job_ids:
        words.append("--allusers")
    if name:
        words.append(f"--name={name}")
    if since:
        words += [f"--starttime=uts{since}", "--endtime=now"]
    return words


def read(text: str) -> Listing[AccountingRow]:
    """Rows of that query."""
    return parse(text, num_fields=len(_FIELDS), make=_row)


def _row(cells: Sequence[str]) -> AccountingRow:
    job, raw, user, state, code, submit, start, end, elapsed, cpu, rss, reason, comment = cells
    raw_id, _, step = raw.partition(".")
    base, _, task = job.partition(".")[0].partition("_")
    base = base.partition("+")[0]
    return AccountingRow(
        job_id=int(raw_id.partition("+")[0]),
        base_id=int(base),
        tasks=task_indices(task.strip("[]")) if task else (),
        step=step,
        user=user,
        state=state,
        exit_cell=code,
        submit_at=epoch(submit),
        start_at=epoch(start),
        end_at=epoch(end),
        elapsed_s=number(elapsed),
        cpu_s=seconds(cpu),
        max_rss_bytes=size_bytes(rss),
        reason=reason,
        comment=comment,
    )
