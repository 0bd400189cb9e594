"""Tables of accounting for the operator."""

from django.contrib import admin

from fucina.hub.accounting.models import Allocation, LedgerEntry, RefundProposal, UnplacedUsage, UsageRecord
from fucina.hub.people.admin import ReadOnlyAdmin


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    """Allocations."""

    list_display = ("ref", "grant", "partition", "slurm_account", "created_at")


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """The ledger."""

    list_display = ("at", "allocation", "kind", "gpu_s", "job", "note")
    list_filter = ("kind",)


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    """Usage records."""

    list_display = ("job", "revision", "allocation", "gpu_s", "measured_at", "recorded_at")


@admin.register(UnplacedUsage)
class UnplacedUsageAdmin(ReadOnlyAdmin):
    """Usage that belongs to no allocation yet."""

    list_display = ("job", "site", "account", "gpu_s", "reason", "received_at", "placed_at")
    list_filter = ("site",)


@admin.register(RefundProposal)
class RefundProposalAdmin(ReadOnlyAdmin):
    """Time lost to sites."""

    list_display = ("ref", "allocation", "job", "gpu_s", "reason", "state", "decided_by")
    list_filter = ("state",)
