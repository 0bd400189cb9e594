"""What the agent must not forget when it is killed: jobs taken, and how much of each the hub has heard."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fucina.client.wire import ClaimedJob

_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    ref TEXT PRIMARY KEY,
    claimed TEXT NOT NULL,
    placed INTEGER NOT NULL DEFAULT 0,
    started_sent INTEGER NOT NULL DEFAULT 0,
    lines_sent INTEGER NOT NULL DEFAULT 0,
    lines_offset INTEGER NOT NULL DEFAULT 0,
    log_sent INTEGER NOT NULL DEFAULT 0,
    closed INTEGER NOT NULL DEFAULT 0
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One job of the journal."""

    ref: str
    job: ClaimedJob
    placed: bool
    """Its working directory is complete and the executor has it."""
    started_sent: bool
    lines_sent: int
    """Progress lines that the hub has."""
    lines_offset: int
    """Bytes of `progress.ndjson` behind them."""
    log_sent: int
    """Bytes of the log that the hub has."""


class Journal:
    """SQLite file with one row a job."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(_SCHEMA)

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
        """Write down a claimed job before anything is done about it; a known one is only opened again."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO job (ref, claimed) VALUES (?, ?)", (job.ref, job.model_dump_json()))
            self._db.execute("UPDATE job SET closed = 0 WHERE ref = ?", (job.ref,))

    def open_entries(self) -> list[Entry]:
        """Jobs that the hub has not acknowledged as finished, oldest first."""
        rows = self._db.execute(
            "SELECT ref, claimed, placed, started_sent, lines_sent, lines_offset, log_sent"
            " FROM job WHERE NOT closed ORDER BY rowid"
        )
        return [
            Entry(
                ref=ref,
                job=ClaimedJob.model_validate_json(claimed),
                placed=bool(placed),
                started_sent=bool(started),
                lines_sent=lines,
                lines_offset=offset,
                log_sent=log,
            )
            for ref, claimed, placed, started, lines, offset, log in rows
        ]

    def mark_placed(self, ref: str) -> None:
        """The executor has it."""
        self._db.execute("UPDATE job SET placed = 1 WHERE ref = ?", (ref,))

    def mark_started(self, ref: str) -> None:
        """The hub knows that it started."""
        self._db.execute("UPDATE job SET started_sent = 1 WHERE ref = ?", (ref,))

    def mark_lines(self, ref: str, *, num_lines: int, offset: int) -> None:
        """The hub has these progress lines."""
        self._db.execute("UPDATE job SET lines_sent = ?, lines_offset = ? WHERE ref = ?", (num_lines, offset, ref))

    def mark_log(self, ref: str, *, offset: int) -> None:
        """The hub has the log up to here."""
        self._db.execute("UPDATE job SET log_sent = ? WHERE ref = ?", (offset, ref))

    def close_entry(self, ref: str) -> None:
        """The hub has acknowledged the end."""
        self._db.execute("UPDATE job SET closed = 1 WHERE ref = ?", (ref,))
