"""The command `fucina`. Commands import what they need when they run, so that `fucina --help` is fast."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from fucina.cli import (
    access_commands,
    advise_commands,
    audit_commands,
    data_commands,
    environment_commands,
    jobs_commands,
    ledger_commands,
    network_commands,
    plan_scenarios_commands,
    ranking_commands,
    registry_commands,
    review_commands,
    site_commands,
)
from fucina.cli.output import Format, FormatOption, out, say, show, speaking, table
from fucina.units import gpu_hours

app = typer.Typer(
    name="fucina",
    help="The open operating system of an AI Factory: from documents to a model that can prove it is trustworthy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(access_commands.app, name="access")
app.add_typer(audit_commands.app, name="audit")
app.add_typer(data_commands.app, name="data")
app.add_typer(environment_commands.app, name="environment")
app.add_typer(ledger_commands.app, name="ledger")
app.add_typer(network_commands.app, name="network")
app.add_typer(registry_commands.app, name="registry")
app.add_typer(ranking_commands.app, name="ranking")
app.add_typer(review_commands.app, name="review")
app.add_typer(site_commands.app, name="site")
jobs_commands.add_to(app)
app.add_typer(plan_scenarios_commands.app, name="plan")
app.command(name="advise")(advise_commands.advise)

RunArgument = Annotated[str, typer.Argument(help="Reference of a run or a job; `last` is your newest run.")]


@app.command()
def up(
    form: FormatOption = Format.TEXT,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background; `fucina down` ends it.")] = False,
) -> None:
    """Start hub, worker and this machine's agent; Ctrl-C ends them, and the next start goes on where they were."""
    from fucina.cli.supervisor import start_detached, supervise
    from fucina.config import load_settings

    with speaking(form):
        settings = load_settings()
        if detach:
            start_detached(settings, form)
        else:
            supervise(settings, form)


@app.command()
def down(form: FormatOption = Format.TEXT) -> None:
    """End what `fucina up --detach` started."""
    from fucina.cli.supervisor import stop_detached
    from fucina.config import load_settings

    with speaking(form):
        stop_detached(load_settings(), form)


@app.command(name="sign-in")
def sign_in(form: FormatOption = Format.TEXT) -> None:
    """Print a link that signs you in to the portal of this machine once."""
    from fucina.cli.supervisor import sign_in_link
    from fucina.config import load_settings

    with speaking(form):
        settings = load_settings()
        out.print(sign_in_link(settings), soft_wrap=True)


@app.command()
def run(
    project_file: Annotated[Path, typer.Argument(help="A project.yaml.")],
    form: FormatOption = Format.TEXT,
    release_folder: Annotated[Path | None, typer.Option("--release", help="Where to put the release.")] = None,
    wait_for_it: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch until it ends.")] = True,
    key: Annotated[str, typer.Option(help="Idempotency key: the same key twice is the same run.")] = "",
) -> None:
    """Run a project: documents in, verified release out. Starts a factory for the run when none is up."""
    from fucina.cli.runs import run_project
    from fucina.config import load_settings

    with speaking(form):
        failed = run_project(
            load_settings(), project_file, form=form, release_folder=release_folder, wait_for_it=wait_for_it, key=key
        )
    if failed:
        raise typer.Exit(failed)


@app.command()
def check(
    project_file: Annotated[Path, typer.Argument(help="A project.yaml.")], form: FormatOption = Format.TEXT
) -> None:
    """Say what is wrong with a project before anything is started."""
    from fucina.cli.runs import check_project

    with speaking(form):
        spec, sources, _ = check_project(project_file)
        if not show(spec, form):
            say(
                f"{spec.name}: {len(sources)} source files, {sum(s.num_bytes for s in sources):,} bytes. Nothing wrong."
            )


