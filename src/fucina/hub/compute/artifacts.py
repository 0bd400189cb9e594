"""Files that jobs leave at the hub: their logs and what the last stage made."""

import re
from datetime import datetime
from pathlib import Path

from django.db import transaction

from fucina.compute.spec import FINAL
from fucina.errors import BadInput, NotVisible, WrongState
from fucina.hub.compute.models import Artifact, Job
from fucina.hub.compute.read import MAX_LOG_BYTES, log_path
from fucina.hub.data.models import Blob
from fucina.hub.data.storage import BadPath, ByteStream, blob_path, check_sha256, hub_folder, inside, receive
from fucina.hub.network.models import Agent
from fucina.hub.people.actions import record

LOG_CUT = b"\n[The log is cut here: the hub keeps 16 MiB of it.]\n"


MAX_PIECE_BYTES = 8 * 2**20
"""Most of a log that one call brings."""


class BadLogPiece(BadInput):
    """A piece of a log with a place that cannot be."""

    code = "bad_log_piece"


class ArtifactsClosed(WrongState):
    """The job has ended; what it left is no longer changed."""

    code = "artifacts_closed"


def artifact_folder(job: Job) -> Path:
    """Where the files of a job lie."""
    return hub_folder() / "artifacts" / job.ref


def expected_artifacts(job: Job) -> dict[str, str]:
    """SHA-256 by path of the bundle that the stage's record says it made, without the folder `release/` around it."""
    outputs: dict[str, str] = (job.record or {}).get("outputs", {})
    return {re.sub(r"^release/", "", path): sha256 for path, sha256 in outputs.items()}


def missing_artifacts(job: Job) -> tuple[str, ...]:
    """Paths that the record names and that did not arrive as it names them."""
    arrived = dict(job.artifacts.values_list("path", "sha256"))
    return tuple(path for path, sha256 in sorted(expected_artifacts(job).items()) if arrived.get(path) != sha256)


def receive_artifact(
    *, agent: Agent, job: Job, path: str, sha256: str, num_bytes: int, stream: ByteStream, at: datetime
) -> Artifact:
    """Take in a file that a job made; sent twice it is one. Raises BadPath, BadUpload, ArtifactsClosed."""
    check_sha256(sha256)
    target = inside(artifact_folder(job), path)
    known = job.artifacts.filter(path=path).first()
    if known is not None and known.sha256 == sha256 and target.is_file():
        return known
    if job.job_state in FINAL and expected_artifacts(job).get(path) != sha256:
        raise ArtifactsClosed(
            f"Job {job.ref} has ended; {path!r} with that digest is not in its record.",
            hint="Start a new run to change a file.",
        )
    parents = ["/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 1)]
    if job.artifacts.filter(path__in=parents).exists() or target.is_dir():
        raise BadPath(f"{path[:80]!r} would be a file and a folder at once.", hint="Use another name.")
    receive(stream, num_bytes=num_bytes, sha256=sha256, to=target)
    with transaction.atomic():
        artifact, _ = Artifact.objects.update_or_create(
            job=job, path=path, defaults={"sha256": sha256, "num_bytes": num_bytes, "received_at": at}
        )
        record(
            agent, "compute.receive_artifact", artifact, at=at, data={"job": job.ref, "path": path, "sha256": sha256}
        )
    return artifact


def append_log(*, job: Job, offset: int, stream: ByteStream, num_bytes: int) -> int:
    """Write a piece of a job's log at its place; returns where the next piece goes. Beyond the cap it is dropped.

    The place decides, so a piece that comes again changes nothing.
    """
    if offset < 0 or not 0 <= num_bytes <= MAX_PIECE_BYTES:
        raise BadLogPiece(
            f"A piece of {num_bytes} bytes at {offset} cannot be.",
            hint=f"Give the offset in bytes from 0, and at most {MAX_PIECE_BYTES} bytes at once.",
        )
    kept = max(0, min(num_bytes, MAX_LOG_BYTES - offset))
    data = stream.read(num_bytes)
    if len(data) != num_bytes:
        raise BadLogPiece(f"{len(data)} of {num_bytes} bytes arrived.", hint="Send the piece again.")
    path = log_path(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(exist_ok=True)
    with path.open("r+b") as file:
        if kept:
            file.seek(offset)
            file.write(data[:kept])
        if kept < num_bytes:
            file.seek(MAX_LOG_BYTES)
            file.write(LOG_CUT)
    return offset + num_bytes


def source_file(job: Job, sha256: str) -> Path:
    """An input file of the job's run. Raises NotVisible for anything else."""
    mine = sha256 in {source["sha256"] for source in job.sources}
    project = job.project
    if (
        not mine
        or not Blob.objects.filter(organisation=project.organisation, project=project.name, sha256=sha256).exists()
    ):
        raise NotVisible(f"Job {job.ref} has no input {sha256[:80]!r}.", hint="Fetch what the job's sources name.")
    return blob_path(sha256)
