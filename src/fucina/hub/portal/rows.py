"""Rows of lists, read in a fixed number of queries however many there are."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from django.db.models import QuerySet

from fucina.hub.compute.models import Job, LineRun, Project, ProjectQuerySet
from fucina.hub.people.models import Person


def project_rows(person: Person) -> ProjectQuerySet:
    """Projects that this person may see, by organisation and name."""
    rows = Project.objects.visible_to(person).select_related("organisation")
    return rows.order_by("organisation__name", "name")


class RunRow(TypedDict):
    """A run as a list shows it; templates look up names in a dictionary fastest."""

    ref: str
    project: str
    state: str
    release: str
    created_at: datetime
    created_by: str
    stages: tuple[tuple[str, str], ...]
    """Name and state of each, in order."""


def run_rows(keys: Sequence[int] | QuerySet[LineRun, int]) -> list[RunRow]:
    """The runs of these keys, newest first, with no more than a list shows, in two queries."""
    columns = (
        "pk", "ref", "project__name", "state", "release", "created_at", "created_by__name", "created_by__username"
    )  # fmt: skip
    rows = list(LineRun.objects.filter(pk__in=keys).order_by("-created_at", "-pk").values_list(*columns))
    stages: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    jobs = Job.objects.filter(run__in=[row[0] for row in rows]).order_by("position")
    for run, stage, state in jobs.values_list("run_id", "stage", "state"):
        stages[run or 0].append((stage, state))
    return [
        RunRow(
            ref=ref,
            project=project,
            state=state,
            release=release,
            created_at=created_at,
            created_by=name or username,
            stages=tuple(stages[pk]),
        )
        for pk, ref, project, state, release, created_at, name, username in rows
    ]
