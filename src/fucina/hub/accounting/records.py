"""Usage records become ledger entries: the first settles a job, a later one with other figures corrects it.

Whatever the order in which records arrive, and however often, the ledger ends where the newest reading of the site's
accounting says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum

from fucina.accounting import usage
from fucina.hub.accounting.models import (
    Allocation,
    Kind,
    LedgerEntry,
    RefundProposal,
    RefundState,
    UsageAlias,
    UsageRecord,
)
from fucina.hub.people.actions import Actor, record
from fucina.units import gpu_hours

CHARGES = (Kind.USE, Kind.CORRECTION, Kind.REFUND)


class ArrayHold(NamedTuple):
    """The one hold of an array, of which each task gives back its share when its usage arrives."""

    job: str
    """Key of the array."""
    tasks: tuple[str, ...]
    """Keys of its tasks."""
    share_gpu_s: int


class Placed(NamedTuple):
    """A usage record with the allocation that pays for it."""

    allocation: Allocation
    used: usage.UsageRecord
    array: ArrayHold | None = None
    """Where it is of a task, or of the tasks that never started, which go by the array's own key."""


@dataclass(slots=True)
class _Books:
    """What the hub knows of the jobs of one batch, and what is to be written about them."""

    newest: dict[str, UsageRecord]
    aliases: dict[str, str]
    held: dict[str, int]
    """GPU-seconds of holds that are not settled."""
    charged: dict[str, int]
    """Sum of use, corrections and refunds."""
    refunded: dict[str, int]
    at: datetime
    arrays: dict[str, ArrayHold] = field(default_factory=dict)
    """Arrays of tasks that still have to give back their share of the hold."""
    rows: list[UsageRecord] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    new_aliases: dict[str, str] = field(default_factory=dict)
    lost: dict[str, tuple[Allocation, usage.UsageRecord]] = field(default_factory=dict)
    windows: dict[int, list[tuple[datetime, datetime]]] = field(default_factory=dict)


