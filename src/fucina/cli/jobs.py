"""Jobs of people's own from the command line."""

import re
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from fucina.cli.output import EXIT_FAILED, Format, out, say, show, table
from fucina.client.hub import Hub
from fucina.client.wire_jobs import Fault, JobCheck, JobDetail, JobRequest, JobSummary, SystemInfo, WaitReason
from fucina.compute.spec import FINAL, JobState
from fucina.errors import BadInput, NotVisible
from fucina.line.digests import sha256_file
from fucina.units import format_duration, gpu_hours

POLL_S = 1.0
UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WITH_UNIT = re.compile(r"^([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhd])$")
_CLOCK = re.compile(r"^(?:([0-9]{1,4})-)?([0-9]{1,5}):([0-5][0-9])(?::([0-5][0-9]))?$")


class BadJobRequest(BadInput):
    """A job that cannot be asked for."""

    code = "bad_job_request"


class WhichProject(BadInput):
    """It is not clear who pays."""

    code = "which_project"


class BadFile(BadInput):
    """A file that cannot be sent, or one that is in the way."""

    code = "bad_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What `fucina submit` was asked for."""

    command: tuple[str, ...]
    project: str
    num_gpus: int
    num_nodes: int
    num_cpus: int
    time: str
    memory_gib: float
    place: str
    image: str
    array: str
    name: str
    files: tuple[Path, ...]
    prefer: str
    sensitivity: str
    key: str


def parse_walltime(text: str) -> int:
    """Seconds in 90s, 30m, 2h, 1.5d or [D-]HH:MM[:SS]. Raises BadJobRequest."""
    if match := _WITH_UNIT.match(text.strip()):
        seconds = round(float(match[1]) * UNIT_S[match[2]])
    elif match := _CLOCK.match(text.strip()):
        days, hours, minutes, rest = (int(part or 0) for part in match.groups())
        seconds = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    else:
        seconds = 0
    if seconds <= 0:
        raise BadJobRequest(f"{text!r} is no duration.", hint="Write 90s, 30m, 2h, 1d, or [D-]HH:MM:SS.")
    return seconds


def home_of(hub: Hub, wanted: str) -> str:
    """The project (or job) that is meant by a reference or a name; one's only project by nothing.

    Raises WhichProject, NotVisible.
    """
    if wanted.startswith(("prj-", "job-")):
        return wanted
    found = [project for project in hub.projects() if wanted in ("", project.name)]
    if len(found) == 1:
        return found[0].ref
    if not found and wanted:
        raise NotVisible(f"There is no project {wanted!r} that you may see.", hint="Look at `fucina projects`.")
    if not found:
        raise WhichProject("You have no project yet.", hint="Apply for time first: `fucina apply PROJECT.yaml`.")
    known = ", ".join(f"{project.ref} ({project.name})" for project in found[:5])
    raise WhichProject(f"{len(found)} projects could be meant.", hint=f"Name one: {known}.")


