"""Tables of access for the operator."""

from django.contrib import admin

from fucina.hub.access.models import Application, Decision, Grant
from fucina.hub.people.admin import ReadOnlyAdmin


@admin.register(Application)
class ApplicationAdmin(ReadOnlyAdmin):
    """Applications."""

    list_display = ("ref", "organisation", "project", "access_mode", "state", "gpu_s", "submitted_at")
    list_filter = ("state", "access_mode__name")


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """Decisions."""

    list_display = ("application", "granted", "decided_by", "rule", "decided_at")


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    """Grants."""

    list_display = ("ref", "organisation", "project", "gpu_s", "granted_at")
