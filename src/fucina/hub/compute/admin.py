"""Tables of compute for the operator."""

from django.contrib import admin

from fucina.hub.compute.models import Job, JobEvent, LineRun, Project
from fucina.hub.people.admin import ReadOnlyAdmin


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin):
    """Projects."""

    list_display = ("ref", "organisation", "name", "created_at")


@admin.register(LineRun)
class LineRunAdmin(ReadOnlyAdmin):
    """Line runs."""

    list_display = ("ref", "project", "state", "created_by", "created_at", "ended_at")
    list_filter = ("state",)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Jobs."""

    list_display = ("key", "stage", "state", "reason", "agent", "started_at", "ended_at")
    list_filter = ("state", "stage")


@admin.register(JobEvent)
class JobEventAdmin(ReadOnlyAdmin):
    """What happened to jobs."""

    list_display = ("at", "job", "kind", "state", "number", "reason")
    list_filter = ("kind",)
