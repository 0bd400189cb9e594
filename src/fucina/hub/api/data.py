"""The catalogue of data: found, shown, published, asked for, downloaded, staged."""

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from fucina.client.wire import BlobAnswer
from fucina.client.wire_data import (
    DataAccessAsk,
    DataDecision,
    DataRequestInfo,
    DatasetDetail,
    DatasetFilesQuery,
    DatasetSummary,
    DataWish,
    ErasureInfo,
    ErasureRequest,
    Policy,
    PublishRequest,
    SearchAnswer,
    StagedInfo,
    StageRequest,
    VersionDiff,
    WithdrawRequest,
)
from fucina.data.croissant import croissant_of
from fucina.hub.api.doors import PersonRequest
from fucina.hub.api.files import answer_file
from fucina.hub.api.lists import list_answer
from fucina.hub.api.upload import content_length
from fucina.hub.compute.read import find_project
from fucina.hub.compute.staging import stage
from fucina.hub.data import leave, publishing, read
from fucina.hub.data.actions import missing_blobs, receive_blob
from fucina.hub.people.actions import record
from fucina.hub.registry import erasure

router = Router(tags=["data"])
requests_router = Router(tags=["data"])
erasures_router = Router(tags=["data"])


class Page(Schema):
    """What is looked for, and which part of the answer."""

    words: str = Field(default="", max_length=500)
    language: str = Field(default="", max_length=16)
    licence: str = Field(default="", max_length=200)
    sensitivity: str = Field(default="", max_length=16)
    access: str = Field(default="", max_length=16)
    theme: str = Field(default="", max_length=16)
    size: str = Field(default="", max_length=16)
    quality: str = Field(default="", max_length=16)
    offset: int = Field(default=0, ge=0, le=10_000_000)
    limit: int = Field(default=50, ge=1, le=100)


@router.get("", response=SearchAnswer)
def search(request: PersonRequest, asked: Query[Page]) -> SearchAnswer:
    """Datasets that you may see, with how many have each language, licence, theme and so on."""
    wish = DataWish.model_validate(asked.dict(exclude={"offset", "limit"}))
    return read.search_page(wish, person=request.auth, offset=asked.offset, limit=asked.limit)


@router.post("", response=DatasetDetail)
def publish(request: PersonRequest, body: PublishRequest) -> DatasetDetail:
    """Enter a version; the same again is the version that there is."""
    at = timezone.now()
    version = publishing.publish(request=body, by=request.auth, at=at)
    return read.detail(
        read.find_dataset(version.dataset.ref, person=request.auth), person=request.auth, at=at, number=version.version
    )


@router.post("/files/missing", response=BlobAnswer)
def missing(request: PersonRequest, body: DatasetFilesQuery) -> BlobAnswer:
    """Which of these files the hub lacks for a dataset of your organisation."""
    organisation = publishing.holder(body.organisation, person=request.auth)
    return BlobAnswer(missing=missing_blobs(organisation=organisation, project=body.name, sha256s=body.sha256s))


@router.put("/files/{organisation}/{name}/{sha256}", response={204: None})
def put_file(request: PersonRequest, organisation: str, name: str, sha256: str) -> HttpResponse:
    """Send a file of a dataset; the raw body must have this digest."""
    receive_blob(
        organisation=publishing.holder(organisation, person=request.auth),
        project=publishing.check_name(name),
        sha256=sha256,
        num_bytes=content_length(request),
        stream=request,
        by=request.auth,
        at=timezone.now(),
    )
    return HttpResponse(status=204)


@router.get("/{ref}", response=DatasetDetail)
def dataset(request: PersonRequest, ref: str, version: int | None = None) -> DatasetDetail:
    """One dataset with its newest version, or the one that is named."""
    row = read.find_dataset(ref, person=request.auth)
    return read.detail(row, person=request.auth, at=timezone.now(), number=version)


@router.post("/{ref}/policy", response=DatasetSummary)
def policy(request: PersonRequest, ref: str, body: Policy) -> DatasetSummary:
    """Say anew who finds a dataset and who may have it (owners)."""
    row = read.find_dataset(ref, person=request.auth)
    publishing.change_policy(dataset=row, policy=body, by=request.auth, at=timezone.now())
    return read.summary(read.find_dataset(ref, person=request.auth))


@router.get("/{ref}/diff", response=VersionDiff)
def diff(request: PersonRequest, ref: str, before: int, after: int) -> VersionDiff:
    """What changed between two versions, and how far their make-up lies apart."""
    row = read.find_dataset(ref, person=request.auth)
    return read.compare(read.find_version(row, before), read.find_version(row, after))


