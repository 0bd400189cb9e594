"""Erase and rebuild: which versions and releases hold something, their tombstones, and the version without it.

The worker searches the files that the hub has. Every standing version that holds it, and every one that cannot be
searched for a person or a document, is told; those that hold it are withdrawn and the newest is built anew without it.
"""

import hashlib
import logging
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django_tasks import task
from pydantic import ValidationError

from fucina.client.wire_data import ErasureFinding, ErasureInfo, ErasureRequest
from fucina.data.croissant import croissant_of
from fucina.data.description import DatasetDescription, FileInfo
from fucina.data.erasure import Done, Sought, TableWork, Task, curation_without, sha256_of
from fucina.errors import BadInput, ErrorBody, FactoryError
from fucina.hub.compute.models import ProjectFile
from fucina.hub.data.actions import enter_version, tree_sha256
from fucina.hub.data.models import Blob, Dataset, DatasetVersion, Erasure, ErasureState
from fucina.hub.data.publishing import bury, check_owner, files_to_give
from fucina.hub.data.read import erasure_info
from fucina.hub.data.storage import blob_path, hub_folder, receive
from fucina.hub.people.actions import Rule, record
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible
from fucina.hub.registry.models import Release

logger = logging.getLogger(__name__)
RULE = Rule("erasure")
PARQUET = ".parquet"
SPLITS = ("train", "validation")


class NothingSought(BadInput):
    """What is to be erased is empty, or so short that it would hit anything."""

    code = "nothing_sought"


class TablesRefused(BadInput):
    """A table cannot be read; the code is that of the reader."""

    code = "tables_refused"


class _Made(NamedTuple):
    """A version without what was sought, as files and words."""

    described: DatasetDescription
    samples: list[object]


@transaction.atomic
def ask(*, dataset: Dataset, request: ErasureRequest, by: Person, at: datetime) -> Erasure:
    """Ask the worker to erase. Raises NotAHolder, NothingSought."""
    check_owner(dataset, by)
    sought = " ".join(request.sought.split()) if request.kind == "person" else request.sought
    if len(sought.strip()) < 3 or not any(letter.isalnum() for letter in sought):
        raise NothingSought("What is sought has fewer than three characters.", hint="Give an id or a full name.")
    digest = hashlib.sha256(sought.encode()).hexdigest()
    row = Erasure.objects.create(
        dataset=dataset, kind=request.kind, sought=sought, sought_sha256=digest, asked_by=by, asked_at=at
    )
    record(by, "data.ask_erasure", row, at=at, data={"dataset": dataset.ref, "kind": request.kind, "sha256": digest})
    transaction.on_commit(lambda: erase_task.enqueue(row.ref))
    return row


@task()
def erase_task(ref: str) -> str:
    """Search, withdraw and rebuild in the worker; returns the state."""
    row = Erasure.objects.select_related("dataset__organisation").get(ref=ref)
    at = timezone.now()
    try:
        return carry_out(row, at=at).state
    except FactoryError as error:
        problem = error.body()
    except Exception:
        logger.exception("erasure %s failed", ref)
        problem = ErrorBody(
            code="erasure_failed",
            message="The hub failed while it erased; the failure is in its log.",
            hint="Tell the operator; ask again afterwards.",
        )
    with transaction.atomic():
        Erasure.objects.filter(pk=row.pk).update(
            state=ErasureState.FAILED, problem=problem.model_dump(mode="json"), done_at=at
        )
        record(RULE, "data.fail_erasure", row, at=at, data={"code": problem.code})
    return ErasureState.FAILED


def carry_out(row: Erasure, *, at: datetime) -> Erasure:
    """Do what an erasure asks; done twice it is done once. Raises BadTable."""
    if row.state == ErasureState.DONE:
        return row
    sought = Sought(kind="person" if row.kind == "person" else "document", text=row.sought)
    standing = _standing(row.dataset)
    ids = {version.pk: _find(version, sought) for version in standing}
    hit = [version for version in standing if ids[version.pk]]
    with tempfile.TemporaryDirectory(dir=_scratch()) as folder:
        made = _without(hit[-1], ids[hit[-1].pk] or set(), Path(folder), at=at) if hit else None
        with transaction.atomic():
            return _enter(row, standing, ids, hit, made, at=at)


def _standing(dataset: Dataset) -> list[DatasetVersion]:
    rows = dataset.versions.filter(withdrawal__isnull=True).select_related("dataset__organisation")
    return list(rows.order_by("version"))


def _scratch() -> Path:
    folder = hub_folder() / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _tables(version: DatasetVersion) -> list[FileInfo]:
    held = files_to_give(version)
    return [file for file in held if file.path.endswith(PARQUET) and blob_path(file.sha256).is_file()]


def _find(version: DatasetVersion, sought: Sought) -> set[str] | None:
    """Ids of documents that hold it; None where the hub has not all files of the version to search."""
    told = [file for file in version.described.files_of("documents")]
    tables = [file for file in _tables(version) if file.role == "documents"]
    if not told or len(tables) < len(told):
        return None
    work = tuple(TableWork(path=str(blob_path(file.sha256))) for file in tables)
    return set(_run(Task(tables=work, sought=sought)).ids)


