"""The journal of intents: what was meant to be submitted is on disk before Slurm hears of it."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from fucina.compute.spec import JobReport, JobSpec

_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
  key TEXT PRIMARY KEY,
  spec TEXT NOT NULL,
  intended_at REAL NOT NULL,
  job_id INTEGER,
  submit_at INTEGER,
  log TEXT NOT NULL DEFAULT '',
  ended_seen_at REAL,
  missing_seen_at REAL,
  cancel_wanted INTEGER NOT NULL DEFAULT 0,
  report TEXT,
  earlier TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
_COLUMNS = (
    "key, spec, intended_at, job_id, submit_at, log, ended_seen_at, missing_seen_at, cancel_wanted, report, earlier"
)
_MANY = 500


class Earlier(NamedTuple):
    """Slurm's name for a submission that it has lost since."""

    job_id: int
    submit_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One job that was asked for. Times are seconds since 1970."""

    key: str
    spec: JobSpec
    intended_at: float
    job_id: int | None
    """None while the answer to its submission is not known."""
    submit_at: int | None
    """As Slurm has it; with cluster and job id it names one job for good."""
    log: str
    ended_seen_at: float | None
    """When the queue first said that it had ended."""
    missing_seen_at: float | None
    """Since when neither queue nor accounting has known it."""
    cancel_wanted: bool
    report: JobReport | None
    """The last word, once there is one."""
    earlier: tuple[Earlier, ...] = ()
    """Submissions that Slurm has lost; of an array, some tasks may have ended under these names."""

    @property
    def names(self) -> tuple[Earlier, ...]:
        """Every submission that Slurm has taken, the newest last."""
        newest = () if self.job_id is None else (Earlier(self.job_id, self.submit_at),)
        return (*self.earlier, *newest)

    def found(self, *, job_id: int, submit_at: int | None) -> "Intent":
        """The same intent with Slurm's name for it."""
        return replace(self, job_id=job_id, submit_at=submit_at)


class Intents:
    """SQLite in the executor's folder; every write is on disk when the call returns."""

    def __init__(self, path: Path) -> None:
        self.is_new = not path.exists()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        columns = {row[1] for row in self._db.execute("PRAGMA table_info(job)")}
        if "earlier" not in columns:
            # A journal that an older agent began.
            self._db.execute("ALTER TABLE job ADD COLUMN earlier TEXT NOT NULL DEFAULT '[]'")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Several writes as one."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def get(self, key: str) -> Intent | None:
        """The intent of that key."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, Intent]:
        """Intents by key; unknown keys are left out."""
        wanted = list(keys)
        found: dict[str, Intent] = {}
        for begin in range(0, len(wanted), _MANY):
            piece = wanted[begin : begin + _MANY]
            marks = ",".join("?" * len(piece))
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM job WHERE key IN ({marks})", piece)  # noqa: S608 - marks
            found.update((row[0], _intent(row)) for row in rows)
        return found

    def open_keys(self) -> list[str]:
        """Keys of jobs without a last word."""
        return [row[0] for row in self._db.execute("SELECT key FROM job WHERE report IS NULL ORDER BY intended_at")]

    def cancelled(self, *, since: float) -> list[Intent]:
        """Jobs submitted since then that were to end and have had their last word."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM job WHERE cancel_wanted AND report IS NOT NULL AND intended_at >= ?",  # noqa: S608 - names
            (since,),
        )
        return [_intent(row) for row in rows]

    def write_down(self, spec: JobSpec, *, log: str, at: float) -> None:
        """The intent to submit, before anything is done about it."""
        self._db.execute(
            "INSERT INTO job (key, spec, intended_at, log) VALUES (?, ?, ?, ?)",
            (spec.key, spec.model_dump_json(), at, log),
        )

    def mark_submitted(self, key: str, *, job_id: int, submit_at: int | None = None) -> None:
        """Slurm has taken it."""
        self._db.execute(
            "UPDATE job SET job_id = ?, submit_at = coalesce(?, submit_at) WHERE key = ?", (job_id, submit_at, key)
        )

    def begin_again(self, intent: Intent, *, at: float) -> None:
        """Slurm has lost it: the intent to submit what is left of it, before anything is done about it."""
        self._db.execute(
            "UPDATE job SET job_id = NULL, submit_at = NULL, intended_at = ?, ended_seen_at = NULL, "
            "missing_seen_at = NULL, earlier = ? WHERE key = ?",
            (at, json.dumps(intent.names), intent.key),
        )

    def take_back(self, intent: Intent) -> None:
        """What `begin_again` was meant to do has certainly not been done."""
        self._db.execute(
            "UPDATE job SET job_id = ?, submit_at = ?, intended_at = ?, missing_seen_at = ?, earlier = ? WHERE key = ?",
            (
                intent.job_id,
                intent.submit_at,
                intent.intended_at,
                intent.missing_seen_at,
                json.dumps(intent.earlier),
                intent.key,
            ),
        )

    def mark_ended(self, key: str, *, at: float) -> None:
        """The queue says that it has ended; its accounting may come later."""
        self._db.execute("UPDATE job SET ended_seen_at = coalesce(ended_seen_at, ?) WHERE key = ?", (at, key))

    def mark_missing(self, key: str, *, at: float | None) -> None:
        """Slurm answers and does not know it; with None, it does again."""
        self._db.execute(
            "UPDATE job SET missing_seen_at = CASE WHEN ? IS NULL THEN NULL ELSE coalesce(missing_seen_at, ?) END "
            "WHERE key = ?",
            (at, at, key),
        )

    def want_cancel(self, key: str) -> None:
        """Cancel it, now or as soon as it is found."""
        self._db.execute("UPDATE job SET cancel_wanted = 1 WHERE key = ?", (key,))

    def settle(self, report: JobReport) -> None:
        """Keep the last word."""
        self._db.execute("UPDATE job SET report = ? WHERE key = ?", (report.model_dump_json(), report.key))

    def drop(self, key: str) -> None:
        """Forget it."""
        self._db.execute("DELETE FROM job WHERE key = ?", (key,))
        self._db.execute("DELETE FROM fact WHERE name = ?", (f"job:{key}",))

    def fact(self, name: str) -> str:
        """A remembered fact, empty if there is none."""
        row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return row[0] if row else ""

    def remember(self, name: str, value: str) -> None:
        """Keep a fact."""
        self._db.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (name, value))


def _intent(row: tuple) -> Intent:
    key, spec, intended_at, job_id, submit_at, log, ended, missing, cancel, report, earlier = row
    return Intent(
        key=key,
        spec=JobSpec.model_validate_json(spec),
        intended_at=intended_at,
        job_id=job_id,
        submit_at=submit_at,
        log=log,
        ended_seen_at=ended,
        missing_seen_at=missing,
        cancel_wanted=bool(cancel),
        report=JobReport.model_validate_json(report) if report else None,
        earlier=tuple(Earlier(*pair) for pair in json.loads(earlier)),
    )
