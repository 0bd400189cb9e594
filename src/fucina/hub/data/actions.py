"""Everything that is written about data."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from fucina.client.wire_data import Sample
from fucina.data.description import DatasetDescription
from fucina.data.readiness import Mark, readiness
from fucina.hub.data.catalogue import enter
from fucina.hub.data.models import Blob, Dataset, DatasetVersion
from fucina.hub.data.storage import ByteStream, blob_path, check_sha256, receive
from fucina.hub.people.actions import Actor, record
from fucina.hub.people.models import Organisation


def missing_blobs(*, organisation: Organisation, project: str, sha256s: Iterable[str]) -> tuple[str, ...]:
    """Those that the project has not sent, in the order asked for; what other projects sent does not count."""
    wanted = list(dict.fromkeys(check_sha256(sha256) for sha256 in sha256s))
    known: set[str] = set()
    rows = Blob.objects.filter(organisation=organisation, project=project)
    for start in range(0, len(wanted), 500):
        known.update(rows.filter(sha256__in=wanted[start : start + 500]).values_list("sha256", flat=True))
    return tuple(sha256 for sha256 in wanted if sha256 not in known)


def receive_blob(
    *,
    organisation: Organisation,
    project: str,
    sha256: str,
    num_bytes: int,
    stream: ByteStream,
    by: Actor,
    at: datetime,
) -> Blob:
    """Take in a file of a project; sent twice it is one. Raises BadUpload."""
    check_sha256(sha256)
    known = Blob.objects.filter(organisation=organisation, project=project, sha256=sha256).first()
    if known is not None and blob_path(sha256).is_file():
        return known
    receive(stream, num_bytes=num_bytes, sha256=sha256, to=blob_path(sha256))
    with transaction.atomic():
        blob, created = Blob.objects.get_or_create(
            organisation=organisation,
            project=project,
            sha256=sha256,
            defaults={"num_bytes": num_bytes, "received_at": at},
        )
        if created:
            record(
                by,
                "data.receive_blob",
                blob,
                at=at,
                data={"sha256": sha256, "num_bytes": num_bytes, "project": project},
            )
    return blob


def tree_sha256(files: Mapping[str, str]) -> str:
    """One digest over many: of the lines `sha256  path` in the order of the paths."""
    lines = "".join(f"{files[path]}  {path}\n" for path in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


@transaction.atomic
def register_dataset_version(
    *,
    organisation: Organisation,
    project: str,
    run: str,
    sha256: str,
    card: object,
    licence: str,
    by: Actor,
    at: datetime,
    description: DatasetDescription | None = None,
) -> DatasetVersion:
    """Enter the data of a run; the same run twice is one version."""
    known = DatasetVersion.objects.filter(run=run).first()
    if known is not None:
        return known
    dataset = lock_dataset(organisation=organisation, name=project, title=project, at=at)
    return enter_version(
        dataset=dataset, sha256=sha256, card=card, licence=licence, run=run, described=description, by=by, at=at
    )


def lock_dataset(*, organisation: Organisation, name: str, title: str, at: datetime) -> Dataset:
    """The dataset of that name, made when there is none, for whoever is about to change it."""
    Dataset.objects.get_or_create(organisation=organisation, name=name, defaults={"title": title, "created_at": at})
    return Dataset.objects.select_for_update(no_key=True).get(organisation=organisation, name=name)


def enter_version(
    *,
    dataset: Dataset,
    sha256: str,
    card: object,
    licence: str,
    described: DatasetDescription | None,
    by: Actor,
    at: datetime,
    run: str | None = None,
    samples: Sequence[Sample] = (),
    made_from: DatasetVersion | None = None,
) -> DatasetVersion:
    """Add the next version to a dataset that the caller has locked, and let it be found."""
    number = (dataset.versions.aggregate(last=Max("version"))["last"] or 0) + 1
    if described is not None:
        days = {"issued_on": at.date(), "changed_on": at.date()}
        described = described.model_copy(update={"version": number, "run": run or "", "digest": sha256, **days})
    version = dataset.versions.create(
        version=number,
        sha256=sha256,
        card=card,
        description=described.model_dump(mode="json") if described else None,
        licence=licence,
        run=run,
        made_from=made_from,
        samples=[sample.model_dump() for sample in samples],
        marks=[mark.model_dump(mode="json") for mark in _marks(dataset, described)] if described else [],
        num_bytes=described.num_bytes if described else 0,
        num_documents=described.curation.num_documents if described and described.curation else 0,
        created_at=at,
    )
    set_current(dataset, version, at=at)
    record(by, "data.register_version", dataset, at=at, data={"version": number, "run": run or "", "sha256": sha256})
    return version


def set_current(dataset: Dataset, version: DatasetVersion | None, *, at: datetime) -> None:
    """Let the catalogue show a version, or none."""
    dataset.current = version
    dataset.changed_at = at
    dataset.save(update_fields=["current", "changed_at"])
    if version is not None:
        version.dataset = dataset
    enter(dataset, version)


def _marks(dataset: Dataset, described: DatasetDescription) -> tuple[Mark, ...]:
    held = held_paths(dataset, described)
    return readiness(described, num_verified=len(held) if held else None)


def held_paths(dataset: Dataset, described: DatasetDescription) -> tuple[str, ...]:
    """Paths of the documents of a description whose bytes the hub received with their digest."""
    documents = described.files_of("documents")
    blobs = Blob.objects.filter(organisation=dataset.organisation, project=dataset.name)
    known = set(blobs.filter(sha256__in=[file.sha256 for file in documents]).values_list("sha256", flat=True))
    return tuple(file.path for file in documents if file.sha256 in known)