@router.get("/{ref}/versions/{version}/croissant")
def croissant(request: PersonRequest, ref: str, version: int) -> dict[str, object]:
    """A version as Croissant 1.1 metadata."""
    found = read.find_version(read.find_dataset(ref, person=request.auth), version)
    return croissant_of(found.described)


@router.get("/{ref}/versions/{version}/files/{path:path}")
def file(request: PersonRequest, ref: str, version: int, path: str) -> HttpResponseBase:
    """One file of a version, as a download; the beginning of each is noted."""
    found, at = read.find_version(read.find_dataset(ref, person=request.auth), version), timezone.now()
    target = read.file_to_give(found, path, person=request.auth, at=at)
    if not request.headers.get("Range"):
        record(request.auth, "data.download", found, at=at, data={"path": path, "dataset": ref})
    return answer_file(request, target, filename=path.rpartition("/")[2])


@router.post("/{ref}/versions/{version}/stage", response=StagedInfo)
def stage_version(request: PersonRequest, ref: str, version: int, body: StageRequest) -> StagedInfo:
    """Put the files of a version into a project's folder, for its jobs at any site."""
    found = read.find_version(read.find_dataset(ref, person=request.auth), version)
    project = find_project(body.project, person=request.auth)
    return stage(version=found, project=project, by=request.auth, at=timezone.now())


@router.post("/{ref}/versions/{version}/withdraw", response=DatasetDetail)
def withdraw(request: PersonRequest, ref: str, version: int, body: WithdrawRequest) -> DatasetDetail:
    """Take a version back (owners)."""
    found, at = read.find_version(read.find_dataset(ref, person=request.auth), version), timezone.now()
    publishing.withdraw(version=found, reason=body.reason, by=request.auth, at=at)
    return read.detail(read.find_dataset(ref, person=request.auth), person=request.auth, at=at, number=version)


@router.post("/{ref}/requests", response=DataRequestInfo)
def ask(request: PersonRequest, ref: str, body: DataAccessAsk) -> DataRequestInfo:
    """Ask for a dataset on behalf of your organisation."""
    row = read.find_dataset(ref, person=request.auth)
    made = leave.ask(dataset=row, request=body, by=request.auth, at=timezone.now())
    return _request(request, made.ref)


@router.post("/{ref}/erasures", response=ErasureInfo)
def erase(request: PersonRequest, ref: str, body: ErasureRequest) -> ErasureInfo:
    """Ask that a document, or what is said of a person, leaves a dataset (owners); the worker does it."""
    row = read.find_dataset(ref, person=request.auth)
    made = erasure.ask(dataset=row, request=body, by=request.auth, at=timezone.now())
    return erasure.info(made)


@requests_router.get("", response=list[DataRequestInfo])
def requests(request: PersonRequest) -> HttpResponse:
    """Requests that your organisations made, and those for their data, newest first."""
    rows = read.request_infos(read.visible_requests(request.auth), person=request.auth)
    return list_answer(DataRequestInfo, rows)


@requests_router.post("/{ref}/decide", response=DataRequestInfo)
def decide(request: PersonRequest, ref: str, body: DataDecision) -> DataRequestInfo:
    """Grant or reject a request for data (owners of the data)."""
    row = read.find_request(ref, person=request.auth)
    leave.decide(request=row, decision=body, by=request.auth, at=timezone.now())
    return _request(request, ref)


@requests_router.post("/{ref}/take-back", response=DataRequestInfo)
def take_back(request: PersonRequest, ref: str) -> DataRequestInfo:
    """Take back a request of your organisation that waits."""
    leave.take_back(request=read.find_request(ref, person=request.auth), by=request.auth, at=timezone.now())
    return _request(request, ref)


@requests_router.post("/{ref}/revoke", response=DataRequestInfo)
def revoke(request: PersonRequest, ref: str) -> DataRequestInfo:
    """End what a request was granted, now (owners of the data)."""
    leave.revoke(request=read.find_request(ref, person=request.auth), by=request.auth, at=timezone.now())
    return _request(request, ref)


@erasures_router.get("/{ref}", response=ErasureInfo)
def erasure_info(request: PersonRequest, ref: str) -> ErasureInfo:
    """An erasure with what came of it (owners)."""
    return erasure.info(erasure.find(ref, person=request.auth))


def _request(request: PersonRequest, ref: str) -> DataRequestInfo:
    (found,) = read.request_infos([read.find_request(ref, person=request.auth)], person=request.auth)
    return found
