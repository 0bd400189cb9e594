"""Tables of data for the operator."""

from django.contrib import admin

from fucina.hub.data.models import Blob, Dataset, DatasetVersion
from fucina.hub.people.admin import ReadOnlyAdmin


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    """Datasets."""

    list_display = ("ref", "organisation", "name", "created_at")


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    """Versions of datasets."""

    list_display = ("dataset", "version", "sha256", "licence", "created_at")


@admin.register(Blob)
class BlobAdmin(ReadOnlyAdmin):
    """Files that projects sent."""

    list_display = ("sha256", "organisation", "project", "num_bytes", "received_at")
