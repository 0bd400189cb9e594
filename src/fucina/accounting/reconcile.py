"""Holds what the hub charged for a month against the site's own accounting, and says where and why they differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from pydantic import BaseModel, ConfigDict

from fucina.accounting.assemble import UnknownPartition, group, is_over, own_key, usage_record
from fucina.accounting.sacct import Run
from fucina.accounting.usage import UsageRecord, gpu_s_between
from fucina.network.spec import Site


class Cause(StrEnum):
    """Why the books differ, in a word."""

    LATE = "late-row"
    REQUEUE = "requeue"
    MONTH = "month-split"
    BILLING = "billing-unit"
    UNPLACED = "unplaced-account"
    UNKNOWN_PARTITION = "unknown-partition"
    NOT_OVER = "not-over"
    ONLY_IN_HUB = "only-in-hub"
    CHANGED = "changed-row"


class Difference(BaseModel):
    """One job on which hub and site disagree."""

    model_config = ConfigDict(frozen=True)

    job: str
    native_id: str = ""
    account: str = ""
    hub_gpu_s: int | None
    """In the month; None where the hub has no record."""
    site_gpu_s: int | None
    """In the month; None where the site has none."""
    cause: Cause
    words: str


class Reconciliation(BaseModel):
    """What came of a comparison. `compared` sums over jobs; the totals are in GPU-seconds of the month."""

    model_config = ConfigDict(frozen=True)

    site: str
    month: str
    num_hub_jobs: int
    num_site_jobs: int
    hub_gpu_s: int
    site_gpu_s: int
    num_foreign_jobs: int
    """Jobs of accounts that are not the hub's business."""
    num_broken_rows: int = 0
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubJob:
    """A job in the hub's books."""

    record: UsageRecord
    is_placed: bool
    """False where it is kept aside because no allocation pays for it."""


@dataclass(slots=True)
class _Totals:
    num_site_jobs: int = 0
    num_foreign_jobs: int = 0
    site_gpu_s: int = 0


def reconcile(
    *,
    site: Site,
    month: str,
    begins_at: datetime,
    ends_at: datetime,
    runs: Iterable[Run],
    hub: Mapping[str, HubJob],
    accounts: frozenset[str],
    num_broken_rows: int = 0,
) -> Reconciliation:
    """Compare job by job. `runs` come in the order of their raw ids; `hub` has each job under its key and aliases."""
    totals = _Totals()
    differences: list[Difference] = []
    seen: set[str] = set()
    for _, same_id in groupby(runs, key=lambda run: (run.cluster, run.job_id)):
        for job in group(same_id):
            found = _compare(job, site, begins_at, ends_at, hub, accounts, totals, seen)
            if found is not None:
                differences.append(found)
    hub_jobs = {entry.record.job_key: entry for entry in hub.values()}
    placed = {key: _within(entry.record, begins_at, ends_at) for key, entry in hub_jobs.items() if entry.is_placed}
    for key, gpu_s in placed.items():
        if key not in seen and (gpu_s or _ended_in(hub_jobs[key].record, begins_at, ends_at)):
            differences.append(_only_in_hub(hub_jobs[key].record, gpu_s))
    return Reconciliation(
        site=site.id,
        month=month,
        num_hub_jobs=sum(1 for key in placed if placed[key] or _ended_in(hub_jobs[key].record, begins_at, ends_at)),
        num_site_jobs=totals.num_site_jobs,
        hub_gpu_s=sum(placed.values()),
        site_gpu_s=totals.site_gpu_s,
        num_foreign_jobs=totals.num_foreign_jobs,
        num_broken_rows=num_broken_rows,
        differences=tuple(sorted(differences, key=lambda one: (one.cause, one.job))),
    )


