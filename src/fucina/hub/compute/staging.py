"""Data of the catalogue in a project's folder, from where any of its jobs at any site brings it along."""

from datetime import datetime

from django.db import transaction

from fucina.client.wire_data import StagedInfo
from fucina.errors import NotVisible
from fucina.hub.compute.models import Project, ProjectFile
from fucina.hub.data.leave import check_leave
from fucina.hub.data.models import Blob, DatasetVersion
from fucina.hub.data.publishing import files_to_give
from fucina.hub.data.read import check_standing
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person


class NothingHeld(NotVisible):
    """The hub has none of the version's files."""

    code = "nothing_held"


def staged_folder(version: DatasetVersion) -> str:
    """Where the files of a version stand in a project's folder."""
    return f"data/{version.dataset.ref}/v{version.version}"


@transaction.atomic
def stage(*, version: DatasetVersion, project: Project, by: Person, at: datetime) -> StagedInfo:
    """Put the files of a version into a project's folder; no byte is copied. Twice is once.

    Raises NoLeave, VersionWithdrawn, NothingHeld.
    """
    check_leave(version.dataset, by, at=at)
    check_standing(version)
    files = files_to_give(version)
    if not files:
        raise NothingHeld(f"The hub has no file of {version}.", hint="Ask its holder to publish the files.")
    project = Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=project.pk)
    paths = []
    for file in files:
        path = f"{staged_folder(version)}/{file.path}"
        Blob.objects.get_or_create(
            organisation=project.organisation,
            project=project.name,
            sha256=file.sha256,
            defaults={"num_bytes": file.num_bytes, "received_at": at},
        )
        ProjectFile.objects.update_or_create(
            project=project,
            path=path,
            defaults={"sha256": file.sha256, "num_bytes": file.num_bytes, "sent_by": by, "sent_at": at},
        )
        paths.append(path)
    record(by, "compute.stage_dataset", version, at=at, data={"project": project.ref, "num_files": len(paths)})
    return StagedInfo(project=project.ref, paths=tuple(paths), num_bytes=sum(file.num_bytes for file in files))
