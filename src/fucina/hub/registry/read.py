"""Wire types built from releases, and their bytes."""

from pathlib import Path

from fucina.client.wire import ReleaseFile, ReleaseInfo
from fucina.errors import NotVisible
from fucina.hub.compute.artifacts import artifact_folder
from fucina.hub.data.storage import inside
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible
from fucina.hub.registry.models import Release, ReleaseQuerySet


def release_info(release: Release) -> ReleaseInfo:
    """A release with its files."""
    return ReleaseInfo(
        ref=release.ref,
        model=release.model.name,
        project=release.model.project.ref,
        version=release.version,
        run=release.run.ref,
        created_at=release.created_at,
        verified=release.verified,
        content_digest=release.content_digest,
        num_open_questions=release.num_open_questions,
        withdrawn_at=release.withdrawn_at,
        withdrawn_why=release.withdrawn_why,
        files=tuple(ReleaseFile.model_validate(file) for file in release.files),
    )


def visible_releases(person: Person) -> ReleaseQuerySet:
    """Rows that this person may see, newest first, with what `release_info` needs."""
    rows = Release.objects.visible_to(person).select_related("model__project__organisation", "run", "job")
    return rows.order_by("-created_at", "-pk")


def find_release(ref: str, *, person: Person) -> Release:
    """A release. Raises NotVisible."""
    return get_visible(visible_releases(person), ref)


def find_release_to_withdraw(ref: str, *, person: Person) -> Release:
    """A release; staff find any, because whoever learns of a danger must be able to act. Raises NotVisible."""
    rows = Release.objects.select_related("model__project__organisation", "run", "job")
    return get_visible(rows if person.is_staff else visible_releases(person), ref)


def releases(person: Person) -> list[ReleaseInfo]:
    """Every release that this person may see, newest first."""
    return [release_info(row) for row in visible_releases(person)]


def release_folder(release: Release) -> Path:
    """Where the bundle lies."""
    return artifact_folder(release.job)


def release_file(release: Release, path: str) -> Path:
    """One file of the bundle. Raises NotVisible for a path that the release does not list."""
    if path not in {file["path"] for file in release.files}:
        raise NotVisible(f"Release {release.ref} has no file {path!r}.", hint="Its files are listed with the release.")
    return inside(release_folder(release), path)
