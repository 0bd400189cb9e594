"""Wire types built from jobs, in a number of queries that does not grow with them."""

from collections.abc import Iterable, Sequence

from django.db.models import OuterRef, Q, Subquery

from fucina.client.wire_jobs import JobDetail, JobSummary, ProjectFileInfo
from fucina.compute.spec import JobState
from fucina.hub.accounting.models import UsageRecord
from fucina.hub.compute.models import Job, JobQuerySet, ProjectFile
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible

_COLUMNS = {
    "ref": "ref",
    "project": "project__ref",
    "project_name": "project__name",
    "run": "run__ref",
    "stage": "stage",
    "name": "name",
    "state": "state",
    "reason": "reason",
    "site": "allocation__site__name",
    "partition": "allocation__partition__name",
    "num_gpus": "num_gpus",
    "walltime_s": "walltime_s",
    "created_at": "created_at",
    "started_at": "started_at",
    "ended_at": "ended_at",
    "created_by": "created_by__username",
    "exit_code": "exit_code",
    "native_id": "native_id",
}
"""Field of `JobSummary` and where it comes from; a list reads these columns and makes no rows of tables."""

RELATED = ("project__organisation", "run", "allocation__partition__site", "created_by")
"""What the page of one job needs."""


def visible_jobs(person: Person, *, project: str = "") -> JobQuerySet:
    """Rows that this person may see, newest first; `project` is a reference or a name."""
    rows = Job.objects.visible_to(person)
    if project:
        rows = rows.filter(Q(project__ref=project) | Q(project__name=project))
    return rows.order_by("-created_at", "-id")


def jobs(
    person: Person, *, project: str = "", state: JobState | None = None, own: bool = False, limit: int = 50
) -> list[JobSummary]:
    """Jobs that this person may see, newest first, in one query; `own` leaves out stages of runs."""
    rows = visible_jobs(person, project=project)
    if state is not None:
        rows = rows.filter(state=state.value)
    if own:
        rows = rows.filter(run__isnull=True)
    return job_summaries(rows[:limit])


def job_summaries(rows: JobQuerySet) -> list[JobSummary]:
    """Jobs with what they used, in one query: names are joined only to the rows that are shown."""
    shown = Job.objects.filter(pk__in=rows.values("pk")).order_by("-created_at", "-id")
    used = UsageRecord.objects.filter(job=OuterRef("key")).values("gpu_s")[:1]
    found = shown.annotate(used_gpu_s=Subquery(used)).values_list(*_COLUMNS.values(), "used_gpu_s")
    names = (*_COLUMNS, "gpu_s")
    return [JobSummary.model_validate(dict(zip(names, row, strict=True)) | {"run": row[3] or ""}) for row in found]


def find_job(ref: str, *, person: Person) -> Job:
    """A job. Raises NotVisible."""
    return get_visible(Job.objects.visible_to(person).select_related(*RELATED), ref)


def job_detail(row: Job) -> JobDetail:
    """One job with what it runs."""
    (summary,) = job_summaries(Job.objects.filter(pk=row.pk))
    spec = row.parsed_spec
    return JobDetail(
        **summary.model_dump(),
        command=spec.command,
        array=spec.array,
        image=spec.image,
        files=tuple(source["name"] for source in row.files),
        placement=row.parsed_placement,
    )


def project_files(rows: Iterable[ProjectFile]) -> list[ProjectFileInfo]:
    """Files of a project's folder."""
    return [
        ProjectFileInfo(
            path=row.path, num_bytes=row.num_bytes, sha256=row.sha256, at=row.sent_at, by=row.sent_by.username
        )
        for row in rows
    ]


def job_files(job: Job) -> Sequence[ProjectFileInfo]:
    """Files that a job left at the hub."""
    return [
        ProjectFileInfo(path=row.path, num_bytes=row.num_bytes, sha256=row.sha256, at=row.received_at)
        for row in job.artifacts.order_by("path")
    ]
