"""What the importer must not forget when it is killed: runs read, records acknowledged, how far it came."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from fucina.accounting.sacct import Run, parse_row
from fucina.accounting.usage import UsageRecord

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    cluster TEXT NOT NULL, job_id INTEGER NOT NULL, submit INTEGER NOT NULL, ended INTEGER, text TEXT NOT NULL,
    PRIMARY KEY (cluster, job_id, submit)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS run_ended ON run (ended);
CREATE TABLE IF NOT EXISTS dirty (
    cluster TEXT NOT NULL, job_id INTEGER NOT NULL, waits INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (cluster, job_id)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS run_new AFTER INSERT ON run BEGIN
    INSERT INTO dirty VALUES (new.cluster, new.job_id, 0) ON CONFLICT DO UPDATE SET waits = 0; END;
CREATE TRIGGER IF NOT EXISTS run_changed AFTER UPDATE OF text ON run BEGIN
    INSERT INTO dirty VALUES (new.cluster, new.job_id, 0) ON CONFLICT DO UPDATE SET waits = 0; END;
CREATE TABLE IF NOT EXISTS sent (
    cluster TEXT NOT NULL, job_id INTEGER NOT NULL, submit INTEGER NOT NULL, digest BLOB NOT NULL,
    measured_us INTEGER NOT NULL, PRIMARY KEY (cluster, job_id, submit)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sent_measured ON sent (measured_us);
CREATE TABLE IF NOT EXISTS number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aside (text TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
"""

MAX_ASIDE = 10_000
"""Rows and records kept aside; more are only counted where they occur."""

JobId = tuple[str, int]
"""Cluster and raw id."""


class Identity(NamedTuple):
    """Cluster, raw id and first submission: what no other job has, even after a reset of Slurm's database."""

    cluster: str
    job_id: int
    submit: int


def identity(job: Sequence[Run]) -> Identity:
    """Of a job, by its first run."""
    return Identity(job[0].cluster, job[0].job_id, job[0].submit)


def digest(record: UsageRecord) -> bytes:
    """Of everything that a record says, but for when it was read."""
    return hashlib.sha256(record.model_copy(update={"measured_at": None}).model_dump_json().encode()).digest()


def microseconds(at: datetime) -> int:
    """Since the epoch."""
    whole = int(at.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + at.microsecond


class ImportState:
    """SQLite file of one site's importer."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        # A power cut may take the last transactions with it: they are read and sent again.
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def number(self, name: str, default: int = 0) -> int:
        """A number that was written down."""
        row = self._db.execute("SELECT value FROM number WHERE name = ?", (name,)).fetchone()
        return row[0] if row else default

    def set_number(self, name: str, value: int) -> None:
        """Write a number down."""
        self._db.execute("INSERT OR REPLACE INTO number VALUES (?, ?)", (name, value))

    def keep(self, runs: Iterable[Run]) -> None:
        """Take in runs; jobs of which something is new or has changed become dirty."""
        self._db.executemany(
            "INSERT INTO run VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text,"
            " ended = excluded.ended WHERE text <> excluded.text",
            ((run.cluster, run.job_id, run.submit, run.end, run.text) for run in runs),
        )

    def knows(self, run: Run) -> bool:
        """Whether another run of its id is known."""
        job = (run.cluster, run.job_id)
        return self._db.execute("SELECT 1 FROM run WHERE cluster = ? AND job_id = ?", job).fetchone() is not None

    def keep_aside(self, rows: Iterable[tuple[str, str]]) -> None:
        """Keep what could not be used, with the reason."""
        room = MAX_ASIDE - self.num_aside()
        self._db.executemany("INSERT OR IGNORE INTO aside (reason, text) VALUES (?, ?)", list(rows)[: max(0, room)])

    def num_aside(self) -> int:
        """How many rows and records are kept aside."""
        return self._db.execute("SELECT count(*) FROM aside").fetchone()[0]

    def aside(self) -> list[tuple[str, str]]:
        """Reason and text of what is kept aside."""
        return self._db.execute("SELECT reason, text FROM aside ORDER BY text").fetchall()

    def wake(self) -> None:
        """Look again at jobs that waited."""
        self._db.execute("UPDATE dirty SET waits = 0 WHERE waits")

    def dirty(self, limit: int) -> list[JobId]:
        """Jobs to look at."""
        return self._db.execute("SELECT cluster, job_id FROM dirty WHERE NOT waits LIMIT ?", (limit,)).fetchall()

    def num_waiting(self) -> int:
        """Jobs whose end is not certain yet, or which cannot be priced."""
        return self._db.execute("SELECT count(*) FROM dirty WHERE waits").fetchone()[0]

    def wait(self, jobs: Iterable[JobId]) -> None:
        """Look at these again in the next step."""
        self._db.executemany("UPDATE dirty SET waits = 1 WHERE cluster = ? AND job_id = ?", jobs)

    def clean(self, jobs: Iterable[JobId]) -> None:
        """Nothing is left to say about these."""
        self._db.executemany("DELETE FROM dirty WHERE cluster = ? AND job_id = ?", jobs)

    def runs(self, job: JobId) -> list[Run]:
        """Every run known under a raw id."""
        rows = self._db.execute("SELECT text FROM run WHERE cluster = ? AND job_id = ?", job)
        return [parse_row(text) for (text,) in rows]

    def live_jobs(self) -> list[int]:
        """Raw ids of jobs with a run that is known and has not ended."""
        return [job_id for (job_id,) in self._db.execute("SELECT DISTINCT job_id FROM run WHERE ended IS NULL")]

    def was_sent(self, job: Identity, what: bytes) -> bool:
        """Whether the hub has acknowledged exactly this."""
        row = self._db.execute(
            "SELECT digest FROM sent WHERE cluster = ? AND job_id = ? AND submit = ?", job
        ).fetchone()
        return row is not None and row[0] == what

    def mark_sent(self, job: Identity, what: bytes, *, measured_us: int) -> None:
        """The hub has acknowledged this."""
        self._db.execute("INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?, ?)", (*job, what, measured_us))

    def last_sent_us(self) -> int:
        """Latest reading that the hub has acknowledged; 0 before the first."""
        return self._db.execute("SELECT coalesce(max(measured_us), 0) FROM sent").fetchone()[0]

    def forget_sent(self, *, after_us: int) -> int:
        """The hub has lost what was read later: say it again. Returns how many jobs."""
        self._db.execute(
            "INSERT OR IGNORE INTO dirty (cluster, job_id) SELECT cluster, job_id FROM sent WHERE measured_us > ?",
            (after_us,),
        )
        return self._db.execute("DELETE FROM sent WHERE measured_us > ?", (after_us,)).rowcount

    def prune(self, *, ended_before: int) -> int:
        """Drop runs of jobs that ended long ago and are acknowledged; returns how many."""
        return self._db.execute(
            "DELETE FROM run WHERE ended < ? AND NOT EXISTS"
            " (SELECT 1 FROM dirty d WHERE d.cluster = run.cluster AND d.job_id = run.job_id) AND NOT EXISTS"
            " (SELECT 1 FROM run o WHERE o.cluster = run.cluster AND o.job_id = run.job_id"
            " AND (o.ended IS NULL OR o.ended >= ?))",
            (ended_before, ended_before),
        ).rowcount
