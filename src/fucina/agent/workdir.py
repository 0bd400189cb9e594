"""Places a job at the site: its working directory, its input files by digest, its frozen `stage.json`."""

import logging
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fucina.agent.identity import acting_as, find_user
from fucina.agent.policy import BadJob
from fucina.client.wire import ClaimedJob, RunSource
from fucina.compute.spec import JobSpec
from fucina.errors import BadInput, Unavailable
from fucina.line.digests import sha256_file
from fucina.line.spec import StageName
from fucina.line.stage import STAGE_FILE, StageInput

logger = logging.getLogger(__name__)

Fetch = Callable[[str, Path], None]
"""Brings the file with this digest to this path."""


class InputStore(Protocol):
    """A storage near the site that may have an input already."""

    def has(self, sha256: str) -> bool:
        """Whether the whole file is there. Raises Unavailable."""

    def get(self, sha256: str, target: Path) -> object:
        """Fetch it, from where an earlier try broke off. Raises Unavailable."""


class DigestMismatch(BadInput):
    """A file is not the one that its digest names."""

    code = "digest_mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where an agent keeps what is its own, and where jobs work."""

    state: Path
    """Journal and files by digest; nobody else's to read."""
    work: Path
    """Working directories; on a cluster a file system that all nodes share."""

    def run_folder(self, job: ClaimedJob) -> Path:
        """The folder of a run, or of a job that belongs to none."""
        return self.work / "runs" / (job.run or job.ref)

    def workdir(self, job: ClaimedJob) -> Path:
        """Where the job works."""
        return self.run_folder(job) / (str(job.stage) if job.stage else "work")


def nearest(store: InputStore | None, *, hub: Fetch) -> Fetch:
    """Fetch from a storage near the site where it has the file and serves it, else from the hub."""
    if store is None:
        return hub

    def fetch(sha256: str, path: Path) -> None:
        try:
            if store.has(sha256):
                store.get(sha256, path)
                return
        except Unavailable as error:
            logger.warning("%s The hub is asked instead.", error.message)
        hub(sha256, path)

    return fetch


def place(places: Places, job: ClaimedJob, *, fetch: Fetch) -> Path:
    """Make the working directory complete; may be repeated.

    With a user, everything in it is made with that user's rights. Raises BadJob, DigestMismatch, NoSuchUser, NotRoot,
    and what `fetch` raises.
    """
    user = job.spec.user
    _make_run_folder(places, job)
    workdir = places.workdir(job)
    blobs = [(source, _blob(places, source, fetch)) for source in job.sources]
    with acting_as(user):
        workdir.mkdir(exist_ok=True)
    given = job.input
    if job.stage is None:
        for source, blob in blobs:
            _bring(blob, workdir, _relative(source.name), user=user, copied=True)
    elif given is not None:
        brought = []
        for position, (source, blob) in enumerate(blobs):
            relative = f"in/{position:04d}-{Path(source.name).name}"
            brought.append((source.role, _bring(blob, workdir, relative, user=user)))
        given = _with_paths(given, brought) if brought else given
        with acting_as(user):
            _write(workdir / STAGE_FILE, given.model_dump_json(indent=1))
    else:
        raise BadJob(f"Stage {job.stage} comes without its input.", hint="Hub and agent may be of different versions.")
    return workdir


def own_outputs(folder: Path) -> dict[str, Path]:
    """Plain files below what a person's own job left; links are passed over, since they could lead anywhere."""
    found: dict[str, Path] = {}
    if folder.is_symlink():
        return found
    for parent, _, names in os.walk(folder, followlinks=False):
        for name in names:
            path = Path(parent) / name
            if stat.S_ISREG(path.lstat().st_mode):
                found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))


