"""What becomes of jobs when the grant that pays for them ends."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Sum

from fucina.access.modes import Mode, Overrun
from fucina.compute.spec import JobState
from fucina.hub.access.models import Grant
from fucina.hub.accounting.actions import expire
from fucina.hub.accounting.models import Allocation
from fucina.hub.compute.events import cancel_unstarted, go_on
from fucina.hub.compute.models import LIVE, Job, LineRun
from fucina.hub.people.actions import Rule, record

LOOKED_AFTER = timedelta(days=100)
"""After so long the last job of a grant has told its usage."""
WAITING = (JobState.BLOCKED, JobState.QUEUED)


def close_ended_grants(*, at: datetime) -> int:
    """Take back what is free of grants that have ended, and stop their jobs where the access mode says so.

    A job that an agent has is cancelled by the agent, which hears of it at its next heartbeat. Returns for how many
    allocations something was done; repeated, it does nothing more.
    """
    live = Job.objects.filter(allocation=OuterRef("pk"), state__in=[*WAITING, *LIVE])
    ended = Allocation.objects.filter(grant__ends_at__lte=at, grant__ends_at__gt=at - LOOKED_AFTER)
    ended = ended.annotate(free=Sum("entries__gpu_s")).filter(Q(free__gt=0) | Exists(live)).order_by("pk")
    return sum(_close(allocation, at=at) for allocation in ended)


@transaction.atomic
def _close(allocation: Allocation, *, at: datetime) -> bool:
    grant = Grant.objects.select_related("application__access_mode").get(pk=allocation.grant_id)
    mode = Mode.model_validate(grant.application.access_mode.wire)
    rule = Rule(f"end of grant {grant.ref}")
    num_stopped = _stop(allocation, rule, at=at) if mode.on_overrun is Overrun.STOP else 0
    return expire(allocation=allocation, by=rule, at=at) is not None or num_stopped > 0


def _stop(allocation: Allocation, rule: Rule, *, at: datetime) -> int:
    num_stopped = 0
    runs = LineRun.objects.select_for_update(no_key=True).filter(allocation=allocation, state__in=[*WAITING, *LIVE])
    for run in list(runs):
        for job in run.jobs.select_related("allocation__site").order_by("position"):
            num_stopped += _stop_job(job, rule, at=at)
        go_on(run, by=rule, at=at)
    own = Job.objects.filter(allocation=allocation, run__isnull=True, state__in=[*WAITING, *LIVE]).order_by("pk")
    for pk in list(own.values_list("pk", flat=True)):
        locked = Job.objects.select_for_update(no_key=True, of=("self",)).select_related("allocation__site").get(pk=pk)
        num_stopped += _stop_job(locked, rule, at=at)
    return num_stopped


def _stop_job(job: Job, rule: Rule, *, at: datetime) -> bool:
    """End a job that waits, and ask for the end of one that an agent has; False where nothing was left to do."""
    reason = "The grant that pays for it has ended."
    if job.job_state in WAITING:
        cancel_unstarted(job, reason=reason, by=rule, at=at)
    elif job.job_state in LIVE and job.cancel_asked_at is None:
        job.cancel_asked_at = at
        job.save(update_fields=["cancel_asked_at"])
    else:
        return False
    record(rule, "compute.stop", job, at=at, data={"reason": reason})
    return True
