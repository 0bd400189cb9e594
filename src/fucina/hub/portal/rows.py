"""Rows of lists, read in a fixed number of queries however many there are."""

from django.db.models import Prefetch

from fucina.hub.compute.models import Job, LineRunQuerySet, Project, ProjectQuerySet
from fucina.hub.compute.read import visible_runs
from fucina.hub.people.models import Person


def project_rows(person: Person) -> ProjectQuerySet:
    """Projects that this person may see, by organisation and name."""
    rows = Project.objects.visible_to(person).select_related("organisation")
    return rows.order_by("organisation__name", "name")


def run_rows(person: Person) -> LineRunQuerySet:
    """Runs that this person may see, newest first, with the states of their jobs."""
    jobs = Job.objects.order_by("position").only("run_id", "position", "stage", "state")
    return visible_runs(person).defer("spec", "sources", "placement").prefetch_related(Prefetch("jobs", queryset=jobs))
