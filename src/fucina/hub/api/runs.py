"""Line runs."""

from typing import Annotated

from django.http import HttpResponse
from django.utils import timezone
from ninja import Router
from pydantic import Field

from fucina.client.wire import LogAnswer, ProgressAnswer, RunInfo, RunRequest
from fucina.compute.spec import JobState
from fucina.hub.api.doors import PersonRequest
from fucina.hub.api.lists import list_answer
from fucina.hub.compute import actions, read
from fucina.line.spec import StageName

router = Router(tags=["runs"])

Limit = Annotated[int, Field(ge=1, le=500)]
Position = Annotated[int, Field(ge=0, lt=2**31)]


@router.post("", response=RunInfo)
def start(request: PersonRequest, body: RunRequest) -> RunInfo:
    """Start a run; the same key twice is the same run."""
    project = read.find_project(body.project, person=request.auth)
    run = actions.start_run(project=project, request=body, by=request.auth, at=timezone.now())
    return read.run_info(read.find_run(run.ref, person=request.auth))


@router.get("", response=list[RunInfo])
def runs(
    request: PersonRequest,
    project: str = "",
    state: JobState | None = None,
    limit: Limit = 50,
) -> HttpResponse:
    """Runs that you may see, newest first; `project` is a reference or a name."""
    return list_answer(RunInfo, read.runs(request.auth, project=project, state=state, limit=limit))


@router.get("/{ref}", response=RunInfo)
def run(request: PersonRequest, ref: str) -> RunInfo:
    """One run with its five stages."""
    return read.run_info(read.find_run(ref, person=request.auth))


@router.post("/{ref}/cancel", response=RunInfo)
def cancel(request: PersonRequest, ref: str) -> RunInfo:
    """End a run."""
    row = read.find_run(ref, person=request.auth)
    actions.cancel_run(run=row, by=request.auth, at=timezone.now())
    return read.run_info(read.find_run(ref, person=request.auth))


@router.get("/{ref}/jobs/{stage}/log", response=LogAnswer)
def log(request: PersonRequest, ref: str, stage: StageName, offset: Position = 0) -> LogAnswer:
    """A piece of a stage's log, from a byte on."""
    return read.log(read.find_job(read.find_run(ref, person=request.auth), stage), offset=offset)


@router.get("/{ref}/jobs/{stage}/progress", response=ProgressAnswer)
def progress(request: PersonRequest, ref: str, stage: StageName, after: Position = 0) -> ProgressAnswer:
    """Progress lines of a stage, from a number on."""
    return read.progress(read.find_job(read.find_run(ref, person=request.auth), stage), after=after)