@transaction.atomic
def record_usage(*, placed: Sequence[Placed], by: Actor, at: datetime) -> int:
    """Take in usage records; returns how many said something new.

    The first record of a job gives its hold back and charges what it used, even beyond the hold; a later reading with
    other figures adds a correction.
    """
    pks = sorted({one.allocation.pk for one in placed})
    list(Allocation.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk").values_list("pk"))
    books = _open_books(placed, at=at)
    for one in sorted(placed, key=lambda one: one.used.rank):
        _take(books, one.allocation, one.used)
    UsageRecord.objects.bulk_create(books.rows, batch_size=500)
    LedgerEntry.objects.bulk_create(books.entries, batch_size=500)
    UsageAlias.objects.bulk_create(
        [UsageAlias(alias=alias, job=job) for alias, job in books.new_aliases.items()],
        batch_size=500,
        ignore_conflicts=True,
    )
    _propose_refunds(books)
    for allocation in {row.allocation for row in books.rows}:
        mine = [row for row in books.rows if row.allocation == allocation]
        data = {
            "num_jobs": len(mine),
            "jobs": [row.job for row in mine[:20]],
            "gpu_s": sum(entry.gpu_s for entry in books.entries if entry.allocation == allocation),
        }
        record(by, "accounting.settle", allocation, at=at, data=data)
    return len(books.rows)


def _open_books(placed: Sequence[Placed], *, at: datetime) -> _Books:
    named = {key for one in placed for key in (one.used.job_key, *one.used.same_as)}
    aliases = dict(UsageAlias.objects.filter(alias__in=named).values_list("alias", "job"))
    jobs = named | set(aliases.values())
    newest: dict[str, UsageRecord] = {}
    for row in UsageRecord.objects.filter(job__in=jobs).select_related("allocation").order_by("revision"):
        newest[row.job] = row
    books = _Books(newest=newest, aliases=aliases, held={}, charged={}, refunded={}, at=at)
    for job, kind, gpu_s in LedgerEntry.objects.filter(job__in=jobs).values_list("job", "kind", "gpu_s"):
        if kind in CHARGES:
            books.charged[job] = books.charged.get(job, 0) + gpu_s
        else:
            books.held[job] = books.held.get(job, 0) - gpu_s
        if kind == Kind.REFUND:
            books.refunded[job] = books.refunded.get(job, 0) + gpu_s
    _open_arrays(books, {one.array for one in placed if one.array is not None})
    return books


def _open_arrays(books: _Books, arrays: Iterable[ArrayHold]) -> None:
    """Of each array: what its hold still has, and the shares of the tasks that have not given theirs back."""
    for array in sorted(arrays):
        rows = LedgerEntry.objects.filter(job__in=(array.job, *array.tasks), kind__in=(Kind.HOLD, Kind.SETTLE))
        sums = {job: -total for job, total in rows.values_list("job").annotate(total=Sum("gpu_s"))}
        held = sum(sums.values())
        books.held.pop(array.job, None)
        if held > 0:
            books.held[array.job] = held
        for task in array.tasks:
            books.held.pop(task, None)
            if task not in sums:
                books.arrays[task] = array


def _take(books: _Books, allocation: Allocation, used: usage.UsageRecord) -> None:
    used = _own_name(books, used)
    job = _known_name(books, used)
    known = books.newest.get(job)
    if known is None or used.rank > known.parsed.rank:
        _write(books, known.allocation if known else allocation, job, used)
    for other in sorted({used.job_key, *used.same_as} - {job}):
        books.new_aliases[other] = books.aliases[other] = job
        if other in books.newest and books.newest[other].gpu_s:
            moved = books.newest[other].parsed.model_copy(
                update={"gpu_s": 0, "periods": (), "measured_at": used.measured_at}
            )
            _write(books, books.newest[other].allocation, other, moved)


def _own_name(books: _Books, used: usage.UsageRecord) -> usage.UsageRecord:
    """A second Slurm job that carries the key of another in its comment goes by what Slurm calls it."""
    known = books.newest.get(used.job_key)
    before = set(known.parsed.same_as) if known else set()
    if _is_slurm(used.job_key) or not used.same_as or not before or before & set(used.same_as):
        return used
    return used.model_copy(update={"job_key": used.same_as[0], "same_as": used.same_as[1:]})


def _is_slurm(key: str) -> bool:
    return key.startswith("slurm.")


def _known_name(books: _Books, used: usage.UsageRecord) -> str:
    """The key under which the job stands already; its own where it is new."""
    if not _is_slurm(used.job_key):
        return used.job_key
    for key in (used.job_key, *used.same_as):
        if key in books.aliases:
            return books.aliases[key]
    return next((key for key in (used.job_key, *used.same_as) if key in books.newest), used.job_key)


def _write(books: _Books, allocation: Allocation, job: str, used: usage.UsageRecord) -> None:
    known = books.newest.get(job)
    row = UsageRecord(
        job=job,
        revision=known.revision + 1 if known else 0,
        allocation=allocation,
        gpu_s=used.gpu_s,
        began_at=min(used.started_at or used.ended_at, used.ended_at),
        ended_at=used.ended_at,
        measured_at=used.measured_at,
        recorded_at=books.at,
        wire=used.model_dump(mode="json"),
    )
    books.rows.append(row)
    books.newest[job] = row
    if held := max(0, books.held.pop(job, 0)) or _share(books, job):
        _enter(books, allocation, job, Kind.SETTLE, held)
    refunded = books.refunded.get(job, 0)
    delta = -max(0, used.gpu_s - refunded) - books.charged.get(job, 0)
    if delta:
        note = ""
        if known is not None:
            note = f"{used.native_id or job}: {gpu_hours(known.gpu_s)} GPU-hours before, {gpu_hours(used.gpu_s)} now"
        _enter(books, allocation, job, Kind.USE if known is None else Kind.CORRECTION, delta, note=note)
        books.charged[job] = books.charged.get(job, 0) + delta
    if used.lost_gpu_s(_maintenance(books, allocation)):
        books.lost[job] = (allocation, used)


def _share(books: _Books, job: str) -> int:
    """What a task gives back of its array's hold; the rest of it for the last."""
    array = books.arrays.pop(job, None)
    held = books.held.get(array.job, 0) if array else 0
    if array is None or not held:
        return 0
    is_last = not any(task in books.arrays for task in array.tasks)
    share = held if is_last else min(array.share_gpu_s, held)
    books.held[array.job] = held - share
    return share


def _maintenance(books: _Books, allocation: Allocation) -> list[tuple[datetime, datetime]]:
    """Maintenance windows of the allocation's site."""
    if allocation.site_id not in books.windows:
        windows = allocation.site.spec.maintenance
        books.windows[allocation.site_id] = [(window.begins_at, window.ends_at) for window in windows]
    return books.windows[allocation.site_id]


def _enter(books: _Books, allocation: Allocation, job: str, kind: Kind, gpu_s: int, *, note: str = "") -> None:
    books.entries.append(
        LedgerEntry(allocation=allocation, kind=kind, gpu_s=gpu_s, job=job, note=note[:500], at=books.at)
    )


def _propose_refunds(books: _Books) -> None:
    """What was lost to failed nodes is proposed for refund; staff decides."""
    if not books.lost:
        return
    known = {row.job: row for row in RefundProposal.objects.filter(job__in=books.lost)}
    for job, (allocation, used) in books.lost.items():
        spans = used.lost(_maintenance(books, allocation))
        lost_gpu_s = sum(span.gpu_s for span in spans)
        states = sorted(
            {span.state if span.state in usage.NODE_FAILURES else f"{span.state} in maintenance" for span in spans}
        )
        reason = f"{used.native_id or job} lost {gpu_hours(lost_gpu_s)} GPU-hours to the site: {', '.join(states)}"
        row = known.get(job)
        if row is None:
            RefundProposal.objects.create(
                allocation=allocation, job=job, gpu_s=lost_gpu_s, reason=reason[:500], proposed_at=books.at
            )
        elif row.state == RefundState.PROPOSED and row.gpu_s != lost_gpu_s:
            row.gpu_s, row.reason = lost_gpu_s, reason[:500]
            row.save(update_fields=["gpu_s", "reason"])
