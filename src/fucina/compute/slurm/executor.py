"""The Slurm executor: jobs of one Slurm cluster, submitted once, watched in bulk, never guessed about."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from fucina.compute.executor import JobConflict, NoSuchJob
from fucina.compute.slurm.controller import Controller
from fucina.compute.slurm.identity import SKEW_S, holders, is_anothers, is_of, was_lost
from fucina.compute.slurm.intents import Intent, Intents
from fucina.compute.slurm.logs import LogReader
from fucina.compute.slurm.placing import partition_for, place
from fucina.compute.slurm.refusals import SlurmFailed
from fucina.compute.slurm.reports import ended_report, left_over, live_report, queue_only_report
from fucina.compute.slurm.rows import Listing, NotSlurmOutput
from fucina.compute.slurm.sacct import MAX_IDS, AccountingRow
from fucina.compute.slurm.sbatch import SubmitOptions, key_of
from fucina.compute.slurm.script import Surroundings, render
from fucina.compute.slurm.squeue import QueueRow
from fucina.compute.slurm.status import partition_statuses
from fucina.compute.slurm.transport import LostAnswer
from fucina.compute.spec import JobReport, JobSpec, JobState
from fucina.errors import FactoryError, Unavailable, WrongState
from fucina.network.spec import Site, SlurmSite
from fucina.network.status import PartitionStatus

logger = logging.getLogger(__name__)

SETTLE_S = 90.0
"""After a try whose answer was lost: how long the job may still turn up before it is submitted again. Longer than any
command may take, so that an `sbatch` left behind by a killed agent has ended."""
ACCOUNTING_WAIT_S = 60.0
"""How long an ended job waits for its accounting before it is reported without."""
CLEAN_UP_S = 8.0
"""From a job's return into the queue until it may start again."""
LOST_S = 180.0
"""How long a job must be unknown to a Slurm that answers before it is submitted again. Longer than a credential lives:
nodes refuse for that time a new job with the id of one that they had to end."""
CANCELLED_S = 2 * 86400
"""How long a cancelled job is looked for in the queue."""
_MISSING = "Neither Slurm's queue nor its accounting knows how this job is."
SEARCH_S = 30 * 86400
"""How far back a new journal looks for jobs of an old one."""


class StillLooking(Unavailable):
    """An earlier try to submit may yet have worked."""

    code = "still_looking"


class DependencyFailed(WrongState):
    """A job that must succeed first has not."""

    code = "dependency_failed"


