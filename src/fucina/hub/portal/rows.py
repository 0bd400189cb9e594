"""Rows of lists, read in a fixed number of queries however many there are."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Count, Prefetch, Q, Sum

from fucina.client.wire import ProjectInfo
from fucina.hub.accounting.models import Kind, LedgerEntry
from fucina.hub.compute.models import Job, LineRun, LineRunQuerySet, Project, ProjectQuerySet
from fucina.hub.compute.read import visible_runs
from fucina.hub.people.models import Person


def project_rows(person: Person) -> ProjectQuerySet:
    """Projects that this person may see, by organisation and name."""
    rows = Project.objects.visible_to(person).select_related("organisation")
    return rows.order_by("organisation__name", "name")


def project_infos(projects: Iterable[Project]) -> tuple[ProjectInfo, ...]:
    """Rows of `project_rows` with their balances."""
    projects = list(projects)
    num_runs = dict(LineRun.objects.filter(project__in=projects).values_list("project").annotate(n=Count("pk")))
    sums: defaultdict[tuple[int, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    which = Q(pk__in=[])
    for project in projects:
        which |= Q(allocation__grant__organisation=project.organisation_id, allocation__grant__project=project.name)
    keys = ("allocation__grant__organisation", "allocation__grant__project", "kind")
    for organisation, name, kind, total in (
        LedgerEntry.objects.filter(which).values_list(*keys).annotate(total=Sum("gpu_s"))
    ):
        sums[organisation, name][kind] = total
    infos = []
    for project in projects:
        by_kind = sums[project.organisation_id, project.name]
        infos.append(
            ProjectInfo(
                ref=project.ref,
                name=project.name,
                organisation=project.organisation.name,
                purpose=project.purpose,
                granted_gpu_s=by_kind[Kind.GRANT] + by_kind[Kind.EXPIRY],
                held_gpu_s=-(by_kind[Kind.HOLD] + by_kind[Kind.SETTLE]),
                used_gpu_s=-(by_kind[Kind.USE] + by_kind[Kind.REFUND] + by_kind[Kind.CORRECTION]),
                free_gpu_s=sum(by_kind.values()),
                num_runs=num_runs.get(project.pk, 0),
            )
        )
    return tuple(infos)


def run_rows(person: Person) -> LineRunQuerySet:
    """Runs that this person may see, newest first, with the states of their jobs."""
    jobs = Job.objects.order_by("position").only("run_id", "position", "stage", "state")
    return visible_runs(person).defer("spec", "sources").prefetch_related(Prefetch("jobs", queryset=jobs))
