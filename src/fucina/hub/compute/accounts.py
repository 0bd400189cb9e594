"""Which accounts, users and limits a site's scheduler should have, from the hub's allocations."""

from collections import defaultdict

from django.db.models import Sum

from fucina.client.wire_site import AccountsAnswer, DesiredAccount
from fucina.hub.accounting.models import Allocation, Kind, LedgerEntry
from fucina.hub.network.models import Agent, SiteAccount

LIMIT_KINDS = (Kind.GRANT, Kind.CHANGE, Kind.EXPIRY, Kind.REFUND)
"""Entries that change what the scheduler may let an account use; it counts use itself, and knows nothing of refunds."""


def account_name(allocation: Allocation) -> str:
    """The account of the site's scheduler that pays for an allocation."""
    slurm = allocation.site.spec.slurm
    if allocation.site.owner_id is not None and slurm is not None:
        return slurm.account
    return allocation.slurm_account


def desired_accounts(agent: Agent) -> AccountsAnswer:
    """What the agent's own site should have; nothing for a personal one, whose accounts are not ours to change.

    An allocation whose grant ended keeps its account with what it used as its limit.
    """
    site = agent.site
    if site.owner_id is not None:
        return AccountsAnswer(accounts=())
    allocations = list(
        Allocation.objects.filter(site=site).select_related("site", "partition", "grant__organisation").order_by("pk")
    )
    entries = LedgerEntry.objects.filter(allocation__in=allocations).order_by()
    limits = dict(entries.filter(kind__in=LIMIT_KINDS).values_list("allocation").annotate(total=Sum("gpu_s")))
    free = dict(entries.values_list("allocation").annotate(total=Sum("gpu_s")))
    held = dict(
        entries.filter(kind__in=(Kind.HOLD, Kind.SETTLE)).values_list("allocation").annotate(total=Sum("gpu_s"))
    )
    users: dict[int, set[str]] = defaultdict(set)
    rows = SiteAccount.objects.filter(site=site, person__is_active=True)
    for organisation, user in rows.values_list("person__memberships__organisation", "unix_user"):
        users[organisation].add(user)
    return AccountsAnswer(
        accounts=tuple(
            DesiredAccount(
                name=account_name(allocation),
                description=f"{allocation.grant.project} {allocation.ref}",
                organisation=allocation.grant.organisation.name,
                partition=allocation.partition.name,
                limit_gpu_s=max(0, limits.get(allocation.pk, 0)),
                closed=free.get(allocation.pk, 0) <= 0 and not held.get(allocation.pk, 0),
                users=tuple(sorted(users[allocation.grant.organisation_id])),
            )
            for allocation in allocations
        )
    )
