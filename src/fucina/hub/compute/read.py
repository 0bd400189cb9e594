"""Wire types built from projects, runs and jobs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum

from fucina.client.wire import JobInfo, LedgerLine, LogAnswer, ProgressAnswer, ProjectInfo, RunInfo
from fucina.compute.record import ProgressLine, StageRecord
from fucina.compute.spec import JobState
from fucina.errors import ErrorBody
from fucina.hub.accounting.models import LedgerTotal, UsageRecord, balance_of
from fucina.hub.accounting.read import ledger_lines
from fucina.hub.compute.models import EventKind, Job, JobEvent, LineRun, LineRunQuerySet, Project
from fucina.hub.data.storage import hub_folder
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible
from fucina.line.spec import StageName
from fucina.network.broker import Placement

MAX_LOG_BYTES = 16 * 2**20
"""A job's log is kept up to here."""

LOG_PIECE_BYTES = 256 * 2**10
"""Most that one answer holds."""

PROGRESS_PIECE_LINES = 5_000


def project_info(project: Project) -> ProjectInfo:
    """A project with its balance."""
    return project_infos([project])[0]


def project_infos(projects: Iterable[Project]) -> list[ProjectInfo]:
    """Projects with their balances, in two queries."""
    projects = list(projects)
    num_runs = dict(LineRun.objects.filter(project__in=projects).values_list("project").annotate(n=Count("pk")))
    sums: defaultdict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    rows = LedgerTotal.objects.filter(
        allocation__grant__organisation__in={project.organisation_id for project in projects},
        allocation__grant__project__in={project.name for project in projects},
    )
    keys = ("allocation__grant__organisation", "allocation__grant__project", "kind")
    for organisation, name, kind, total in rows.order_by().values_list(*keys).annotate(total=Sum("gpu_s")):
        sums[organisation, name][kind] = total
    return [
        ProjectInfo(
            ref=project.ref,
            name=project.name,
            organisation=project.organisation.name,
            purpose=project.purpose,
            num_runs=num_runs.get(project.pk, 0),
            **balance_of(sums[project.organisation_id, project.name])._asdict(),
        )
        for project in projects
    ]


def projects(person: Person) -> list[ProjectInfo]:
    """Every project that this person may see, by organisation and name."""
    rows = Project.objects.visible_to(person).select_related("organisation").order_by("organisation__name", "name")
    return project_infos(rows)


def find_project(ref: str, *, person: Person) -> Project:
    """A project. Raises NotVisible."""
    return get_visible(Project.objects.visible_to(person).select_related("organisation"), ref)


def ledger(project: Project) -> list[LedgerLine]:
    """Every ledger entry of a project in the order of writing."""
    return ledger_lines(project.organisation, project.name)


def find_run(ref: str, *, person: Person) -> LineRun:
    """A run. Raises NotVisible."""
    return get_visible(visible_runs(person), ref)


def visible_runs(person: Person) -> LineRunQuerySet:
    """Rows that this person may see, newest first, with what `run_info` needs."""
    return _with_names().filter(project__in=Project.objects.visible_to(person).values("pk"))


def _with_names() -> LineRunQuerySet:
    rows = LineRun.objects.select_related("project__organisation", "allocation__partition__site", "created_by")
    rows = rows.defer("allocation__partition__status", "allocation__partition__site__wire")
    return rows.order_by("-created_at", "-pk")


def visible_run_keys(person: Person) -> QuerySet[LineRun, int]:
    """Keys of runs that this person may see, newest first: found in an index, before anything wide is read."""
    return LineRun.objects.visible_to(person).order_by("-created_at", "-pk").values_list("pk", flat=True)


def find_job(run: LineRun, stage: StageName) -> Job:
    """The job of a stage; every run has all five."""
    return run.jobs.get(stage=stage.value)


def runs(person: Person, *, project: str = "", state: JobState | None = None, limit: int = 50) -> list[RunInfo]:
    """Runs that this person may see, newest first; `project` is a reference or a name."""
    keys = visible_run_keys(person)
    if project:
        keys = keys.filter(Q(project__ref=project) | Q(project__name=project))
    if state is not None:
        keys = keys.filter(state=state.value)
    return run_infos(LineRun.objects.filter(pk__in=keys[:limit]).order_by("-created_at", "-pk"))


def run_info(run: LineRun) -> RunInfo:
    """A run with its five stages."""
    return run_infos(LineRun.objects.filter(pk=run.pk))[0]


