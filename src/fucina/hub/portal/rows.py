"""Rows of lists, read in a fixed number of queries however many there are."""

from collections.abc import Sequence

from django.db.models import Prefetch, QuerySet

from fucina.hub.compute.models import Job, LineRun, Project, ProjectQuerySet
from fucina.hub.people.models import Person


def project_rows(person: Person) -> ProjectQuerySet:
    """Projects that this person may see, by organisation and name."""
    rows = Project.objects.visible_to(person).select_related("organisation")
    return rows.order_by("organisation__name", "name")


def run_rows(keys: Sequence[int] | QuerySet[LineRun, int]) -> list[LineRun]:
    """The runs of these keys, newest first, with the states of their jobs and no more than a list shows."""
    jobs = Job.objects.order_by("position").only("run_id", "position", "stage", "state")
    rows = LineRun.objects.filter(pk__in=keys).select_related("project", "created_by")
    shown = rows.only(
        "ref", "state", "release", "created_at", "project__name", "created_by__name", "created_by__username"
    )
    return list(shown.order_by("-created_at", "-pk").prefetch_related(Prefetch("jobs", queryset=jobs)))
