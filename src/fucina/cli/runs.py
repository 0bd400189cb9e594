"""Runs from the command line: check, start, watch, log, release."""

import json
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from fucina.cli.access import ensure_project
from fucina.cli.login import login_file
from fucina.cli.output import EXIT_FAILED, Format, out, say, show, table
from fucina.cli.supervisor import embedded, hub_is_up
from fucina.cli.watch import watch
from fucina.client.hub import Hub
from fucina.client.wire import JobInfo, RunInfo, RunRequest, RunSource
from fucina.compute.spec import JobState
from fucina.config import Settings
from fucina.data.recipe import SourceFile
from fucina.data.sources import resolve, resolve_tokenizer
from fucina.errors import BadInput, NotSignedIn, NotVisible, WrongState
from fucina.line.plan import plan_run, prepare_recipe
from fucina.line.project_file import load_project
from fucina.line.spec import ProjectSpec
from fucina.line.stage import STAGE_FILE
from fucina.network.spec import Site, load_network
from fucina.trust.recipe import EvaluationResults
from fucina.units import format_bytes, format_duration

POLL_S = 0.5
EXIT_BAD_INPUT = 2


class FolderInUse(BadInput):
    """Nothing is overwritten."""

    code = "folder_in_use"


class NoRelease(WrongState):
    """The run has not come to a release."""

    code = "no_release"


class Outcome(BaseModel):
    """What `fucina run --format json` prints."""

    model_config = ConfigDict(frozen=True)

    run: RunInfo
    release_folder: str = ""
    evaluation: EvaluationResults | None = None


def token_of(settings: Settings) -> str:
    """The token of the person at this machine. Raises NotSignedIn."""
    if settings.token:
        return settings.token
    kept = login_file(settings, settings.url)
    try:
        if kept.is_file():
            return kept.read_text(encoding="utf-8").strip()
        return settings.operator_token_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotSignedIn(
            f"There is no token in {settings.operator_token_file}.",
            hint="Start `fucina up` once, use `fucina login`, or set FUCINA_TOKEN_FILE.",
        ) from error


@contextmanager
def connect(settings: Settings) -> Iterator[Hub]:
    """A hub with the person's token."""
    with Hub(settings.url, token_of(settings)) as hub:
        yield hub


def local_site(settings: Settings) -> Site:
    """The first site of the network file, to plan by hand with."""
    return load_network(settings.network_file).sites[0]


class Checked(NamedTuple):
    """A project in which nothing was found wrong."""

    spec: ProjectSpec
    sources: tuple[SourceFile, ...]
    tokenizer: SourceFile | None
    """The given one, if there is one."""


def check_project(project_file: Path) -> Checked:
    """The project and its files, after every check that needs no hub.

    Raises BadProjectFile, what `resolve` raises, and NothingSurvives when no document would be left to train on.
    """
    from fucina.data.preflight import preflight

    spec = load_project(project_file)
    base = project_file.resolve().parent
    sources = resolve([(s.path, s.licence, s.origin) for s in spec.data.sources], base=base)
    tokenizer = resolve_tokenizer(spec.data.tokenizer, base=base) if spec.data.tokenizer else None
    preflight(prepare_recipe(spec, sources=sources), workdir=base)
    return Checked(spec, sources, tokenizer)


def write_plan(settings: Settings, project_file: Path, folder: Path) -> list[Path]:
    """Five working directories, ready for `fucina stage`. Raises FolderInUse."""
    spec, sources, tokenizer = check_project(project_file)
    if folder.exists() and any(folder.iterdir()):
        raise FolderInUse(f"{folder} is not empty.", hint="Give a new folder.")
    site = local_site(settings)
    workdirs = []
    if tokenizer:
        # By hand no agent brings the files: the stage reads them where they are, as it does the sources.
        spec = spec.model_copy(update={"data": spec.data.model_copy(update={"tokenizer": tokenizer.path})})
    for planned in plan_run(spec, sources=sources, run="by-hand", site=site, partition=site.partitions[0]):
        workdir = folder / planned.stage
        workdir.mkdir(parents=True)
        (workdir / STAGE_FILE).write_text(planned.input.model_dump_json(indent=1), encoding="utf-8")
        workdirs.append(workdir)
    return workdirs