def run_infos(found: QuerySet[LineRun]) -> list[RunInfo]:
    """Runs with their stages, in two queries."""
    rows = list(found.values(*_RUN_COLUMNS))
    lines = JobEvent.objects.filter(job=OuterRef("pk"), kind=EventKind.PROGRESS).order_by("-number").values("line")
    records = UsageRecord.objects.filter(job=OuterRef("key")).order_by("-revision").values("wire")
    jobs = Job.objects.filter(run__in=[row["pk"] for row in rows]).order_by("run", "position")
    jobs = jobs.annotate(newest=Subquery(lines[:1]), used=Subquery(records[:1]))
    by_run: dict[int, list[JobInfo]] = {row["pk"]: [] for row in rows}
    problems = {row["pk"]: ErrorBody.model_validate(row["problem"]) for row in rows if row["problem"]}
    for job in jobs.values("run_id", "newest", "used", *_JOB_COLUMNS):
        problem = problems.get(job["run_id"]) if job["stage"] == StageName.RELEASE else None
        by_run[job["run_id"]].append(_job_info(job, problem=problem))
    return [
        RunInfo(
            ref=row["ref"],
            project=row["project__ref"],
            project_name=row["project__name"],
            organisation=row["project__organisation__name"],
            state=JobState(row["state"]),
            site=row["allocation__partition__site__name"],
            partition=row["allocation__partition__name"],
            generation=row["generation"],
            placement=Placement.model_validate(row["placement"]) if row["placement"] else None,
            created_at=row["created_at"],
            ended_at=row["ended_at"],
            created_by=row["created_by__username"],
            jobs=tuple(by_run[row["pk"]]),
            release=row["release"],
        )
        for row in rows
    ]


_RUN_COLUMNS = (
    "pk",
    "ref",
    "project__ref",
    "project__name",
    "project__organisation__name",
    "state",
    "allocation__partition__site__name",
    "allocation__partition__name",
    "generation",
    "placement",
    "problem",
    "created_at",
    "ended_at",
    "created_by__username",
    "release",
)
_JOB_COLUMNS = (
    "ref",
    "stage",
    "state",
    "reason",
    "error_code",
    "error_hint",
    "num_gpus",
    "walltime_s",
    "started_at",
    "ended_at",
    "exit_code",
    "num_attempts",
)
"""Columns of a job that are fields of `JobInfo` under the same name; a list makes no rows of tables."""


def _job_info(job: Mapping[str, Any], *, problem: ErrorBody | None) -> JobInfo:
    """One stage; its `used` is its usage record as it was kept, its `newest` its newest progress line."""
    fields = {name: job[name] for name in _JOB_COLUMNS} | {"progress": job["newest"]}
    used = job["used"]
    if used is not None and job["started_at"] is not None:
        fields |= {name: used.get(name) for name in ("wall_s", "cpu_s", "gpu_s", "max_rss_bytes")}
    if problem is not None:
        fields |= {"reason": problem.message, "error_code": problem.code, "error_hint": problem.hint}
    return JobInfo.model_validate(fields)


def job_record(job: Job) -> StageRecord | None:
    """The record that the stage left, once it ended well."""
    return StageRecord.model_validate(job.record) if job.record else None


def progress(job: Job, *, after: int = 0) -> ProgressAnswer:
    """Progress lines from number `after` on; `next` is where to go on."""
    rows = job.events.filter(kind=EventKind.PROGRESS, number__gte=after).order_by("number")[:PROGRESS_PIECE_LINES]
    lines = tuple(ProgressLine.model_validate(row.line) for row in rows)
    return ProgressAnswer(lines=lines, next=after + len(lines))


def log_path(job: Job) -> Path:
    """Where the hub keeps the log of a job."""
    return hub_folder() / "logs" / f"{job.ref}.log"


def log(job: Job, *, offset: int = 0) -> LogAnswer:
    """A piece of the log from byte `offset` on; `next` is where to go on.

    A character that is not complete yet waits for the next piece; bytes that are no UTF-8 are shown as such.
    """
    path = log_path(job)
    data = b""
    if path.is_file():
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(LOG_PIECE_BYTES)
    data = data[: len(data) - _incomplete(data)]
    return LogAnswer(text=data.decode("utf-8", "replace").replace("\0", ""), offset=offset, next=offset + len(data))


def log_tail(job: Job, *, num_bytes: int = 8192) -> LogAnswer:
    """The end of the log, from the start of a line."""
    path = log_path(job)
    size = path.stat().st_size if path.is_file() else 0
    start = max(0, size - num_bytes)
    answer = log(job, offset=start)
    cut = answer.text.find("\n") + 1 if start else 0
    skipped = len(answer.text[:cut].encode()) if cut else 0
    return LogAnswer(text=answer.text[cut:], offset=start + skipped, next=answer.next)


def _incomplete(data: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character whose rest is missing."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte >= 0b1100_0000:
            length = 2 if byte < 0b1110_0000 else 3 if byte < 0b1111_0000 else 4
            return back if back < length else 0
        if byte < 0b1000_0000:
            return 0
    return 0
