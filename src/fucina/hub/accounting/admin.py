"""Tables of accounting for the operator."""

from django.contrib import admin

from fucina.hub.accounting.models import Allocation, LedgerEntry, UsageRecord
from fucina.hub.people.admin import ReadOnlyAdmin


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    """Allocations."""

    list_display = ("ref", "grant", "partition", "created_at")


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """The ledger."""

    list_display = ("at", "allocation", "kind", "gpu_s", "job", "note")
    list_filter = ("kind",)


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    """Usage records."""

    list_display = ("job", "allocation", "gpu_s", "recorded_at")
