"""The site agent: dials out to the hub, claims its site's jobs, hands them to the executor, reports what comes of them.

It can be killed at any moment: what it must know stands in its journal and with the executor, and every report may be
repeated. A hub that does not answer is waited for.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from fucina import __version__
from fucina.accounting.usage import UsageRecord, used_gpu_s
from fucina.agent.door import AgentDoor
from fucina.agent.journal import Entry, Journal
from fucina.agent.workdir import own_outputs, place, spec_at, workdir_of
from fucina.client.wire import ClaimRequest, FinishedRequest, HeartbeatRequest, ProgressRequest, StartedRequest
from fucina.compute.executor import Executor
from fucina.compute.record import ProgressLine, StageRecord
from fucina.compute.spec import JobReport, JobState
from fucina.config import Settings
from fucina.errors import BadInput, ErrorBody, FactoryError, NotSignedIn, Unavailable
from fucina.line.digests import sha256_file, tree_digests
from fucina.line.spec import StageName
from fucina.line.stage import ERROR_FILE, OUT, PROGRESS_FILE, RECORD_FILE
from fucina.network.spec import Site

T = TypeVar("T", bound=BaseModel)

logger = logging.getLogger(__name__)

POLL_S = 0.2
"""Between two looks at the executor; costs a few small files."""
CLAIM_S = 1.0
"""Between two questions for new jobs; asked at once when one has just ended."""
REPORT_S = 2.0
"""Between two progress reports of one job."""
HEARTBEAT_S = 5.0
PATIENCE_S = 10.0
"""Longest wait between two tries of a hub that does not answer."""
LOG_PIECE_BYTES = 256 * 1024
SIDE_SLOTS = 2
"""Jobs without accelerator that may run beside the others."""


class Agent:
    """Serves one site with one executor."""

    def __init__(self, *, door: AgentDoor, executor: Executor, settings: Settings, site: Site) -> None:
        self._door = door
        self._executor = executor
        self._settings = settings
        self._site = site
        self._root = settings.site_folder
        self._journal = Journal(self._root / "journal.db")
        self._reported_at: dict[str, float] = {}
        self._heartbeat_at = 0.0
        self._claimed_at = 0.0
        self.stopping = threading.Event()

    def run(self) -> None:
        """Work until told to stop, then have running jobs save their state."""
        self._executor.resume()
        patience_s = POLL_S
        while not self.stopping.is_set():
            try:
                self.step()
                patience_s = POLL_S
            except FactoryError as error:
                logger.warning("%s %s", error.message, error.hint)
                patience_s = min(patience_s * 2, PATIENCE_S)
            self.stopping.wait(patience_s)
        self._executor.suspend()
        self._journal.close()

    def step(self) -> None:
        """Look at everything once. Raises Unavailable when the hub does not answer."""
        entries = self._journal.open_entries()
        num_closed = self._look_after(entries)
        if num_closed or time.monotonic() - self._claimed_at >= CLAIM_S:
            self._claim(self._journal.open_entries())
        if time.monotonic() - self._heartbeat_at >= HEARTBEAT_S:
            self._heartbeat()

    def _claim(self, entries: list[Entry]) -> None:
        """Take new jobs as far as there is room, and start them."""
        num_gpus = sum(p.num_nodes * p.num_gpus_per_node for p in self._site.partitions)
        busy_gpus = sum(entry.job.spec.num_gpus for entry in entries)
        num_slots = num_gpus + SIDE_SLOTS - len(entries)
        if num_slots <= 0:
            return
        answer = self._door.claim(ClaimRequest(num_slots=num_slots, num_gpus=max(0, num_gpus - busy_gpus)))
        self._claimed_at = time.monotonic()
        for job in answer.jobs:
            self._journal.take(job)
        if answer.jobs:
            self._look_after([entry for entry in self._journal.open_entries() if not entry.placed])

    def _look_after(self, entries: list[Entry]) -> int:
        """Place new jobs, report on the others; returns how many came to their end."""
        for entry in entries:
            if not entry.placed:
                with self._one(entry):
                    self._place(entry)
        reports = self._executor.poll(entry.job.spec.key for entry in entries if entry.placed)
        num_closed = 0
        for entry in entries:
            report = reports.get(entry.job.spec.key)
            if report is not None:
                with self._one(entry):
                    num_closed += self._report(entry, report)
        return num_closed

    @contextmanager
    def _one(self, entry: Entry) -> Iterator[None]:
        """Trouble with one job is its own: it is logged, and tried again; trouble with the hub is everybody's."""
        try:
            yield
        except (Unavailable, NotSignedIn):
            raise
        except FactoryError as error:
            logger.error("job %s: %s %s", entry.ref, error.message, error.hint)

    def _place(self, entry: Entry) -> None:
        job = entry.job
        try:
            workdir = place(
                self._root,
                job,
                fetch=lambda sha256, path: self._door.fetch_blob(entry.ref, sha256, path),
                user_jobs=self._site.user_jobs,
            )
            self._executor.submit(spec_at(job, workdir, self._environment(job.stage)))
        except (Unavailable, NotSignedIn):
            raise
        except (FactoryError, OSError) as error:
            body = (
                error.body() if isinstance(error, FactoryError) else ErrorBody(code="site_failure", message=str(error))
            )
            logger.error("job %s cannot be placed: %s", entry.ref, body.message)
            self._finish(entry, JobReport(key=job.spec.key, state=JobState.FAILED, reason=body.message, error=body))
            return
        self._journal.mark_placed(entry.ref)

    def _environment(self, stage: StageName | None) -> dict[str, str]:
        """What a job may know of this site; the signing key only where a release is signed."""
        if stage is None:
            return {}
        environment = {"FUCINA_HOME": str(self._root), "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        if self._settings.num_threads:
            environment |= {
                "FUCINA_NUM_THREADS": str(self._settings.num_threads),
                "OMP_NUM_THREADS": str(self._settings.num_threads),
            }
        if stage is StageName.RELEASE:
            environment["FUCINA_SIGNING_KEY"] = str(self._settings.private_key)
        return environment

    def _report(self, entry: Entry, report: JobReport) -> bool:
        """Tell the hub what is new about a job; True when that was the last word."""
        if report.state is JobState.UNKNOWN:
            logger.error("job %s: %s", entry.ref, report.reason)
        if not entry.started_sent and (report.state is JobState.RUNNING or report.is_final):
            self._door.started(entry.ref, StartedRequest(report=report))
            self._journal.mark_started(entry.ref)
        now = time.monotonic()
        if not report.is_final and now - self._reported_at.get(entry.ref, 0.0) < REPORT_S:
            return False
        self._reported_at[entry.ref] = now
        workdir = workdir_of(self._root, entry.job)
        self._send_progress(entry, workdir)
        self._send_log(entry)
        if not report.is_final:
            return False
        if report.state is JobState.SUCCEEDED and entry.job.stage is StageName.RELEASE:
            self._send_artifacts(entry, workdir)
        elif entry.job.stage is None:
            self._send_own_outputs(entry, workdir)
        self._finish(entry, report)
        return True

    def _send_progress(self, entry: Entry, workdir: Path) -> None:
        path = workdir / PROGRESS_FILE
        if not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(entry.lines_offset)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        if not data:
            return
        lines = []
        for text in data.splitlines():
            try:
                lines.append(ProgressLine.model_validate_json(text))
            except ValidationError:
                logger.warning("job %s: a progress line cannot be read: %.80r", entry.ref, text)
        for begin in range(0, len(lines), 1000):
            piece = tuple(lines[begin : begin + 1000])
            self._door.progress(entry.ref, ProgressRequest(first=entry.lines_sent + begin, lines=piece))
        self._journal.mark_lines(
            entry.ref, num_lines=entry.lines_sent + len(lines), offset=entry.lines_offset + len(data)
        )

    def _send_log(self, entry: Entry) -> None:
        offset = entry.log_sent
        key = entry.job.spec.key
        while piece := self._executor.read_log(key, offset=offset, max_bytes=LOG_PIECE_BYTES):
            self._door.append_log(entry.ref, offset=offset, piece=piece)
            offset += len(piece)
            self._journal.mark_log(entry.ref, offset=offset)

    def _send_artifacts(self, entry: Entry, workdir: Path) -> None:
        """The release travels to the hub, file by file."""
        bundle = workdir / OUT / "release"
        for path, sha256 in tree_digests(bundle).items():
            self._door.put_artifact(entry.ref, path, bundle / path, sha256=sha256)

    def _send_own_outputs(self, entry: Entry, workdir: Path) -> None:
        """What a job of a person's own left in `out/` travels to the hub; what the hub refuses is logged and left."""
        for path, file in own_outputs(workdir / OUT).items():
            try:
                self._door.put_artifact(entry.ref, path, file, sha256=sha256_file(file))
            except BadInput as error:
                logger.warning("job %s: %s stays at the site: %s", entry.ref, path, error.message)

    def _finish(self, entry: Entry, report: JobReport) -> None:
        workdir = workdir_of(self._root, entry.job)
        is_stage = entry.job.stage is not None
        succeeded = report.state is JobState.SUCCEEDED
        record = _read(StageRecord, workdir / RECORD_FILE) if is_stage and succeeded else None
        if is_stage and not succeeded and report.error is None:
            report = report.model_copy(update={"error": _read(ErrorBody, workdir / ERROR_FILE)})
        num_gpus = entry.job.spec.num_gpus
        usage = UsageRecord(
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
        self._door.finished(entry.ref, FinishedRequest(report=report, usage=usage, record=record))
        self._journal.close_entry(entry.ref)
        self._reported_at.pop(entry.ref, None)

    def _heartbeat(self) -> None:
        entries = {entry.ref: entry for entry in self._journal.open_entries()}
        answer = self._door.heartbeat(HeartbeatRequest(version=__version__, jobs=tuple(entries)))
        self._heartbeat_at = time.monotonic()
        for ref in (*answer.cancel, *answer.forget):
            entry = entries.get(ref)
            if entry is None:
                continue
            if entry.placed:
                self._executor.cancel(entry.job.spec.key)
            if ref in answer.forget:
                logger.warning("job %s is unknown to the hub; it is ended and dropped", ref)
                self._journal.close_entry(ref)


def _read(kind: type[T], path: Path) -> T | None:
    """The value in a file that a stage left, or None when there is none that can be read."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
