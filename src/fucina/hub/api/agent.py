"""What an agent says and hears. Every call may be repeated."""

from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Router
from pydantic import Field

from fucina.client.wire import (
    ClaimAnswer,
    ClaimRequest,
    FinishedRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    ProgressRequest,
    StartedRequest,
)
from fucina.hub.api.doors import AgentRequest
from fucina.hub.api.files import answer_file
from fucina.hub.api.upload import content_length
from fucina.hub.compute import artifacts, jobs
from fucina.hub.trust import registration

router = Router(tags=["agent"])

Position = Annotated[int, Field(ge=0, lt=2**62)]


@router.post("/claim", response=ClaimAnswer)
def claim(request: AgentRequest, body: ClaimRequest) -> ClaimAnswer:
    """Take jobs of the site; those taken before and never started come again."""
    found = jobs.claim(agent=request.auth, num_slots=body.num_slots, num_gpus=body.num_gpus, at=timezone.now())
    return ClaimAnswer(jobs=found)


@router.post("/heartbeat", response=HeartbeatAnswer)
def heartbeat(request: AgentRequest, body: HeartbeatRequest) -> HeartbeatAnswer:
    """Say which jobs are looked after; hear which to cancel or forget."""
    return jobs.heartbeat(agent=request.auth, version=body.version, refs=body.jobs, at=timezone.now())


@router.post("/jobs/{ref}/started", response={204: None})
def started(request: AgentRequest, ref: str, body: StartedRequest) -> HttpResponse:
    """The executor has the job."""
    jobs.mark_started(agent=request.auth, ref=ref, report=body.report, at=timezone.now())
    return HttpResponse(status=204)


@router.post("/jobs/{ref}/progress", response={204: None})
def progress(request: AgentRequest, ref: str, body: ProgressRequest) -> HttpResponse:
    """New progress lines; known ones are skipped."""
    jobs.add_progress(agent=request.auth, ref=ref, first=body.first, lines=body.lines, at=timezone.now())
    return HttpResponse(status=204)


@router.post("/jobs/{ref}/finished", response={204: None})
def finished(request: AgentRequest, ref: str, body: FinishedRequest) -> HttpResponse:
    """The end of a job with its usage; repeated, it changes nothing."""
    registration.finish(
        agent=request.auth, ref=ref, report=body.report, used=body.usage, stage_record=body.record, at=timezone.now()
    )
    return HttpResponse(status=204)


@router.put("/jobs/{ref}/log", response={204: None})
def log(request: AgentRequest, ref: str, offset: Position) -> HttpResponse:
    """A piece of the log at its place."""
    job = jobs.find_job(request.auth, ref)
    artifacts.append_log(job=job, offset=offset, stream=request, num_bytes=content_length(request))
    return HttpResponse(status=204)


@router.get("/jobs/{ref}/blobs/{sha256}")
def blob(request: AgentRequest, ref: str, sha256: str) -> HttpResponseBase:
    """An input file of the job."""
    path = artifacts.source_file(jobs.find_job(request.auth, ref), sha256)
    return answer_file(request, path, filename=sha256)


@router.put("/jobs/{ref}/artifacts/{path:path}", response={204: None})
def artifact(request: AgentRequest, ref: str, path: str) -> HttpResponse:
    """A file that the job made, with its digest in X-Sha256."""
    registration.receive_artifact(
        agent=request.auth,
        ref=ref,
        path=path,
        sha256=request.headers.get("X-Sha256", ""),
        num_bytes=content_length(request),
        stream=request,
        at=timezone.now(),
    )
    return HttpResponse(status=204)