def _run(task: Task) -> Done:
    """Read and write tables in a process of its own: the hub itself never loads what stages need.

    Raises TablesRefused.
    """
    command = [sys.executable, "-m", "fucina.data.erase"]
    done = subprocess.run(command, input=task.model_dump_json(), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 0:
        return Done.model_validate_json(done.stdout)
    try:
        told = ErrorBody.model_validate_json(done.stderr)
    except ValidationError:
        logger.error("erasing in tables failed: %s", done.stderr[-4000:])
        raise
    error = TablesRefused(told.message, hint=told.hint)
    error.code = told.code
    raise error


def _without(version: DatasetVersion, ids: set[str], folder: Path, *, at: datetime) -> _Made:
    """The files of a version without these documents, received like any other. Raises BadTable."""
    described, tables = version.described, _tables(version)
    work = tuple(
        TableWork(
            path=str(blob_path(file.sha256)),
            target=str(folder / str(number)),
            split=next((name for name in SPLITS if file.path.startswith(name)), "train"),
            is_documents=file.role == "documents",
        )
        for number, file in enumerate(tables)
    )
    done = _run(Task(tables=work, ids=frozenset(ids)))
    files = [file for file in described.files if file.role == "source"]
    for file, table, num_gone in zip(tables, work, done.num_removed, strict=True):
        target = Path(table.target)
        digest, num_bytes = sha256_of(target), target.stat().st_size
        with target.open("rb") as stream:
            receive(stream, num_bytes=num_bytes, sha256=digest, to=blob_path(digest))
        num_rows = file.num_rows - num_gone if file.num_rows is not None else None
        files.append(file.model_copy(update={"sha256": digest, "num_bytes": num_bytes, "num_rows": num_rows}))
    curation = curation_without(described.curation, done.removed) if described.curation else None
    notes = f"Version {version.version} without {len(ids)} documents that were erased on request."
    return _Made(described.model_copy(update={"files": tuple(files), "curation": curation, "notes": notes}), [])


def _enter(
    row: Erasure,
    standing: list[DatasetVersion],
    ids: dict[int, set[str] | None],
    hit: list[DatasetVersion],
    made: _Made | None,
    *,
    at: datetime,
) -> Erasure:
    dataset = Dataset.objects.select_for_update(no_key=True, of=("self",)).get(pk=row.dataset_id)
    row = Erasure.objects.select_for_update(no_key=True, of=("self",)).get(pk=row.pk)
    if row.state == ErasureState.DONE:
        return row
    row.findings = [_finding(version, ids[version.pk]).model_dump(mode="json") for version in standing]
    for version in hit:
        bury(version=version, reason="Erased on request.", person=None, by=RULE, at=at, erasure=row)
    if made is not None:
        for file in made.described.files_of("documents", "record"):
            Blob.objects.get_or_create(
                organisation=dataset.organisation,
                project=dataset.name,
                sha256=file.sha256,
                defaults={"num_bytes": file.num_bytes, "received_at": at},
            )
        dataset.refresh_from_db()
        enter_version(
            dataset=dataset,
            sha256=tree_sha256({f"{file.role}/{file.path}": file.sha256 for file in made.described.files}),
            card=croissant_of(made.described),
            licence=hit[-1].licence,
            described=made.described,
            made_from=hit[-1],
            by=RULE,
            at=at,
        )
    gone = _forget(dataset, hit)
    row.state, row.sought, row.done_at, row.problem = ErasureState.DONE, "", at, None
    row.save(update_fields=["state", "sought", "done_at", "findings", "problem"])
    told = {"versions": [version.version for version in hit], "num_files": len(gone)}
    record(RULE, "data.erase", row, at=at, data=told)
    transaction.on_commit(lambda: _unlink(gone))
    return row


def _finding(version: DatasetVersion, ids: set[str] | None) -> ErasureFinding:
    digests = [file.sha256 for file in version.described.files_of("documents")]
    staged = ProjectFile.objects.filter(sha256__in=digests).values_list("project__ref", flat=True) if ids else ()
    releases = Release.objects.filter(dataset_version=version).order_by("pk").values_list("ref", flat=True)
    return ErasureFinding(
        version=version.version,
        num_documents=len(ids or ()),
        searched=ids is not None,
        releases=tuple(releases) if ids is None or ids else (),
        projects=tuple(sorted(set(staged))),
    )


def _forget(dataset: Dataset, hit: list[DatasetVersion]) -> list[str]:
    """Drop the dataset's hold on files of buried versions that no standing one has; returns digests nobody holds."""
    buried = {file.sha256 for version in hit for file in version.described.files_of("documents", "record")}
    kept = {file.sha256 for version in _standing(dataset) for file in version.described.files}
    dropped = sorted(buried - kept)
    Blob.objects.filter(organisation=dataset.organisation, project=dataset.name, sha256__in=dropped).delete()
    held = set(Blob.objects.filter(sha256__in=dropped).values_list("sha256", flat=True))
    return [sha256 for sha256 in dropped if sha256 not in held]


def _unlink(digests: list[str]) -> None:
    for sha256 in digests:
        blob_path(sha256).unlink(missing_ok=True)


def resume_erasures() -> int:
    """Ask again for what a killed worker left undone; returns how many. Safe at any time."""
    refs = list(Erasure.objects.filter(state=ErasureState.OPEN).values_list("ref", flat=True))
    for ref in refs:
        erase_task.enqueue(ref)
    return len(refs)


def find(ref: str, *, person: Person) -> Erasure:
    """An erasure. Raises NotVisible."""
    return get_visible(Erasure.objects.visible_to(person).select_related("dataset", "asked_by"), ref)


def info(row: Erasure) -> ErasureInfo:
    """An erasure with what came of it."""
    buried = DatasetVersion.objects.filter(withdrawal__erasure=row).order_by("version")
    numbers = list(buried.values_list("version", flat=True))
    rebuilt = DatasetVersion.objects.filter(made_from__in=buried).values_list("version", flat=True).last()
    return erasure_info(row, rebuilt=rebuilt, withdrawn=numbers)
