"""A project's folder at the hub: names for files that the project sent."""

from datetime import datetime
from pathlib import Path

from django.db import transaction

from fucina.errors import NotVisible
from fucina.hub.compute.artifacts import artifact_folder
from fucina.hub.compute.models import Job, Project, ProjectFile
from fucina.hub.data.actions import receive_blob
from fucina.hub.data.storage import BadPath, ByteStream, blob_path, check_relative, inside
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person


def put_file(
    *,
    project: Project,
    path: str,
    sha256: str,
    num_bytes: int,
    stream: ByteStream,
    by: Person,
    at: datetime,
) -> ProjectFile:
    """Put a file into a project's folder, or another one under its name. Raises BadPath, BadUpload."""
    check_relative(path)
    _check_free(project, path)
    receive_blob(
        organisation=project.organisation,
        project=project.name,
        sha256=sha256,
        num_bytes=num_bytes,
        stream=stream,
        by=by,
        at=at,
    )
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        _check_free(project, path)
        row, _ = ProjectFile.objects.update_or_create(
            project=project,
            path=path,
            defaults={"sha256": sha256, "num_bytes": num_bytes, "sent_by": by, "sent_at": at},
        )
        record(by, "compute.put_file", row, at=at, data={"project": project.ref, "path": path, "sha256": sha256})
    return row


def _check_free(project: Project, path: str) -> None:
    """Raises BadPath where a file would be a folder at once."""
    parts = path.split("/")
    parents = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    rows = ProjectFile.objects.filter(project=project)
    if rows.filter(path__in=parents).exists() or rows.filter(path__startswith=f"{path}/").exists():
        raise BadPath(f"{path[:80]!r} would be a file and a folder at once.", hint="Use another name.")


def stored_file(project: Project, path: str) -> Path:
    """Where the bytes of a project's file lie. Raises NotVisible."""
    row = ProjectFile.objects.filter(project=project, path=path).first() if "\x00" not in path else None
    if row is None or not blob_path(row.sha256).is_file():
        raise NotVisible(f"{project.name} has no file {path[:80]!r}.", hint=f"Look at `fucina ls {project.ref}`.")
    return blob_path(row.sha256)


def left_file(job: Job, path: str) -> Path:
    """Where the bytes of a file that a job left lie. Raises NotVisible."""
    known = "\x00" not in path and job.artifacts.filter(path=path).exists()
    target = inside(artifact_folder(job), path) if known else None
    if target is None or not target.is_file():
        raise NotVisible(f"{job.ref} left no file {path[:80]!r}.", hint=f"Look at `fucina ls {job.ref}`.")
    return target
