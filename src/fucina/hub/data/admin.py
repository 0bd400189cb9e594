"""Tables of data for the operator."""

from django.contrib import admin

from fucina.hub.data.models import (
    AccessRequest,
    Blob,
    DataGrant,
    Dataset,
    DatasetVersion,
    Erasure,
    Withdrawal,
)
from fucina.hub.people.admin import ReadOnlyAdmin


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    """Datasets."""

    list_display = ("ref", "organisation", "name", "listing", "access", "sensitivity", "changed_at")


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    """Versions of datasets."""

    list_display = ("dataset", "version", "sha256", "licence", "created_at")


@admin.register(Blob)
class BlobAdmin(ReadOnlyAdmin):
    """Files that projects sent."""

    list_display = ("sha256", "organisation", "project", "num_bytes", "received_at")


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnlyAdmin):
    """Tombstones of versions."""

    list_display = ("version", "reason", "at")


@admin.register(AccessRequest)
class AccessRequestAdmin(ReadOnlyAdmin):
    """Requests for data."""

    list_display = ("ref", "dataset", "organisation", "state", "asked_at")


@admin.register(DataGrant)
class DataGrantAdmin(ReadOnlyAdmin):
    """Leave to have data."""

    list_display = ("ref", "dataset", "organisation", "expires_at", "revoked_at")


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    """Requests to erase; what was sought is not shown."""

    list_display = ("ref", "dataset", "kind", "state", "asked_at", "done_at")
    exclude = ("sought",)
