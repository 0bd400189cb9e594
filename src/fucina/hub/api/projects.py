"""Projects, their ledger and the files that they send."""

from django.http import FileResponse, HttpResponse
from django.utils import timezone
from ninja import Router

from fucina.client.wire import BlobAnswer, BlobQuery, LedgerLine, ProjectInfo
from fucina.client.wire_jobs import ProjectFileInfo
from fucina.hub.api.doors import PersonRequest
from fucina.hub.api.lists import list_answer
from fucina.hub.api.upload import content_length
from fucina.hub.compute import job_read, read
from fucina.hub.compute.files import put_file as put
from fucina.hub.compute.files import stored_file
from fucina.hub.data.actions import missing_blobs, receive_blob

router = Router(tags=["projects"])


@router.get("", response=list[ProjectInfo])
def projects(request: PersonRequest) -> HttpResponse:
    """Projects that you may see."""
    return list_answer(ProjectInfo, read.projects(request.auth))


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


@router.get("/{ref}/files", response=list[ProjectFileInfo])
def files(request: PersonRequest, ref: str) -> list[ProjectFileInfo]:
    """Files of a project's folder."""
    row = read.find_project(ref, person=request.auth)
    return job_read.project_files(row.files.select_related("sent_by").order_by("path"))


@router.put("/{ref}/files/{path:path}", response={204: None})
def put_file(request: PersonRequest, ref: str, path: str) -> HttpResponse:
    """Put a file into a project's folder; the raw body has the digest that X-Sha256 names."""
    put(
        project=read.find_project(ref, person=request.auth),
        path=path,
        sha256=request.headers.get("X-Sha256", ""),
        num_bytes=content_length(request),
        stream=request,
        by=request.auth,
        at=timezone.now(),
    )
    return HttpResponse(status=204)


@router.get("/{ref}/files/{path:path}")
def file(request: PersonRequest, ref: str, path: str) -> FileResponse:
    """One file of a project's folder, as a download."""
    found = stored_file(read.find_project(ref, person=request.auth), path)
    name = path.rpartition("/")[2]
    return FileResponse(found.open("rb"), as_attachment=True, filename=name, content_type="application/octet-stream")
