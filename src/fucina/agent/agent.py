"""The site agent: dials out to the hub, claims its site's jobs, hands them to the executor, reports what comes of them.

It can be killed at any moment: what it must know stands in its journal and with the executor, and every report may be
repeated. A hub that does not answer is waited for while the site is looked after; what happens meanwhile is kept.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from fucina import __version__
from fucina.agent.door import AgentDoor
from fucina.agent.expected import Expected
from fucina.agent.journal import Entry, Journal
from fucina.agent.pace import Pace, pace_of
from fucina.agent.policy import check_job
from fucina.agent.reports import Reporter
from fucina.agent.workdir import InputStore, Places, lend_key, nearest, place, spec_at, take_key_back
from fucina.client.door import HubError
from fucina.client.wire import ClaimedJob, ClaimRequest, HeartbeatAnswer, HeartbeatRequest
from fucina.compute.executor import Executor, NoSuchJob
from fucina.compute.spec import JobReport, JobSpec, JobState
from fucina.config import Settings
from fucina.errors import ErrorBody, FactoryError, NotSignedIn, Unavailable
from fucina.line.spec import StageName
from fucina.network.spec import Site
from fucina.network.status import PartitionStatus

logger = logging.getLogger(__name__)

SIDE_SLOTS = 2
"""Jobs without accelerator that may run beside the others where the agent itself keeps the queue."""
MANY_GPUS = 2**31 - 1
"""What is said to be free where a scheduler keeps the queue."""
MAX_OPEN = 10_000
"""Jobs that one agent looks after at most."""
TRY_LATER = frozenset({"slurm_limit"})
"""Refusals that pass by themselves."""
DEPENDENCY_FAILED = "dependency_failed"
"""Refusal of a job that waits for one that did not succeed."""
OVERLAP = timedelta(minutes=5)
"""How much further back than a restored hub's own memory everything is told again."""


@runtime_checkable
class PartitionWatcher(Protocol):
    """An executor that can say how full its partitions are."""

    def partition_status(self) -> list[PartitionStatus]:
        """Every partition of the site, now."""


@runtime_checkable
class CancelKeeper(Protocol):
    """An executor whose scheduler may forget that a job was cancelled."""

    def end_again(self) -> int:
        """End what was cancelled and runs all the same; how many. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Something besides jobs that an agent does every so often; trouble with it is logged and stops nothing else."""

    name: str
    every_s: float
    run: Callable[[], object]
    rewind: Callable[[datetime], object] | None = None
    """Do again what was done since then, since the hub has forgotten it."""


