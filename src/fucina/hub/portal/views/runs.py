"""Runs: the list, the live page, the end of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from fucina.accounting.usage import used_gpu_s
from fucina.client.wire import JobInfo, RunInfo
from fucina.compute.spec import FINAL, JobState
from fucina.hub.compute.actions import cancel_run
from fucina.hub.compute.models import Job
from fucina.hub.compute.read import find_run, log_tail, run_info, visible_run_keys
from fucina.hub.portal.charts import Chart
from fucina.hub.portal.curves import progress_lines, training_charts
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.paging import Turn, turn_to
from fucina.hub.portal.rows import RunRow, run_rows
from fucina.hub.portal.states import STAGES, look
from fucina.line.spec import StageName

LOG_BYTES = 32 * 2**10
"""How much of the end of a log the page shows."""

ACTIVE = frozenset({JobState.CLAIMED, JobState.RUNNING, JobState.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPage:
    """A page of runs."""

    runs: Sequence[RunRow]
    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class StageView:
    """A stage with what follows from its job at this moment."""

    job: JobInfo
    is_now: bool
    elapsed_s: float | None
    gpu_s: int | None
    done: int
    total: int

    @property
    def has_problem(self) -> bool:
        """Whether there is an error to explain."""
        return self.job.state in {JobState.FAILED, JobState.TIMED_OUT} or bool(self.job.error_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A run at this moment."""

    run: RunInfo
    is_live: bool
    is_registering: bool
    """All stages are done; the hub checks the bundle before it enters the release."""
    said: str
    """What a screen reader hears when something changed."""
    elapsed_s: float
    gpu_s: int
    stages: tuple[StageView, ...]
    charts: tuple[Chart, ...]
    log_stage: StageName
    log: str
    log_starts_later: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPage:
    """The question before a run is cancelled."""

    run: RunInfo


@require_safe
@signed_in
def index(request: SignedIn) -> HttpResponse:
    """Every run, newest first."""
    keys, turn = turn_to(request, visible_run_keys(request.user))
    return page(request, "portal/runs.html", RunsPage(runs=run_rows(keys), turn=turn), place="runs")


@require_safe
@signed_in
def show(request: SignedIn, ref: str) -> HttpResponse:
    """One run; `?stage=` chooses whose log is shown."""
    row = find_run(ref, person=request.user)
    jobs = {StageName(job.stage): job for job in row.jobs.order_by("position")}
    wanted = request.GET.get("stage")
    if wanted is not None and wanted not in jobs:
        raise Http404
    context = run_page(run_info(row), jobs=jobs, wanted=StageName(wanted) if wanted else None, now=timezone.now())
    return page(request, "portal/run.html", context, place="runs")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def cancel(request: SignedIn, ref: str) -> HttpResponse:
    """End a run, after asking once more."""
    row = find_run(ref, person=request.user)
    if request.method == "POST":
        cancel_run(run=row, by=request.user, at=timezone.now())
        return redirect("portal:run", ref=ref)
    if row.is_final:
        return redirect("portal:run", ref=ref)
    return page(request, "portal/run_cancel.html", CancelPage(run=run_info(row)), place="runs")


def run_page(run: RunInfo, *, jobs: dict[StageName, Job], wanted: StageName | None, now: datetime) -> RunPage:
    """Everything that the page of a run shows."""
    stages = tuple(_stage_view(job, now=now) for job in run.jobs)
    log_stage = wanted or _log_stage(run)
    tail = log_tail(jobs[log_stage], num_bytes=LOG_BYTES)
    return RunPage(
        run=run,
        is_live=run.state not in FINAL,
        is_registering=run.state not in FINAL and all(job.state is JobState.SUCCEEDED for job in run.jobs),
        said=_said(run),
        elapsed_s=((run.ended_at or now) - run.created_at).total_seconds(),
        gpu_s=sum(stage.gpu_s or 0 for stage in stages),
        stages=stages,
        charts=training_charts(progress_lines(jobs[StageName.TRAIN])),
        log_stage=log_stage,
        log=tail.text,
        log_starts_later=tail.offset > 0,
    )


def _stage_view(job: JobInfo, *, now: datetime) -> StageView:
    elapsed_s = job.wall_s
    if elapsed_s is None and job.started_at is not None:
        elapsed_s = max(0.0, ((job.ended_at or now) - job.started_at).total_seconds())
    gpu_s = job.gpu_s
    if gpu_s is None and elapsed_s is not None:
        gpu_s = used_gpu_s(num_gpus=job.num_gpus, wall_s=elapsed_s)
    total = max(job.progress.total, 0) if job.progress else 0
    done = min(max(job.progress.done, 0), total) if job.progress else 0
    return StageView(job=job, is_now=job.state in ACTIVE, elapsed_s=elapsed_s, gpu_s=gpu_s, done=done, total=total or 1)


def _log_stage(run: RunInfo) -> StageName:
    """The stage that runs, else the one that went wrong; of a run that went well the training, else the last begun."""
    for states in (ACTIVE, {JobState.FAILED, JobState.TIMED_OUT}):
        for job in run.jobs:
            if job.state in states:
                return job.stage
    if run.state is JobState.SUCCEEDED:
        return StageName.TRAIN
    begun = [job.stage for job in run.jobs if job.started_at is not None]
    return begun[-1] if begun else run.jobs[0].stage


def _said(run: RunInfo) -> str:
    """The state of the run, and the stage that it is in."""
    now = [job for job in run.jobs if job.state in ACTIVE]
    if not now:
        return _("Run: %(state)s.") % {"state": look(run.state).word}
    return _("%(stage)s: %(state)s.") % {"stage": STAGES[now[0].stage][0], "state": look(now[0].state).word}