def run_project(
    settings: Settings, project_file: Path, *, form: Format, release_folder: Path | None, wait_for_it: bool, key: str
) -> int:
    """Check, apply if need be, send the files, start the run, watch it; returns the exit code."""
    project = check_project(project_file)
    if not settings.hub_url:
        # The hub of this machine plans on this machine's site: a budget too small is refused before anything is made.
        site = local_site(settings)
        plan_run(project.spec, sources=project.sources, run="check", site=site, partition=site.partitions[0])
    if release_folder and release_folder.exists():
        raise FolderInUse(f"{release_folder} exists.", hint="Give a new folder for the release.")
    if hub_is_up(settings):
        return _run(settings, project, form=form, release_folder=release_folder, wait_for_it=wait_for_it, key=key)
    say("No factory is up; one is started for this run.", form)
    with embedded(settings):
        return _run(settings, project, form=form, release_folder=release_folder, wait_for_it=True, key=key)


def _run(
    settings: Settings,
    checked: Checked,
    *,
    form: Format,
    release_folder: Path | None,
    wait_for_it: bool,
    key: str,
) -> int:
    with connect(settings) as hub:
        project = ensure_project(hub, checked.spec, form)
        files = [("documents", source) for source in checked.sources]
        files += [("tokenizer", checked.tokenizer)] if checked.tokenizer else []
        by_digest = {file.sha256: Path(file.path) for _, file in files}
        for sha256 in hub.missing_blobs(project.ref, tuple(by_digest)):
            hub.put_blob(project.ref, by_digest[sha256], sha256=sha256)
        wanted = tuple(
            RunSource.model_validate(file.model_dump(exclude={"path"}) | {"role": role}) for role, file in files
        )
        started = hub.start_run(
            RunRequest(project=project.ref, spec=checked.spec, sources=wanted, key=key or secrets.token_hex(12))
        )
        say(f"[green]✓[/green] run           {started.ref}   {hub.url}/runs/{started.ref}", form)
        if not wait_for_it:
            show(started, form)
            return 0
        ended = watch(hub, started.ref, form)
        if release_folder and ended.release:
            fetch_release(hub, ended.release, release_folder)
        results = evaluation_of(hub, ended)
        if not show(Outcome(run=ended, release_folder=str(release_folder or ""), evaluation=results), form):
            print_run(ended)
            if results:
                print_evaluation(results)
            if release_folder and ended.release:
                say(f"Release: {release_folder}")
        return exit_code_of(ended)


def exit_code_of(run: RunInfo) -> int:
    """0 for a release; 2 when a stage could not use what it was given; 1 otherwise."""
    if run.state is JobState.SUCCEEDED:
        return 0
    failed = next((job for job in run.jobs if job.state is JobState.FAILED), None)
    return EXIT_BAD_INPUT if failed and failed.exit_code == EXIT_BAD_INPUT else EXIT_FAILED


def find_run(hub: Hub, ref: str) -> RunInfo:
    """The run of that reference; `last` is the newest. Raises NotVisible."""
    if ref != "last":
        return hub.run(ref)
    newest = hub.runs(limit=1)
    if not newest:
        raise NotVisible("There is no run yet.", hint="Start one with `fucina run PROJECT.yaml`.")
    return newest[0]


def wait_and_tell(hub: Hub, ref: str, *, form: Format) -> int:
    """Watch a run and print how it ended; returns the exit code."""
    ended = watch(hub, find_run(hub, ref).ref, form)
    if not show(ended, form):
        print_run(ended)
    return exit_code_of(ended)


def print_run(run: RunInfo) -> None:
    """The table of stages with times and what they used."""
    rows = [_row(job) for job in run.jobs]
    gpu_s = sum(job.gpu_s or 0 for job in run.jobs)
    cpu_s = sum(job.cpu_s or 0.0 for job in run.jobs)
    wall_s = sum(job.wall_s or 0.0 for job in run.jobs)
    rows.append(("all five", str(run.state), format_duration(wall_s), f"{gpu_s:,}", f"{cpu_s:,.0f}", "", ""))
    table(
        f"Run {run.ref}, project {run.project_name}",
        ("stage", "state", "wall", "GPU-s", "core-s", "memory", ""),
        rows,
        right=(2, 3, 4, 5),
    )
    if run.placement:
        say(f"Placed at {run.placement.place} (generation {run.generation}). {run.placement.why}".replace("[", "\\["))
    for job in run.jobs:
        if job.state is JobState.FAILED or (job.state is JobState.TIMED_OUT):
            say(f"[red]✗[/red] {job.stage}: {job.reason}")
            if job.error_hint:
                say(f"  {job.error_hint}")


