"""What the agent must not forget when it is killed: jobs taken, their ends, and how much of each the hub has heard."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fucina.client.wire import ClaimedJob
from fucina.compute.spec import JobReport

_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    ref TEXT PRIMARY KEY,
    claimed TEXT NOT NULL,
    placed INTEGER NOT NULL DEFAULT 0,
    told TEXT NOT NULL DEFAULT '',
    lines_sent INTEGER NOT NULL DEFAULT 0,
    lines_offset INTEGER NOT NULL DEFAULT 0,
    log_sent INTEGER NOT NULL DEFAULT 0,
    report TEXT,
    forget_since REAL,
    closed INTEGER NOT NULL DEFAULT 0,
    closed_at REAL
);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_LATER = {
    "told": "TEXT NOT NULL DEFAULT ''",
    "report": "TEXT",
    "forget_since": "REAL",
    "closed_at": "REAL",
}
"""Columns that a journal of an older agent lacks."""

_COLUMNS = "ref, claimed, placed, told, lines_sent, lines_offset, log_sent, report"
_UNTOLD = "told = '', lines_sent = 0, lines_offset = 0, log_sent = 0, forget_since = NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One job of the journal."""

    ref: str
    job: ClaimedJob
    placed: bool
    """Its working directory is complete and the executor has it."""
    told: str
    """State and reason that the hub last heard; empty while it heard nothing."""
    lines_sent: int
    """Progress lines that the hub has."""
    lines_offset: int
    """Bytes of `progress.ndjson` behind them."""
    log_sent: int
    """Bytes of the log that the hub has."""
    report: JobReport | None
    """How it ended, kept until the hub has heard and after."""

    @property
    def key(self) -> str:
        """What the executor calls it."""
        return self.job.spec.key


class Journal:
    """SQLite file with one row a job; every write is on disk when the call returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        known = {row[1] for row in self._db.execute("PRAGMA table_info(job)")}
        for name, kind in _LATER.items():
            if name not in known:
                self._db.execute(f"ALTER TABLE job ADD COLUMN {name} {kind}")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def take(self, job: ClaimedJob) -> None:
        """Write down a claimed job before anything is done about it.

        One that the hub hands out although it was closed is told again from the start: the hub has forgotten its end.
        """
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO job (ref, claimed) VALUES (?, ?)", (job.ref, job.model_dump_json()))
            self._db.execute(
                f"UPDATE job SET closed = 0, {_UNTOLD} WHERE ref = ? AND closed",  # noqa: S608 - a constant
                (job.ref,),
            )

    def open_entries(self) -> list[Entry]:
        """Jobs that the hub has not acknowledged as finished, oldest first."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM job WHERE NOT closed ORDER BY rowid")  # noqa: S608 - a constant
        return [_entry(row) for row in rows]

    def entry(self, ref: str) -> Entry | None:
        """One job, closed or not."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM job WHERE ref = ?", (ref,)).fetchone()  # noqa: S608 - a constant
        return _entry(row) if row else None

    def mark_placed(self, ref: str) -> None:
        """The executor has it."""
        self._db.execute("UPDATE job SET placed = 1 WHERE ref = ?", (ref,))

    def mark_told(self, ref: str, told: str) -> None:
        """The hub has heard this of its state."""
        self._db.execute("UPDATE job SET told = ? WHERE ref = ?", (told, ref))

    def mark_lines(self, ref: str, *, num_lines: int, offset: int) -> None:
        """The hub has these progress lines."""
        self._db.execute("UPDATE job SET lines_sent = ?, lines_offset = ? WHERE ref = ?", (num_lines, offset, ref))

    def mark_log(self, ref: str, *, offset: int) -> None:
        """The hub has the log up to here."""
        self._db.execute("UPDATE job SET log_sent = ? WHERE ref = ?", (offset, ref))

    def keep_end(self, ref: str, report: JobReport) -> None:
        """How it ended; the first word stays, so that the hub hears the same whenever it hears it."""
        self._db.execute("UPDATE job SET report = ? WHERE ref = ? AND report IS NULL", (report.model_dump_json(), ref))

    def close_entry(self, ref: str, *, at: datetime) -> None:
        """The hub has acknowledged the end."""
        self._db.execute("UPDATE job SET closed = 1, closed_at = ? WHERE ref = ?", (at.timestamp(), ref))

    def asked_to_forget(self, ref: str, *, at: datetime) -> float:
        """Seconds since the hub first said, without a break, that it does not know the job."""
        with self._transaction():
            self._db.execute(
                "UPDATE job SET forget_since = coalesce(forget_since, ?) WHERE ref = ?", (at.timestamp(), ref)
            )
            row = self._db.execute("SELECT forget_since FROM job WHERE ref = ?", (ref,)).fetchone()
        return at.timestamp() - float(row[0]) if row else 0.0

    def known_again(self, keep: set[str]) -> None:
        """The hub asks to forget only these any more."""
        marks = ",".join("?" * len(keep))
        self._db.execute(
            f"UPDATE job SET forget_since = NULL WHERE forget_since IS NOT NULL AND ref NOT IN ({marks})",  # noqa: S608 - marks
            sorted(keep),
        )

    def tell_again(self, *, since: datetime) -> int:
        """The hub was restored and remembers nothing after `since`: everything is told again from the start.

        Returns how many ended jobs are open again.
        """
        with self._transaction():
            self._db.execute(f"UPDATE job SET {_UNTOLD} WHERE NOT closed")  # noqa: S608 - a constant
            done = self._db.execute(
                f"UPDATE job SET closed = 0, {_UNTOLD} WHERE closed AND closed_at >= ?",  # noqa: S608 - a constant
                (since.timestamp(),),
            )
        return done.rowcount

    def fact(self, name: str) -> str:
        """A remembered fact, empty if there is none."""
        row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def remember(self, name: str, value: str) -> None:
        """Keep a fact."""
        self._db.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (name, value))


def _entry(row: tuple[str, str, int, str, int, int, int, str | None]) -> Entry:
    ref, claimed, placed, told, lines, offset, log, report = row
    return Entry(
        ref=ref,
        job=ClaimedJob.model_validate_json(claimed),
        placed=bool(placed),
        told=told,
        lines_sent=lines,
        lines_offset=offset,
        log_sent=log,
        report=JobReport.model_validate_json(report) if report else None,
    )
