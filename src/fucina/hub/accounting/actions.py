"""Every entry of the ledger."""

from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from fucina.accounting import usage
from fucina.accounting.usage import held_gpu_s
from fucina.compute.spec import JobSpec
from fucina.errors import WrongState
from fucina.hub.access.models import Grant
from fucina.hub.accounting.models import Allocation, Kind, LedgerEntry, UsageRecord
from fucina.hub.accounting.records import Placed, record_usage
from fucina.hub.network.models import Partition
from fucina.hub.people.actions import Actor, record
from fucina.hub.people.reference import new_ref
from fucina.units import gpu_hours


class BudgetExceeded(WrongState):
    """An allocation does not cover what a job or a run may use."""

    code = "budget_exceeded"


class GrantOverspent(WrongState):
    """More time would be put on partitions than was granted."""

    code = "grant_overspent"


class BadRefund(WrongState):
    """A refund of more than the job used, or a second one."""

    code = "bad_refund"


def _lock(allocation: Allocation) -> Allocation:
    return Allocation.objects.select_for_update().get(pk=allocation.pk)


@transaction.atomic
def allocate(
    *,
    grant: Grant,
    partition: Partition,
    by: Actor,
    at: datetime,
    gpu_s: int | None = None,
    slurm_account: str = "",
    note: str = "",
) -> Allocation:
    """Put granted time on a partition, what is left of it or `gpu_s`; the same grant and partition is one allocation.

    The site's scheduler charges `slurm_account`, or an account of the allocation's own name. Raises GrantOverspent.
    """
    grant = Grant.objects.select_for_update().get(pk=grant.pk)
    known = Allocation.objects.filter(grant=grant, partition=partition).first()
    if known is not None:
        return known
    placed = LedgerEntry.objects.filter(allocation__grant=grant, kind=Kind.GRANT).aggregate(total=Sum("gpu_s"))["total"]
    left_gpu_s = grant.gpu_s - (placed or 0)
    share_gpu_s = left_gpu_s if gpu_s is None else gpu_s
    if not 0 < share_gpu_s <= left_gpu_s:
        raise GrantOverspent(
            f"{gpu_hours(share_gpu_s)} GPU-hours for {partition}; "
            f"{gpu_hours(left_gpu_s)} of {grant.ref} are not placed yet.",
            hint="Split the grant into parts that add up to it.",
        )
    ref = new_ref("alc")
    allocation = Allocation.objects.create(
        ref=ref,
        grant=grant,
        site=partition.site,
        partition=partition,
        slurm_account=slurm_account or ref,
        created_at=at,
    )
    allocation.entries.create(kind=Kind.GRANT, gpu_s=share_gpu_s, at=at, note=note or f"Grant {grant.ref}")
    record(by, "accounting.grant", allocation, at=at, data={"gpu_s": share_gpu_s})
    return allocation


@transaction.atomic
def hold(*, allocation: Allocation, spec: JobSpec, by: Actor, at: datetime) -> LedgerEntry | None:
    """Hold a job's worst-case GPU-seconds until its usage record arrives; the same job twice is one hold.

    None for a job that uses no accelerator. Raises BudgetExceeded.
    """
    allocation = _lock(allocation)
    need_gpu_s = held_gpu_s(num_gpus=spec.num_gpus * spec.num_tasks, walltime_s=spec.walltime_s)
    if need_gpu_s == 0:
        return None
    known = LedgerEntry.objects.filter(job=spec.key, kind=Kind.HOLD).first()
    if known is not None:
        return known
    check_budget(allocation, need_gpu_s=need_gpu_s, what="The job")
    entry = allocation.entries.create(kind=Kind.HOLD, gpu_s=-need_gpu_s, job=spec.key, at=at)
    record(by, "accounting.hold", allocation, at=at, data={"job": spec.key, "gpu_s": need_gpu_s})
    return entry


def check_budget(allocation: Allocation, *, need_gpu_s: int, what: str) -> None:
    """Raises BudgetExceeded when the allocation has less than that left."""
    free_gpu_s = allocation.free_gpu_s
    if need_gpu_s > free_gpu_s:
        raise BudgetExceeded(
            f"{what} needs {gpu_hours(need_gpu_s)} GPU-hours; {allocation.ref} has {gpu_hours(free_gpu_s)} left.",
            hint="Ask for less in compute.gpu_hours, or apply for more time.",
        )


@transaction.atomic
def settle(*, allocation: Allocation, used: usage.UsageRecord, by: Actor, at: datetime) -> UsageRecord:
    """Release a job's hold and charge what it used. Repeated, it changes nothing and returns the newest record.

    What was really used is charged even where it exceeds the hold.
    """
    allocation = _lock(allocation)
    mine = UsageRecord.objects.filter(job=used.job_key).order_by("-revision")
    known = mine.first()
    if known is not None:
        return known
    record_usage(placed=(Placed(allocation, used),), by=by, at=at)
    return mine.get()


@transaction.atomic
def refund(*, allocation: Allocation, job_key: str, gpu_s: int, reason: str, by: Actor, at: datetime) -> LedgerEntry:
    """Give back what a job used through no fault of the project; once per job. Raises BadRefund."""
    allocation = _lock(allocation)
    charges = allocation.entries.filter(job=job_key, kind__in=(Kind.USE, Kind.CORRECTION))
    used_gpu_s = -(charges.aggregate(total=Sum("gpu_s"))["total"] or 0)
    if not 0 < gpu_s <= used_gpu_s:
        raise BadRefund(
            f"A refund of {gpu_hours(gpu_s)} GPU-hours; job {job_key} used {gpu_hours(used_gpu_s)}.",
            hint="Refund more than nothing and at most what was used.",
        )
    known = allocation.entries.filter(job=job_key, kind=Kind.REFUND).first()
    if known is not None and known.gpu_s != gpu_s:
        raise BadRefund(
            f"Job {job_key} was refunded {gpu_hours(known.gpu_s)} GPU-hours already.", hint="A job is refunded once."
        )
    if known is not None:
        return known
    entry = allocation.entries.create(kind=Kind.REFUND, gpu_s=gpu_s, job=job_key, at=at, note=reason[:500])
    record(by, "accounting.refund", allocation, at=at, data={"job": job_key, "gpu_s": gpu_s, "reason": reason})
    return entry


@transaction.atomic
def expire(*, allocation: Allocation, by: Actor, at: datetime) -> LedgerEntry | None:
    """Take back what is free when a grant ends; None when nothing is left. Held time stays until it is settled."""
    allocation = _lock(allocation)
    free_gpu_s = allocation.free_gpu_s
    if free_gpu_s <= 0:
        return None
    entry = allocation.entries.create(kind=Kind.EXPIRY, gpu_s=-free_gpu_s, at=at)
    record(by, "accounting.expire", allocation, at=at, data={"gpu_s": free_gpu_s})
    return entry
