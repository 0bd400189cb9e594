"""Runs of which nothing has started leave a place that cannot start them, for the one that their project file names."""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from fucina.accounting.usage import UsageRecord
from fucina.client.wire import RunSource
from fucina.compute.spec import JobState
from fucina.errors import FactoryError
from fucina.hub.accounting.actions import check_budget, hold, settle
from fucina.hub.accounting.models import Allocation
from fucina.hub.compute.models import EventKind, Job, JobEvent, LineRun
from fucina.hub.compute.placement import Choice, choose, options
from fucina.hub.people.actions import Rule, record
from fucina.hub.people.reference import new_ref
from fucina.network.broker import place_name

logger = logging.getLogger(__name__)

RULE = Rule("failover")

UNSTARTED = (JobState.BLOCKED, JobState.QUEUED, JobState.CLAIMED)
"""States of jobs that may not have started; one that an agent has must not have told of a start either."""


def move_stranded_runs(*, at: datetime) -> int:
    """Move every run that waits where nothing starts and that may go elsewhere; returns how many were moved.

    A run that fits nowhere else stays, and is looked at again.
    """
    started = Job.objects.filter(run=OuterRef("pk")).filter(
        Q(started_at__isnull=False) | Q(cancel_asked_at__isnull=False) | ~Q(state__in=UNSTARTED)
    )
    waiting = LineRun.objects.filter(state__in=(JobState.QUEUED, JobState.CLAIMED)).filter(~Exists(started))
    num_moved = 0
    for ref in list(waiting.order_by("created_at").values_list("ref", flat=True)):
        try:
            num_moved += move_run(ref, at=at) is not None
        except FactoryError as error:
            logger.info("run %s stays where it waits: %s", ref, error.message)
    return num_moved


@transaction.atomic
def move_run(ref: str, *, at: datetime) -> Choice | None:
    """Place one run anew under the next generation; None where it can stay, or where its file pins it.

    Its jobs get new references and keys: the agent which had them is told to end what it has under the old ones.

    Raises NoAllocation, NoPlace, BudgetTooSmall, BudgetExceeded; then it stays.
    """
    run = LineRun.objects.select_for_update(no_key=True).select_related("project__organisation").get(ref=ref)
    jobs = list(run.jobs.select_for_update(no_key=True).order_by("position"))
    if any(job.started_at or job.cancel_asked_at or job.job_state not in UNSTARTED for job in jobs):
        return None
    old = Allocation.objects.select_related("partition__site").get(pk=run.allocation_id)
    here = place_name(old.partition.site.name, old.partition.name)
    found = options(run.project, by=run.created_by, at=at)
    trouble = found[here].candidate.trouble if here in found else "it has no agent any more"
    if not trouble:
        return None
    spec = run.parsed_spec
    names = [spec.compute.fallback] if spec.compute.fallback else []
    names += ["auto"] if spec.compute.site == "auto" else []
    if not names:
        return None
    sources = [RunSource.model_validate(source) for source in run.sources]
    choice = choose(
        run.project,
        spec,
        sources=sources,
        ref=ref,
        by=run.created_by,
        generation=run.generation + 1,
        names=names,
        without=here,
        at=at,
    )
    rating = next(rating for rating in choice.placement.ranking.ranked if rating.place == choice.placement.place)
    if rating.waits_for:
        return None
    _move(run, jobs, old, choice, why=trouble, at=at)
    return choice


def _move(run: LineRun, jobs: list[Job], old: Allocation, choice: Choice, *, why: str, at: datetime) -> None:
    """Give back what is held at the old place, hold it at the new one, and queue the first stage there."""
    for pk in sorted({old.pk, choice.allocation.pk}):
        Allocation.objects.select_for_update(no_key=True).get(pk=pk)
    need_gpu_s = sum(stage.job.num_gpus * stage.job.walltime_s for stage in choice.stages)
    check_budget(choice.allocation, need_gpu_s=need_gpu_s, what="The run")
    before = f"{old.partition.site.name}/{old.partition.name}"
    run.allocation = choice.allocation
    run.generation += 1
    run.placement = choice.placement.model_dump(mode="json")
    run.save(update_fields=["allocation", "generation", "placement"])
    for job, stage in zip(jobs, choice.stages, strict=True):
        settle(allocation=old, used=_nothing(job, site=old.partition.site.name, at=at), by=RULE, at=at)
        job.ref = new_ref("job")
        job.key = stage.job.key
        job.allocation = choice.allocation
        job.spec = stage.job.model_dump(mode="json")
        job.input = stage.input.model_dump(mode="json")
        job.num_gpus, job.walltime_s = stage.job.num_gpus, stage.job.walltime_s
        job.state = JobState.BLOCKED if job.position else JobState.QUEUED
        job.reason = "Waits for the stage before." if job.position else f"Moved from {before}: {why}."
        job.agent = job.claimed_at = job.accepted_at = job.starts_at = None
        job.pending_reason = job.native_id = ""
        job.save()
        JobEvent.objects.create(job=job, kind=EventKind.STATE, state=job.state, reason=job.reason, at=at)
        hold(allocation=choice.allocation, spec=stage.job, by=RULE, at=at)
    if run.state != JobState.QUEUED:
        run.state = JobState.QUEUED
        run.save(update_fields=["state"])
    data = {"from": before, "to": choice.placement.place, "why": why, "generation": run.generation}
    record(RULE, "compute.move_run", run, at=at, data=data)


def _nothing(job: Job, *, site: str, at: datetime) -> UsageRecord:
    return UsageRecord(
        site=site,
        job_key=job.key,
        state=str(JobState.CANCELLED),
        ended_at=at,
        wall_s=0.0,
        num_gpus=job.num_gpus,
        gpu_s=0,
        num_attempts=0,
    )
