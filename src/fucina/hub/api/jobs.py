"""Jobs, systems, and why a job waits."""

from typing import Annotated

from django.http import FileResponse, HttpResponse
from django.utils import timezone
from ninja import Router
from pydantic import Field

from fucina.client.wire import LogAnswer
from fucina.client.wire_jobs import (
    JobCheck,
    JobDetail,
    JobRequest,
    JobSummary,
    ProjectFileInfo,
    SystemInfo,
    WaitReason,
)
from fucina.compute.spec import JobState
from fucina.hub.api.doors import PersonRequest
from fucina.hub.api.lists import list_answer
from fucina.hub.compute import job_read, own_jobs, read, waiting
from fucina.hub.compute.files import left_file
from fucina.hub.network.read import systems as all_systems

router = Router(tags=["jobs"])
systems_router = Router(tags=["jobs"])

Limit = Annotated[int, Field(ge=1, le=500)]
Position = Annotated[int, Field(ge=0, lt=2**31)]


@router.post("", response=JobDetail)
def submit(request: PersonRequest, body: JobRequest) -> JobDetail:
    """Submit a command of your own; the same key twice is the same job."""
    project = read.find_project(body.project, person=request.auth)
    job = own_jobs.submit_job(project=project, request=body, by=request.auth, at=timezone.now())
    return job_read.job_detail(job_read.find_job(job.ref, person=request.auth))


@router.post("/check", response=JobCheck)
def check(request: PersonRequest, body: JobRequest) -> JobCheck:
    """Say everything that would keep a job from being submitted, or where it would run; nothing is queued."""
    project = read.find_project(body.project, person=request.auth)
    return own_jobs.look_at(project, body, by=request.auth, at=timezone.now()).answer


@router.get("", response=list[JobSummary])
def jobs(
    request: PersonRequest, project: str = "", state: JobState | None = None, own: bool = False, limit: Limit = 50
) -> HttpResponse:
    """Jobs that you may see, newest first; `project` is a reference or a name, `own` leaves out stages of runs."""
    found = job_read.jobs(request.auth, project=project, state=state, own=own, limit=limit)
    return list_answer(JobSummary, found)


@router.get("/{ref}", response=JobDetail)
def job(request: PersonRequest, ref: str) -> JobDetail:
    """One job."""
    return job_read.job_detail(job_read.find_job(ref, person=request.auth))


@router.post("/{ref}/cancel", response=JobDetail)
def cancel(request: PersonRequest, ref: str) -> JobDetail:
    """End a job of your own."""
    row = job_read.find_job(ref, person=request.auth)
    own_jobs.cancel_job(job=row, by=request.auth, at=timezone.now())
    return job_read.job_detail(job_read.find_job(ref, person=request.auth))


@router.get("/{ref}/log", response=LogAnswer)
def log(request: PersonRequest, ref: str, offset: Position = 0) -> LogAnswer:
    """A piece of a job's log, from a byte on."""
    return read.log(job_read.find_job(ref, person=request.auth), offset=offset)


@router.get("/{ref}/why", response=WaitReason)
def why(request: PersonRequest, ref: str) -> WaitReason:
    """Why a job waits, and what would make it start sooner."""
    return waiting.why(job_read.find_job(ref, person=request.auth), at=timezone.now())


@router.get("/{ref}/files", response=list[ProjectFileInfo])
def files(request: PersonRequest, ref: str) -> list[ProjectFileInfo]:
    """Files that a job left at the hub."""
    return list(job_read.job_files(job_read.find_job(ref, person=request.auth)))


@router.get("/{ref}/files/{path:path}")
def file(request: PersonRequest, ref: str, path: str) -> FileResponse:
    """One file that a job left, as a download."""
    found = left_file(job_read.find_job(ref, person=request.auth), path)
    return FileResponse(found.open("rb"), as_attachment=True, filename=found.name)


@systems_router.get("", response=list[SystemInfo])
def systems(request: PersonRequest) -> list[SystemInfo]:
    """Sites of the network with their partitions, how busy they are, and their maintenance."""
    return all_systems(person=request.auth, at=timezone.now())
