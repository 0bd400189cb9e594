"""Finds who pays for what a site's accounting reports."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

from fucina.accounting import usage
from fucina.accounting.usage import RefusedUsage, UsageReceipt, held_gpu_s
from fucina.errors import BadInput
from fucina.hub.accounting.models import Allocation, UnplacedUsage, UsageRecord
from fucina.hub.accounting.records import ArrayHold, Placed, record_usage
from fucina.hub.compute.models import Job
from fucina.hub.network.models import Agent, Site
from fucina.hub.people.actions import Actor, record


class BadUsage(BadInput):
    """A usage record that cannot be taken in."""

    code = "bad_usage"


@transaction.atomic
def take_usage(*, agent: Agent, records: Sequence[usage.UsageRecord], at: datetime) -> UsageReceipt:
    """Charge what the site's accounting tells; what belongs to no allocation is kept aside. Raises BadUsage.

    Any batch may be repeated, split or late: the ledger ends the same.
    """
    site = agent.site
    for used in records:
        _check(used, site)
    known_until = _known_until(site)
    placed, homeless = _place(site, records)
    if placed:
        record_usage(placed=placed, by=agent, at=at)
    for used, reason in homeless:
        _keep_aside(site, used, reason, at=at)
    if homeless:
        record(agent, "accounting.keep_aside", site, at=at, data={"num_jobs": len(homeless)})
    return UsageReceipt(
        num_placed=len(placed),
        refused=tuple(RefusedUsage(job_key=used.job_key, reason=reason) for used, reason in homeless),
        known_until=known_until,
    )


def _check(used: usage.UsageRecord, site: Site) -> None:
    if used.site != site.name:
        raise BadUsage(
            f"The record of {used.job_key} is of site {used.site}; this agent serves {site.name}.",
            hint="Report each site's usage by its own agent.",
        )
    if used.measured_at is None:
        raise BadUsage(f"The record of {used.job_key} says not when it was read.", hint="Send `measured_at`.")
    if not all(map(math.isfinite, (used.wall_s, used.cpu_s, used.energy_j or 0.0))):
        raise BadUsage(
            f"The record of {used.job_key} has a number that is not finite.", hint="Leave out what is unknown."
        )


def _known_until(site: Site) -> datetime | None:
    placed = UsageRecord.objects.filter(allocation__site=site, measured_at__isnull=False)
    aside = UnplacedUsage.objects.filter(site=site, measured_at__isnull=False)
    newest = [rows.order_by("-measured_at").values_list("measured_at", flat=True).first() for rows in (placed, aside)]
    return max((at for at in newest if at is not None), default=None)


def _place(
    site: Site, records: Iterable[usage.UsageRecord]
) -> tuple[list[Placed], list[tuple[usage.UsageRecord, str]]]:
    """Who pays for each record, and those for which nobody does, with the reason.

    The account says who pays. A key in a job's comment is anybody's to write, so it only counts where the account is of
    no allocation, or of the same one.
    """
    records = list(records)
    accounts = {
        row.slurm_account: row
        for row in Allocation.objects.filter(site=site, slurm_account__in={used.account for used in records})
    }
    keys = {key for used in records for key in (used.job_key, _base(used.job_key))}
    found = Job.objects.filter(key__in=keys, allocation__site=site).select_related("allocation")
    jobs = {job.key: job.allocation for job in found}
    arrays = {job.key: hold for job in found if (hold := _array_hold(job))}
    placed, homeless = [], []
    for used in records:
        by_key = jobs.get(used.job_key) or jobs.get(_base(used.job_key))
        by_account = accounts.get(used.account)
        if by_key is not None and by_account in (None, by_key):
            placed.append(Placed(by_key, used, arrays.get(used.job_key) or arrays.get(_base(used.job_key))))
        elif by_account is not None:
            placed.append(Placed(by_account, _under_slurm_name(used) if by_key is not None else used))
        else:
            account = f"has no allocation with account {used.account!r}" if used.account else "names no account"
            homeless.append((used, f"{site.name} {account}, and no job has the key {used.job_key}."[:500]))
    return placed, homeless


def _array_hold(job: Job) -> ArrayHold | None:
    """The hold that the tasks of an array share; None for any other job."""
    spec = job.parsed_spec
    tasks = tuple(f"{job.key}.t{number}" for number in spec.task_numbers)
    if not tasks or not job.num_gpus:
        return None
    return ArrayHold(job.key, tasks, held_gpu_s(num_gpus=job.num_gpus, walltime_s=job.walltime_s))


def _base(key: str) -> str:
    """The key of the job whose task or component this is."""
    return key.rpartition(".")[0] or key


def _under_slurm_name(used: usage.UsageRecord) -> usage.UsageRecord:
    """A job that carries another project's key goes by what Slurm calls it."""
    if not used.same_as:
        raise BadUsage(
            f"The record of {used.job_key} was charged to account {used.account}, which is another project's.",
            hint="Send what Slurm calls the job in `same_as`.",
        )
    return used.model_copy(update={"job_key": used.same_as[0], "same_as": used.same_as[1:]})


def _keep_aside(site: Site, used: usage.UsageRecord, reason: str, *, at: datetime) -> None:
    known = UnplacedUsage.objects.filter(site=site, job=used.job_key).first()
    if known is not None and usage.UsageRecord.model_validate(known.wire).rank >= used.rank:
        return
    UnplacedUsage.objects.update_or_create(
        site=site,
        job=used.job_key,
        defaults={
            "account": used.account[:200],
            "reason": reason,
            "gpu_s": used.gpu_s,
            "measured_at": used.measured_at,
            "received_at": at,
            "placed_at": None,
            "wire": used.model_dump(mode="json"),
        },
    )


@transaction.atomic
def place_again(*, site: Site, by: Actor, at: datetime) -> int:
    """Try to place what was kept aside, after an allocation got its account; returns how many found one."""
    rows = list(
        UnplacedUsage.objects.select_for_update(no_key=True).filter(site=site, placed_at__isnull=True).order_by("pk")
    )
    placed, homeless = _place(site, (usage.UsageRecord.model_validate(row.wire) for row in rows))
    if not placed:
        return 0
    record_usage(placed=placed, by=by, at=at)
    still = {used.job_key for used, _ in homeless}
    found = [row.pk for row in rows if row.job not in still]
    UnplacedUsage.objects.filter(pk__in=found).update(placed_at=at)
    record(by, "accounting.place_again", site, at=at, data={"num_jobs": len(found)})
    return len(found)
