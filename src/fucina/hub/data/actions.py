"""Everything that is written about data."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Max

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
) -> DatasetVersion:
    """Enter the data of a run; the same run twice is one version."""
    known = DatasetVersion.objects.filter(run=run).first()
    if known is not None:
        return known
    Dataset.objects.get_or_create(organisation=organisation, project=project, defaults={"created_at": at})
    dataset = Dataset.objects.select_for_update(no_key=True).get(organisation=organisation, project=project)
    last = dataset.versions.aggregate(last=Max("version"))["last"] or 0
    version = dataset.versions.create(
        version=last + 1, sha256=sha256, card=card, licence=licence, run=run, created_at=at
    )
    record(by, "data.register_version", dataset, at=at, data={"version": version.version, "run": run})
    return version
