"""What an agent does with jobs. Every call may be repeated; each is about jobs of that agent only."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import models, transaction
from django.db.models import Max

from fucina.accounting.usage import UsageRecord
from fucina.client.wire import ClaimedJob, HeartbeatAnswer, RunSource
from fucina.compute.record import ProgressLine, StageRecord
from fucina.compute.spec import FINAL, JobReport, JobState
from fucina.errors import BadInput
from fucina.hub.compute.accounts import account_name
from fucina.hub.compute.events import cancel_unstarted, close, go_on_after, move
from fucina.hub.compute.models import LIVE, EventKind, Job, JobEvent, LineRun
from fucina.hub.network.actions import note_partitions, note_seen
from fucina.hub.network.models import Agent, SiteAccount
from fucina.hub.network.read import SILENCE
from fucina.hub.people.actions import Rule, record
from fucina.hub.people.visible import get_visible
from fucina.line.spec import StageName
from fucina.network.broker import longest_walltime_s
from fucina.network.status import PartitionStatus

GRACE = timedelta(seconds=60)
"""How long after a hand-over a heartbeat may still lack the job."""

WAITING = frozenset({JobState.BLOCKED, JobState.QUEUED})
"""States in which no agent has a job."""

_WITH = ("run", "project", "allocation__partition__site", "allocation__site")


class BadReport(BadInput):
    """A report that does not fit its job."""

    code = "bad_report"


def find_job(agent: Agent, ref: str) -> Job:
    """A job of this agent. Raises NotVisible."""
    return get_visible(Job.objects.filter(agent=agent).select_related("run", "project__organisation"), ref)


def _locked(agent: Agent, ref: str) -> Job:
    """The job as it stands once nobody else changes its run."""
    lock_job(find_job(agent, ref))
    return get_visible(Job.objects.filter(agent=agent).select_related("run", "allocation__site"), ref)


def lock_job(job: Job) -> None:
    """Wait until nobody else changes the job's run, or the job itself where it has none."""
    if job.run_id is not None:
        LineRun.objects.select_for_update(no_key=True).get(pk=job.run_id)
    else:
        Job.objects.select_for_update(no_key=True).get(pk=job.pk)


def _claimable(agent: Agent, *, at: datetime) -> models.QuerySet[Job]:
    """Queued jobs of the site that end before its next maintenance begins, oldest first.

    At a personal site those of its owner, at a Slurm site those of people who have a user there.
    """
    site = agent.site
    rows = Job.objects.filter(state=JobState.QUEUED, allocation__site=site)
    if site.owner_id is not None:
        rows = rows.filter(created_by=site.owner_id)
    elif site.executor == "slurm":
        rows = rows.filter(created_by__in=SiteAccount.objects.filter(site=site).values("person"))
    longest_s = longest_walltime_s(site.spec.maintenance, at=at)
    if math.isfinite(longest_s):
        rows = rows.filter(walltime_s__lte=math.floor(longest_s))
    return rows.order_by("created_at", "pk")


def _handed_out(agent: Agent, *, recover: bool = False) -> models.QuerySet[Job]:
    """Claimed by this agent, which never said that it started them; with `recover` all that it should have."""
    rows = Job.objects.filter(agent=agent, state__in=LIVE)
    if not recover:
        rows = rows.filter(state=JobState.CLAIMED, accepted_at__isnull=True, cancel_asked_at__isnull=True)
    return rows.order_by("claimed_at", "pk")


