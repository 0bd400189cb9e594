"""Tables of the registry for the operator."""

from django.contrib import admin

from fucina.hub.people.admin import ReadOnlyAdmin
from fucina.hub.registry.models import LogLeaf, Model, Release


@admin.register(Model)
class ModelAdmin(ReadOnlyAdmin):
    """Models."""

    list_display = ("ref", "name", "project", "created_at")


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    """Releases."""

    list_display = ("ref", "model", "version", "verified", "num_open_questions", "created_at")


@admin.register(LogLeaf)
class LogLeafAdmin(ReadOnlyAdmin):
    """The log of releases."""

    list_display = ("index", "release", "encoded")