class Agent:
    """Serves one site with one executor."""

    def __init__(
        self,
        *,
        door: AgentDoor,
        executor: Executor,
        settings: Settings,
        site: Site,
        root: Path | None = None,
        personal: bool = False,
        errands: tuple[Errand, ...] = (),
        before_submit: Callable[[JobSpec], object] | None = None,
        pace: Pace | None = None,
        store: InputStore | None = None,
    ) -> None:
        self._door = door
        self._executor = executor
        self._settings = settings
        self._site = site
        self._personal = personal
        self._errands = errands
        self._before_submit = before_submit
        self._store = store
        self._pace = pace or pace_of(site)
        self._schedules = site.executor == "slurm"
        scratch = site.slurm.scratch if site.slurm and not site.is_remote else None
        state = root or settings.site_folder
        self.places = Places(state=state, work=scratch or state)
        self._journal = Journal(self.places.state / "journal.db")
        self._reporter = Reporter(
            door=door,
            executor=executor,
            journal=self._journal,
            places=self.places,
            site=site,
            report_s=self._pace.report_s,
        )
        self._reports: Mapping[str, JobReport] = {}
        self._expected = Expected(executor)
        self._due_at: dict[str, float] = {}
        self._partitions: tuple[PartitionStatus, ...] = ()
        self._closed_some = False
        self._placed_now: set[str] = set()
        self.stopping = threading.Event()
        self.draining = threading.Event()
        """Take nothing new, and leave when nothing is left."""

    def run(self) -> None:
        """Work until told to stop, then have running jobs save their state."""
        self._executor.resume()
        patience_s = self._pace.tick_s
        while not self.stopping.is_set():
            try:
                self.step()
                patience_s = self._pace.tick_s
            except FactoryError as error:
                logger.warning("%s %s", error.message, error.hint)
                patience_s = min(patience_s * 2, self._pace.patience_s)
            if self.draining.is_set() and not self._journal.open_entries():
                logger.info("drained: nothing is left to look after")
                break
            self.stopping.wait(patience_s)
        self._executor.suspend()
        self.close()

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()

    def step(self) -> None:
        """Look at everything once: at the site first, which needs no hub. Raises Unavailable when the hub is silent."""
        self._watch()
        self._recover()
        self._place_new()
        self._tell()
        if self._is_due("claim", self._pace.claim_s) or self._closed_some:
            self._claim()
        if self._is_due("heartbeat", self._pace.heartbeat_s):
            self._heartbeat()
        for errand in self._errands:
            if self._is_due(errand.name, errand.every_s):
                self._do(errand)

    def _is_due(self, name: str, every_s: float) -> bool:
        """Whether it is time again; the next time counts from now, whether it goes well or not."""
        now = time.monotonic()
        if now < self._due_at.get(name, 0.0):
            return False
        self._due_at[name] = now + every_s
        return True

    @staticmethod
    def _do(errand: Errand) -> None:
        try:
            errand.run()
        except FactoryError as error:
            logger.warning("%s: %s %s", errand.name, error.message, error.hint)

    # -- the site's side

    def _watch(self) -> None:
        """One look at all jobs that the executor has; ends are written down before anybody is told."""
        if not self._is_due("poll", self._pace.poll_s):
            return
        entries = self._journal.open_entries()
        live = [entry for entry in entries if entry.placed and entry.report is None]
        try:
            self._reports = self._executor.poll(entry.key for entry in live) if live else {}
        except Unavailable as error:
            logger.warning("the executor does not answer: %s %s", error.message, error.hint)
            return
        for entry in live:
            report = self._reports.get(entry.key)
            if report is not None and report.is_final:
                self._end(entry, report)
        if self._is_due("expected", self._pace.partitions_s):
            try:
                self._expected.look(self._reports, at=datetime.now(UTC))
            except FactoryError as error:
                logger.warning("when waiting jobs will start cannot be asked: %s", error.message)

    def _end(self, entry: Entry, report: JobReport) -> None:
        """Keep how a job ended; without success those that wait for it end too."""
        self._journal.keep_end(entry.ref, report)
        if entry.job.stage is StageName.RELEASE:
            with self._one(entry):
                take_key_back(self.places, entry.job)
        if report.state is JobState.SUCCEEDED:
            return
        for other in self._journal.open_entries():
            if other.report is None and entry.key in other.job.spec.depends_on:
                reason = f"{entry.job.spec.name} did not succeed."
                if other.placed:
                    self._cancel(other)
                else:
                    self._end(other, JobReport(key=other.key, state=JobState.CANCELLED, reason=reason))

    def _cancel(self, entry: Entry) -> None:
        try:
            self._executor.cancel(entry.key)
        except NoSuchJob:
            self._end(entry, JobReport(key=entry.key, state=JobState.CANCELLED, reason="It was never submitted."))
        except Unavailable as error:
            logger.warning("job %s cannot be cancelled now: %s", entry.ref, error.message)

    # -- both sides

    def _place_new(self) -> None:
        """Place new jobs, each after those that it waits for."""
        entries = self._journal.open_entries()
        by_key = {entry.key: entry for entry in entries}
        for entry in entries:
            if entry.placed or entry.report is not None or self._due_at.get(entry.ref, 0.0) > time.monotonic():
                continue
            before = [by_key[key] for key in entry.job.spec.depends_on if key in by_key]
            if not all(other.placed or other.ref in self._placed_now for other in before):
                continue
            waits_for = tuple(other.key for other in before if other.report is None) if self._schedules else ()
            with self._one(entry):
                self._place(entry, waits_for)
        self._placed_now.clear()

    def _place(self, entry: Entry, waits_for: tuple[str, ...]) -> None:
        job = entry.job
        try:
            check_job(job, self._site, personal=self._personal)
            hub = partial(self._door.fetch_blob, entry.ref)
            workdir = place(self.places, job, fetch=nearest(self._store, hub=hub))
            if self._before_submit is not None:
                self._before_submit(job.spec)
            self._executor.submit(spec_at(job, workdir, self._environment(job), waits_for))
        except (Unavailable, NotSignedIn):
            raise
        except (FactoryError, OSError) as error:
            body = (
                error.body() if isinstance(error, FactoryError) else ErrorBody(code="site_failure", message=str(error))
            )
            if body.code in TRY_LATER or isinstance(error, HubError):
                logger.warning("job %s waits: %s %s", entry.ref, body.message, body.hint)
                self._due_at[entry.ref] = time.monotonic() + self._pace.retry_s
                return
            logger.error("job %s cannot be placed: %s", entry.ref, body.message)
            state = JobState.CANCELLED if body.code == DEPENDENCY_FAILED else JobState.FAILED
            self._end(entry, JobReport(key=entry.key, state=state, reason=body.message, error=body))
            return
        self._journal.mark_placed(entry.ref)
        self._placed_now.add(entry.ref)
        self._due_at.pop("poll", None)

    def _environment(self, job: ClaimedJob) -> dict[str, str]:
        """What a job may know of this site; the signing key only where a release is signed."""
        home = self.places.run_folder(job) if self._schedules else self.places.state
        environment = {"FUCINA_HOME": str(home), "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        if self._settings.num_threads:
            environment |= {
                "FUCINA_NUM_THREADS": str(self._settings.num_threads),
                "OMP_NUM_THREADS": str(self._settings.num_threads),
            }
        if job.stage is not None:
            environment["FUCINA_GENERATION"] = str(job.generation)
        if job.stage is StageName.RELEASE:
            environment["FUCINA_SIGNING_KEY"] = str(lend_key(self.places, job, self._settings.private_key))
        return environment

    # -- the hub's side

    def _recover(self) -> None:
        """An agent without its journal first asks for all that it should have; submitting again makes nothing twice."""
        if self._journal.fact("recovered"):
            return
        answer = self._door.claim(ClaimRequest(num_slots=0, num_gpus=0, recover=True))
        for job in answer.jobs:
            self._journal.take(job)
        if answer.jobs:
            logger.warning("the journal is new; %d jobs are looked for", len(answer.jobs))
        self._journal.remember("recovered", datetime.now(UTC).isoformat())

    def _tell(self) -> None:
        """Tell the hub what is new of each job."""
        self._closed_some = False
        for entry in self._journal.open_entries():
            report = entry.report or self._reports.get(entry.key)
            if report is None:
                continue
            if report.state is JobState.UNKNOWN and not entry.told.startswith(JobState.UNKNOWN):
                logger.error("job %s: %s", entry.ref, report.reason)
            with self._one(entry):
                self._closed_some |= self._reporter.tell(entry, self._expected.add_to(report))

    @contextmanager
    def _one(self, entry: Entry) -> Iterator[None]:
        """Trouble with one job is its own: it is logged, and tried again; trouble with the hub is everybody's."""
        try:
            yield
        except (Unavailable, NotSignedIn):
            raise
        except FactoryError as error:
            logger.error("job %s: %s %s", entry.ref, error.message, error.hint)
        except OSError as error:
            logger.error("job %s: %s", entry.ref, error)

    def _claim(self) -> None:
        """Take new jobs: as far as there is room, or all of them where a scheduler keeps the queue."""
        entries = self._journal.open_entries()
        if self._schedules:
            num_slots, free_gpus = MAX_OPEN - len(entries), MANY_GPUS
        else:
            num_gpus = sum(p.num_nodes * p.num_gpus_per_node for p in self._site.partitions)
            num_slots = num_gpus + SIDE_SLOTS - len(entries)
            free_gpus = num_gpus - sum(entry.job.spec.num_gpus for entry in entries)
        if self.draining.is_set():
            num_slots = 0
        answer = self._door.claim(
            ClaimRequest(num_slots=max(0, num_slots), num_gpus=max(0, free_gpus), chains=self._schedules)
        )
        for job in answer.jobs:
            self._journal.take(job)
        if answer.jobs:
            self._place_new()

    def _heartbeat(self) -> None:
        entries = {entry.ref: entry for entry in self._journal.open_entries()}
        if isinstance(self._executor, PartitionWatcher) and self._is_due("partitions", self._pace.partitions_s):
            try:
                self._partitions = tuple(self._executor.partition_status())
            except FactoryError as error:
                logger.warning("the partitions cannot be looked at: %s", error.message)
        serial = int(self._journal.fact("serial") or 0)
        answer = self._door.heartbeat(
            HeartbeatRequest(version=__version__, jobs=tuple(entries), partitions=self._partitions, serial=serial)
        )
        if answer.restored_at is not None:
            self._tell_again(answer.restored_at)
        self._journal.remember("serial", str(answer.serial))
        for ref in answer.cancel:
            if ref in entries and entries[ref].report is None:
                self._stop(entries[ref])
        self._forget(entries, answer)

    def _stop(self, entry: Entry) -> None:
        """End a job on request."""
        if entry.placed:
            self._cancel(entry)
        else:
            reason = "Cancelled before it was submitted."
            self._end(entry, JobReport(key=entry.key, state=JobState.CANCELLED, reason=reason))

    def _tell_again(self, restored_at: datetime) -> None:
        """The hub is an older one than the agent has known: tell it again what it has forgotten."""
        since = restored_at - OVERLAP
        num_again = self._journal.tell_again(since=since)
        logger.warning("the hub remembers nothing after %s; %d ended jobs are told again", restored_at, num_again)
        for errand in self._errands:
            if errand.rewind is not None:
                errand.rewind(since)

    def _forget(self, entries: dict[str, Entry], answer: HeartbeatAnswer) -> None:
        """End jobs that the hub does not know, once it has said so long enough to be believed."""
        unknown = {ref for ref in answer.forget if ref in entries}
        self._journal.known_again(unknown)
        now = datetime.now(UTC)
        for ref in sorted(unknown):
            entry = entries[ref]
            if self._journal.asked_to_forget(ref, at=now) < self._pace.forget_after_s and entry.report is None:
                continue
            if entry.placed and entry.report is None:
                self._cancel(entry)
            logger.warning("job %s is unknown to the hub; it is ended and dropped", ref)
            self._journal.close_entry(ref, at=now)
