"""Commands for people's own jobs, systems and files: `submit jobs why systems ls upload download login`."""

from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking, table

ProjectOption = Annotated[
    str, typer.Option("--project", "-p", help="Project reference or name; yours when you have only one.")
]


def submit(
    command: Annotated[list[str], typer.Argument(help="The command, after `--`.")],
    project: ProjectOption = "",
    gpus: Annotated[int, typer.Option("--gpus", min=0, help="Accelerators over all nodes.")] = 0,
    nodes: Annotated[int, typer.Option("--nodes", min=1)] = 1,
    cpus: Annotated[int, typer.Option("--cpus", min=1, help="Processor cores.")] = 1,
    time: Annotated[str, typer.Option("--time", help="Longest duration: 90s, 30m, 2h, 1d, or [D-]HH:MM:SS.")] = "1h",
    memory: Annotated[float, typer.Option("--memory", min=0, help="GiB a node; 0 leaves it to the site.")] = 0.0,
    partition: Annotated[str, typer.Option("--partition", help="A site, site/partition, or auto.")] = "auto",
    image: Annotated[str, typer.Option("--image", help="Container image.")] = "",
    array: Annotated[str, typer.Option("--array", help="Indices as Slurm writes them: 0-9%2.")] = "",
    name: Annotated[str, typer.Option("--name", help="Name of the job.")] = "",
    file: Annotated[list[Path] | None, typer.Option("--file", help="Send this file and put it beside the job.")] = None,
    prefer: Annotated[str, typer.Option("--prefer", help="balanced, time or energy.")] = "balanced",
    sensitivity: Annotated[str, typer.Option(help="Of the data: public, internal, confidential or health.")] = "public",
    key: Annotated[str, typer.Option(help="Idempotency key: the same key twice is the same job.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say all that is wrong with it; queue nothing.")] = False,
    form: FormatOption = Format.TEXT,
) -> None:
    """Submit a command of your own; what it writes into `out/` comes back with `fucina download JOB`."""
    from fucina.cli.jobs import Wish, submit_job
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        wish = Wish(
            command=tuple(command),
            project=project,
            num_gpus=gpus,
            num_nodes=nodes,
            num_cpus=cpus,
            time=time,
            memory_gib=memory,
            place=partition,
            image=image,
            array=array,
            name=name,
            files=tuple(file or ()),
            prefer=prefer,
            sensitivity=sensitivity,
            key=key,
        )
        failed = submit_job(hub, wish, dry_run=dry_run, form=form)
    if failed:
        raise typer.Exit(failed)


def jobs(
    project: ProjectOption = "",
    state: Annotated[str, typer.Option("--state", help="Only jobs in this state.")] = "",
    all_jobs: Annotated[bool, typer.Option("--all", help="Stages of runs too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    form: FormatOption = Format.TEXT,
) -> None:
    """List your jobs, newest first."""
    from fucina.cli.jobs import job_row
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.jobs(project=project or None, state=state or None, own=not all_jobs, limit=limit)
        if not show(found, form):
            columns = ("job", "name", "project", "state", "place", "GPUs", "GPU-s", "reason")
            table("", columns, [job_row(job) for job in found], right=(5, 6))


def why(
    job: Annotated[str, typer.Argument(help="Reference of a job, or of a run for its first waiting stage.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Say why a job waits, when it is expected to start, and what would make it start sooner."""
    from fucina.cli.jobs import print_why, waiting_job
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.why(waiting_job(hub, job))
        if not show(found, form):
            print_why(found)


def systems(form: FormatOption = Format.TEXT) -> None:
    """List sites and partitions: how much is free, how many wait, when maintenance is."""
    from fucina.cli.jobs import print_systems
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.systems()
        if not show(found, form):
            print_systems(found)


def ls(
    where: Annotated[str, typer.Argument(help="Project reference or name, or a job for what it left.")] = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """List the files of a project, or those that a job left."""
    from fucina.cli.jobs import home_of
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.files(home_of(hub, where))
        if not show(found, form):
            rows = [(f.path, f"{f.num_bytes:,}", f"{f.at:%Y-%m-%d %H:%M:%S}", f.by, f.sha256[:16] + "…") for f in found]
            table("", ("file", "bytes", "at (UTC)", "by", "sha256"), rows, right=(1,))


def upload(
    file: Annotated[Path, typer.Argument(help="A file of this machine.")],
    path: Annotated[str, typer.Argument(help="Its path in the project; its own name when left out.")] = "",
    project: ProjectOption = "",
    form: FormatOption = Format.TEXT,
) -> None:
    """Send a file to a project's folder at the hub."""
    from fucina.cli.jobs import home_of, send_file
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        ref = home_of(hub, project)
        sent = send_file(hub, ref, file, path or file.name)
        say(f"{sent} is in {ref}.", form)


def download(
    where: Annotated[str, typer.Argument(help="Project reference or name, or a job for what it left.")],
    path: Annotated[str, typer.Argument(help="Which file.")],
    to: Annotated[Path | None, typer.Option("--to", help="New file; the same name here when left out.")] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Fetch a file of a project, or one that a job left."""
    from fucina.cli.jobs import fetch_file, home_of
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        got = fetch_file(hub, home_of(hub, where), path, to)
        say(f"{got}", form)


def login(
    url: Annotated[str, typer.Option("--url", help="Address of the hub; remembered in fucina.toml.")] = "",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the token; asked for when left out.")
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Keep a token for a hub, after checking it; it is read from a file or asked for, never on the command line."""
    from fucina.cli.login import log_in
    from fucina.config import load_settings

    with speaking(form):
        me = log_in(load_settings(), url=url, token_file=token_file)
        if not show(me, form):
            say(f"Signed in as {me.username}.")


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    for command in (submit, jobs, why, systems, ls, upload, download, login):
        app.command()(command)
