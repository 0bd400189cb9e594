"""A project's account of one month, and the same as a table for a spreadsheet."""

import csv
import io

from pydantic import AwareDatetime, BaseModel, ConfigDict

from fucina.errors import BadInput

CSV_COLUMNS = (
    *("project", "organisation", "month", "allocation", "site", "partition", "job", "scheduler_id", "user", "state"),
    *("started_at", "ended_at", "gpu_seconds_in_month", "gpu_seconds_of_job", "gpu_hours_in_month"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class BadMonth(BadInput):
    """Something that is no month."""

    code = "bad_month"


class AllocationLine(BaseModel):
    """What was booked on one allocation in the month, in GPU-seconds; opening and these sum to closing."""

    model_config = ConfigDict(frozen=True)

    allocation: str
    site: str
    partition: str
    account: str
    opening_gpu_s: int
    granted_gpu_s: int
    used_gpu_s: int
    """Counted upwards; corrections included."""
    refunded_gpu_s: int
    expired_gpu_s: int
    """Counted upwards."""
    held_gpu_s: int
    """Change of what is held; counted upwards."""
    closing_gpu_s: int


class JobLine(BaseModel):
    """What one job used in the month."""

    model_config = ConfigDict(frozen=True)

    allocation: str
    site: str
    partition: str
    job: str
    native_id: str
    user: str
    state: str
    started_at: AwareDatetime | None
    ended_at: AwareDatetime
    gpu_s: int
    """In the month."""
    total_gpu_s: int
    """Over all months."""


class Statement(BaseModel):
    """A project's account of one month, in UTC."""

    model_config = ConfigDict(frozen=True)

    project: str
    name: str
    organisation: str
    month: str
    made_at: AwareDatetime
    is_closed: bool
    """Whether the month is over; late records may still correct it, which shows in a later month's bookings."""
    allocations: tuple[AllocationLine, ...]
    num_jobs: int
    used_gpu_s: int
    """By when it ran; a job over the end of a month counts in both, second by second."""
    refunded_gpu_s: int
    jobs: tuple[JobLine, ...]
    """The largest first; only so many as were asked for."""


def statement_csv(statement: Statement) -> str:
    """One line a job. A text that a spreadsheet would take for a formula is led by an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for job in statement.jobs:
        words = (
            *(statement.project, statement.organisation, statement.month, job.allocation, job.site, job.partition),
            *(job.job, job.native_id, job.user, job.state),
            job.started_at.isoformat() if job.started_at else "",
            job.ended_at.isoformat(),
        )
        safe = [f"'{word}" if word.startswith(_FORMULA) else word for word in words]
        writer.writerow((*safe, job.gpu_s, job.total_gpu_s, f"{job.gpu_s / 3600:.4f}"))
    return text.getvalue()
