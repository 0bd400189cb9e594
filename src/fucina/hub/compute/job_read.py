"""Wire types built from jobs, in a number of queries that does not grow with them."""

from collections.abc import Iterable, Sequence

from fucina.client.wire_jobs import JobDetail, JobSummary, ProjectFileInfo
from fucina.compute.spec import JobState
from fucina.hub.accounting.models import UsageRecord
from fucina.hub.compute.models import Job, JobQuerySet, Project, ProjectFile
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible

_HEAVY = ("spec", "input", "files", "placement", "record")
"""Columns that lists leave out."""


def visible_jobs(person: Person, *, project: str = "") -> JobQuerySet:
    """Rows that this person may see, newest first, without what only one job's page needs."""
    mine = Project.objects.visible_to(person)
    if project:
        mine = mine.filter(ref=project) | mine.filter(name=project)
    rows = Job.objects.filter(project__in=list(mine.values_list("pk", flat=True)))
    return rows.order_by("-created_at", "-id")


def jobs(
    person: Person, *, project: str = "", state: JobState | None = None, own: bool = False, limit: int = 50
) -> list[JobSummary]:
    """Jobs that this person may see, newest first; `own` leaves out stages of runs."""
    rows = visible_jobs(person, project=project)
    if state is not None:
        rows = rows.filter(state=state.value)
    if own:
        rows = rows.filter(run__isnull=True)
    return job_summaries(rows.select_related(*_RELATED).defer(*_HEAVY, *_HEAVY_RELATED)[:limit])


_RELATED = ("project", "run", "allocation__partition__site", "created_by")
_HEAVY_RELATED = (
    "run__spec",
    "run__sources",
    "run__placement",
    "allocation__partition__status",
    "allocation__partition__site__wire",
)


def job_summaries(rows: Iterable[Job]) -> list[JobSummary]:
    """Jobs with what they used, in one more query."""
    rows = list(rows)
    used = dict(UsageRecord.objects.filter(job__in=[row.key for row in rows]).values_list("job", "gpu_s"))
    return [JobSummary(**_fields(row, used.get(row.key))) for row in rows]


def _fields(row: Job, gpu_s: int | None) -> dict[str, object]:
    partition = row.allocation.partition
    return {
        "ref": row.ref,
        "project": row.project.ref,
        "project_name": row.project.name,
        "run": row.run.ref if row.run else "",
        "stage": row.stage,
        "name": row.name,
        "state": row.job_state,
        "reason": row.reason,
        "site": partition.site.name,
        "partition": partition.name,
        "num_gpus": row.num_gpus,
        "walltime_s": row.walltime_s,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "created_by": row.created_by.username,
        "gpu_s": gpu_s,
        "exit_code": row.exit_code,
        "native_id": row.native_id,
    }


def find_job(ref: str, *, person: Person) -> Job:
    """A job. Raises NotVisible."""
    return get_visible(Job.objects.visible_to(person).select_related(*_RELATED, "project__organisation"), ref)


def job_detail(row: Job) -> JobDetail:
    """One job with what it runs."""
    gpu_s = UsageRecord.objects.filter(job=row.key).values_list("gpu_s", flat=True).first()
    spec = row.parsed_spec
    return JobDetail(
        **_fields(row, gpu_s),
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
