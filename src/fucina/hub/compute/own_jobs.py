"""Jobs of people's own: a command that a project pays for, checked before anything queues."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, NoReturn

from django.db import transaction

from fucina.client.wire import RunSource
from fucina.client.wire_jobs import Fault, JobCheck, JobRequest
from fucina.compute.spec import FINAL, JobSpec, JobState
from fucina.errors import BadInput, WrongState
from fucina.hub.accounting.actions import check_budget, hold
from fucina.hub.compute.actions import KeyTaken
from fucina.hub.compute.events import cancel_unstarted, move
from fucina.hub.compute.jobs import lock_job
from fucina.hub.compute.models import LIVE, Job, Project, ProjectFile
from fucina.hub.compute.placement import NoAllocation, NoPlace, Option, options, request_for
from fucina.hub.data.storage import blob_path
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person
from fucina.hub.people.reference import new_ref
from fucina.network.broker import Placement, Ranking, Refusal, explain, judge, longest_walltime_s, matches, order
from fucina.network.spec import ContainerRuntime, Site

MAX_TASKS = 1001
"""Jobs of one array; what Slurm allows unless a site says otherwise."""

MAX_LOOKED_INTO_BYTES = 1 << 20
"""Larger files are not scripts and are not looked into."""

ONLINE = re.compile(
    rb"^[^#\n]*\b(pip3? install|pip3? download|conda (?:install|create)|git clone|curl |wget |apt(?:-get)? install|"
    rb"huggingface-cli download|hf download|docker pull|npm install)",
    re.MULTILINE,
)
"""Commands that need the internet, in a script or on the command line."""

IMAGE = re.compile(r"^[A-Za-z0-9/_][A-Za-z0-9._/:@+#-]*$")
REMOTE_IMAGE = re.compile(r"^[a-z]+://")


class JobRefused(BadInput):
    """A job that would never run; nothing was queued."""

    code = "job_refused"


class JobEnded(WrongState):
    """Nothing is left to cancel."""

    code = "job_ended"


class PartOfARun(WrongState):
    """A stage is not cancelled on its own."""

    code = "part_of_a_run"


class Looked(NamedTuple):
    """What became of looking at a job everywhere."""

    answer: JobCheck
    option: Option | None
    files: tuple[ProjectFile, ...]


def look_at(project: Project, request: JobRequest, *, by: Person, at: datetime) -> Looked:
    """Every fault of a job at once, or the place where it would run; changes nothing."""
    spec = _spec(request, key="check", partition="")
    faults = list(_own_faults(request, spec))
    files = tuple(ProjectFile.objects.filter(project=project, path__in=request.files).order_by("path"))
    missing = sorted(set(request.files) - {file.path for file in files})
    faults += [
        Fault(about="files", message=f"{project.name} has no file {path[:80]!r}.", hint="Send it with `fucina upload`.")
        for path in missing
    ]
    wanted = [RunSource(name=f.path, sha256=f.sha256, num_bytes=f.num_bytes, licence="") for f in files]
    found = options(project, by=by, sources=wanted, at=at)
    allowed = {place: option for place, option in found.items() if matches(place, request.place)}
    if not allowed:
        faults.append(_no_time(project, request, found))
        return Looked(JobCheck(faults=tuple(faults)), None, files)
    needs = request_for([spec], sensitivity=request.sensitivity, preference=request.preference)
    verdicts = []
    online = _online(request, files)
    for place, option in found.items():
        verdict = judge(needs, option.candidate, at=at)
        more = tuple(_site_faults(request, spec, option.candidate.site, online))
        if more or isinstance(verdict, Refusal):
            reasons = verdict.reasons if isinstance(verdict, Refusal) else ()
            verdict = Refusal(place=place, reasons=(*reasons, *more))
        verdicts.append(verdict)
    ranking = order(verdicts)
    chosen = next((rating for rating in ranking.ranked if rating.place in allowed), None)
    if chosen is None:
        faults += [
            Fault(about=refusal.place, message=f"{reason[:1].upper()}{reason[1:]}.")
            for refusal in ranking.refused
            if refusal.place in allowed
            for reason in refusal.reasons
        ]
        return Looked(JobCheck(faults=tuple(faults)), None, files)
    option = allowed[chosen.place]
    answer = JobCheck(
        faults=tuple(faults),
        notes=tuple(_notes(option, ranking, request, at=at)),
        place=chosen.place,
        held_gpu_s=needs.gpu_s,
        free_gpu_s=option.candidate.free_gpu_s,
        placement=Placement(place=chosen.place, at=at, why=explain(ranking, chosen=chosen.place), ranking=ranking),
    )
    return Looked(answer, option, files)


def _spec(request: JobRequest, *, key: str, partition: str) -> JobSpec:
    return JobSpec(
        key=key,
        name=request.name or request.command[0].rpartition("/")[2][:100] or "job",
        command=request.command,
        num_gpus=request.num_gpus,
        num_nodes=request.num_nodes,
        num_cpus=request.num_cpus,
        walltime_s=request.walltime_s,
        memory_gib=request.memory_gib,
        image=request.image,
        array=request.array,
        partition=partition,
    )


def _own_faults(request: JobRequest, spec: JobSpec) -> Iterator[Fault]:
    """What is wrong wherever it would run."""
    if not 1 <= spec.num_tasks <= MAX_TASKS:
        yield Fault(
            about="array",
            message=f"The array {request.array} stands for {spec.num_tasks} jobs; 1 to {MAX_TASKS} are possible.",
            hint="Write first-last, with the last not before the first.",
        )
    if request.image and IMAGE.match(REMOTE_IMAGE.sub("", request.image)) is None:
        yield Fault(
            about="image",
            message=f"{request.image[:80]!r} is no name of an image.",
            hint="Write a path such as images/torch.sif, or a name such as docker://debian:12.",
        )


def _no_time(project: Project, request: JobRequest, found: dict[str, Option]) -> Fault:
    has = ", ".join(sorted(found)) or "nothing that an agent serves"
    if request.place in {"", "auto"}:
        return Fault(
            about="account", message=f"{project.name} has no time on any site with an agent.", hint="Apply for time."
        )
    return Fault(
        about="account", message=f"{project.name} has no time on {request.place}.", hint=f"It has time on: {has}."
    )


def _site_faults(request: JobRequest, spec: JobSpec, site: Site, online: Sequence[str]) -> Iterator[str]:
    """What is wrong at one site."""
    container = site.slurm.container if site.slurm else ContainerRuntime.NONE
    offline = site.slurm is not None and site.slurm.offline
    if not site.allows(request.command[0]):
        allowed = ", ".join(site.user_commands) or "no commands of people's own, stages only"
        yield f"the site does not run {request.command[0]!r}; it allows {allowed}"
    if request.image and container is ContainerRuntime.NONE:
        yield "the site runs no images; leave out the image"
    elif request.image and offline and REMOTE_IMAGE.match(request.image) and not request.image.startswith("file://"):
        yield f"its nodes have no internet to fetch {request.image} from; bring the image as a file"
    if spec.array and site.slurm is None:
        yield "the site knows no arrays; submit the jobs one by one"
    if offline:
        for where in online:
            yield f"its nodes have no internet, and {where}"


def _online(request: JobRequest, files: Sequence[ProjectFile]) -> list[str]:
    """Where a command needs the internet, in words."""
    found = []
    if hit := ONLINE.search(" ".join(request.command).encode()):
        found.append(f"the command calls `{hit[1].decode().strip()}`")
    for file in files:
        path = blob_path(file.sha256)
        if file.num_bytes <= MAX_LOOKED_INTO_BYTES and path.is_file() and (hit := ONLINE.search(path.read_bytes())):
            found.append(f"{file.path} calls `{hit[1].decode().strip()}`")
    return found


def _notes(option: Option, ranking: Ranking, request: JobRequest, *, at: datetime) -> Iterator[str]:
    """What a person may want to know before."""
    candidate = option.candidate
    rating = next(rating for rating in ranking.ranked if rating.place == candidate.place)
    if rating.waits_for:
        yield f"{candidate.place} starts nothing now: {rating.waits_for}."
    longest_s = longest_walltime_s(candidate.site.maintenance, at=at)
    if request.walltime_s > longest_s:
        yield f"It waits for the end of maintenance, until {rating.starts_at:%Y-%m-%d %H:%M} UTC."
    if request.num_gpus == 0:
        yield "It asks for no accelerator, so nothing is held of the grant."


@transaction.atomic
def submit_job(*, project: Project, request: JobRequest, by: Person, at: datetime) -> Job:
    """Check a job, hold what it may use, and queue it; the same key and content is the same job.

    Raises KeyTaken, JobRefused, NoAllocation, NoPlace, BudgetExceeded; then nothing was queued.
    """
    project = Project.objects.select_for_update(no_key=True).select_related("organisation").get(pk=project.pk)
    key = f"{project.ref}.{request.key}"
    known = Job.objects.select_related("project", "run").filter(key=key).first()
    if known is not None:
        return _same(known, request)
    looked = look_at(project, request, by=by, at=at)
    if looked.option is None or looked.answer.faults:
        _refuse(project, request, looked, by=by, at=at)
    option = looked.option
    partition = option.candidate.partition
    spec = _spec(request, key=key, partition=partition.slurm_name or partition.id)
    sources = [
        RunSource(name=file.path, sha256=file.sha256, num_bytes=file.num_bytes, licence="") for file in looked.files
    ]
    placement = looked.answer.placement
    job = Job.objects.create(
        ref=new_ref("job"),
        project=project,
        allocation=option.allocation,
        name=spec.name,
        created_by=by,
        created_at=at,
        key=key,
        state=JobState.BLOCKED,
        spec=spec.model_dump(mode="json"),
        files=[source.model_dump(mode="json") for source in sources],
        placement=placement.model_dump(mode="json") if placement else None,
        num_gpus=spec.num_gpus,
        walltime_s=spec.walltime_s,
    )
    hold(allocation=option.allocation, spec=spec, by=by, at=at)
    move(job, to=JobState.QUEUED, reason="", at=at)
    record(by, "compute.submit_job", job, at=at, data={"project": project.ref, "place": looked.answer.place})
    return job


def _same(known: Job, request: JobRequest) -> Job:
    """The job of that key, unless it is another one. Raises KeyTaken."""
    spec = known.parsed_spec
    files = {source["name"] for source in known.files}
    if spec != _spec(request, key=known.key, partition=spec.partition) or files != set(request.files):
        raise KeyTaken(f"Key {request.key} belongs to {known.ref}, which is another job.", hint="Use a new key.")
    return known


def _refuse(project: Project, request: JobRequest, looked: Looked, *, by: Person, at: datetime) -> NoReturn:
    """Raise what fits the faults: a budget is a budget, a missing grant a missing grant."""
    faults = looked.answer.faults
    found = {p: o for p, o in options(project, by=by, at=at).items() if matches(p, request.place)}
    if not found and len(faults) == 1:
        raise NoAllocation(faults[0].message, hint=faults[0].hint)
    if found and all(fault.about in found for fault in faults):
        best = max(found.values(), key=lambda option: option.candidate.free_gpu_s)
        spec = _spec(request, key="check", partition="")
        if sum(fault.about == best.candidate.place for fault in faults) == 1:
            check_budget(best.allocation, need_gpu_s=spec.num_gpus * spec.walltime_s * spec.num_tasks, what="The job")
        raise NoPlace(_told(faults), hint="Ask for less, or for another place.")
    raise JobRefused(
        _told(faults),
        hint=" ".join(dict.fromkeys(fault.hint for fault in faults if fault.hint)) or "Mend this and submit again.",
    )


def _told(faults: Sequence[Fault]) -> str:
    return " ".join(f"{fault.about}: {fault.message}" for fault in faults)


@transaction.atomic
def cancel_job(*, job: Job, by: Person, at: datetime) -> Job:
    """End a job of a person's own: now where it waits, by its agent where one has it. Raises JobEnded, PartOfARun."""
    lock_job(job)
    job = Job.objects.select_related("run", "allocation__site").get(pk=job.pk)
    if job.run is not None:
        raise PartOfARun(
            f"{job.ref} is stage {job.stage} of {job.run.ref}.", hint=f"Cancel the run: `fucina cancel {job.run.ref}`."
        )
    if job.job_state is JobState.CANCELLED or job.cancel_asked_at is not None:
        return job
    if job.job_state in FINAL:
        raise JobEnded(f"{job.ref} has ended; nothing is left to cancel.", hint="Look at its log.")
    if job.job_state in LIVE:
        job.cancel_asked_at = at
        job.save(update_fields=["cancel_asked_at"])
    else:
        cancel_unstarted(job, reason=f"Cancelled by {by.username}.", by=by, at=at)
    record(by, "compute.cancel_job", job, at=at)
    return job
