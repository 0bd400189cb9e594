"""Datasets on their way: a prepared folder to the hub, the files of a version to here."""

from pathlib import Path

from fucina.cli.catalogue import BadVersion
from fucina.cli.output import err
from fucina.client.hub import Hub
from fucina.client.wire_data import (
    MAX_SAMPLE_CHARACTERS,
    DatasetDetail,
    DatasetFilesQuery,
    Policy,
    PublishRequest,
    Sample,
)
from fucina.data.describe import DOCUMENT_FILES, describe_folder, load_about
from fucina.data.erasure import sha256_of
from fucina.data.samples import beginnings
from fucina.errors import FactoryError


class DownloadRefused(FactoryError):
    """A file that arrived is not the one that is described."""

    code = "download_refused"


def publish(hub: Hub, folder: Path, about_file: Path, *, send: bool) -> DatasetDetail:
    """Describe a prepared folder, send what the hub lacks, and enter it as a version."""
    about = load_about(about_file)
    described = describe_folder(folder, about)
    files = {file.sha256: file.path for file in described.files_of("documents", "record")}
    if send:
        query = DatasetFilesQuery(organisation=about.organisation, name=about.name, sha256s=tuple(files))
        for sha256 in hub.missing_data_files(query):
            err.print(f"Sending {files[sha256]}", style="dim", markup=False)
            hub.put_data_file(about.organisation, about.name, folder / files[sha256], sha256=sha256)
    documents = folder / DOCUMENT_FILES[0]
    samples = tuple(
        Sample(language=each.language, text=each.text[:MAX_SAMPLE_CHARACTERS]) for each in beginnings(documents)
    )
    policy = Policy.model_validate(
        {name: getattr(about, name) for name in ("listing", "access", "sensitivity", "terms")}
    )
    request = PublishRequest(organisation=about.organisation, description=described, samples=samples, policy=policy)
    return hub.publish_dataset(request)


def download(hub: Hub, ref: str, version: int | None, folder: Path) -> list[Path]:
    """Bring the files of a version here, each compared with its digest; what is here already is not fetched again.

    Raises DownloadRefused, BadVersion.
    """
    found = hub.dataset(ref, version=version)
    if found.description is None or found.version is None or not found.held:
        raise BadVersion("The hub has no file of this version.", hint=f"Look at `fucina data show {ref}`.")
    files = {file.path: file.sha256 for file in found.description.files_of("documents", "record")}
    targets = []
    for path in found.held:
        target = folder.joinpath(*path.split("/"))
        if not target.resolve().is_relative_to(folder.resolve()):
            raise DownloadRefused(f"{path!r} would be written outside of {folder}.", hint="Tell the operator.")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or sha256_of(target) != files[path]:
            hub.fetch_data_file(ref, found.version.version, path, target)
        if sha256_of(target) != files[path]:
            target.unlink()
            raise DownloadRefused(f"{path} arrived with another digest and was removed.", hint="Try again.")
        targets.append(target)
    return targets