class SlurmExecutor:
    """Jobs of one cluster. Implements `Executor`; `root` holds its journal."""

    def __init__(
        self,
        *,
        site: Site,
        slurm: SlurmSite,
        root: Path,
        controller: Controller,
        logs: LogReader,
        roots: Sequence[Path],
        surroundings: Surroundings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._site = site
        self._slurm = slurm
        self.controller = controller
        self._logs = logs
        self._roots = tuple(roots)
        self._surroundings = surroundings
        self._clock = clock
        self._hurried: dict[str, tuple[int, float, bool]] = {}
        root.mkdir(parents=True, exist_ok=True)
        self._intents = Intents(root / "slurm.db")

    def close(self) -> None:
        """Let go of connections and files."""
        self.controller.close()
        self._intents.close()

    def submit(self, spec: JobSpec) -> None:
        """Submit the job, or do nothing if its key is known.

        Raises JobConflict, DoesNotFit, OutsideProject, DependencyFailed, StillLooking, and what Slurm refuses with.
        """
        known = self._intents.get(spec.key) or self._adopt(spec)
        if known is not None:
            _check_same(known.spec, spec)
            if known.job_id is not None or known.report is not None:
                return
        options, script = self._asked(spec)
        if known is not None and self._is_found(known):
            return
        self._intents.write_down(spec, log=options.output, at=self._now())
        try:
            job_id = self.controller.submit(options, script)
        except (LostAnswer, SlurmFailed, NotSlurmOutput):
            raise
        except FactoryError:
            self._intents.drop(spec.key)
            raise
        self._intents.mark_submitted(spec.key, job_id=job_id)

    def _asked(self, spec: JobSpec) -> tuple[SubmitOptions, str]:
        """What Slurm is to be asked for, and the batch script. Raises DoesNotFit, OutsideProject, DependencyFailed."""
        options = place(
            spec,
            site=self._site,
            slurm=self._slurm,
            roots=self._roots,
            after_ok=self._live_ids(spec.depends_on),
            warn_s=self._slurm.checkpoint_warning_s,
        )
        vendor = partition_for(spec, self._site).accelerator.vendor
        alarm_s = 0 if self.controller.warns() or not options.warn_s else options.time_min * 60 - options.warn_s
        return options, render(spec, self._surroundings.with_vendor(vendor), alarm_s=alarm_s)

    def poll(self, keys: Iterable[str]) -> dict[str, JobReport]:
        """What is known of these jobs, with one query of the queue and at most one of the accounting."""
        wanted = list(keys)
        intents = self._intents.get_many(wanted)
        reports = {key: _unknown(key) for key in wanted if key not in intents}
        reports |= {key: intent.report for key, intent in intents.items() if intent.report is not None}
        still_open = [intent for intent in intents.values() if intent.report is None]
        if still_open:
            reports |= self._ask(still_open)
        return reports

    def read_log(self, key: str, *, offset: int, max_bytes: int) -> bytes:
        """A piece of what the job printed, empty at the end or before it started. Raises NoSuchJob."""
        intent = self._get(key)
        return self._logs.read(intent.log, offset=offset, max_bytes=max_bytes, user=intent.spec.user)

    def cancel(self, key: str) -> None:
        """End the job; a final job stays as it is. Raises NoSuchJob, Unavailable."""
        intent = self._get(key)
        if intent.report is not None:
            return
        self._intents.want_cancel(key)
        if intent.job_id is None and not self._is_found(intent):
            self._intents.write_down(intent.spec, log=intent.log, at=intent.intended_at)
            self._intents.settle(JobReport(key=key, state=JobState.CANCELLED, reason="It was never submitted."))
            return
        intent = self._get(key)
        rows = self.controller.queue_of(intent.job_id).rows if intent.job_id is not None else ()
        # Slurm may have given the id to another job since.
        self._end([row for row in rows if key_of(row.comment) == key], intent)

    def end_again(self) -> int:
        """End jobs that were cancelled and run all the same, since a killed controller has forgotten it; how many."""
        cancelled = {intent.key: intent for intent in self._intents.cancelled(since=self._now() - CANCELLED_S)}
        if not cancelled:
            return 0
        queue = self.controller.queue(self._query_users({intent.spec.user for intent in cancelled.values()}))
        live = [row for row in queue.rows if key_of(row.comment) in cancelled and live_report("", [row], now=0.0)]
        for job_id, key in sorted({(row.base_id, key_of(row.comment)) for row in live}):
            logger.warning("job %s was cancelled and Slurm has it again (%d); it is ended", key, job_id)
            self.controller.cancel(job_id, user=cancelled[key].spec.user)
        return len(live)

    def suspend(self) -> None:
        """Nothing: Slurm's jobs do not need the agent."""

    def resume(self) -> None:
        """Nothing: Slurm starts again what it lost itself."""

    def forget(self, key: str) -> None:
        """Drop what is kept about a final job."""
        intent = self._intents.get(key)
        if intent is not None and intent.report is not None:
            self._intents.drop(key)

    def partition_status(self) -> list[PartitionStatus]:
        """What each partition has free and how long its queue is: one `sinfo`, one `squeue`."""
        nodes, load = self.controller.nodes(), self.controller.load()
        return partition_statuses(self._site.partitions, nodes=nodes.rows, load=load.rows, at=self._clock())

    def start_estimates(self, keys: Iterable[str]) -> dict[str, datetime]:
        """When Slurm expects waiting jobs to start, where it has an opinion: one query."""
        intents = self._intents.get_many(keys)
        ids = {intent.job_id: key for key, intent in intents.items() if intent.job_id and intent.report is None}
        if not ids:
            return {}
        found: dict[str, datetime] = {}
        for job_id, start_at, comment in self.controller.starts(list(ids)).rows:
            key = ids.get(job_id)
            if key is not None and start_at and key_of(comment) == key:
                start = datetime.fromtimestamp(start_at, UTC)
                found[key] = min(start, found.get(key, start))
        return found

    def spec_of(self, key: str) -> JobSpec | None:
        """The job as it was submitted, None for a key that is not known."""
        intent = self._intents.get(key)
        return intent.spec if intent else None

    def known_keys(self) -> list[str]:
        """Keys of jobs that have not ended, as the journal has them."""
        return self._intents.open_keys()

    def rediscover(self) -> dict[str, int]:
        """Keys and ids of all our jobs that queue and accounting know: what a lost journal is rebuilt from."""
        users = self._query_users({""})
        since = int(self._now()) - SEARCH_S
        found = {key_of(row.comment): row.base_id for row in self.controller.accounting_since(since, users=users).rows}
        found |= {key_of(row.comment): row.base_id for row in self.controller.queue(users).rows}
        found.pop("", None)
        return found

    def _now(self) -> float:
        return self._clock().timestamp()

    def _get(self, key: str) -> Intent:
        intent = self._intents.get(key)
        if intent is None:
            raise NoSuchJob(f"This executor has no job {key}.", hint="Look at the list of jobs.")
        return intent

    def _query_users(self, users: set[str]) -> list[str]:
        """Users to name in a query; nobody, which means everybody, for an agent that acts for others."""
        named = sorted({user or self.controller.own_user for user in users})
        return [] if self.controller.own_user == "root" and named == ["root"] else named

    def _adopt(self, spec: JobSpec) -> Intent | None:
        """A journal that is new takes over what an older one left in Slurm, once. Raises Unavailable."""
        if not self._intents.fact("searched"):
            for key, job_id in self.rediscover().items():
                self._intents.remember(f"job:{key}", str(job_id))
            self._intents.remember("searched", str(int(self._now())))
        found = self._intents.fact(f"job:{spec.key}")
        if not found:
            return None
        options = place(spec, site=self._site, slurm=self._slurm, roots=self._roots, after_ok=(), warn_s=0)
        self._intents.write_down(spec, log=options.output, at=0.0)
        self._intents.mark_submitted(spec.key, job_id=int(found))
        return self._intents.get(spec.key)

    def _is_found(self, intent: Intent) -> bool:
        """Whether an earlier try worked after all; False when it certainly did not.

        Raises StillLooking, Unavailable.
        """
        if self._turns_up(intent):
            return True
        if self._now() - intent.intended_at < SETTLE_S:
            raise StillLooking(
                f"Job {intent.key} may have been submitted; it is looked for until {SETTLE_S:.0f} s after the try.",
                hint="Try again in a moment.",
            )
        self._intents.drop(intent.key)
        return False

    def _turns_up(self, intent: Intent) -> bool:
        """Whether queue or accounting has a submission with this job's key that is not one of those lost before."""
        rows: list[QueueRow | AccountingRow] = [row for row in self._find(intent) if not was_lost(row, intent)]
        if not rows:
            since = int(intent.intended_at) - SKEW_S
            users = self._query_users({intent.spec.user})
            found = [r for r in self.controller.accounting_since(since, users=users).rows if not was_lost(r, intent)]
            rows = [row for row in found if key_of(row.comment) == intent.key]
        if not rows:
            return False
        self._intents.mark_submitted(intent.key, job_id=rows[0].base_id, submit_at=rows[0].submit_at)
        return True

    def _find(self, intent: Intent) -> list[QueueRow]:
        """Rows of the queue with this job's key."""
        listing = self.controller.queue(self._query_users({intent.spec.user}))
        return [row for row in listing.rows if key_of(row.comment) == intent.key]

    def _live_ids(self, keys: Sequence[str]) -> tuple[int, ...]:
        """Slurm's ids of jobs that must succeed first and have not yet.

        Slurm of some versions runs a job at once when the id it depends on is unknown: only ids seen alive are named.
        """
        if not keys:
            return ()
        ids = []
        for key, report in self.poll(keys).items():
            if report.state is JobState.SUCCEEDED:
                continue
            if report.is_final:
                raise DependencyFailed(f"Job {key}, which must succeed first, {report.state}.", hint=report.reason)
            if report.state is JobState.UNKNOWN or not report.native_id:
                raise Unavailable(f"Nobody can say how job {key} is, which must succeed first.", hint=report.reason)
            ids.append(int(report.native_id))
        return tuple(ids)

    def _ask(self, intents: Sequence[Intent]) -> dict[str, JobReport]:
        users = self._query_users({intent.spec.user for intent in intents})
        queue: Listing[QueueRow] | None
        try:
            queue, trouble = self.controller.queue(users), ""
        except Unavailable as error:
            queue, trouble = None, error.message
        by_key: dict[str, list[QueueRow]] = {}
        for row in queue.rows if queue else ():
            by_key.setdefault(key_of(row.comment), []).append(row)
        noted = [_note(intent, by_key.get(intent.key, [])) for intent in intents]
        for before, intent in zip(intents, noted, strict=True):
            if intent.cancel_wanted and before.job_id is None and intent.job_id is not None:
                self._end(by_key[intent.key], intent)
        reports: dict[str, JobReport] = {}
        ended: list[Intent] = []
        for intent in noted:
            rows = [row for row in by_key.get(intent.key, []) if row.base_id == intent.job_id]
            report = live_report(intent.key, rows, now=self._now())
            if report is None:
                ended.append(intent)
            else:
                reports[intent.key] = report
        reports |= self._last_words(
            ended,
            by_key,
            absence_proves=queue is not None and not queue.broken,
            trouble=trouble,
            held=holders(queue.rows if queue else ()),
        )
        self._keep(intents, noted, reports, by_key)
        for intent in noted:
            self._hurry(intent, reports[intent.key])
            if reports[intent.key].reason == _MISSING:
                self._submit_again(intent)
        return reports

    def _submit_again(self, intent: Intent) -> None:
        """A controller killed before it saved its state forgets the jobs it took last, and gives their ids again.

        One that was to end has ended: it counts as never submitted, unless the site's accounting says otherwise.
        """
        missing_s = self._now() - (intent.missing_seen_at or self._now())
        if missing_s < LOST_S:
            return
        if intent.cancel_wanted:
            reason = f"It was to end; Slurm has lost it ({intent.job_id})."
            self._intents.settle(JobReport(key=intent.key, state=JobState.CANCELLED, reason=reason))
            return
        if not intent.spec.requeue:
            return
        logger.error("job %s: Slurm has lost it (%s) and is asked again", intent.key, intent.job_id)
        try:
            if intent.job_id is None and self._turns_up(intent):
                return
            rows = self.controller.accounting([name.job_id for name in intent.names]).rows
            options, script = self._asked(left_over(intent.spec, [row for row in rows if is_of(row, intent)]))
        except FactoryError as error:
            logger.error("job %s cannot be submitted again yet: %s", intent.key, error.message)
            return
        self._intents.begin_again(intent, at=self._now())
        try:
            self._intents.mark_submitted(intent.key, job_id=self.controller.submit(options, script))
        except (LostAnswer, SlurmFailed, NotSlurmOutput) as error:
            logger.error("job %s may have been submitted again: %s", intent.key, error.message)
        except FactoryError as error:
            logger.error("job %s cannot be submitted again yet: %s", intent.key, error.message)
            self._intents.take_back(intent)

    def _hurry(self, intent: Intent, report: JobReport) -> None:
        """Spare a job that was put back into the queue most of Slurm's wait of two minutes, once a restart.

        Its nodes first end what is left of the run before: a start too soon fails there.
        """
        if report.pending_reason != "BeginTime" or not report.num_attempts or intent.job_id is None:
            return
        attempt, seen_at, done = self._hurried.get(intent.key, (0, 0.0, False))
        if attempt != report.num_attempts:
            self._hurried[intent.key] = (report.num_attempts, self._now(), False)
            return
        if done or self._now() - seen_at < CLEAN_UP_S:
            return
        self._hurried[intent.key] = (attempt, seen_at, True)
        try:
            self.controller.start_now(intent.job_id, user=intent.spec.user)
        except FactoryError as error:
            logger.info("job %s waits after its requeue: %s", intent.key, error.message)

    def _keep(
        self,
        before: Sequence[Intent],
        noted: Sequence[Intent],
        reports: Mapping[str, JobReport],
        by_key: Mapping[str, Sequence[QueueRow]],
    ) -> None:
        """Write down what a poll has shown, in one piece."""
        ended = [i for i in noted if i.key in by_key and live_report(i.key, by_key[i.key], now=0.0) is None]
        with self._intents.together():
            for old, new in zip(before, noted, strict=True):
                if new is not old and new.job_id is not None:
                    self._intents.mark_submitted(new.key, job_id=new.job_id, submit_at=new.submit_at)
            for intent in ended:
                self._intents.mark_ended(intent.key, at=self._now())
            for intent in noted:
                report = reports[intent.key]
                if report.is_final:
                    self._intents.settle(report)
                elif (report.reason == _MISSING) != (intent.missing_seen_at is not None):
                    self._intents.mark_missing(intent.key, at=self._now() if report.reason == _MISSING else None)

    def _end(self, rows: Sequence[QueueRow], intent: Intent) -> None:
        """Cancel what is live of these rows."""
        for job_id in {row.base_id for row in rows if live_report(intent.key, [row], now=0.0)}:
            self.controller.cancel(job_id, user=intent.spec.user)

    def _last_words(
        self,
        intents: Sequence[Intent],
        by_key: Mapping[str, Sequence[QueueRow]],
        *,
        absence_proves: bool,
        trouble: str,
        held: Mapping[tuple[int, int | None], str],
    ) -> dict[str, JobReport]:
        """Reports of jobs that are not live in the queue."""
        ids = [name.job_id for intent in intents for name in intent.names][:MAX_IDS]
        rows: dict[int, list[AccountingRow]] = {}
        asked: set[int] = set()
        if ids:
            try:
                for row in self.controller.accounting(ids).rows:
                    rows.setdefault(row.base_id, []).append(row)
                asked = set(ids)
            except Unavailable as error:
                trouble = trouble or error.message
        reports = {}
        for intent in intents:
            queue = [row for row in by_key.get(intent.key, ()) if row.base_id == intent.job_id]
            names = {name.job_id for name in intent.names}
            # Of an array, tasks may have ended before the rest was lost.
            told_by = names if intent.spec.array else {intent.job_id or 0}
            found = [row for job_id in sorted(told_by) for row in rows.get(job_id, ()) if is_of(row, intent)]
            mine = [row for row in found if not is_anothers(row, intent.key, held)]
            alone = not absence_proves and not queue
            missing = absence_proves and not queue and bool(names) and names <= asked
            report = self._last_word(intent, queue, mine, alone=alone, trouble=_MISSING if missing else trouble)
            reports[intent.key] = report
        return reports

    def _last_word(
        self, intent: Intent, queue: Sequence[QueueRow], mine: Sequence[AccountingRow], *, alone: bool, trouble: str
    ) -> JobReport:
        report = ended_report(intent.spec, mine, queue, alone=alone)
        if report is None and queue:
            if self._now() - (intent.ended_seen_at or self._now()) >= ACCOUNTING_WAIT_S:
                report = queue_only_report(intent.spec, queue)
            if report is None:
                return JobReport(
                    key=intent.key,
                    state=JobState.RUNNING,
                    native_id=str(intent.job_id),
                    reason="It has ended; its accounting is awaited.",
                    num_attempts=1 + max(row.num_restarts for row in queue),
                )
        if report is None:
            reason = trouble or "Slurm's queue and accounting have not been asked yet."
            native = str(intent.job_id or "")
            return JobReport(key=intent.key, state=JobState.UNKNOWN, reason=reason, native_id=native)
        return report


def _note(intent: Intent, rows: Sequence[QueueRow]) -> Intent:
    """The intent with what the queue says about its identity."""
    if not rows or (intent.job_id is not None and intent.submit_at is not None):
        return intent
    if intent.job_id is not None:
        rows = [row for row in rows if row.base_id == intent.job_id] or rows
    row = rows[0]
    return intent.found(job_id=intent.job_id or row.base_id, submit_at=row.submit_at)


def _check_same(known: JobSpec, spec: JobSpec) -> None:
    """Raises JobConflict when one key means two jobs; environment and finished dependencies may differ."""
    blank: dict[str, object] = {"environment": {}, "depends_on": ()}
    if known.model_copy(update=blank) != spec.model_copy(update=blank):
        raise JobConflict(f"Job {spec.key} exists and is another one.", hint="Use a new key for a new job.")


def _unknown(key: str) -> JobReport:
    return JobReport(key=key, state=JobState.UNKNOWN, reason="the executor does not know this job")
