"""Brings the usage of a Slurm site to the hub, each job exactly once.

Runs are read by windows over their end. Windows overlap, because slurmdbd hears of some ends late, and now and then the
last days are read again. What was read is kept in SQLite until the hub has acknowledged it, so that a kill at any
moment costs at most a repetition, which the hub recognises. A job that got another run, or a row that changed, is sent
again with its new figures.
"""

import logging
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from fucina.accounting.assemble import UnknownPartition, group, is_half_told, is_over, may_go_on, own_key, usage_record
from fucina.accounting.import_state import Identity, ImportState, JobId, digest, identity, microseconds
from fucina.accounting.sacct import DELIMITER, Broken, Run, ended_between, of_jobs, read_rows, sacct_options
from fucina.accounting.sacct_command import SacctSource
from fucina.accounting.usage import RefusedUsage, UsageReceipt, UsageRecord
from fucina.errors import BadInput, Unavailable
from fucina.network.spec import Site

logger = logging.getLogger(__name__)

OVERLAP_S = 15 * 60
"""How far behind its last end a window begins."""
SWEEP_EVERY_S = 6 * 3600
SWEEP_S = 8 * 86_400
"""The last days that are read again now and then: longer than slurmdbd may be down over a weekend."""
GLANCE_EVERY_S = 600
GLANCE_S = 3 * 3600
"""The last hours are read again more often: an end is told late by a controller that was down, and a run that a killed
controller has lost is closed as of its beginning."""
SETTLE_S = 600
"""After a failure that Slurm may mend by itself, a job without a new run is over only after so long."""
HALF_TOLD_S = 300
"""How long a run's whole row is waited for: a killed controller never tells of some beginnings."""
SETTLE_BY_QUEUE_S = 60
"""The same where the queue can be asked whether it still has the job."""
KEEP_S = 120 * 86_400
"""How long runs of acknowledged jobs are kept."""
TARGET_ROWS = 20_000
"""Rows that a window should have; its length follows what the last one had."""
FIRST_WINDOW_S = 6 * 3600
MIN_WINDOW_S, MAX_WINDOW_S = 300, 30 * 86_400
BATCH = 500
"""Records sent at once, and jobs asked about at once."""
CHUNK = 4_000
"""Jobs looked at before anything is written down; a kill costs at most so many repetitions."""
PIECE = 2_000
"""Rows written at once."""

Send = Callable[[tuple[UsageRecord, ...]], UsageReceipt]
Queue = Callable[[Sequence[int]], Collection[int]]
"""Which of these raw ids wait or run. Raises Unavailable."""


def everything(_run: Run) -> bool:
    """Every run of the site."""
    return True


def started_by_the_hub(run: Run) -> bool:
    """What carries a key of the hub: for an agent in personal mode, which reads one user's jobs only."""
    return bool(own_key(run))


def in_accounts(accounts: Callable[[], frozenset[str]]) -> Callable[[Run], bool]:
    """What is charged to one of these accounts: for an agent in site mode, where each project has its own."""
    return lambda run: run.account in accounts()


@dataclass(slots=True, kw_only=True)
class Imported:
    """What one step did."""

    num_rows: int = 0
    num_sent: int = 0
    num_broken: int = 0
    num_waiting: int = 0
    """Jobs that may go on, or ran in a partition that the site's file does not describe."""
    num_sent_again: int = 0
    """Jobs that the hub had lost."""
    refused: tuple[RefusedUsage, ...] = ()
    problems: tuple[str, ...] = ()
    """What somebody should look at, in words."""


