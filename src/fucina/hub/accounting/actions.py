"""Every entry of the ledger."""

import re
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from fucina.accounting import usage
from fucina.accounting.usage import held_gpu_s
from fucina.compute.spec import JobSpec
from fucina.errors import BadInput, NotAllowed, WrongState
from fucina.hub.access.models import Grant
from fucina.hub.accounting.models import Allocation, Kind, LedgerEntry, RefundProposal, RefundState, UsageRecord
from fucina.hub.accounting.records import Placed, record_usage
from fucina.hub.network.models import Partition
from fucina.hub.people.actions import Actor, record
from fucina.hub.people.models import Person
from fucina.hub.people.reference import new_ref
from fucina.units import gpu_hours

_ACCOUNT = re.compile(r"^[a-z0-9_][a-z0-9_-]{0,63}\Z")


class BudgetExceeded(WrongState):
    """An allocation does not cover what a job or a run may use."""

    code = "budget_exceeded"


class GrantEnded(WrongState):
    """Time that was granted until a day that is over."""

    code = "grant_ended"


class AwardNotAccepted(WrongState):
    """Time that was granted under terms that nobody accepted."""

    code = "award_not_accepted"


class NotForMembers(NotAllowed):
    """Only staff, and never of the organisation concerned, moves time by hand."""

    code = "not_for_members"


class BadAccount(BadInput):
    """A name that no Slurm account may have, or that another allocation has."""

    code = "bad_account"


class GrantOverspent(WrongState):
    """More time would be put on partitions than was granted."""

    code = "grant_overspent"


class BadRefund(WrongState):
    """A refund of more than the job used, or a second one."""

    code = "bad_refund"


def _lock(allocation: Allocation) -> Allocation:
    return Allocation.objects.select_for_update(no_key=True).get(pk=allocation.pk)


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
    grant = Grant.objects.select_for_update(no_key=True).get(pk=grant.pk)
    known = Allocation.objects.filter(grant=grant, partition=partition).first()
    if known is not None:
        return known
    rows = LedgerEntry.objects.filter(allocation__grant=grant, kind__in=(Kind.GRANT, Kind.CHANGE))
    placed = rows.aggregate(total=Sum("gpu_s"))["total"]
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

    None for a job that uses no accelerator. Raises BudgetExceeded, GrantEnded.
    """
    allocation = _lock(allocation)
    need_gpu_s = held_gpu_s(num_gpus=spec.num_gpus * spec.num_tasks, walltime_s=spec.walltime_s)
    if need_gpu_s == 0:
        return None
    known = LedgerEntry.objects.filter(job=spec.key, kind=Kind.HOLD).first()
    if known is not None:
        return known
    check_open(allocation, at=at)
    check_budget(allocation, need_gpu_s=need_gpu_s, what="The job")
    entry = allocation.entries.create(kind=Kind.HOLD, gpu_s=-need_gpu_s, job=spec.key, at=at)
    record(by, "accounting.hold", allocation, at=at, data={"job": spec.key, "gpu_s": need_gpu_s})
    return entry


def check_open(allocation: Allocation, *, at: datetime) -> None:
    """Raises GrantEnded when the grant behind an allocation has ended, AwardNotAccepted before it is accepted."""
    grant = allocation.grant
    if grant.terms_sha256 and grant.accepted_at is None:
        raise AwardNotAccepted(
            f"Grant {grant.ref} and its terms were not accepted yet.",
            hint="Accept them on the page of the application, or with `fucina access accept`.",
        )
    ends_at = grant.ends_at
    if ends_at is not None and at >= ends_at:
        raise GrantEnded(
            f"The grant of {allocation.ref} ended on {ends_at:%Y-%m-%d}.", hint="Apply for time in another period."
        )


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


def check_outsider(allocation: Allocation, *, by: Person) -> None:
    """Raises NotForMembers unless `by` is staff and outside the organisation that the time belongs to."""
    organisation = allocation.grant.organisation
    if not by.is_staff or organisation.memberships.filter(person=by).exists():
        raise NotForMembers(
            f"Only staff outside {organisation} may change {allocation.ref}.", hint="Ask the help desk of the factory."
        )


@transaction.atomic
def decide_refund(*, proposal: RefundProposal, granted: bool, by: Person, at: datetime) -> RefundProposal:
    """Decide on time lost to the site; granted, it goes back to the project. The same decision twice is one.

    Raises NotForMembers, WrongState, BadRefund.
    """
    check_outsider(proposal.allocation, by=by)
    proposal = RefundProposal.objects.select_for_update(no_key=True).get(pk=proposal.pk)
    wanted = RefundState.GRANTED if granted else RefundState.REJECTED
    if proposal.state == wanted:
        return proposal
    if proposal.state != RefundState.PROPOSED:
        raise WrongState(f"{proposal.ref} is {proposal.state}.", hint="A decision on a refund is final.")
    if granted:
        reason = proposal.reason
        refund(allocation=proposal.allocation, job_key=proposal.job, gpu_s=proposal.gpu_s, reason=reason, by=by, at=at)
    proposal.state, proposal.decided_by, proposal.decided_at = wanted, by, at
    proposal.save(update_fields=["state", "decided_by", "decided_at"])
    record(by, "accounting.decide_refund", proposal, at=at, data={"granted": granted, "gpu_s": proposal.gpu_s})
    return proposal


@transaction.atomic
def set_slurm_account(*, allocation: Allocation, account: str, by: Actor, at: datetime) -> Allocation:
    """Name the account that the site's scheduler charges for this allocation. Raises BadAccount."""
    if not _ACCOUNT.match(account):
        raise BadAccount(
            f"{account[:80]!r} cannot be a Slurm account.", hint="Use lower-case letters, digits, - and _, at most 64."
        )
    allocation = _lock(allocation)
    if Allocation.objects.filter(site=allocation.site, slurm_account=account).exclude(pk=allocation.pk).exists():
        raise BadAccount(
            f"Account {account} of {allocation.site} belongs to another allocation.", hint="Give each its own."
        )
    allocation.slurm_account = account
    allocation.save(update_fields=["slurm_account"])
    record(by, "accounting.set_slurm_account", allocation, at=at, data={"account": account})
    return allocation
