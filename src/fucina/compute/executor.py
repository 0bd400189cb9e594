"""What every executor can do; the agent knows no more than this."""

from collections.abc import Iterable
from typing import Protocol

from fucina.compute.spec import JobReport, JobSpec
from fucina.errors import BadInput, NotVisible


class JobConflict(BadInput):
    """A key was used again for another job."""

    code = "job_conflict"


class NoSuchJob(NotVisible):
    """The executor has never heard of that key."""

    code = "no_such_job"


class Executor(Protocol):
    """Runs jobs. Every call may be repeated after a crash of the caller without doing anything twice."""

    def submit(self, spec: JobSpec) -> None:
        """Start the job, or do nothing if its key is known. Raises JobConflict if the key means another job."""

    def poll(self, keys: Iterable[str]) -> dict[str, JobReport]:
        """What is known of these jobs, in one query. A job nobody can answer for is UNKNOWN."""

    def read_log(self, key: str, *, offset: int, max_bytes: int) -> bytes:
        """A piece of what the job printed, empty at the end or before it started. Raises NoSuchJob."""

    def cancel(self, key: str) -> None:
        """End the job; a final job stays as it is. Raises NoSuchJob."""

    def suspend(self) -> None:
        """Ask running jobs to save their state and stop; a later `resume` goes on with them."""

    def resume(self) -> None:
        """Start again what was suspended or lost while no caller was there."""

    def forget(self, key: str) -> None:
        """Drop what is kept about a final job."""
