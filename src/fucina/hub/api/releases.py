"""Releases and their bytes."""

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Router

from fucina.client.wire import ReleaseInfo, ReleaseWithdrawal
from fucina.hub.api.archive import stream_zip
from fucina.hub.api.doors import PersonRequest
from fucina.hub.api.files import answer_file
from fucina.hub.registry import log, read
from fucina.hub.registry.actions import withdraw_release
from fucina.trust.transparency import InclusionProof

router = Router(tags=["releases"])


@router.get("", response=list[ReleaseInfo])
def releases(request: PersonRequest) -> list[ReleaseInfo]:
    """Releases that you may see, newest first."""
    return read.releases(request.auth)


@router.get("/{ref}", response=ReleaseInfo)
def release(request: PersonRequest, ref: str) -> ReleaseInfo:
    """One release with its files."""
    return read.release_info(read.find_release(ref, person=request.auth))


@router.get("/{ref}/files/{path:path}")
def file(request: PersonRequest, ref: str, path: str) -> HttpResponseBase:
    """One file of a release, as a download."""
    found = read.release_file(read.find_release(ref, person=request.auth), path)
    return answer_file(request, found, filename=found.name)


@router.get("/{ref}/proof", response=InclusionProof)
def proof(request: PersonRequest, ref: str) -> InclusionProof:
    """That a release is in the factory's log, checked offline by `fucina verify --log`."""
    return log.release_proof(read.find_release(ref, person=request.auth), at=timezone.now())


@router.post("/{ref}/withdraw", response=ReleaseInfo)
def withdraw(request: PersonRequest, ref: str, body: ReleaseWithdrawal) -> ReleaseInfo:
    """Say to everybody that a release must not be used any more."""
    release = read.find_release_to_withdraw(ref, person=request.auth)
    withdraw_release(release=release, reason=body.reason, by=request.auth, at=timezone.now())
    return read.release_info(read.find_release_to_withdraw(ref, person=request.auth))


@router.get("/{ref}/archive")
def archive(request: PersonRequest, ref: str) -> StreamingHttpResponse:
    """The whole release as one ZIP file."""
    row = read.find_release(ref, person=request.auth)
    name = f"{row.model.name}-v{row.version}"
    pieces = stream_zip(read.release_folder(row), [item["path"] for item in row.files], root=name)
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    return response