def request_of(wish: Wish, *, project: str, files: tuple[str, ...]) -> JobRequest:
    """The wish as it crosses the API. Raises BadJobRequest."""
    try:
        return JobRequest.model_validate(
            {
                "project": project,
                "key": wish.key or secrets.token_hex(12),
                "name": wish.name,
                "command": wish.command,
                "num_gpus": wish.num_gpus,
                "num_nodes": wish.num_nodes,
                "num_cpus": wish.num_cpus,
                "walltime_s": parse_walltime(wish.time),
                "memory_gib": wish.memory_gib,
                "image": wish.image,
                "array": wish.array,
                "place": wish.place,
                "preference": wish.prefer,
                "sensitivity": wish.sensitivity,
                "files": files,
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadJobRequest(
            f"{field}: {str(first['msg']).removeprefix('Value error, ')}; it is {first['input']!r:.80}.",
            hint="See `fucina submit --help`.",
        ) from error


def submit_job(hub: Hub, wish: Wish, *, dry_run: bool, form: Format) -> int:
    """Send the files and submit, or only check; returns the exit code."""
    project = home_of(hub, wish.project)
    names = tuple(dict.fromkeys(file.name for file in wish.files))
    request = request_of(wish, project=project, files=names)
    if dry_run:
        return _check(hub, request, wish, form=form)
    for file in wish.files:
        send_file(hub, project, file, file.name)
    made = hub.submit_job(request)
    if not show(made, form):
        say(f"[green]✓[/green] {made.ref} is {made.state} for {made.site}/{made.partition}.")
        if made.placement:
            say(f"  {made.placement.why}")
    return 0


def _check(hub: Hub, request: JobRequest, wish: Wish, *, form: Format) -> int:
    """Everything that is wrong at once; files that would be sent first count as there."""
    unreadable = [
        Fault(about="files", message=f"{file} is no file that can be read.", hint="Check the path.")
        for file in wish.files
        if not file.is_file()
    ]
    known = {file.path for file in hub.files(request.project)}
    found = hub.check_job(request.model_copy(update={"files": tuple(f for f in request.files if f in known)}))
    found = found.model_copy(update={"faults": (*unreadable, *found.faults)})
    if not show(found, form):
        _print_check(found)
    return EXIT_FAILED if found.faults else 0


def _print_check(found: JobCheck) -> None:
    for fault in found.faults:
        say(f"[red]✗[/red] {fault.about}: {_plain(fault.message)}")
        if fault.hint:
            say(f"  {_plain(fault.hint)}")
    for note in found.notes:
        say(f"  {_plain(note)}")
    if found.placement and not found.faults:
        say(f"[green]✓[/green] Nothing is wrong. {_plain(found.placement.why)}")
        say(f"  It would hold {gpu_hours(found.held_gpu_s)} of {gpu_hours(found.free_gpu_s or 0)} GPU-hours.")


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def job_row(job: JobSummary) -> tuple[str, ...]:
    """A job as a row of the list."""
    gpu_s = "—" if job.gpu_s is None else f"{job.gpu_s:,}"
    name = f"{job.run} {job.stage}" if job.run else job.name
    place = f"{job.site}/{job.partition}"
    return (job.ref, name, job.project_name, str(job.state), place, str(job.num_gpus), gpu_s, job.reason[:60])


def print_job(job: JobDetail) -> None:
    """One job."""
    rows = [
        ("state", f"{job.state} {job.reason}".strip()),
        ("command", " ".join(job.command)),
        ("place", f"{job.site}/{job.partition}"),
        ("why there", job.placement.why if job.placement else "—"),
        ("GPU-seconds", "—" if job.gpu_s is None else f"{job.gpu_s:,}"),
        ("exit code", "—" if job.exit_code is None else str(job.exit_code)),
        ("scheduler's id", job.native_id or "—"),
    ]
    table(f"Job {job.ref}, {job.name}, project {job.project_name}", ("", ""), rows)


def wait_for_job(hub: Hub, ref: str, *, form: Format) -> int:
    """Wait until a job is over; returns 0 when it went well."""
    said = ""
    while True:
        job = hub.job(ref)
        if job.state in FINAL:
            break
        if form is Format.TEXT and str(job.state) != said:
            said = str(job.state)
            say(f"{ref} is {said}. {_plain(job.reason)}")
        time.sleep(POLL_S)
    if not show(job, form):
        print_job(job)
    return 0 if job.state is JobState.SUCCEEDED else EXIT_FAILED


def print_job_log(hub: Hub, ref: str, *, follow: bool, form: Format) -> None:
    """What a job printed; with `follow` until it ends."""
    offset = 0
    while True:
        is_over = hub.job(ref).state in FINAL
        while (piece := hub.job_log(ref, offset=offset)).next > offset:
            offset = piece.next
            if form is Format.JSON:
                sys.stdout.write(piece.model_dump_json() + "\n")
            else:
                out.print(piece.text, end="", markup=False, soft_wrap=True)
        if is_over or not follow:
            return
        time.sleep(POLL_S)


def waiting_job(hub: Hub, ref: str) -> str:
    """The job that is meant; of a run its first stage that has not succeeded."""
    if not ref.startswith("run-"):
        return ref
    stages = hub.run(ref).jobs
    return next((job.ref for job in stages if job.state is not JobState.SUCCEEDED), stages[-1].ref)


def print_why(found: WaitReason) -> None:
    """Why a job waits, in sentences."""
    say(f"{found.ref} is {found.state} for {found.place}.")
    for reason in found.why:
        say(f"  • {_plain(reason)}")
    say(
        f"  The grant there has {gpu_hours(found.free_gpu_s)} GPU-hours left beside {gpu_hours(found.held_gpu_s)} held."
    )
    if found.sooner:
        say("Sooner:")
        for advice in found.sooner:
            say(f"  • {_plain(advice)}")


def print_systems(found: list[SystemInfo]) -> None:
    """Sites and partitions as one table, maintenance below."""
    rows = []
    for system in found:
        for partition in system.partitions:
            rows.append(
                (
                    f"{system.site}/{partition.name}",
                    partition.accelerator,
                    f"{partition.num_gpus:,}",
                    _count(partition.num_free_gpus),
                    _count(partition.num_running_jobs),
                    _count(partition.num_waiting_jobs),
                    "—" if partition.expected_wait_s is None else format_duration(partition.expected_wait_s),
                    system.trouble or partition.problem,
                )
            )
    columns = ("partition", "accelerator", "GPUs", "free", "running", "waiting", "wait", "")
    table("", columns, rows, right=(2, 3, 4, 5, 6))
    for system in found:
        for window in system.maintenance:
            note = f": {_plain(window.note)}" if window.note else ""
            say(
                f"Maintenance of {system.site} from {window.begins_at:%Y-%m-%d %H:%M} "
                f"to {window.ends_at:%Y-%m-%d %H:%M} UTC{note}"
            )


def _count(number: int | None) -> str:
    return "—" if number is None else f"{number:,}"


def check_path(path: str) -> str:
    """A path of plain names below a folder of the hub; an address would lose `..` on its way. Raises BadFile."""
    if any(part in {"", ".", ".."} for part in path.split("/")):
        raise BadFile(
            f"{path!r} is not a path of plain names.", hint="Write folder/file, without .., // or a leading /."
        )
    return path


def send_file(hub: Hub, project: str, file: Path, path: str) -> str:
    """Put a file of this machine into a project's folder; returns its path there. Raises BadFile."""
    check_path(path)
    try:
        sha256 = sha256_file(file)
    except OSError as error:
        raise BadFile(f"{file} cannot be sent: {error.strerror}.", hint="Give a file that you may read.") from error
    hub.put_project_file(project, path, file, sha256=sha256)
    return path


def fetch_file(hub: Hub, ref: str, path: str, to: Path | None) -> Path:
    """Fetch a file; nothing is overwritten. Raises BadFile."""
    target = to or Path(check_path(path).rpartition("/")[2] or "file")
    if target.exists():
        raise BadFile(f"{target} exists.", hint="Give another name with --to.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hub.fetch_file(ref, path, target)
    except OSError as error:
        raise BadFile(f"{target} cannot be written: {error.strerror}.", hint="Give another name with --to.") from error
    return target
