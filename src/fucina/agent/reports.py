"""Tells the hub of one job: its state, what it printed, how far it is, and how it ended."""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from fucina.accounting.usage import UsageRecord, used_gpu_s
from fucina.agent.door import AgentDoor
from fucina.agent.identity import acting_as
from fucina.agent.journal import Entry, Journal
from fucina.agent.workdir import Places, own_outputs
from fucina.client.wire import FinishedRequest, ProgressRequest, StartedRequest
from fucina.compute.executor import Executor, NoSuchJob
from fucina.compute.record import ProgressLine, StageRecord
from fucina.compute.spec import JobReport, JobState, utc_iso
from fucina.errors import BadInput, ErrorBody
from fucina.line.digests import sha256_file, tree_digests
from fucina.line.spec import StageName
from fucina.line.stage import ERROR_FILE, OUT, PROGRESS_FILE, RECORD_FILE
from fucina.network.spec import Site

T = TypeVar("T", bound=BaseModel)

logger = logging.getLogger(__name__)

LOG_PIECE_BYTES = 256 * 1024
MAX_PROGRESS_BYTES = 16 * 2**20
"""Most of a progress file that is read at once."""
MAX_RECORD_BYTES = 64 * 2**20


class Reporter:
    """Everything may be told again: what the hub knows it skips. A user's files are read with that user's rights."""

    def __init__(
        self, *, door: AgentDoor, executor: Executor, journal: Journal, places: Places, site: Site, report_s: float
    ) -> None:
        self._door = door
        self._executor = executor
        self._journal = journal
        self._places = places
        self._site = site
        self._report_s = report_s
        self._told_at: dict[str, float] = {}

    def tell(self, entry: Entry, report: JobReport) -> bool:
        """Tell the hub what is new about a job; True when that was the last word. Raises what the hub answers."""
        start = utc_iso(report.starts_at) if report.starts_at else ""
        told = " ".join(word for word in (report.state, report.pending_reason, start) if word)
        waits = report.state is JobState.CLAIMED
        unspoken = (waits and not report.pending_reason) or (report.is_final and report.started_at is None)
        if entry.told != told and not unspoken:
            self._door.started(entry.ref, StartedRequest(report=report))
            self._journal.mark_told(entry.ref, told)
        now = time.monotonic()
        if not report.is_final and (waits or now - self._told_at.get(entry.ref, 0.0) < self._report_s):
            return False
        self._told_at[entry.ref] = now
        workdir = self._places.workdir(entry.job)
        self._send_progress(entry, workdir)
        self._send_log(entry)
        if not report.is_final:
            return False
        if report.state is JobState.SUCCEEDED and entry.job.stage is StageName.RELEASE:
            self._send_artifacts(entry, workdir)
        elif entry.job.stage is None:
            self._send_own_outputs(entry, workdir)
        self._finish(entry, report, workdir)
        return True

    def _send_progress(self, entry: Entry, workdir: Path) -> None:
        path = workdir / PROGRESS_FILE
        try:
            with acting_as(entry.job.spec.user), path.open("rb") as file:
                file.seek(entry.lines_offset)
                data = file.read(MAX_PROGRESS_BYTES)
        except FileNotFoundError:
            return
        except OSError as error:
            logger.warning("job %s: its progress cannot be read: %s", entry.ref, error)
            return
        data = data[: data.rfind(b"\n") + 1]
        if not data:
            return
        lines = []
        for text in data.splitlines():
            try:
                lines.append(ProgressLine.model_validate_json(text))
            except ValidationError:
                logger.warning("job %s: a progress line of %d bytes cannot be read", entry.ref, len(text))
        for begin in range(0, len(lines), 1000):
            piece = tuple(lines[begin : begin + 1000])
            self._door.progress(entry.ref, ProgressRequest(first=entry.lines_sent + begin, lines=piece))
        self._journal.mark_lines(
            entry.ref, num_lines=entry.lines_sent + len(lines), offset=entry.lines_offset + len(data)
        )

    def _send_log(self, entry: Entry) -> None:
        offset = entry.log_sent
        while piece := self._read_log(entry, offset):
            self._door.append_log(entry.ref, offset=offset, piece=piece)
            offset += len(piece)
            self._journal.mark_log(entry.ref, offset=offset)

    def _read_log(self, entry: Entry, offset: int) -> bytes:
        try:
            return self._executor.read_log(entry.key, offset=offset, max_bytes=LOG_PIECE_BYTES)
        except NoSuchJob:
            # It was never submitted, or the executor has forgotten it after its end.
            return b""

    def _send_artifacts(self, entry: Entry, workdir: Path) -> None:
        """The release travels to the hub, file by file."""
        bundle = workdir / OUT / "release"
        with acting_as(entry.job.spec.user):
            for path, sha256 in tree_digests(bundle).items():
                self._door.put_artifact(entry.ref, path, bundle / path, sha256=sha256)

    def _send_own_outputs(self, entry: Entry, workdir: Path) -> None:
        """What a job of a person's own left in `out/` travels to the hub; what the hub refuses is logged and left."""
        with acting_as(entry.job.spec.user):
            for path, file in own_outputs(workdir / OUT).items():
                try:
                    self._door.put_artifact(entry.ref, path, file, sha256=sha256_file(file))
                except BadInput as error:
                    logger.warning("job %s: %s stays at the site: %s", entry.ref, path, error.message)

    def _finish(self, entry: Entry, report: JobReport, workdir: Path) -> None:
        record = None
        with acting_as(entry.job.spec.user):
            if entry.job.stage is None:
                pass
            elif report.state is JobState.SUCCEEDED:
                record = _read(StageRecord, workdir / RECORD_FILE)
            elif report.error is None:
                report = report.model_copy(update={"error": _read(ErrorBody, workdir / ERROR_FILE)})
        usage = self._usage(entry, report, record)
        self._door.finished(entry.ref, FinishedRequest(report=report, usage=usage, record=record))
        self._journal.close_entry(entry.ref, at=datetime.now(UTC))
        self._told_at.pop(entry.ref, None)

    def _usage(self, entry: Entry, report: JobReport, record: StageRecord | None) -> UsageRecord | None:
        """What the job used; None where the scheduler's accounting tells it, unless the scheduler never had the job."""
        if self._site.executor == "slurm" and report.native_id:
            return None
        num_gpus = entry.job.spec.num_gpus
        return UsageRecord(
            site=self._site.id,
            job_key=report.key,
            state=str(report.state),
            started_at=report.started_at,
            ended_at=report.ended_at or datetime.now(UTC),
            wall_s=report.wall_s,
            num_gpus=num_gpus,
            gpu_s=used_gpu_s(num_gpus=num_gpus, wall_s=report.wall_s),
            cpu_s=report.cpu_s,
            max_rss_bytes=report.max_rss_bytes,
            num_attempts=report.num_attempts,
            energy_j=record.energy_j if record else None,
        )


def _read(kind: type[T], path: Path) -> T | None:
    """The value in a file that a stage left, or None when there is none that can be read."""
    try:
        with path.open("rb") as file:
            return kind.model_validate_json(file.read(MAX_RECORD_BYTES))
    except (OSError, ValidationError):
        return None