class Importer:
    """Serves one site. `send` gives a batch to the hub and returns its receipt; an empty batch only asks for one.

    `wanted` says which runs are the hub's business, with all other runs of the same id; the rest is read and forgotten.
    `queue` is asked about jobs that may go on: Slurm 22.05 can start one again under a row that has an end already.
    """

    def __init__(
        self,
        *,
        site: Site,
        source: SacctSource,
        state: Path,
        send: Send,
        since: datetime,
        wanted: Callable[[Run], bool] = everything,
        all_users: bool = True,
        queue: Queue | None = None,
    ) -> None:
        if site.slurm is None:
            raise BadInput(f"Site {site.id} has no Slurm.", hint="Only the accounting of a Slurm site can be imported.")
        self._site = site
        self._cluster = site.slurm.cluster
        self._source = source
        self._state = ImportState(state)
        self._send = send
        self._since = int(since.timestamp())
        self._wanted = wanted
        self._all_users = all_users
        self._queue = queue
        self._delimiter = DELIMITER + secrets.token_hex(4)

    def close(self) -> None:
        """Let go of the state file."""
        self._state.close()

    @property
    def state(self) -> ImportState:
        """What it remembers."""
        return self._state

    def step(self, *, now: datetime) -> Imported:
        """Read what is new and send what the hub lacks. Raises SacctFailed, Unavailable; then go on later."""
        done = Imported()
        end = int(now.timestamp())
        self._check_hub(done)
        self._state.wake()
        begin = max(min(self._state.number("cursor", self._since + OVERLAP_S), end) - OVERLAP_S, 0)
        self._read_windows(begin, end, now=now, done=done, cursor=True)
        glanced_at = self._state.number("glanced_at", 0)
        if not glanced_at <= end < glanced_at + GLANCE_EVERY_S:
            self._read_windows(max(self._since, end - GLANCE_S), end, now=now, done=done, cursor=False)
            self._state.set_number("glanced_at", end)
        swept_at = self._state.number("swept_at", end)
        if not swept_at <= end < swept_at + SWEEP_EVERY_S:
            self._read_windows(max(self._since, end - SWEEP_S), end, now=now, done=done, cursor=False)
            live = self._state.live_jobs()
            for first in range(0, len(live), BATCH):
                self._ask_about(live[first : first + BATCH], done)
            self._send_dirty(now, done)
            self._state.prune(ended_before=end - KEEP_S)
        if swept_at > end or end >= swept_at + SWEEP_EVERY_S or not self._state.number("swept_at"):
            self._state.set_number("swept_at", end)
        done.num_waiting = self._state.num_waiting()
        return done

    def _check_hub(self, done: Imported) -> None:
        """Say again what a hub that was restored from a backup has lost."""
        last_us = self._state.last_sent_us()
        if not last_us:
            return
        known_until = self._send(()).known_until
        known_us = microseconds(known_until) if known_until else 0
        # The hub's answer has whole milliseconds.
        if known_us < last_us // 1000 * 1000:
            with self._state.transaction():
                done.num_sent_again = self._state.forget_sent(after_us=known_us)
            logger.warning("the hub lacks usage read after %s: %d jobs again", known_until, done.num_sent_again)

    def _read_windows(self, begin: int, end: int, *, now: datetime, done: Imported, cursor: bool) -> None:
        length = self._state.number("window_s", FIRST_WINDOW_S)
        while begin < end:
            until = min(end, begin + length)
            num_rows = self._read((*ended_between(begin, until),), cursor=until if cursor else None, done=done)
            fits = length * TARGET_ROWS // max(num_rows, 1)
            length = max(MIN_WINDOW_S, min(MAX_WINDOW_S, length * 4, fits))
            begin = until
            self._send_dirty(now, done)
        self._state.set_number("window_s", length)

    def _read(self, options: Sequence[str], *, cursor: int | None, done: Imported) -> int:
        """One call of sacct, taken in as a whole or not at all."""
        broken = Broken()
        lines = self._source(
            (*sacct_options(clusters=self._cluster, delimiter=self._delimiter, all_users=self._all_users), *options)
        )
        num_rows = 0
        with self._state.transaction():
            rows = read_rows(lines, broken=broken, delimiter=self._delimiter)
            while piece := list(islice(rows, PIECE)):
                num_rows += len(piece)
                self._state.keep(run for run in piece if self._wanted(run) or self._state.knows(run))
            self._state.keep_aside(broken.kept)
            if cursor is not None:
                self._state.set_number("cursor", cursor)
        done.num_rows += num_rows
        done.num_broken += broken.num
        return num_rows

    def _ask_about(self, job_ids: Sequence[int], done: Imported) -> None:
        """Every run of these jobs, also those that wait or go on."""
        if job_ids:
            self._read(of_jobs(job_ids), cursor=None, done=done)

    def _send_dirty(self, now: datetime, done: Imported) -> None:
        while names := self._state.dirty(CHUNK):
            jobs = {name: group(self._state.runs(name)) for name in names}
            alive = self._confirm_ends(jobs, now, done)
            ready: list[tuple[Identity, UsageRecord]] = []
            settled: list[JobId] = []
            waiting: list[JobId] = []
            for name, found in jobs.items():
                over = [job for job in found if is_over(job) and not self._is_fresh(job, now)]
                if name in alive and over and over[-1] is found[-1]:
                    over.pop()
                try:
                    ready.extend((identity(job), usage_record(job, site=self._site, measured_at=None)) for job in over)
                except UnknownPartition as error:
                    done.problems = tuple({*done.problems, f"{error.message} {error.hint}"})
                    waiting.append(name)
                    continue
                held_back = name in alive or any(self._is_fresh(job, now) for job in found)
                (waiting if held_back else settled).append(name)
            self._deliver(ready, now, done)
            with self._state.transaction():
                self._state.clean(settled)
                self._state.wait(waiting)

    def _is_fresh(self, job: Sequence[Run], now: datetime) -> bool:
        """Whether it ended a moment ago in a way after which Slurm may start it again, or its row is not whole yet.

        A job whose newest run goes on needs no waiting for: its row changes when that run ends.
        """
        end, before = job[-1].end, int(now.timestamp())
        if end is None:
            return False
        settle_s = SETTLE_BY_QUEUE_S if self._queue else SETTLE_S
        return (may_go_on(job) and end > before - settle_s) or (is_half_told(job) and end > before - HALF_TOLD_S)

    def _confirm_ends(self, jobs: dict[JobId, list[list[Run]]], now: datetime, done: Imported) -> set[JobId]:
        """Ask Slurm about jobs that it may have started again; returns those that are not over."""
        doubtful = self._doubtful(jobs, now)
        for first in range(0, len(doubtful), BATCH):
            self._ask_about([job_id for _, job_id in doubtful[first : first + BATCH]], done)
        for name in doubtful:
            jobs[name] = group(self._state.runs(name))
        doubtful = self._doubtful({name: jobs[name] for name in doubtful}, now)
        if self._queue is None or not doubtful:
            return set()
        alive: set[int] = set()
        for first in range(0, len(doubtful), BATCH):
            batch = [job_id for _, job_id in doubtful[first : first + BATCH]]
            try:
                alive |= set(self._queue(batch))
            except Unavailable as error:
                logger.info("%d jobs may go on; the queue cannot be asked: %s", len(batch), error.message)
                alive |= set(batch)
        return {name for name in doubtful if name[1] in alive}

    def _doubtful(self, jobs: Mapping[JobId, list[list[Run]]], now: datetime) -> list[JobId]:
        return [
            name
            for name, found in jobs.items()
            if found and is_over(found[-1]) and may_go_on(found[-1]) and not self._is_fresh(found[-1], now)
        ]

    def _deliver(self, ready: Sequence[tuple[Identity, UsageRecord]], now: datetime, done: Imported) -> None:
        new = [(job, record, what) for job, record in ready if not self._state.was_sent(job, what := digest(record))]
        if not new:
            return
        measured_us = max(microseconds(now), self._state.number("measured_us") + 1)
        self._state.set_number("measured_us", measured_us)
        measured_at = datetime.fromtimestamp(0, tz=UTC) + timedelta(microseconds=measured_us)
        unread: set[str] = set()
        for first in range(0, len(new), BATCH):
            batch = new[first : first + BATCH]
            records = [record.model_copy(update={"measured_at": measured_at}) for _, record, _ in batch]
            for refused in self._send_whole(records, unread):
                done.refused = (*done.refused, refused)[-100:]
        with self._state.transaction():
            for job, record, what in new:
                self._state.mark_sent(job, what, measured_us=0 if record.job_key in unread else measured_us)
        done.num_sent += len(new) - len(unread)

    def _send_whole(self, records: Sequence[UsageRecord], unread: set[str]) -> Iterator[RefusedUsage]:
        """Send a batch; a record that the hub cannot read is kept aside, named in `unread`, and stops no other."""
        try:
            yield from self._send(tuple(records)).refused
        except BadInput as error:
            if len(records) == 1:
                with self._state.transaction():
                    self._state.keep_aside([(error.message, records[0].model_dump_json())])
                logger.error("the hub cannot read the usage of %s: %s", records[0].job_key, error.message)
                unread.add(records[0].job_key)
                yield RefusedUsage(job_key=records[0].job_key, reason=error.message)
                return
            half = len(records) // 2
            yield from self._send_whole(records[:half], unread)
            yield from self._send_whole(records[half:], unread)