def lend_key(places: Places, job: ClaimedJob, key: Path) -> Path:
    """The signing key as the job finds it: a copy that only the job's user reads, where that is another user.

    Raises BadJob when there is no key.
    """
    try:
        data = key.read_bytes()
    except OSError as error:
        raise BadJob(
            f"This site cannot sign releases: {key} cannot be read ({error.strerror}).",
            hint="Set FUCINA_SIGNING_KEY of the agent to a key that the hub knows.",
        ) from error
    if not job.spec.user:
        return key
    lent = _lent_key(places, job)
    with acting_as(job.spec.user):
        lent.unlink(missing_ok=True)
        descriptor = os.open(lent, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    return lent


def take_key_back(places: Places, job: ClaimedJob) -> None:
    """Remove the copy that was lent."""
    if job.spec.user:
        with acting_as(job.spec.user):
            _lent_key(places, job).unlink(missing_ok=True)


def _lent_key(places: Places, job: ClaimedJob) -> Path:
    return places.run_folder(job) / ".signing.key"


def spec_at(job: ClaimedJob, workdir: Path, environment: dict[str, str], depends_on: tuple[str, ...] = ()) -> JobSpec:
    """The job as the executor gets it."""
    return job.spec.model_copy(
        update={
            "working_directory": str(workdir),
            "environment": job.spec.environment | environment,
            "depends_on": depends_on,
        }
    )


def _make_run_folder(places: Places, job: ClaimedJob) -> None:
    """The run's folder, which belongs to the user that the job runs as and to nobody else."""
    folder = places.run_folder(job)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    if not job.spec.user:
        return
    owner = find_user(job.spec.user)
    found = folder.lstat()
    if found.st_uid not in (os.geteuid(), owner.pw_uid) or folder.is_symlink():
        raise BadJob(f"{folder} belongs to user {found.st_uid}, not to {job.spec.user}.", hint="Look who made it.")
    if found.st_uid != owner.pw_uid:
        folder.parent.chmod(0o711)
        folder.chmod(0o700)
        os.chown(folder, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def _blob(places: Places, source: RunSource, fetch: Fetch) -> Path:
    """One input file, kept once per site by digest."""
    sha256 = source.sha256
    blob = places.state / "blobs" / sha256[:2] / sha256
    if not blob.exists():
        blob.parent.mkdir(parents=True, exist_ok=True)
        fetch(sha256, blob)
        if (found := sha256_file(blob)) != sha256:
            blob.unlink()
            raise DigestMismatch(
                f"{Path(source.name).name} arrived with digest {found[:12]}…, not {sha256[:12]}….",
                hint="Send the file again.",
            )
    return blob


def _bring(blob: Path, workdir: Path, relative: str, *, user: str, copied: bool = False) -> str:
    """Put a file into the working directory: a link, or a copy for another user or a job that may write into it."""
    target = workdir / relative
    with blob.open("rb") as source, acting_as(user):
        if target.exists():
            return relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if not user and not copied:
            try:
                os.link(blob, target)
            except OSError:
                shutil.copyfile(blob, target)
            return relative
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        with partial.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        partial.replace(target)
    return relative


def _relative(name: str) -> str:
    """A path inside the working directory. Raises BadJob."""
    path = Path(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in name or name.startswith("~"):
        raise BadJob(f"{name!r} leads out of the working directory.", hint="Give paths inside the project's folder.")
    return str(path)


def _write(path: Path, text: str) -> None:
    """Replace a file in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _with_paths(given: StageInput, brought: Sequence[tuple[str, str]]) -> StageInput:
    """The stage's input with the place of each source file filled in."""
    if given.stage is not StageName.PREPARE:
        raise BadJob(f"Stage {given.stage} takes no source files.", hint="Hub and agent may be of different versions.")
    recipe = dict(given.recipe)
    paths = [path for role, path in brought if role == "documents"]
    tokenizers = [path for role, path in brought if role == "tokenizer"]
    sources = recipe.get("sources")
    if not isinstance(sources, list) or len(sources) != len(paths):
        raise BadJob("The recipe's sources and the job's files differ.", hint="Start the run again.")
    recipe["sources"] = [{**source, "path": path} for source, path in zip(sources, paths, strict=True)]
    if len(tokenizers) != bool(recipe.get("tokenizer")):
        raise BadJob(f"The recipe's tokenizer and the {len(tokenizers)} sent differ.", hint="Start the run again.")
    recipe["tokenizer"] = tokenizers[0] if tokenizers else ""
    return given.model_copy(update={"recipe": recipe})