def claim(
    *, agent: Agent, num_slots: int, num_gpus: int, at: datetime, chains: bool = False, recover: bool = False
) -> tuple[ClaimedJob, ...]:
    """Queued jobs of the agent's site that fit, oldest run first, after those that it claimed before and never started.

    With `chains` the later stages of a run come with its first, and count as one. An agent that finds nothing costs
    two reads and no lock.
    """
    if agent.site.draining:
        num_slots = 0
    if not _handed_out(agent, recover=recover).exists() and (
        num_slots == 0 or not _claimable(agent, at=at).filter(num_gpus__lte=num_gpus).exists()
    ):
        return ()
    with transaction.atomic():
        jobs = list(_handed_out(agent, recover=recover).select_related(*_WITH))
        slots = num_slots - len(jobs)
        gpus = num_gpus - sum(job.num_gpus for job in jobs)
        for candidate in _claimable(agent, at=at).filter(num_gpus__lte=max(gpus, 0))[: 2 * max(slots, 0)]:
            if slots > 0 and candidate.num_gpus <= gpus and (job := _hand_out(candidate, agent=agent, at=at)):
                slots -= 1
                gpus -= job.num_gpus
                jobs.append(job)
                jobs += _followers(job, agent=agent, at=at) if chains else []
    users = dict(SiteAccount.objects.filter(site=agent.site).values_list("person", "unix_user"))
    return tuple(_claimed(job, user=users.get(job.created_by_id, "")) for job in jobs)


def _followers(first: Job, *, agent: Agent, at: datetime) -> list[Job]:
    """Hand the run's waiting stages to the agent that has just claimed the first. The run is locked."""
    if first.run is None:
        return []
    waiting = first.run.jobs.filter(state=JobState.BLOCKED, position__gt=first.position).order_by("position")
    jobs = list(waiting.select_related(*_WITH))
    for job in jobs:
        _give(job, agent=agent, reason="Waits for the stage before.", at=at)
    return jobs


def _give(job: Job, *, agent: Agent, reason: str, at: datetime) -> None:
    job.agent = agent
    job.claimed_at = at
    job.save(update_fields=["agent", "claimed_at"])
    move(job, to=JobState.CLAIMED, reason=reason, at=at)
    record(agent, "compute.claim", job, at=at)


def _hand_out(candidate: Job, *, agent: Agent, at: datetime) -> Job | None:
    """Give a queued job to the agent, unless another call was faster."""
    rows: models.QuerySet[LineRun] | models.QuerySet[Job] = (
        LineRun.objects.filter(pk=candidate.run_id)
        if candidate.run_id is not None
        else Job.objects.filter(pk=candidate.pk)
    )
    locked = rows.select_for_update(no_key=True, skip_locked=True).first()
    job = Job.objects.select_related(*_WITH).get(pk=candidate.pk)
    if locked is None or job.job_state is not JobState.QUEUED or job.allocation.site_id != agent.site_id:
        return None
    _give(job, agent=agent, reason="", at=at)
    go_on_after(job, by=agent, at=at)
    return job


def _claimed(job: Job, *, user: str) -> ClaimedJob:
    """The job as the agent gets it; a scheduler also hears where it runs, as whom, and who pays."""
    site = job.allocation.site
    spec = job.parsed_spec
    if site.executor == "slurm":
        spec = spec.model_copy(
            update={
                "partition": job.allocation.partition.name,
                "account": account_name(job.allocation),
                "user": "" if site.owner_id else user,
            }
        )
    return ClaimedJob(
        ref=job.ref,
        run=job.run.ref if job.run else "",
        project=job.project.ref,
        generation=job.run.generation if job.run else 1,
        stage=StageName(job.stage) if job.stage else None,
        spec=spec,
        input=job.parsed_input,
        sources=tuple(RunSource.model_validate(source) for source in job.sources),
    )


