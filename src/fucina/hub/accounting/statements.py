"""Statements and forecasts from the ledger and the usage records."""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db.models import Max, Min, Sum

from fucina.accounting import usage
from fucina.accounting.forecast import Forecast, forecast
from fucina.accounting.statement import AllocationLine, BadMonth, JobLine, Statement
from fucina.accounting.usage import gpu_s_between, month_start, next_month
from fucina.hub.access.models import Grant
from fucina.hub.accounting.models import Allocation, Kind, LedgerEntry, UsageRecord, UsageRecordQuerySet, balance
from fucina.hub.people.models import Organisation

FORECAST_DAYS = 28
ALL = 10**9


def month_of(text: str) -> tuple[datetime, datetime]:
    """First instant of the month written as 2026-11 and of the next, in UTC. Raises BadMonth."""
    try:
        begins_at = month_start(text)
        return begins_at, next_month(begins_at)
    except (ValueError, OverflowError) as error:
        raise BadMonth(f"{text[:40]!r} is no month.", hint="Write year and month as 2026-11.") from error


def statement(
    *, organisation: Organisation, name: str, ref: str, month: str, now: datetime, max_jobs: int = ALL
) -> Statement:
    """A project's account of one month with its largest jobs. Raises BadMonth."""
    begins_at, ends_at = month_of(month)
    allocations = Allocation.objects.of_project(organisation, name).select_related("site", "partition")
    lines = tuple(_allocation_line(row, begins_at, ends_at) for row in allocations)
    records = UsageRecord.objects.of_project(organisation, name).used_between(begins_at, ends_at).newest()
    num_jobs = used_gpu_s = 0
    largest: list[tuple[int, str, JobLine]] = []
    for row in records.select_related("allocation__site", "allocation__partition").iterator(chunk_size=2000):
        line = _job_line(row, begins_at, ends_at)
        if not line.gpu_s and not begins_at <= row.ended_at < ends_at:
            continue
        num_jobs += 1
        used_gpu_s += line.gpu_s
        entry = (line.gpu_s, row.job, line)
        if len(largest) < max_jobs:
            heapq.heappush(largest, entry)
        else:
            heapq.heappushpop(largest, entry)
    return Statement(
        project=ref,
        name=name,
        organisation=organisation.name,
        month=month,
        made_at=now,
        is_closed=now >= ends_at,
        allocations=lines,
        num_jobs=num_jobs,
        used_gpu_s=used_gpu_s,
        refunded_gpu_s=sum(line.refunded_gpu_s for line in lines),
        jobs=tuple(line for _, _, line in sorted(largest, key=lambda entry: (-entry[0], entry[1]))),
    )


def _allocation_line(allocation: Allocation, begins_at: datetime, ends_at: datetime) -> AllocationLine:
    entries = LedgerEntry.objects.filter(allocation=allocation)
    opening = entries.filter(at__lt=begins_at).aggregate(total=Sum("gpu_s"))["total"] or 0
    within = entries.filter(at__gte=begins_at, at__lt=ends_at)
    sums = dict.fromkeys(Kind.values, 0) | dict(within.order_by().values_list("kind").annotate(total=Sum("gpu_s")))
    return AllocationLine(
        allocation=allocation.ref,
        site=allocation.site.name,
        partition=allocation.partition.name,
        account=allocation.slurm_account,
        opening_gpu_s=opening,
        granted_gpu_s=sums[Kind.GRANT] + sums[Kind.CHANGE],
        used_gpu_s=-(sums[Kind.USE] + sums[Kind.CORRECTION]),
        refunded_gpu_s=sums[Kind.REFUND],
        expired_gpu_s=-sums[Kind.EXPIRY],
        held_gpu_s=-(sums[Kind.HOLD] + sums[Kind.SETTLE]),
        closing_gpu_s=opening + sum(sums.values()),
    )


def _job_line(row: UsageRecord, begins_at: datetime, ends_at: datetime) -> JobLine:
    used = row.parsed
    return JobLine(
        allocation=row.allocation.ref,
        site=used.site,
        partition=used.partition or row.allocation.partition.name,
        job=row.job,
        native_id=used.native_id,
        user=used.user,
        state=used.native_state or used.state,
        started_at=used.started_at,
        ended_at=used.ended_at,
        gpu_s=gpu_s_between(used.spans(), begins_at, ends_at),
        total_gpu_s=used.gpu_s,
    )


def project_forecast(*, organisation: Organisation, name: str, now: datetime) -> Forecast:
    """When a project's time will be used up, from its last four weeks or since its first job."""
    entries = LedgerEntry.objects.of_project(organisation, name)
    sums = balance(entries)
    grants = Grant.objects.filter(organisation=organisation, project=name)
    ends = grants.aggregate(first=Min("granted_at"), last=Max("ends_at"))
    ends_at = None if grants.filter(ends_at__isnull=True).exists() else ends["last"]
    records = UsageRecord.objects.of_project(organisation, name)
    first = records.aggregate(first=Min("began_at"))["first"]
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    num_days = 0 if first is None else min(FORECAST_DAYS, max(0, -((first - today) // timedelta(days=1))))
    starts = [today - timedelta(days=back) for back in range(num_days, 0, -1)]
    daily = [0] * num_days
    if starts:
        for used in _newest(records.used_between(starts[0], today)):
            spans = used.spans()
            for day, begins_at in enumerate(starts):
                daily[day] += gpu_s_between(spans, begins_at, begins_at + timedelta(days=1))
    return forecast(
        daily,
        free_gpu_s=sums.free_gpu_s + sums.held_gpu_s,
        granted_gpu_s=sums.granted_gpu_s,
        began_at=ends["first"] or now,
        ends_at=ends_at,
        now=now,
    )


def _newest(records: UsageRecordQuerySet) -> Iterator[usage.UsageRecord]:
    for row in records.newest().iterator(chunk_size=2000):
        yield row.parsed
