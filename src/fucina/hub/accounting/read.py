"""Wire types built from the ledger."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, TypedDict

from django.db import models
from django.db.models import Sum

from fucina.accounting import usage
from fucina.client.wire import LedgerLine
from fucina.client.wire_accounting import AllocationInfo, KnownUsage, RefundInfo, UsagePage
from fucina.hub.accounting.models import (
    Allocation,
    Balance,
    LedgerEntry,
    LedgerTotal,
    RefundProposal,
    UnplacedUsage,
    UsageRecord,
    balance,
    balance_of,
)
from fucina.hub.accounting.statements import month_of
from fucina.hub.network.models import Site
from fucina.hub.people.models import Organisation, Person
from fucina.hub.people.visible import get_visible

PAGE = 1000
_ASIDE = "~"
"""Leads a position among what is kept aside; no key begins with it."""


def ledger_lines(organisation: Organisation, project: str) -> list[LedgerLine]:
    """Every entry of a project in the order of writing, with the balance after it."""
    lines = []
    balance_gpu_s = 0
    for entry in LedgerEntry.objects.of_project(organisation, project):
        balance_gpu_s += entry.gpu_s
        lines.append(
            LedgerLine(
                at=entry.at,
                kind=entry.kind,
                gpu_s=entry.gpu_s,
                job=entry.job,
                note=entry.note,
                balance_gpu_s=balance_gpu_s,
            )
        )
    return lines


def allocation_info(row: Allocation) -> AllocationInfo:
    """An allocation with its balance."""
    return AllocationInfo(
        ref=row.ref,
        project=row.grant.project,
        organisation=row.grant.organisation.name,
        site=row.site.name,
        partition=row.partition.name,
        slurm_account=row.slurm_account,
        ends_at=row.grant.ends_at,
        **balance(row.entries.all())._asdict(),
    )


def find_allocation(ref: str, *, person: Person) -> Allocation:
    """An allocation of the person's organisations, or any for staff. Raises NotVisible."""
    rows = Allocation.objects.select_related("grant__organisation", "site", "partition")
    if not person.is_staff:
        rows = rows.filter(grant__organisation__memberships__person=person)
    return get_visible(rows, ref)


def refund_info(row: RefundProposal) -> RefundInfo:
    """A proposed refund."""
    return RefundInfo(
        ref=row.ref,
        allocation=row.allocation.ref,
        project=row.allocation.grant.project,
        organisation=row.allocation.grant.organisation.name,
        job=row.job,
        gpu_s=row.gpu_s,
        reason=row.reason,
        state=row.state,
        proposed_at=row.proposed_at,
        decided_at=row.decided_at,
    )


def refund_rows(person: Person) -> models.QuerySet[RefundProposal]:
    """Proposed refunds of the person's organisations, newest first; staff sees all."""
    rows = RefundProposal.objects.select_related("allocation__grant__organisation").order_by("-proposed_at", "-pk")
    return rows if person.is_staff else rows.filter(allocation__grant__organisation__memberships__person=person)


def site_usage(site: Site, *, month: str, after: str = "") -> UsagePage:
    """Usage of a site in a month by key, a page of it, with what is kept aside. Raises BadMonth."""
    begins_at, ends_at = month_of(month)
    aside = after.startswith(_ASIDE)
    jobs = []
    if not aside:
        records = UsageRecord.objects.filter(allocation__site=site, job__gt=after).used_between(begins_at, ends_at)
        for row in records.newest().order_by("job")[:PAGE]:
            jobs.append(KnownUsage(key=row.job, record=row.parsed, is_placed=True))
    room = PAGE - len(jobs)
    following = jobs[-1].key if room == 0 else ""
    if room:
        unplaced = UnplacedUsage.objects.filter(site=site, placed_at__isnull=True).order_by("job")
        for waiting in unplaced.filter(job__gt=after.removeprefix(_ASIDE) if aside else "")[:room]:
            record = usage.UsageRecord.model_validate(waiting.wire)
            jobs.append(KnownUsage(key=waiting.job, record=record, is_placed=False))
        following = _ASIDE + jobs[-1].key if len(jobs) == PAGE else ""
    accounts = Allocation.objects.filter(site=site).order_by("slurm_account").values_list("slurm_account", flat=True)
    return UsagePage(jobs=tuple(jobs), accounts=tuple(accounts), next=following)


def project_sums(organisation: Organisation, project: str) -> tuple[Balance, frozenset[int]]:
    """A project's balance, and the keys of its allocations that have entries, in one query."""
    by_kind: dict[str, int] = {}
    allocations = set()
    rows = LedgerTotal.objects.of_project(organisation, project)
    for allocation, kind, gpu_s in rows.values_list("allocation_id", "kind", "gpu_s"):
        by_kind[kind] = by_kind.get(kind, 0) + gpu_s
        allocations.add(allocation)
    return balance_of(by_kind), frozenset(allocations)


class LedgerRow(TypedDict):
    """A ledger entry as a page shows it; templates look up names in a dictionary fastest."""

    at: datetime
    kind: str
    gpu_s: int
    job: str
    note: str
    balance_gpu_s: int


class NewestFirst(Sequence[LedgerRow]):
    """The ledger of allocations from its end, read as far as a page shows it; `balance_gpu_s` is what is left now."""

    def __init__(self, allocations: Collection[int], *, balance_gpu_s: int) -> None:
        self._entries = LedgerEntry.objects.filter(allocation__in=allocations).order_by("-pk")
        self._balance_gpu_s = balance_gpu_s

    def __len__(self) -> int:
        return self._entries.count()

    def __getitem__(self, part: Any) -> Any:
        if isinstance(part, int):
            return self[part : part + 1][0]
        left_gpu_s = self._balance_gpu_s
        if part.start:
            left_gpu_s -= self._entries[: part.start].aggregate(total=Sum("gpu_s", default=0))["total"]
        lines: list[LedgerRow] = []
        for at, kind, gpu_s, job, note in self._entries[part].values_list("at", "kind", "gpu_s", "job", "note"):
            lines.append(LedgerRow(at=at, kind=kind, gpu_s=gpu_s, job=job, note=note, balance_gpu_s=left_gpu_s))
            left_gpu_s -= gpu_s
        return lines