@app.command()
def workdirs(
    project_file: Annotated[Path, typer.Argument(help="A project.yaml.")],
    folder: Annotated[Path, typer.Argument(help="Where to write the five working directories.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Write the five stages' working directories, to run them by hand with `fucina stage`."""
    from fucina.cli.runs import write_plan
    from fucina.config import load_settings

    with speaking(form):
        for workdir in write_plan(load_settings(), project_file, folder):
            say(f"fucina stage {workdir.name} {workdir}", form)


@app.command()
def stage(
    name: Annotated[str, typer.Argument(help="prepare, train, evaluate, document or release.")],
    workdir: Annotated[Path, typer.Argument(help="Folder with stage.json.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Run one stage in its working directory, without hub or network; started again it goes on where it was."""
    from fucina.cli.stages import run_named

    with speaking(form):
        code = run_named(name, workdir)
    raise typer.Exit(code)


@app.command()
def runs(
    form: FormatOption = Format.TEXT,
    project: Annotated[str | None, typer.Option(help="Only runs of this project reference.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
) -> None:
    """List line runs, newest first."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.runs(project=project, limit=limit)
        if not show(found, form):
            rows = [
                (
                    r.ref,
                    r.project_name,
                    str(r.state),
                    " ".join(f"{j.stage}:{j.state}" for j in r.jobs),
                    r.release or "—",
                )
                for r in found
            ]
            table("", ("run", "project", "state", "stages", "release"), rows)


@app.command(name="show")
def show_run(run_ref: RunArgument = "last", form: FormatOption = Format.TEXT) -> None:
    """Show a run with its five stages and why it runs where it does, or a job of your own."""
    from fucina.cli.jobs import print_job
    from fucina.cli.runs import connect, find_run, print_run
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        if run_ref.startswith("job-"):
            job = hub.job(run_ref)
            if not show(job, form):
                print_job(job)
            return
        found = find_run(hub, run_ref)
        if not show(found, form):
            print_run(found)


@app.command()
def logs(
    run_ref: RunArgument = "last",
    form: FormatOption = Format.TEXT,
    stage_name: Annotated[str, typer.Option("--stage", help="One stage; all of them when left out.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
) -> None:
    """Print what the stages of a run printed, or a job of your own."""
    from fucina.cli.jobs import print_job_log
    from fucina.cli.runs import connect, print_logs
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        if run_ref.startswith("job-"):
            print_job_log(hub, run_ref, follow=follow, form=form)
            return
        print_logs(hub, run_ref, stage_name=stage_name, follow=follow, form=form)


@app.command()
def wait(run_ref: RunArgument = "last", form: FormatOption = Format.TEXT) -> None:
    """Watch a run or a job until it ends; the exit code says how."""
    from fucina.cli.jobs import wait_for_job
    from fucina.cli.runs import connect, wait_and_tell
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        if run_ref.startswith("job-"):
            failed = wait_for_job(hub, run_ref, form=form)
        else:
            failed = wait_and_tell(hub, run_ref, form=form)
    if failed:
        raise typer.Exit(failed)


@app.command()
def cancel(run_ref: RunArgument, form: FormatOption = Format.TEXT) -> None:
    """End a run or a job; what it used is settled, the rest goes back to the grant."""
    from fucina.cli.runs import connect, find_run
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        if run_ref.startswith("job-"):
            job = hub.cancel_job(run_ref)
            if not show(job, form):
                word = " It is asked to end." if job.ended_at is None else ""
                say(f"Job {job.ref}: {job.state}.{word}")
            return
        ended = hub.cancel(find_run(hub, run_ref).ref)
        if not show(ended, form):
            say(f"Run {ended.ref}: {ended.state}.")


@app.command()
def release(
    run_ref: RunArgument = "last",
    folder: Annotated[Path | None, typer.Option("--to", help="Download the bundle into this new folder.")] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Show a run's release, or download it."""
    from fucina.cli.runs import connect, release_of
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        release_of(hub, run_ref, folder=folder, form=form)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A release.")],
    key: Annotated[
        Path | None, typer.Option("--key", help="The factory's public key; this machine's when left out.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option("--log", help="The factory's log, or a proof of it: shows what was withdrawn.")
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Check a release offline: every digest, the signature, the gates, the dossier."""
    from fucina.cli.stages import verify_and_tell
    from fucina.config import load_settings

    with speaking(form):
        good = verify_and_tell(folder, key or load_settings().public_key, form, log=log)
    if not good:
        raise typer.Exit(1)


@app.command()
def agent(
    form: FormatOption = Format.TEXT,
    site_file: Annotated[
        Path | None, typer.Option("--site-file", help="The site to serve; that of the network file when left out.")
    ] = None,
    drain: Annotated[bool, typer.Option("--drain", help="Take nothing new, finish what is there, then leave.")] = False,
    personal: Annotated[
        bool, typer.Option("--personal", help="Serve only your own runs, with your own token and Slurm account.")
    ] = False,
    project: Annotated[str, typer.Option(help="Personal: reference of the project that you bring time to.")] = "",
    hours: Annotated[float | None, typer.Option(help="Personal: GPU-hours that you were given in all.")] = None,
) -> None:
    """Run the agent of a site; SIGTERM has local jobs save their state and stop, SIGUSR1 drains."""
    from fucina.cli.agents import agent_token, register_personal, run_agent, site_of
    from fucina.cli.runs import token_of
    from fucina.config import load_settings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with speaking(form):
        settings = load_settings()
        site = site_of(settings, site_file)
        if personal:
            site = register_personal(settings, site, token=token_of(settings), project=project, gpu_hours=hours)
            settings = settings.model_copy(update={"token": ""})
        run_agent(settings, token=agent_token(settings, site), site=site, personal=personal, drain=drain)


@app.command()
def whoami(form: FormatOption = Format.TEXT) -> None:
    """Say who your token belongs to."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        me = hub.me()
        if not show(me, form):
            say(f"{me.username} ({', '.join(me.organisations) or 'no organisation yet'}) at {hub.url}")


@app.command()
def projects(form: FormatOption = Format.TEXT) -> None:
    """List projects with their balance in GPU-hours."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.projects()
        if not show(found, form):
            rows = [
                (
                    p.ref,
                    p.name,
                    p.organisation,
                    gpu_hours(p.granted_gpu_s),
                    gpu_hours(p.used_gpu_s),
                    gpu_hours(p.free_gpu_s),
                )
                for p in found
            ]
            table("GPU-hours", ("project", "name", "organisation", "granted", "used", "free"), rows, right=(3, 4, 5))


@app.command()
def organisation(
    name: Annotated[str, typer.Argument(help="Name of the new organisation.")],
    country: Annotated[str, typer.Option(help="ISO 3166-1 code.")] = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Found an organisation; you become its owner."""
    from fucina.cli.runs import connect
    from fucina.client.wire import OrganisationRequest
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        made = hub.add_organisation(OrganisationRequest(name=name, country=country))
        if not show(made, form):
            say(f"{made.name}: {made.ref}")


@app.command()
def apply(
    project_file: Annotated[Path, typer.Argument(help="A project.yaml; organisation, purpose and hours come from it.")],
    mode: Annotated[str, typer.Option(help="Access mode.")] = "local",
    hours: Annotated[float | None, typer.Option(help="GPU-hours; the project's own limit when left out.")] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Apply for accelerator time for a project; facts come from its file, so nobody asks twice."""
    from fucina.cli.access import apply_for
    from fucina.cli.runs import connect
    from fucina.config import load_settings
    from fucina.line.project_file import load_project

    with speaking(form):
        spec = load_project(project_file)
        with connect(load_settings()) as hub:
            apply_for(hub, spec, mode=mode, hours=hours, form=form)


@app.command()
def applications(form: FormatOption = Format.TEXT) -> None:
    """List applications with their decisions."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.applications()
        if not show(found, form):
            rows = [
                (a.ref, a.organisation, a.project, a.access_mode, f"{a.gpu_hours:g}", a.state, a.reason) for a in found
            ]
            table(
                "", ("application", "organisation", "project", "mode", "GPU-hours", "state", "reason"), rows, right=(4,)
            )


@app.command()
def decide(
    application: Annotated[str, typer.Argument(help="Application reference.")],
    reason: Annotated[str, typer.Option(help="Why; the applicant reads it.")],
    grant: Annotated[bool, typer.Option("--grant/--reject")],
    hours: Annotated[float | None, typer.Option(help="GPU-hours granted; what was asked for when left out.")] = None,
    split: Annotated[
        list[str] | None, typer.Option("--split", help="SITE/PARTITION=HOURS; parts that add up to the grant.")
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Grant or reject an application (staff; never of one's own organisation)."""
    from fucina.cli.access import decision
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        decided = hub.decide(application, decision(granted=grant, hours=hours, reason=reason, split=split or []))
        if not show(decided, form):
            say(f"{decided.ref}: {decided.state}. {decided.reason}")


@app.command()
def version() -> None:
    """Print the version."""
    from fucina import __version__

    sys.stdout.write(f"fucina {__version__}\n")


def main() -> None:
    """Entry point."""
    app()