@transaction.atomic
def mark_started(*, agent: Agent, ref: str, report: JobReport, at: datetime) -> Job:
    """The executor has the job; what it says of it is shown. After the end it changes nothing."""
    job = _locked(agent, ref)
    if job.job_state in FINAL:
        return job
    job.accepted_at = job.accepted_at or at
    job.started_at = report.started_at or job.started_at
    job.num_attempts = report.num_attempts
    job.native_id = (report.native_id or job.native_id)[:100]
    job.pending_reason = report.pending_reason[:200]
    job.starts_at = report.starts_at
    job.silent_at = None
    told = ["accepted_at", "started_at", "num_attempts", "native_id", "pending_reason", "starts_at", "silent_at"]
    job.save(update_fields=told)
    waits = report.state in {JobState.BLOCKED, JobState.QUEUED, JobState.CLAIMED}
    to = JobState.CLAIMED if waits else JobState.UNKNOWN if report.state is JobState.UNKNOWN else JobState.RUNNING
    if not (waits and job.job_state is JobState.RUNNING):
        move(job, to=to, reason=report.reason, at=at)
    record(agent, "compute.start", job, at=at, data={"state": str(to)})
    go_on_after(job, by=agent, at=at)
    return job


def add_progress(*, agent: Agent, ref: str, first: int, lines: Sequence[ProgressLine], at: datetime) -> int:
    """Keep progress lines that are not known yet; returns the number after the last known one."""
    job = find_job(agent, ref)
    known = job.events.filter(kind=EventKind.PROGRESS).aggregate(last=Max("number"))["last"]
    next_number = 0 if known is None else known + 1
    new = [
        JobEvent(job=job, kind=EventKind.PROGRESS, number=number, line=_finite(line).model_dump(mode="json"), at=at)
        for number, line in enumerate(lines, start=first)
        if number >= next_number
    ]
    if new:
        JobEvent.objects.bulk_create(new, batch_size=500, ignore_conflicts=True)
    return max(next_number, first + len(lines))


def _finite(line: ProgressLine) -> ProgressLine:
    """Without numbers that JSON cannot write; a loss that is not a number shows as missing."""
    return line.model_copy(
        update={"values": {name: value for name, value in line.values.items() if math.isfinite(value)}}
    )


@transaction.atomic
def finish(
    *,
    agent: Agent,
    ref: str,
    report: JobReport,
    used: UsageRecord | None,
    stage_record: StageRecord | None,
    at: datetime,
) -> Job:
    """End a job, settle it with its one usage record, and let the next stage go on or cancel the rest.

    Without a usage record its hold stays until the site's accounting tells. However often it is reported, only the
    first report counts. Raises BadReport.
    """
    job = _locked(agent, ref)
    if report.state not in FINAL:
        raise BadReport(f"A job that is {report.state} has not ended.", hint="Report the end with a final state.")
    told = {report.key, used.job_key if used else report.key}
    if told != {job.key}:
        raise BadReport(
            f"The report is about {', '.join(sorted(told))}; {ref} is {job.key}.", hint="Report each job on its own."
        )
    if used and not (math.isfinite(used.wall_s) and math.isfinite(used.cpu_s) and math.isfinite(used.energy_j or 0.0)):
        raise BadReport(
            "The usage record has a number that is not finite.", hint="Measure again, or leave out what is unknown."
        )
    if job.job_state in FINAL:
        return job
    job.record = stage_record.model_dump(mode="json") if stage_record else None
    job.accepted_at = job.accepted_at or at
    job.save(update_fields=["record", "accepted_at"])
    if used is not None:
        report = report.model_copy(
            update={
                "started_at": used.started_at or report.started_at,
                "ended_at": used.ended_at,
                "num_attempts": used.num_attempts,
            }
        )
    reason = report.error.message if report.error else report.reason
    close(job, report=report.model_copy(update={"reason": reason}), error=report.error, used=used, by=agent, at=at)
    data = {"state": str(report.state), "gpu_s": used.gpu_s if used else None}
    record(agent, "compute.finish", job, at=at, data=data)
    go_on_after(job, by=agent, at=at)
    return job


