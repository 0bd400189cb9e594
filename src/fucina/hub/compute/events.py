"""How a job moves from state to state; every way in goes through `move`."""

from datetime import datetime

from fucina.accounting.usage import UsageRecord
from fucina.compute.spec import FINAL, JobReport, JobState, check_move
from fucina.errors import ErrorBody
from fucina.hub.accounting.actions import settle
from fucina.hub.compute.models import LIVE, EventKind, Job, JobEvent, LineRun
from fucina.hub.people.actions import Actor


def move(job: Job, *, to: JobState, reason: str, at: datetime) -> None:
    """Put a job into a state and write it down. The caller has locked the run. Raises BadMove."""
    check_move(job.job_state, to)
    if job.state == to and job.reason == reason:
        return
    job.state = to
    job.reason = reason
    job.save(update_fields=["state", "reason"])
    JobEvent.objects.create(job=job, kind=EventKind.STATE, state=to, reason=reason, at=at)


def close(
    job: Job, *, report: JobReport, error: ErrorBody | None, used: UsageRecord | None, by: Actor, at: datetime
) -> None:
    """End a job for good, and settle it unless its usage is told later. The caller has locked the run."""
    job.started_at = report.started_at or job.started_at
    job.ended_at = report.ended_at or at
    job.num_attempts = report.num_attempts
    job.error_code = error.code[:100] if error else ""
    job.error_hint = error.hint if error else ""
    job.exit_code = report.exit_code
    job.native_id = (report.native_id or job.native_id)[:100]
    job.save(
        update_fields=["started_at", "ended_at", "num_attempts", "error_code", "error_hint", "exit_code", "native_id"]
    )
    move(job, to=report.state, reason=report.reason, at=at)
    if used is not None:
        settle(allocation=job.allocation, used=used, by=by, at=at)


def cancel_unstarted(job: Job, *, reason: str, by: Actor, at: datetime) -> None:
    """End a job that no agent looks after; it used nothing."""
    used = UsageRecord(
        site=job.allocation.site.name,
        job_key=job.key,
        state=str(JobState.CANCELLED),
        ended_at=at,
        wall_s=0.0,
        num_gpus=job.num_gpus,
        gpu_s=0,
        num_attempts=0,
    )
    report = JobReport(key=job.key, state=JobState.CANCELLED, reason=reason, ended_at=at)
    close(job, report=report, error=None, used=used, by=by, at=at)


def go_on_after(job: Job, *, by: Actor, at: datetime) -> None:
    """Bring the run of a job up to date; a job of a person's own has none."""
    if job.run is not None:
        go_on(job.run, by=by, at=at)


def go_on(run: LineRun, *, by: Actor, at: datetime) -> None:
    """Let the next job start, or cancel the rest when one did not succeed, and bring the run's own state up to date."""
    jobs = list(run.jobs.order_by("position").select_related("allocation__site"))
    stopped_by = next((job for job in jobs if job.job_state in FINAL - {JobState.SUCCEEDED}), None)
    for job in jobs:
        waiting = job.job_state in {JobState.BLOCKED, JobState.QUEUED}
        if waiting and stopped_by is not None:
            cancel_unstarted(job, reason=f"Stage {stopped_by.stage} was {_past(stopped_by)}.", by=by, at=at)
        elif stopped_by is not None and job.job_state in LIVE and job.cancel_asked_at is None:
            # Handed out with the stage that did not succeed: its agent ends it.
            job.cancel_asked_at = at
            job.save(update_fields=["cancel_asked_at"])
        elif waiting and all(earlier.job_state is JobState.SUCCEEDED for earlier in jobs[: job.position]):
            move(job, to=JobState.QUEUED, reason="", at=at)
    _update_state(run, jobs, at=at)


def _past(job: Job) -> str:
    words = {
        JobState.FAILED: "not successful",
        JobState.TIMED_OUT: "ended by its walltime",
        JobState.CANCELLED: "cancelled",
    }
    return words[job.job_state]


def _update_state(run: LineRun, jobs: list[Job], *, at: datetime) -> None:
    """A run is where its first unfinished or unsuccessful job is; once one has run, waiting for the next is running.

    With all five succeeded it still runs until its release is registered.
    """
    states = [job.job_state for job in jobs]
    current = next((state for state in states if state is not JobState.SUCCEEDED), JobState.RUNNING)
    if states[0] is JobState.SUCCEEDED and current in {JobState.BLOCKED, JobState.QUEUED, JobState.CLAIMED}:
        current = JobState.RUNNING
    if current in FINAL and not all(state in FINAL for state in states):
        current = JobState.RUNNING
    if run.state != current:
        run.state = current
        run.ended_at = at if current in FINAL else None
        run.save(update_fields=["state", "ended_at"])
