"""Starting and ending line runs."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from fucina.client.wire import RunRequest, RunSource
from fucina.compute.spec import FINAL, JobState
from fucina.errors import BadInput, WrongState
from fucina.hub.accounting.actions import check_budget, hold
from fucina.hub.accounting.models import Allocation
from fucina.hub.compute.events import cancel_unstarted, go_on, move
from fucina.hub.compute.models import LIVE, Job, LineRun, Project
from fucina.hub.compute.placement import Choice, choose
from fucina.hub.data.actions import missing_blobs
from fucina.hub.data.storage import check_relative
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person
from fucina.hub.people.reference import new_ref
from fucina.line.plan import PlannedStage


class KeyTaken(WrongState):
    """The idempotency key belongs to a run with another content."""

    code = "key_taken"


class WrongProject(BadInput):
    """A project file that is not of this project."""

    code = "wrong_project"


class MissingSources(BadInput):
    """Files that were not sent."""

    code = "missing_sources"


class BadSources(BadInput):
    """Two source files of one name, or a name that no file may have."""

    code = "bad_sources"


class RunEnded(WrongState):
    """Nothing is left to cancel."""

    code = "run_ended"


@transaction.atomic
def start_run(*, project: Project, request: RunRequest, by: Person, at: datetime) -> LineRun:
    """Plan a run, hold what its five jobs may use, and queue the first; the same key and content is the same run.

    Raises KeyTaken, WrongProject, BadSources, MissingSources, NoAllocation, NoPlace, BudgetTooSmall, UnknownSize,
    BudgetExceeded; then nothing was created.
    """
    project = Project.objects.select_for_update(no_key=True).select_related("organisation").get(pk=project.pk)
    spec = request.spec.to_json()
    sources = [source.model_dump(mode="json") for source in request.sources]
    known = LineRun.objects.filter(project=project, key=request.key).first()
    if known is not None:
        if known.parsed_spec.to_json() != spec or known.sources != sources:
            raise KeyTaken(
                f"Key {request.key} belongs to {known.ref}, which has another project file or other sources.",
                hint="Use a new key for a new run.",
            )
        return known
    _check_project(project, request)
    _check_sources(project, request.sources)
    ref = new_ref("run")
    choice = choose(project, request.spec, sources=request.sources, ref=ref, by=by, at=at)
    allocation = Allocation.objects.select_for_update(no_key=True).get(pk=choice.allocation.pk)
    need_gpu_s = sum(stage.job.num_gpus * stage.job.walltime_s for stage in choice.stages)
    check_budget(allocation, need_gpu_s=need_gpu_s, what="The run")
    run = LineRun.objects.create(
        ref=ref,
        project=project,
        allocation=allocation,
        key=request.key,
        spec=spec,
        sources=sources,
        placement=choice.placement.model_dump(mode="json"),
        state=JobState.QUEUED,
        created_by=by,
        created_at=at,
    )
    for position, stage in enumerate(choice.stages):
        _create_job(run, position=position, planned=stage, by=by, at=at)
    record(by, "compute.start_run", run, at=at, data=_told(project, choice, request.key))
    return run


def _told(project: Project, choice: Choice, key: str) -> dict[str, object]:
    return {"project": project.ref, "key": key, "place": choice.placement.place}


def _check_project(project: Project, request: RunRequest) -> None:
    spec = request.spec
    same_organisation = " ".join(spec.organisation.split()).casefold() == project.organisation.name.casefold()
    if spec.name != project.name or not same_organisation:
        raise WrongProject(
            f"The project file is of {spec.name} of {spec.organisation}; "
            f"{project.ref} is {project.name} of {project.organisation}.",
            hint="Correct name or organisation in the project file, or choose another project.",
        )


def _check_sources(project: Project, sources: Sequence[RunSource]) -> None:
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise BadSources(f"{len(twice)} source names are given twice, first {twice[0]!r}.", hint="Name each file once.")
    for name in names:
        check_relative(name)
    num_tokenizers = sum(source.role == "tokenizer" for source in sources)
    if num_tokenizers > 1 or num_tokenizers == len(sources):
        raise BadSources(
            f"{num_tokenizers} of {len(sources)} files are tokenizers.",
            hint="Send documents, and one tokenizer at most.",
        )
    missing = missing_blobs(
        organisation=project.organisation, project=project.name, sha256s=(source.sha256 for source in sources)
    )
    if missing:
        first = next(source.name for source in sources if source.sha256 == missing[0])
        raise MissingSources(
            f"{len(missing)} of {len(sources)} source files were not sent to {project.ref}, first {first!r}.",
            hint="Send them, then start the run again with the same key.",
        )


def _create_job(run: LineRun, *, position: int, planned: PlannedStage, by: Person, at: datetime) -> None:
    job = Job.objects.create(
        project=run.project,
        allocation=run.allocation,
        run=run,
        position=position,
        stage=planned.stage,
        name=planned.job.name,
        created_by=by,
        created_at=at,
        key=planned.job.key,
        state=JobState.BLOCKED,
        reason="Waits for the stage before." if position else "",
        spec=planned.job.model_dump(mode="json"),
        input=planned.input.model_dump(mode="json"),
        num_gpus=planned.job.num_gpus,
        walltime_s=planned.job.walltime_s,
    )
    hold(allocation=run.allocation, spec=planned.job, by=by, at=at)
    if position == 0:
        move(job, to=JobState.QUEUED, reason="", at=at)


@transaction.atomic
def cancel_run(*, run: LineRun, by: Person, at: datetime) -> LineRun:
    """End a run: what waits is cancelled now, what an agent has is cancelled by the agent. Raises RunEnded."""
    run = LineRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    if run.state == JobState.CANCELLED:
        return run
    jobs = list(run.jobs.order_by("position").select_related("run", "allocation__site"))
    if run.is_final or all(job.job_state in FINAL for job in jobs):
        raise RunEnded(f"{run.ref} has ended; nothing is left to cancel.", hint="Look at its release.")
    for job in jobs:
        if job.job_state in LIVE and job.cancel_asked_at is None:
            job.cancel_asked_at = at
            job.save(update_fields=["cancel_asked_at"])
        elif job.job_state not in FINAL | LIVE:
            cancel_unstarted(job, reason=f"Cancelled by {by.username}.", by=by, at=at)
    record(by, "compute.cancel_run", run, at=at)
    go_on(run, by=by, at=at)
    run.refresh_from_db()
    return run