def _compare(
    job: list[Run],
    site: Site,
    begins_at: datetime,
    ends_at: datetime,
    hub: Mapping[str, HubJob],
    accounts: frozenset[str],
    totals: _Totals,
    seen: set[str],
) -> Difference | None:
    own = next(filter(None, map(own_key, reversed(job))), "")
    if not (own or job[-1].account in accounts):
        totals.num_foreign_jobs += 1
        return None
    names = [own, *(f"slurm.{run.cluster}.{run.job_id}.{run.submit}" for run in job)]
    entry = next((hub[name] for name in names if name and name in hub), None)
    if entry is not None:
        seen.add(entry.record.job_key)
    common = {"job": names[0] or names[1], "native_id": job[-1].label, "account": job[-1].account}
    if not is_over(job):
        if entry is None:
            return None
        hub_gpu_s = _within(entry.record, begins_at, ends_at)
        words = f"Slurm runs it again; the hub has {entry.record.num_attempts} of {len(job)} runs."
        return Difference(**common, hub_gpu_s=hub_gpu_s, site_gpu_s=None, cause=Cause.NOT_OVER, words=words)
    try:
        truth = usage_record(job, site=site, measured_at=None)
    except UnknownPartition as error:
        return Difference(**common, hub_gpu_s=None, site_gpu_s=None, cause=Cause.UNKNOWN_PARTITION, words=error.message)
    site_gpu_s = _within(truth, begins_at, ends_at)
    if not site_gpu_s and not _ended_in(truth, begins_at, ends_at):
        return None
    totals.num_site_jobs += 1
    totals.site_gpu_s += site_gpu_s
    if entry is None:
        words = (
            "The hub has no record of it: slurmdbd heard late of its end, or the agent does not import this account."
        )
        return Difference(**common, hub_gpu_s=None, site_gpu_s=site_gpu_s, cause=Cause.LATE, words=words)
    if not entry.is_placed:
        words = f"The hub keeps it aside: no allocation has account {job[-1].account!r}."
        return Difference(**common, hub_gpu_s=None, site_gpu_s=site_gpu_s, cause=Cause.UNPLACED, words=words)
    hub_gpu_s = _within(entry.record, begins_at, ends_at)
    if (hub_gpu_s, entry.record.gpu_s) == (site_gpu_s, truth.gpu_s):
        return None
    cause, words = _why(entry.record, truth)
    return Difference(**common, hub_gpu_s=hub_gpu_s, site_gpu_s=site_gpu_s, cause=cause, words=words)


def _why(known: UsageRecord, truth: UsageRecord) -> tuple[Cause, str]:
    if known.num_attempts != truth.num_attempts:
        return Cause.REQUEUE, f"The hub has {known.num_attempts} of its {truth.num_attempts} runs."
    if known.gpu_s == truth.gpu_s:
        return Cause.MONTH, "The same seconds in all, split differently over the months: its times were changed."
    if known.wall_s == truth.wall_s:
        words = f"{known.num_gpus} accelerators were billed in the hub, {truth.num_gpus} by the site's file of today."
        return Cause.BILLING, words
    return (
        Cause.CHANGED,
        f"It ran {truth.wall_s:.0f} s by Slurm's table of today; the hub was told {known.wall_s:.0f} s.",
    )


def _only_in_hub(record: UsageRecord, gpu_s: int) -> Difference:
    words = "Slurm's accounting has no such job: its rows were purged, or are of another cluster."
    if record.measured_at is None:
        words = "The hub settled it without the site's accounting, and Slurm never had it."
    return Difference(
        job=record.job_key,
        native_id=record.native_id,
        account=record.account,
        hub_gpu_s=gpu_s,
        site_gpu_s=None,
        cause=Cause.ONLY_IN_HUB,
        words=words,
    )


def _within(record: UsageRecord, begins_at: datetime, ends_at: datetime) -> int:
    return gpu_s_between(record.spans(), begins_at, ends_at)


def _ended_in(record: UsageRecord, begins_at: datetime, ends_at: datetime) -> bool:
    return begins_at <= record.ended_at < ends_at
