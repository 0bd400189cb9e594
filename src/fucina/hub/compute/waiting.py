"""Why a job waits: from the nearest reason to the farthest, and what would make it start sooner."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Max, Q

from fucina.client.wire_jobs import WaitReason
from fucina.compute.spec import FINAL, JobState
from fucina.hub.accounting.models import balance
from fucina.hub.compute.models import Job
from fucina.hub.compute.placement import options, request_for
from fucina.hub.network.models import Agent
from fucina.hub.network.read import fresh_status, no_user_trouble, site_trouble, sites_without_user
from fucina.network.broker import Part, Preference, Rating, Request, longest_walltime_s, place_name, rank
from fucina.network.spec import Site
from fucina.network.status import PartitionStatus
from fucina.units import format_duration, gpu_hours

WAITING = frozenset({JobState.BLOCKED, JobState.QUEUED, JobState.CLAIMED})


def why(job: Job, *, at: datetime) -> WaitReason:
    """What is known about a job's wait. The row comes with its allocation's partition and site."""
    partition = job.allocation.partition
    site = partition.site
    state = job.job_state
    waits = state in WAITING and job.started_at is None
    sums = balance(job.allocation.totals.all())
    status = fresh_status(partition, at=at)
    num_ahead = _ahead(job) if state is JobState.QUEUED else None
    held_gpu_s = 0 if state in FINAL else job.num_gpus * job.walltime_s * job.parsed_spec.num_tasks
    reasons: list[str] = []
    sooner: list[str] = []
    if waits:
        last_seen_at = Agent.objects.filter(site=site).aggregate(last=Max("last_seen_at"))["last"]
        trouble = site_trouble(site, last_seen_at=last_seen_at, at=at)
        if state is not JobState.CLAIMED and sites_without_user(job.created_by, [site]):
            trouble = no_user_trouble(site, username=job.created_by.username)
        reasons = [*_own_reasons(job, num_ahead, trouble), *_partition_reasons(job, status)]
        sooner = list(_sooner(job, site.spec, status, at=at))
    elif state is JobState.UNKNOWN:
        reasons = [job.reason or "Nobody can say how it is."]
    elif state in FINAL:
        reasons = [f"It does not wait: it has ended and is {state}."]
    else:
        reasons = ["It does not wait: it runs."]
    return WaitReason(
        ref=job.ref,
        state=state,
        waits=waits,
        why=tuple(reasons) or ("Nothing is in its way; its site will take it with its next question.",),
        sooner=tuple(sooner),
        place=place_name(site.name, partition.name),
        free_gpu_s=sums.free_gpu_s,
        held_gpu_s=held_gpu_s,
        num_ahead=num_ahead,
        starts_at=job.starts_at if waits else None,
    )


def _ahead(job: Job) -> int:
    """Queued jobs of the same site that are handed out before this one."""
    rows = Job.objects.filter(state=JobState.QUEUED, allocation__site=job.allocation.site_id)
    earlier = Q(created_at__lt=job.created_at) | Q(created_at=job.created_at, pk__lt=job.pk)
    return rows.filter(earlier).exclude(run__isnull=False, run=job.run_id).count()


def _own_reasons(job: Job, num_ahead: int | None, trouble: str) -> Iterator[str]:
    if job.job_state is JobState.BLOCKED and job.run is not None:
        before = job.run.jobs.filter(position__lt=job.position).exclude(state=JobState.SUCCEEDED.value)
        first = before.order_by("position").first()
        if first is not None:
            yield f"It waits for stage {first.stage}, which is {first.state}."
    if trouble:
        yield f"Nothing new starts at {job.allocation.partition.site.name}: {trouble}."
    if num_ahead:
        yield f"{num_ahead} {'job is' if num_ahead == 1 else 'jobs are'} handed out before it."
    if job.job_state is JobState.CLAIMED:
        told = job.reason or job.pending_reason
        native = f" as {job.native_id}" if job.native_id else ""
        yield f"Its site has it{native}" + (f" and says: {told.rstrip('.')}." if told else " and is starting it.")
        if job.starts_at is not None:
            yield f"The site's queue expects to start it at {job.starts_at:%Y-%m-%d %H:%M} UTC."


def _partition_reasons(job: Job, status: PartitionStatus | None) -> Iterator[str]:
    if status is None:
        yield "The site has not told lately how busy its partition is."
        return
    if status.problem:
        yield f"The partition takes no jobs: {status.problem}."
    if job.num_gpus > status.num_free_gpus:
        yield (
            f"It asks for {job.num_gpus} accelerators; {status.num_free_gpus} of {status.num_gpus} are free, and "
            f"{status.num_waiting_jobs} jobs wait for {gpu_hours(status.waiting_gpu_s)} GPU-hours."
        )
    if status.expected_wait_s:
        yield f"A small job would wait about {format_duration(status.expected_wait_s)} there."


def _sooner(job: Job, site: Site, status: PartitionStatus | None, *, at: datetime) -> Iterator[str]:
    """What one could do, most effective first."""
    longest_s = longest_walltime_s(site.maintenance, at=at)
    if job.walltime_s > longest_s > 0:
        yield (
            f"Ask for at most {format_duration(longest_s)}: maintenance begins then, and a job of "
            f"{format_duration(job.walltime_s)} would run into it."
        )
    if status is not None and 0 < status.num_free_gpus < job.num_gpus and not status.problem:
        yield f"Ask for {status.num_free_gpus} accelerators, which are free now."
    if job.started_at is None and job.accepted_at is None:
        yield from _elsewhere(job, at=at)
    if status is not None and status.num_waiting_jobs and job.walltime_s > 3600:
        yield "Ask for a shorter walltime; short jobs fill gaps between long ones."


def _elsewhere(job: Job, *, at: datetime) -> Iterator[str]:
    """Another partition that the project has time on and that would start it sooner."""
    request = request_for([job.parsed_spec], sensitivity="public", preference=Preference.TIME)
    here = place_name(job.allocation.partition.site.name, job.allocation.partition.name)
    found = options(job.project, by=job.created_by, at=at)
    # What the job itself holds would be free again if it moved.
    ranking = rank(request, (option.candidate for place, option in found.items() if place != here), at=at)
    mine = next(iter(rank(_unpaid(request), (o.candidate for p, o in found.items() if p == here), at=at).ranked), None)
    for rating in ranking.ranked:
        if not rating.waits_for and _starts_before(rating, mine):
            yield f"Submit it to {rating.place}, which would start it at about {rating.starts_at:%H:%M} UTC."
            return


def _unpaid(request: Request) -> Request:
    return request.model_copy(update={"gpu_s": 0})


def _starts_before(rating: Rating, mine: Rating | None) -> bool:
    return mine is None or bool(mine.waits_for) or rating.parts[Part.WAIT] > mine.parts[Part.WAIT]
