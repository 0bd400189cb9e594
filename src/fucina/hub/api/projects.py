"""Projects, their ledger and the files that they send."""

from django.http import HttpResponse
from django.utils import timezone
from ninja import Router

from fucina.client.wire import BlobAnswer, BlobQuery, LedgerLine, ProjectInfo
from fucina.hub.api.doors import PersonRequest
from fucina.hub.api.upload import content_length
from fucina.hub.compute import read
from fucina.hub.data.actions import missing_blobs, receive_blob

router = Router(tags=["projects"])


@router.get("", response=list[ProjectInfo])
def projects(request: PersonRequest) -> list[ProjectInfo]:
    """Projects that you may see."""
    return read.projects(request.auth)


@router.get("/{ref}", response=ProjectInfo)
def project(request: PersonRequest, ref: str) -> ProjectInfo:
    """One project with its balance."""
    return read.project_info(read.find_project(ref, person=request.auth))


@router.get("/{ref}/ledger", response=list[LedgerLine])
def ledger(request: PersonRequest, ref: str) -> list[LedgerLine]:
    """Every ledger entry of a project, oldest first."""
    return read.ledger(read.find_project(ref, person=request.auth))


@router.post("/{ref}/blobs/missing", response=BlobAnswer)
def missing(request: PersonRequest, ref: str, body: BlobQuery) -> BlobAnswer:
    """Which of these files the project lacks."""
    row = read.find_project(ref, person=request.auth)
    return BlobAnswer(missing=missing_blobs(organisation=row.organisation, project=row.name, sha256s=body.sha256s))


@router.put("/{ref}/blobs/{sha256}", response={204: None})
def put_blob(request: PersonRequest, ref: str, sha256: str) -> HttpResponse:
    """Send a file; the raw body must have this digest."""
    row = read.find_project(ref, person=request.auth)
    receive_blob(
        organisation=row.organisation,
        project=row.name,
        sha256=sha256,
        num_bytes=content_length(request),
        stream=request,
        by=request.auth,
        at=timezone.now(),
    )
    return HttpResponse(status=204)
