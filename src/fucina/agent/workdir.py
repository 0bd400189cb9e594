"""Places a job at the site: its working directory, its input files by digest, its frozen `stage.json`."""

import os
import re
import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from fucina.client.wire import ClaimedJob
from fucina.compute.spec import JobSpec
from fucina.errors import BadInput
from fucina.line.digests import sha256_file
from fucina.line.spec import StageName
from fucina.line.stage import STAGE_FILE, StageInput

_REF = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")

Fetch = Callable[[str, Path], None]
"""Brings the file with this digest to this path."""


class BadJob(BadInput):
    """A job that this site will not place."""

    code = "bad_job"


class DigestMismatch(BadInput):
    """A file is not the one that its digest names."""

    code = "digest_mismatch"


def workdir_of(root: Path, job: ClaimedJob) -> Path:
    """Where the job works. Raises BadJob for a reference that could lead elsewhere."""
    if job.stage is None:
        if not _REF.match(job.ref) or not _REF.match(job.project):
            raise BadJob(f"{job.ref!r} is no job reference.", hint="Hub and agent may be of different versions.")
        return root / "projects" / job.project / "jobs" / job.ref
    if not _REF.match(job.run):
        raise BadJob(f"{job.run!r} is no run reference.", hint="Hub and agent may be of different versions.")
    return root / "runs" / job.run / str(job.stage)


def place(root: Path, job: ClaimedJob, *, fetch: Fetch, user_jobs: bool = True) -> Path:
    """Make the working directory complete; may be repeated. Raises BadJob, DigestMismatch, and what `fetch` raises."""
    if job.stage is None or job.input is None:
        return _place_own(root, job, fetch=fetch, allowed=user_jobs)
    if tuple(job.spec.command) != ("fucina", "stage", str(job.stage), "."):
        raise BadJob(f"This site runs stages only, not {job.spec.command[0]!r}.", hint="Ask the site to allow it.")
    workdir = workdir_of(root, job)
    workdir.mkdir(parents=True, exist_ok=True)
    given = job.input
    if job.sources:
        (workdir / "in").mkdir(exist_ok=True)
        brought = [
            (source.role, _bring(root, workdir, position, source.sha256, Path(source.name).name, fetch))
            for position, source in enumerate(job.sources)
        ]
        given = _with_paths(given, brought)
    path = workdir / STAGE_FILE
    temporary = path.with_name(f".{STAGE_FILE}.{os.getpid()}")
    temporary.write_text(given.model_dump_json(indent=1), encoding="utf-8")
    temporary.replace(path)
    return workdir


def _place_own(root: Path, job: ClaimedJob, *, fetch: Fetch, allowed: bool) -> Path:
    """The folder of a job of a person's own, with the files that it was given under their names."""
    if not allowed:
        raise BadJob("This site runs stages only, no commands of people's own.", hint="Choose another site.")
    workdir = workdir_of(root, job)
    workdir.mkdir(parents=True, exist_ok=True)
    for source in job.sources:
        target = workdir / source.name
        if not target.resolve().is_relative_to(workdir.resolve()) or target.resolve() == workdir.resolve():
            raise BadJob(f"File {source.name[:80]!r} would lie outside the job's folder.", hint="Rename it.")
        target.parent.mkdir(parents=True, exist_ok=True)
        blob = _blob(root, source.sha256, source.name, fetch)
        if not target.exists():
            # A copy: the job may write into its files, and the blob is shared.
            shutil.copyfile(blob, target)
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


def spec_at(job: ClaimedJob, workdir: Path, environment: dict[str, str]) -> JobSpec:
    """The job as the executor gets it."""
    return job.spec.model_copy(
        update={"working_directory": str(workdir), "environment": job.spec.environment | environment, "depends_on": ()}
    )


def _bring(root: Path, workdir: Path, position: int, sha256: str, name: str, fetch: Fetch) -> str:
    """One input file, linked into the working directory."""
    blob = _blob(root, sha256, name, fetch)
    relative = f"in/{position:04d}-{name}"
    target = workdir / relative
    if not target.exists():
        try:
            os.link(blob, target)
        except OSError:
            shutil.copyfile(blob, target)
    return relative


def _blob(root: Path, sha256: str, name: str, fetch: Fetch) -> Path:
    """A file that is kept once per site by digest. Raises DigestMismatch."""
    blob = root / "blobs" / sha256[:2] / sha256
    if not blob.exists():
        blob.parent.mkdir(parents=True, exist_ok=True)
        fetch(sha256, blob)
        if (found := sha256_file(blob)) != sha256:
            blob.unlink()
            raise DigestMismatch(
                f"{name} arrived with digest {found[:12]}…, not {sha256[:12]}….", hint="Send the file again."
            )
    return blob


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
