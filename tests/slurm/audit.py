"""What hub and Slurm say of the same jobs, each read from its own tables with plain SQL, and where they differ."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psycopg

from lab import Cluster

FINAL = frozenset({"succeeded", "failed", "timed_out", "cancelled"})
PREFIX = "fucina:"
AGAIN = "requeued"
SLURM_STATES = {3: "succeeded", 4: "cancelled", 5: "failed", 6: "timed_out", 1024: AGAIN}
"""Numbers in slurmdbd's `state`; every other end is a failure."""
GPU = "1001"
"""Number of `gres/gpu` in `tres_alloc`: the first TRES that is not built in."""
NO_TASK = 2**32 - 2


class HubTables:
    """The hub's database, read beside the hub."""

    def __init__(self, *, sqlite: Path | None = None, postgres: str = "") -> None:
        self._sqlite, self._postgres = sqlite, postgres

    def rows(self, statement: str) -> list[tuple]:
        """Rows of a statement."""
        if self._postgres:
            with psycopg.connect(self._postgres) as link:
                return link.execute(statement).fetchall()
        link = sqlite3.connect(f"file:{self._sqlite}?mode=ro", uri=True, timeout=30)
        try:
            return link.execute(statement).fetchall()
        finally:
            link.close()

    def num_final(self) -> int:
        """Jobs that have ended."""
        return int(self.rows(f"SELECT count(*) FROM compute_job WHERE state IN {tuple(sorted(FINAL))}")[0][0])  # noqa: S608


class SlurmRow(NamedTuple):
    """One run of a job in slurmdbd's own table."""

    name: str
    """Cluster, raw id and submission, as a usage record names it."""
    job_id: int
    task: int
    key: str
    state: str
    begun: int
    ended: int
    gpu_s: int


def slurm_rows(cluster: Cluster, *, where: str) -> list[SlurmRow]:
    """Runs that slurmdbd has, with the GPU-seconds that follow from its own columns."""
    statement = (
        "SELECT id_job, time_submit, id_array_task, coalesce(derived_es, ''), state, time_start, time_end, "  # noqa: S608 - the test's own names
        f"time_suspended, tres_alloc FROM {cluster.name}_job_table WHERE deleted = 0 AND ({where})"
    )
    found = []
    for job_id, submit, task, comment, state, start, end, suspended, tres in cluster.sql(statement):
        counts = dict(part.split("=") for part in tres.split(",") if "=" in part)
        begun, ended = int(start), int(end)
        held_s = ended - begun - int(suspended) if begun and ended >= begun else 0
        found.append(
            SlurmRow(
                name=f"slurm.{cluster.name}.{job_id}.{submit}",
                job_id=int(job_id),
                task=int(task),
                key=comment.removeprefix(PREFIX) if comment.startswith(PREFIX) else "",
                state=SLURM_STATES.get(int(state), "failed"),
                begun=begun,
                ended=ended,
                gpu_s=held_s * int(counts.get(GPU, 0)),
            )
        )
    return found


@dataclass(slots=True)
class Audit:
    """Counts, sums, and every difference in words."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def expect(self, true: bool, fault: str) -> None:
        if not true:
            self.faults.append(fault)


def look(hub: HubTables, clusters: Sequence[tuple[Cluster, str, str]]) -> Audit:
    """Compare everything; `clusters` are a cluster, its site in the hub, and which rows are the hub's business."""
    audit = Audit()
    _ledger(hub, audit)
    for cluster, site, where in clusters:
        rows = slurm_rows(cluster, where=where)
        _usage(hub, audit, site, [row for row in rows if row.ended])
        _jobs(hub, audit, site, rows)
        audit.expect(all(row.ended for row in rows), f"{site}: {sum(not r.ended for r in rows)} runs without an end")
    return audit


def _ledger(hub: HubTables, audit: Audit) -> None:
    """Entries sum to the running sums and to the balance; no hold is left; every job is settled once."""
    sums: Counter[tuple[int, str]] = Counter()
    by_job: dict[str, Counter[str]] = defaultdict(Counter)
    for allocation, kind, gpu_s, job in hub.rows("SELECT allocation_id, kind, gpu_s, job FROM accounting_ledgerentry"):
        sums[allocation, kind] += gpu_s
        by_job[job][kind] += gpu_s
        audit.counts["ledger entries"] += 1
    kept = {(a, k): s for a, k, s in hub.rows("SELECT allocation_id, kind, gpu_s FROM accounting_ledgertotal") if s}
    audit.expect(
        kept == {name: s for name, s in sums.items() if s}, f"running sums {kept} are not those of the entries"
    )
    held = sum(s for (_, kind), s in sums.items() if kind in ("hold", "settle"))
    audit.expect(held == 0, f"{-held} GPU-seconds are still held")
    used = -sum(s for (_, kind), s in sums.items() if kind in ("use", "correction", "refund"))
    audit.counts["GPU-seconds charged"] = used
    recorded = hub.rows(
        "SELECT coalesce(sum(gpu_s), 0) FROM accounting_usagerecord u WHERE revision = "
        "(SELECT max(revision) FROM accounting_usagerecord v WHERE v.job = u.job)"
    )[0][0]
    audit.expect(int(recorded) == used, f"usage records have {recorded} GPU-seconds, the ledger {used}")


def _newest(hub: HubTables, site: str) -> list[tuple[str, int, dict]]:
    found = hub.rows(
        "SELECT u.job, u.gpu_s, u.wire FROM accounting_usagerecord u JOIN accounting_allocation a ON "  # noqa: S608 - the test's own names
        f"a.id = u.allocation_id JOIN network_site s ON s.id = a.site_id WHERE s.name = '{site}' AND u.revision = "
        "(SELECT max(revision) FROM accounting_usagerecord v WHERE v.job = u.job)"
    )
    return [(job, gpu_s, wire if isinstance(wire, dict) else json.loads(wire)) for job, gpu_s, wire in found]