def _row(job: JobInfo) -> tuple[str, ...]:
    return (
        str(job.stage),
        str(job.state),
        "—" if job.wall_s is None else format_duration(job.wall_s),
        "—" if job.gpu_s is None else f"{job.gpu_s:,}",
        "—" if job.cpu_s is None else f"{job.cpu_s:,.0f}",
        "—" if not job.max_rss_bytes else format_bytes(job.max_rss_bytes),
        f"{job.num_attempts} attempts" if job.num_attempts > 1 else "",
    )


def print_evaluation(results: EvaluationResults) -> None:
    """The measured numbers with their gates."""
    gates = {gate.metric: gate for gate in results.gates}
    rows = []
    for metric in results.metrics:
        gate = gates.get(metric.name)
        limit = (
            ""
            if gate is None
            else f"{'≤' if gate.direction == 'at_most' else '≥'} {gate.limit:g} {'✓' if gate.passed else '✗'}"
        )
        baseline = "—" if metric.baseline is None else f"{metric.baseline:.4g}"
        rows.append(
            (
                metric.name,
                f"{metric.value:.4g}",
                f"{metric.low:.3g} to {metric.high:.3g}",
                f"{metric.n:,}",
                baseline,
                limit,
            )
        )
    table("Evaluation", ("metric", "value", "95 % interval", "n", "baseline", "gate"), rows, right=(1, 3, 4))


def evaluation_of(hub: Hub, run: RunInfo) -> EvaluationResults | None:
    """The numbers of a run's release; None while there is none."""
    if not run.release:
        return None
    return EvaluationResults.model_validate_json(hub.release_file(run.release, "evaluation/results.json"))


def print_logs(hub: Hub, ref: str, *, stage_name: str, follow: bool, form: Format) -> None:
    """What the stages printed, one after another; with `follow` until the run ends."""
    run = find_run(hub, ref)
    known = [str(job.stage) for job in run.jobs]
    if stage_name and stage_name not in known:
        raise BadInput(f"There is no stage {stage_name!r}.", hint=f"The stages are {', '.join(known)}.")
    offsets = {name: 0 for name in known if not stage_name or name == stage_name}
    while True:
        final = all(job.state in _FINAL for job in run.jobs)
        for name in offsets:
            while (piece := hub.log(run.ref, name, offset=offsets[name])).text:
                offsets[name] = piece.next
                _print_log(name, piece.text, form)
        if final or not follow:
            return
        time.sleep(POLL_S)
        run = hub.run(run.ref)


_FINAL = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT}


def _print_log(name: str, text: str, form: Format) -> None:
    for line in text.splitlines():
        if form is Format.JSON:
            sys.stdout.write(json.dumps({"stage": name, "line": line}, ensure_ascii=False) + "\n")
        else:
            out.print(f"{name:9}", line, markup=False, soft_wrap=True)


def release_of(hub: Hub, ref: str, *, folder: Path | None, form: Format) -> None:
    """Show or download the release of a run. Raises NoRelease."""
    run = find_run(hub, ref)
    if not run.release:
        raise NoRelease(f"Run {run.ref} is {run.state} and has no release.", hint=f"Look at `fucina show {run.ref}`.")
    if folder:
        if folder.exists():
            raise FolderInUse(f"{folder} exists.", hint="Give a new folder.")
        fetch_release(hub, run.release, folder)
    info = hub.release(run.release)
    if not show(info, form):
        rows = [(f.path, f"{f.num_bytes:,}", f.sha256[:16] + "…") for f in info.files]
        table(
            f"Release {info.ref}: {info.model}, version {info.version}", ("file", "bytes", "sha256"), rows, right=(1,)
        )
        say(f"Content digest {info.content_digest}; {info.num_open_questions} open questions in the dossier.")


def fetch_release(hub: Hub, ref: str, folder: Path) -> None:
    """Download a release; the folder appears only when it is whole."""
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    for file in hub.release(ref).files:
        target = partial / file.path
        if not target.resolve().is_relative_to(partial.resolve()):
            raise BadInput(f"The release names a file outside itself: {file.path!r}.", hint="Do not trust this hub.")
        target.parent.mkdir(parents=True, exist_ok=True)
        hub.fetch_release_file(ref, file.path, target)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial.rename(folder)
