"""A person's own jobs: the list, the page of one with why it waits, the end of one."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from fucina.client.wire_jobs import JobDetail, JobSummary, ProjectFileInfo, WaitReason
from fucina.compute.spec import FINAL
from fucina.hub.compute.job_read import find_job, job_detail, job_files, job_summaries, visible_jobs
from fucina.hub.compute.models import Job
from fucina.hub.compute.own_jobs import cancel_job
from fucina.hub.compute.read import log_tail
from fucina.hub.compute.waiting import why
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.paging import Turn, turn_to

LOG_BYTES = 32 * 2**10
"""How much of the end of a log the page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPage:
    """A page of one's own jobs."""

    jobs: Sequence[JobSummary]
    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A job at this moment."""

    job: JobDetail
    is_live: bool
    wait: WaitReason | None
    """Why it waits; None for one that does not."""
    held_gpu_s: int
    error_hint: str
    files: Sequence[ProjectFileInfo]
    log: str
    log_starts_later: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPage:
    """The question before a job is cancelled."""

    job: JobDetail


@require_safe
@signed_in
def index(request: SignedIn) -> HttpResponse:
    """Jobs that this person submitted, newest first; stages of runs have their own page."""
    mine = visible_jobs(request.user).filter(run__isnull=True, created_by=request.user)
    keys, turn = turn_to(request, mine.values_list("pk", flat=True))
    context = JobsPage(jobs=job_summaries(Job.objects.filter(pk__in=keys)), turn=turn)
    return page(request, "portal/jobs.html", context, place="jobs")


@require_safe
@signed_in
def show(request: SignedIn, ref: str) -> HttpResponse:
    """One job of somebody's own; a stage is shown with its run."""
    row = find_job(ref, person=request.user)
    if row.run is not None:
        return redirect(f"/runs/{row.run.ref}?stage={row.stage}")
    told = why(row, at=timezone.now())
    tail = log_tail(row, num_bytes=LOG_BYTES)
    context = JobPage(
        job=job_detail(row),
        is_live=row.job_state not in FINAL,
        wait=told if told.waits else None,
        held_gpu_s=told.held_gpu_s,
        error_hint=row.error_hint,
        files=job_files(row),
        log=tail.text,
        log_starts_later=tail.offset > 0,
    )
    return page(request, "portal/job.html", context, place="jobs")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def cancel(request: SignedIn, ref: str) -> HttpResponse:
    """End a job, after asking once more."""
    row = find_job(ref, person=request.user)
    if request.method == "POST":
        cancel_job(job=row, by=request.user, at=timezone.now())
        return redirect("portal:job", ref=ref)
    if row.run is not None or row.job_state in FINAL:
        return redirect("portal:job", ref=ref)
    return page(request, "portal/job_cancel.html", CancelPage(job=job_detail(row)), place="jobs")
