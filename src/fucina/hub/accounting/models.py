"""Allocations and the ledger that says what is left of them."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from django.db import models
from django.db.models import Q, Sum
from django.utils.translation import gettext_lazy as _

from fucina.hub.access.models import Grant
from fucina.hub.network.models import Partition, Site
from fucina.hub.people.append_only import AppendOnly, AppendOnlyQuerySet
from fucina.hub.people.models import Organisation
from fucina.hub.people.reference import new_ref


class Balance(NamedTuple):
    """Sums over ledger entries, all in GPU-seconds and all counted upwards."""

    granted_gpu_s: int
    held_gpu_s: int
    used_gpu_s: int
    free_gpu_s: int
    """The sum of all entries: what is neither held nor used."""


class Kind(models.TextChoices):
    """Why an entry stands in the ledger."""

    GRANT = "grant", _("grant")
    """+ what was granted."""
    HOLD = "hold", _("hold")
    """- what a job may use at most."""
    SETTLE = "settle", _("settle")
    """+ the whole hold, when the job is settled."""
    USE = "use", _("use")
    """- what the job used, when it is settled."""
    REFUND = "refund", _("refund")
    """+ what a job used through no fault of the project."""
    EXPIRY = "expiry", _("expiry")
    """- what was left when the grant ended."""


PLUS = (Kind.GRANT, Kind.SETTLE, Kind.REFUND)
MINUS = (Kind.HOLD, Kind.USE, Kind.EXPIRY)


class AllocationQuerySet(models.QuerySet["Allocation"]):
    """Allocations."""

    def of_project(self, organisation: Organisation, name: str) -> "AllocationQuerySet":
        """Those of one project, oldest first."""
        return self.filter(grant__organisation=organisation, grant__project=name).order_by("pk")


class Allocation(models.Model):
    """Granted time on one partition."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "alc"), editable=False)
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="allocations")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="allocations")
    partition = models.ForeignKey(Partition, on_delete=models.PROTECT, related_name="allocations")
    created_at = models.DateTimeField()

    objects = AllocationQuerySet.as_manager()

    class Meta:
        verbose_name = _("allocation")
        verbose_name_plural = _("allocations")
        constraints = [models.UniqueConstraint(fields=["grant", "partition"], name="allocation_unique")]

    def __str__(self) -> str:
        return self.ref

    @property
    def free_gpu_s(self) -> int:
        """GPU-seconds that a new job may still hold."""
        return self.totals.aggregate(total=Sum("gpu_s", default=0))["total"]


class LedgerEntryQuerySet(AppendOnlyQuerySet["LedgerEntry"]):
    """Ledger entries."""

    def of_project(self, organisation: Organisation, name: str) -> "LedgerEntryQuerySet":
        """Those of one project, in the order of writing."""
        rows = self.filter(allocation__grant__organisation=organisation, allocation__grant__project=name)
        return rows.order_by("pk")


class LedgerEntry(AppendOnly):
    """GPU-seconds that came or went."""

    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    gpu_s = models.BigIntegerField()
    job = models.CharField(max_length=200, blank=True)
    """Key of the job."""
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()

    objects = LedgerEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        indexes = [models.Index(fields=["allocation", "-id"], name="ledger_newest")]
        constraints = [
            models.CheckConstraint(
                name="ledger_sign", condition=Q(kind__in=PLUS, gpu_s__gt=0) | Q(kind__in=MINUS, gpu_s__lt=0)
            ),
            models.UniqueConstraint(fields=["job", "kind"], condition=~Q(job=""), name="ledger_once_per_job"),
            models.UniqueConstraint(fields=["allocation"], condition=Q(kind=Kind.GRANT), name="ledger_one_grant"),
            models.CheckConstraint(
                name="ledger_job_named",
                condition=Q(kind__in=(Kind.GRANT, Kind.EXPIRY), job="")
                | (Q(kind__in=(Kind.HOLD, Kind.SETTLE, Kind.USE, Kind.REFUND)) & ~Q(job="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.gpu_s:+d}"


class LedgerTotalQuerySet(models.QuerySet["LedgerTotal"]):
    """Running sums."""

    def of_project(self, organisation: Organisation, name: str) -> "LedgerTotalQuerySet":
        """Those of one project."""
        return self.filter(allocation__grant__organisation=organisation, allocation__grant__project=name)


class LedgerTotal(models.Model):
    """The sum of an allocation's entries of one kind; the database adds each new entry to it by a trigger."""

    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="totals")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    gpu_s = models.BigIntegerField()

    objects = LedgerTotalQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger total")
        verbose_name_plural = _("ledger totals")
        constraints = [models.UniqueConstraint(fields=["allocation", "kind"], name="ledger_total_unique")]

    def __str__(self) -> str:
        return f"{self.kind} {self.gpu_s:+d}"


def balance(rows: "models.QuerySet[LedgerEntry] | models.QuerySet[LedgerTotal]") -> Balance:
    """The sums over these entries, or over running sums of them."""
    return balance_of(dict(rows.order_by().values_list("kind").annotate(total=Sum("gpu_s"))))


def balance_of(by_kind: Mapping[str, int]) -> Balance:
    """The balance that sums by kind make."""
    sums = dict.fromkeys(Kind.values, 0) | dict(by_kind)
    return Balance(
        granted_gpu_s=sums[Kind.GRANT] + sums[Kind.EXPIRY],
        held_gpu_s=-(sums[Kind.HOLD] + sums[Kind.SETTLE]),
        used_gpu_s=-(sums[Kind.USE] + sums[Kind.REFUND]),
        free_gpu_s=sum(sums.values()),
    )


class UsageRecord(AppendOnly):
    """What one job used; one row per job, however often it is reported."""

    job = models.CharField(max_length=200, unique=True)
    """Key of the job."""
    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="usage_records")
    gpu_s = models.BigIntegerField()
    recorded_at = models.DateTimeField()
    wire = models.JSONField()
    """`fucina.accounting.usage.UsageRecord`."""

    objects = AppendOnlyQuerySet["UsageRecord"].as_manager()

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        constraints = [models.CheckConstraint(condition=Q(gpu_s__gte=0), name="usage_not_negative")]

    def __str__(self) -> str:
        return self.job
