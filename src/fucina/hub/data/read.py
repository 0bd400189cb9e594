"""Wire types built from datasets, their versions, requests and erasures."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from fucina.client.wire_data import (
    DataRequestInfo,
    DatasetDetail,
    DatasetSummary,
    DataWish,
    ErasureFinding,
    ErasureInfo,
    Sample,
    SearchAnswer,
    VersionDiff,
    VersionInfo,
)
from fucina.data.description import DatasetDescription, Sensitivity
from fucina.data.drift import drift
from fucina.errors import ErrorBody, NotVisible, WrongState
from fucina.hub.data.catalogue import Found, search
from fucina.hub.data.leave import check_leave, is_member, live_grant, may_have
from fucina.hub.data.models import (
    AccessRequest,
    AccessRequestQuerySet,
    Dataset,
    DatasetQuerySet,
    DatasetVersion,
    Erasure,
    RequestState,
)
from fucina.hub.data.publishing import files_to_give, is_owner
from fucina.hub.data.storage import blob_path
from fucina.hub.people.models import Membership, Person, Role
from fucina.hub.people.visible import get_visible

MAX_PAGE = 100


class VersionWithdrawn(WrongState):
    """The version has a tombstone; its files are not given."""

    code = "version_withdrawn"


class NothingToCompare(WrongState):
    """A version of which no record tells how it was curated."""

    code = "nothing_to_compare"


def visible_datasets(person: Person | None) -> DatasetQuerySet:
    """Rows with what a summary needs."""
    return Dataset.objects.visible_to(person).select_related("organisation", "current")


def find_dataset(ref: str, *, person: Person | None) -> Dataset:
    """A dataset by its reference. Raises NotVisible."""
    return get_visible(visible_datasets(person), ref)


def find_version(dataset: Dataset, number: int | None) -> DatasetVersion:
    """A version by its number, or the one that the catalogue shows. Raises NotVisible."""
    rows = dataset.versions.select_related("dataset__organisation", "withdrawal", "made_from")
    if number is None:
        row = rows.filter(pk=dataset.current_id or 0).first()
    else:
        row = rows.filter(version=number).first() if 0 < number < 2**31 else None
    if row is None:
        raise NotVisible(f"{dataset} has no such version.", hint=f"Look at `fucina data show {dataset.ref}`.")
    return row


def search_page(wish: DataWish, *, person: Person, offset: int, limit: int) -> SearchAnswer:
    """A page of what was found."""
    found = search(wish, person=person)
    rows = found.rows[offset : offset + min(limit, MAX_PAGE)]
    return SearchAnswer(
        num_datasets=num_found(found), datasets=tuple(summary(row) for row in rows), facets=found.facets
    )


def num_found(found: Found) -> int:
    """How many datasets fit: each has exactly one sensitivity, so the facets know."""
    return sum(facet.num_datasets for facet in found.facets if facet.kind == "sensitivity")


def summary(dataset: Dataset) -> DatasetSummary:
    """A dataset as a list shows it."""
    version = dataset.current
    plain = (version.description or {}) if version else {}
    return DatasetSummary(
        ref=dataset.ref,
        name=dataset.name,
        title=str(dataset),
        organisation=dataset.organisation.name,
        listing=dataset.listing,
        access=dataset.access,
        sensitivity=dataset.sensitivity,
        version=version.version if version else 0,
        licences=tuple(plain.get("licences", ())) or ((version.licence,) if version and version.licence else ()),
        languages=tuple(plain.get("languages", ())),
        num_documents=version.num_documents if version else 0,
        num_bytes=version.num_bytes if version else 0,
        num_met=version.num_met if version else 0,
        changed_at=dataset.changed_at,
    )


def version_info(version: DatasetVersion) -> VersionInfo:
    """A version as a list shows it."""
    tombstone = getattr(version, "withdrawal", None)
    return VersionInfo(
        ref=version.ref,
        version=version.version,
        sha256=version.sha256,
        run=version.run or "",
        made_from=version.made_from.version if version.made_from else None,
        num_documents=version.num_documents,
        num_bytes=version.num_bytes,
        num_met=version.num_met,
        created_at=version.created_at,
        withdrawn_at=tombstone.at if tombstone else None,
        withdrawn_because=tombstone.reason if tombstone else "",
    )


def detail(dataset: Dataset, *, person: Person | None, at: datetime, number: int | None = None) -> DatasetDetail:
    """A dataset with one version, and what this person may do. Raises NotVisible for a version that is not there."""
    known = number is not None or dataset.current_id is not None
    version = find_version(dataset, number) if known else None
    own, leave = is_member(dataset, person), may_have(dataset, person, at=at)
    grant = None if own else live_grant(dataset, person, at=at)
    described = version.described if version else None
    withdrawn = version is not None and hasattr(version, "withdrawal")
    hidden = withdrawn or (dataset.sensitivity == Sensitivity.SENSITIVE and not leave)
    samples = version.samples if version else []
    rows = dataset.versions.select_related("withdrawal", "made_from").order_by("-version")
    return DatasetDetail(
        summary=summary(dataset),
        terms=dataset.terms,
        is_own=own,
        is_owner=person is not None and own and is_owner(dataset, person),
        may_have=leave and not withdrawn,
        leave_ends_at=grant.expires_at if grant else None,
        version=version_info(version) if version else None,
        description=described if own or described is None else _for_others(described),
        marks=version.parsed_marks if version else (),
        samples=() if hidden else tuple(Sample.model_validate(sample) for sample in samples),
        samples_hidden=bool(samples) and hidden,
        held=tuple(file.path for file in files_to_give(version)) if version and not withdrawn else (),
        versions=tuple(version_info(row) for row in rows.defer("description", "card", "samples")),
    )


def _for_others(described: DatasetDescription) -> DatasetDescription:
    """What those outside the organisation are told: not how its runs are called."""
    return described.model_copy(update={"run": ""})


def file_to_give(version: DatasetVersion, path: str, *, person: Person, at: datetime) -> Path:
    """Where the bytes of a file of a version lie. Raises NoLeave, VersionWithdrawn, NotVisible."""
    check_leave(version.dataset, person, at=at)
    check_standing(version)
    file = next((file for file in files_to_give(version) if file.path == path), None)
    target = blob_path(file.sha256) if file else None
    if target is None or not target.is_file():
        raise NotVisible(
            f"{version} has no file {path[:80]!r} at the hub.",
            hint=f"Look at `fucina data show {version.dataset.ref}`.",
        )
    return target


def check_standing(version: DatasetVersion) -> None:
    """Raises VersionWithdrawn."""
    if hasattr(version, "withdrawal"):
        raise VersionWithdrawn(
            f"{version} was withdrawn: {version.withdrawal.reason}", hint="Take the newest version instead."
        )


def compare(before: DatasetVersion, after: DatasetVersion) -> VersionDiff:
    """What changed between two versions. Raises NothingToCompare."""
    told = [before.described, after.described]
    curations = [one.curation for one in told]
    if curations[0] is None or curations[1] is None:
        silent = before if curations[0] is None else after
        raise NothingToCompare(f"No record tells how {silent} was curated.", hint="Publish it with its card.")
    numbers = [_numbers(one) for one in told]
    names = [*numbers[0], *(name for name in numbers[1] if name not in numbers[0])]
    pairs = [(name, numbers[0].get(name, 0), numbers[1].get(name, 0)) for name in names]
    sources = [{(file.path, file.sha256) for file in one.files_of("source")} for one in told]
    return VersionDiff(
        before=before.version,
        after=after.version,
        numbers=tuple(pair for pair in pairs if pair[1] != pair[2]),
        drift=drift(curations[0], curations[1]),
        sources_added=tuple(sorted(name for name, _ in sources[1] - sources[0])),
        sources_removed=tuple(sorted(name for name, _ in sources[0] - sources[1])),
    )


def _numbers(described: DatasetDescription) -> dict[str, int]:
    found = described.curation
    if found is None:
        return {}
    return {
        "records": found.num_records,
        "documents": found.num_documents,
        "characters": found.train.num_characters + found.validation.num_characters,
        "tokens": found.train.num_tokens + found.validation.num_tokens,
        "bytes": described.num_bytes,
        **{f"dropped: {reason}": count for reason, count in (found.broken | found.drops).items()},
        **{f"redacted: {kind}": count for kind, count in found.redactions.items()},
        **{f"language: {code}": part.num_documents for code, part in found.languages.items()},
    }


def visible_requests(person: Person) -> AccessRequestQuerySet:
    """Requests with what `request_info` needs, newest first."""
    rows = AccessRequest.objects.visible_to(person)
    rows = rows.select_related("dataset__organisation", "organisation", "asked_by", "decided_by", "grant")
    return rows.order_by("-asked_at", "-pk")


def find_request(ref: str, *, person: Person) -> AccessRequest:
    """A request for data. Raises NotVisible."""
    return get_visible(visible_requests(person), ref)


def request_infos(rows: Iterable[AccessRequest], *, person: Person) -> list[DataRequestInfo]:
    """Requests as this person sees them; one query more, however many."""
    roles: dict[int, str] = dict(Membership.objects.filter(person=person).values_list("organisation_id", "role"))
    return [request_info(row, roles=roles) for row in rows]


def request_info(row: AccessRequest, *, roles: dict[int, str]) -> DataRequestInfo:
    """A request; `roles` are the person's, by organisation."""
    grant = getattr(row, "grant", None)
    holds = roles.get(row.dataset.organisation_id) == Role.OWNER
    owns = holds and row.organisation_id not in roles
    return DataRequestInfo(
        ref=row.ref,
        dataset=row.dataset.ref,
        title=str(row.dataset),
        organisation=row.organisation.name,
        holder=row.dataset.organisation.name,
        asked_by=str(row.asked_by),
        purpose=row.purpose,
        terms=row.terms,
        state=row.state,
        asked_at=row.asked_at,
        decided_by=str(row.decided_by) if row.decided_by else "",
        decided_at=row.decided_at,
        reason=row.reason,
        grant=grant.ref if grant else "",
        expires_at=grant.expires_at if grant else None,
        revoked_at=grant.revoked_at if grant else None,
        may_decide=owns and row.state == RequestState.SUBMITTED,
        may_end=(row.state == RequestState.SUBMITTED and row.organisation_id in roles)
        or (grant is not None and grant.revoked_at is None and holds),
    )


def erasure_info(row: Erasure, *, rebuilt: int | None, withdrawn: Sequence[int]) -> ErasureInfo:
    """An erasure with what came of it."""
    return ErasureInfo(
        ref=row.ref,
        dataset=row.dataset.ref,
        kind=row.kind,
        sought_sha256=row.sought_sha256,
        state=row.state,
        asked_by=str(row.asked_by),
        asked_at=row.asked_at,
        done_at=row.done_at,
        findings=tuple(ErasureFinding.model_validate(finding) for finding in row.findings),
        withdrawn=tuple(withdrawn),
        rebuilt=rebuilt,
        problem=ErrorBody.model_validate(row.problem) if row.problem else None,
    )