def _usage(hub: HubTables, audit: Audit, site: str, rows: Sequence[SlurmRow]) -> None:
    """Every run of Slurm stands in exactly one usage record, which has the GPU-seconds of its runs."""
    left = {row.name: row for row in rows}
    audit.counts[f"{site}: runs in Slurm"] = len(rows)
    audit.counts[f"{site}: jobs in Slurm"] = len({_job_of(row) for row in rows})
    audit.counts[f"{site}: GPU-seconds in Slurm"] = sum(row.gpu_s for row in rows)
    for job, gpu_s, wire in _newest(hub, site):
        names = {name for name in (wire["job_key"], *wire["same_as"]) if name.startswith("slurm.")}
        mine = [left.pop(name) for name in names if name in left]
        if not names:
            audit.counts[f"{site}: jobs that never reached Slurm"] += 1
            audit.expect(gpu_s == 0, f"{site}: {job} never reached Slurm and was charged {gpu_s}")
            continue
        audit.counts[f"{site}: usage records"] += 1
        audit.counts[f"{site}: GPU-seconds in records"] += gpu_s
        audit.expect(bool(mine), f"{site}: {job} names no run of its own in Slurm: {sorted(names)}")
        expected = sum(row.gpu_s for row in mine)
        audit.expect(gpu_s == expected, f"{site}: {job} was charged {gpu_s}; Slurm's tables say {expected}")
    for row in left.values():
        audit.expect(False, f"{site}: no usage record has {row.name} ({row.key or 'no key'}, {row.state}, {row.gpu_s})")
    jobs, records = audit.counts[f"{site}: jobs in Slurm"], audit.counts[f"{site}: usage records"]
    audit.expect(jobs == records, f"{site}: {jobs} jobs in Slurm, {records} usage records")


def _job_of(row: SlurmRow) -> tuple[int, str]:
    """A controller that lost its last jobs gives their ids again, to jobs with other keys."""
    return row.job_id, row.key


def _by_job(rows: Sequence[SlurmRow]) -> dict[tuple[int, str], list[SlurmRow]]:
    """Runs of each job in their order; one that was put back into the queue last has not ended."""
    jobs: dict[tuple[int, str], list[SlurmRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (int(row.name.rpartition(".")[2]), row.begun)):
        jobs[_job_of(row)].append(row)
    return jobs


def _jobs(hub: HubTables, audit: Audit, site: str, rows: Sequence[SlurmRow]) -> None:
    """Every job of the hub has ended, is in Slurm once (its tasks once each), and ended in the same state."""
    by_key: dict[str, list[SlurmRow]] = defaultdict(list)
    for row in rows:
        by_key[row.key].append(row)
    audit.counts[f"{site}: jobs of others on the account"] = len({_job_of(row) for row in by_key.pop("", [])})
    known = set()
    statement = (
        "SELECT j.key, j.state, j.spec, (SELECT max(e.at) FROM compute_jobevent e WHERE e.job_id = j.id "  # noqa: S608 - the test's own names
        "AND e.kind = 'state' AND e.state = j.state) FROM compute_job j JOIN accounting_allocation a "
        f"ON a.id = j.allocation_id JOIN network_site s ON s.id = a.site_id WHERE s.name = '{site}'"
    )
    for key, state, spec, closed_at in hub.rows(statement):
        known.add(key)
        mine = by_key.get(key, [])
        audit.counts[f"{site}: jobs in Fucina"] += 1
        audit.counts[f"{site}: {state}"] += 1
        array = (spec if isinstance(spec, dict) else json.loads(spec))["array"]
        audit.expect(state in FINAL, f"{site}: {key} is {state}")
        if not mine:
            audit.expect(state == "cancelled", f"{site}: {key} is {state}; Slurm has no job of that key")
        elif not array:
            ended = {job_id for (job_id, _), runs in _by_job(mine).items() if runs[-1].state != AGAIN}
            audit.expect(len(ended) <= 1, f"{site}: {key}: it ended in Slurm {len(ended)} times: {sorted(ended)}")
            audit.counts[f"{site}: jobs lost in the queue after a requeue"] += len(_by_job(mine)) - len(ended)
            last = max(mine, key=lambda row: (int(row.name.rpartition(".")[2]), row.begun))
            if state in FINAL and last.state != state and last.ended > _epoch(closed_at) + 1:
                # A controller that was killed before it saved this end lets the job go on and ends it once more;
                # what it counts then is charged, but an end that was told is not taken back.
                audit.counts[f"{site}: ends that a restarted controller told again otherwise"] += 1
            else:
                fault = f"it is {state} in Fucina and {last.state} in Slurm"
                audit.expect(last.state == state, f"{site}: {key}: {fault}")
        else:
            tasks = Counter(runs[-1].task for runs in _by_job(mine).values() if runs[-1].state != AGAIN)
            twice = {task: num for task, num in tasks.items() if num > 1 and task != NO_TASK}
            audit.expect(not twice, f"{site}: tasks of {key} are in Slurm more than once: {twice}")
            audit.counts[f"{site}: tasks of arrays"] += len(tasks)
    for key in sorted(set(by_key) - known):
        audit.expect(False, f"{site}: Slurm has {key}, which the hub does not know")


def _epoch(at: datetime | str) -> float:
    """PostgreSQL answers with an instant, SQLite with its text in UTC."""
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