@transaction.atomic
def heartbeat(
    *,
    agent: Agent,
    version: str,
    refs: Sequence[str],
    at: datetime,
    serial: int = 0,
    partitions: Sequence[PartitionStatus] = (),
) -> HeartbeatAnswer:
    """Keep what the agent saw of its partitions, and compare what the agent looks after with what the hub believes.

    A job that the agent lost is handed out again under its old key; one that it lost and that should end is ended here.
    One that the agent has and that the hub believes to be waiting, as after a restore from a backup, is the agent's.
    """
    note_seen(agent=agent, version=version, serial=serial, at=at)
    note_partitions(site=agent.site, statuses=partitions, at=at)
    looked_after = set(refs)
    for job in Job.objects.filter(
        ref__in=[ref for ref in looked_after if "\0" not in ref],
        agent__isnull=True,
        state__in=WAITING,
        allocation__site=agent.site,
    ):
        _adopt(agent, job.ref, at=at)
    mine = list(Job.objects.filter(agent=agent, state__in=LIVE).order_by("pk"))
    for job in mine:
        if job.ref not in looked_after:
            _lost(agent, job.ref, at=at)
        elif job.silent_at is not None:
            _back(agent, job.ref, at=at)
    return HeartbeatAnswer(
        cancel=tuple(job.ref for job in mine if job.cancel_asked_at is not None and job.ref in looked_after),
        forget=tuple(sorted(looked_after - {job.ref for job in mine})),
        serial=agent.serial,
        restored_at=agent.restored_at,
        drain=agent.site.draining,
    )


def _adopt(agent: Agent, ref: str, *, at: datetime) -> None:
    lock_job(Job.objects.get(ref=ref))
    job = Job.objects.select_related(*_WITH).get(ref=ref)
    owner = agent.site.owner_id
    if job.agent_id is not None or job.job_state not in WAITING or owner not in {None, job.created_by_id}:
        return
    job.accepted_at = at
    job.save(update_fields=["accepted_at"])
    _give(job, agent=agent, reason="", at=at)
    go_on_after(job, by=agent, at=at)


def _lost(agent: Agent, ref: str, *, at: datetime) -> None:
    job = _locked(agent, ref)
    handed_over_at = job.accepted_at or job.claimed_at
    if job.job_state not in LIVE or handed_over_at is None or at - handed_over_at < GRACE:
        return
    if job.cancel_asked_at is not None:
        cancel_unstarted(job, reason="Cancelled; the agent does not have it.", by=agent, at=at)
        record(agent, "compute.cancel", job, at=at)
    elif job.accepted_at is not None:
        job.accepted_at = None
        job.save(update_fields=["accepted_at"])
        move(job, to=JobState.CLAIMED, reason="The agent lost it; it is handed out again.", at=at)
        record(agent, "compute.requeue", job, at=at)
    go_on_after(job, by=agent, at=at)


def _back(agent: Agent, ref: str, *, at: datetime) -> None:
    """A job that was only out of hearing is where it was; of one that the agent cannot find, the agent has to tell."""
    job = _locked(agent, ref)
    if job.silent_at is None:
        return
    job.silent_at = None
    job.save(update_fields=["silent_at"])
    if job.job_state is JobState.UNKNOWN:
        move(job, to=JobState.RUNNING, reason="", at=at)
        go_on_after(job, by=agent, at=at)


@transaction.atomic
def mark_silent(*, at: datetime) -> int:
    """Call the running jobs of long silent agents UNKNOWN; returns how many. A heartbeat brings them back."""
    rule = Rule("silent-agent")
    rows = Job.objects.filter(state=JobState.RUNNING, agent__last_seen_at__lt=at - SILENCE).select_related(
        "agent__site"
    )
    num_marked = 0
    for job in list(rows):
        agent = job.agent
        if agent is None or agent.last_seen_at is None:
            continue
        locked = _locked(agent, job.ref)
        if locked.job_state is JobState.RUNNING:
            seen = f"{agent.last_seen_at:%Y-%m-%d %H:%M} UTC"
            locked.silent_at = at
            locked.save(update_fields=["silent_at"])
            move(locked, to=JobState.UNKNOWN, reason=f"The agent of {agent.site} was last heard at {seen}.", at=at)
            record(rule, "compute.mark_silent", locked, at=at)
            go_on_after(locked, by=rule, at=at)
            num_marked += 1
    return num_marked
