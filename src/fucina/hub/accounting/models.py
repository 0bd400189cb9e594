"""Allocations and the ledger that says what is left of them."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.db import models
from django.db.models import Exists, OuterRef, Q, Sum
from django.utils.translation import gettext_lazy as _

from fucina.accounting import usage
from fucina.hub.access.models import Grant
from fucina.hub.network.models import Partition, Site
from fucina.hub.people.append_only import AppendOnly, AppendOnlyQuerySet
from fucina.hub.people.models import Organisation, Person
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
    CHANGE = "change", _("change of the grant")
    """+ or - when a grant is supplemented, or moved to another partition; it counts as granted."""
    CORRECTION = "correction", _("correction")
    """+ or - when the site's accounting tells something new of a job that was settled."""


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
    slurm_account = models.CharField(max_length=64)
    """What the site's scheduler charges: stable, in lower case, of no other allocation there."""
    created_at = models.DateTimeField()

    objects = AllocationQuerySet.as_manager()

    class Meta:
        verbose_name = _("allocation")
        verbose_name_plural = _("allocations")
        constraints = [
            models.UniqueConstraint(fields=["grant", "partition"], name="allocation_unique"),
            models.UniqueConstraint(fields=["site", "slurm_account"], name="allocation_account_unique"),
            models.CheckConstraint(condition=~Q(slurm_account=""), name="allocation_account_named"),
        ]

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
        constraints = [
            models.CheckConstraint(
                name="ledger_sign",
                condition=Q(kind__in=PLUS, gpu_s__gt=0)
                | Q(kind__in=MINUS, gpu_s__lt=0)
                | (Q(kind__in=(Kind.CORRECTION, Kind.CHANGE)) & ~Q(gpu_s=0)),
            ),
            models.UniqueConstraint(
                fields=["job", "kind"], condition=~Q(job="") & ~Q(kind=Kind.CORRECTION), name="ledger_once_per_job"
            ),
            models.UniqueConstraint(fields=["allocation"], condition=Q(kind=Kind.GRANT), name="ledger_one_grant"),
            models.CheckConstraint(
                name="ledger_job_named",
                condition=Q(kind__in=(Kind.GRANT, Kind.EXPIRY, Kind.CHANGE), job="")
                | (Q(kind__in=(Kind.HOLD, Kind.SETTLE, Kind.USE, Kind.REFUND, Kind.CORRECTION)) & ~Q(job="")),
            ),
        ]
        indexes = [
            models.Index(fields=["allocation", "-id"], name="ledger_newest"),
            models.Index(fields=["allocation", "at"], name="ledger_allocation_at"),
            models.Index(fields=["job"], name="ledger_job"),
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
        granted_gpu_s=sums[Kind.GRANT] + sums[Kind.CHANGE] + sums[Kind.EXPIRY],
        held_gpu_s=-(sums[Kind.HOLD] + sums[Kind.SETTLE]),
        used_gpu_s=-(sums[Kind.USE] + sums[Kind.REFUND] + sums[Kind.CORRECTION]),
        free_gpu_s=sum(sums.values()),
    )


class UsageRecordQuerySet(AppendOnlyQuerySet["UsageRecord"]):
    """Usage records."""

    def newest(self) -> "UsageRecordQuerySet":
        """Of every job the newest truth."""
        newer = UsageRecord.objects.filter(job=OuterRef("job"), revision__gt=OuterRef("revision"))
        return self.exclude(Exists(newer))

    def of_project(self, organisation: Organisation, name: str) -> "UsageRecordQuerySet":
        """Those of one project."""
        return self.filter(allocation__grant__organisation=organisation, allocation__grant__project=name)

    def used_between(self, begins_at: datetime, ends_at: datetime) -> "UsageRecordQuerySet":
        """Those of jobs that may have used something in the half-open interval."""
        return self.filter(ended_at__gte=begins_at, began_at__lt=ends_at)


class UsageRecord(AppendOnly):
    """What one job used, as it was known at one moment; the highest revision of a job is the truth."""

    job = models.CharField(max_length=200)
    """Key of the job."""
    revision = models.PositiveIntegerField(default=0)
    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="usage_records")
    gpu_s = models.BigIntegerField()
    began_at = models.DateTimeField()
    """Its start; its end where it never started."""
    ended_at = models.DateTimeField()
    measured_at = models.DateTimeField(null=True)
    """When the site's accounting was read; None for what an executor measured itself."""
    recorded_at = models.DateTimeField()
    wire = models.JSONField()
    """`fucina.accounting.usage.UsageRecord`."""

    objects = UsageRecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        constraints = [
            models.CheckConstraint(condition=Q(gpu_s__gte=0), name="usage_not_negative"),
            models.UniqueConstraint(fields=["job", "revision"], name="usage_revision_unique"),
        ]
        indexes = [
            models.Index(fields=["allocation", "ended_at"], name="usage_allocation_ended"),
            models.Index(fields=["measured_at"], name="usage_measured"),
        ]

    def __str__(self) -> str:
        return self.job

    @property
    def parsed(self) -> usage.UsageRecord:
        """The record as the site wrote it."""
        return usage.UsageRecord.model_validate(self.wire)


class UsageAlias(models.Model):
    """Another key under which a job was, or may yet be, reported."""

    alias = models.CharField(max_length=200, unique=True)
    job = models.CharField(max_length=200)
    """Key that its usage stands under."""

    class Meta:
        verbose_name = _("usage alias")
        verbose_name_plural = _("usage aliases")

    def __str__(self) -> str:
        return self.alias


class UnplacedUsage(models.Model):
    """A usage record that belongs to no allocation yet; nothing that a site reports is lost."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "unp"), editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="unplaced_usage")
    job = models.CharField(max_length=200)
    account = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=500)
    gpu_s = models.BigIntegerField()
    measured_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    placed_at = models.DateTimeField(null=True)
    """When it found its allocation; None while it has not."""
    wire = models.JSONField()
    """`fucina.accounting.usage.UsageRecord`."""

    class Meta:
        verbose_name = _("unplaced usage")
        verbose_name_plural = _("unplaced usage")
        constraints = [models.UniqueConstraint(fields=["site", "job"], name="unplaced_job_unique")]
        indexes = [models.Index(fields=["site", "account"], name="unplaced_account")]

    def __str__(self) -> str:
        return self.job


class RefundState(models.TextChoices):
    """Where a proposed refund stands."""

    PROPOSED = "proposed", _("proposed")
    GRANTED = "granted", _("granted")
    REJECTED = "rejected", _("rejected")


class RefundProposal(models.Model):
    """Time that a job lost through a fault of its site; one per job, decided by staff."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "ref"), editable=False)
    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="refund_proposals")
    job = models.CharField(max_length=200, unique=True)
    gpu_s = models.BigIntegerField()
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=16, choices=RefundState.choices, default=RefundState.PROPOSED)
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("refund proposal")
        verbose_name_plural = _("refund proposals")
        constraints = [models.CheckConstraint(condition=Q(gpu_s__gt=0), name="refund_positive")]

    def __str__(self) -> str:
        return self.ref
