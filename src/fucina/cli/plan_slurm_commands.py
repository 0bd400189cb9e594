"""`fucina plan slurm`: a site's own accounting simulated under its own configuration, on the group `fucina plan`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fucina.cli.output import Format, FormatOption, say, show, speaking, table
from fucina.cli.plan_sim_commands import app, check_extra

if TYPE_CHECKING:
    from fucina.planning.simulate.slurm_config import SlurmSite
    from fucina.planning.simulate.trace_jobs import Agreement

__all__ = ["app"]


@app.command()
def slurm(
    trace: Annotated[Path, typer.Argument(help="What `sacct --parsable2 --allocations --duplicates` exports.")],
    config: Annotated[Path, typer.Option(help="slurm.conf, or `scontrol show config` with partitions and nodes.")],
    qos: Annotated[Path | None, typer.Option(help="`sacctmgr --parsable2 show qos`.")] = None,
    associations: Annotated[Path | None, typer.Option(help="`sacctmgr --parsable2 show assoc`.")] = None,
    partition: Annotated[str, typer.Option(help="The partition whose nodes count; else the default one.")] = "",
    write: Annotated[Path | None, typer.Option(help="Write the scenario (YAML) here, to change it.")] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Simulate a site's recorded jobs under its own Slurm configuration, and say how far that is from what happened."""
    with speaking(form):
        check_extra()
        from fucina.planning.simulate.accounting_traces import read_trace
        from fucina.planning.simulate.run import simulate
        from fucina.planning.simulate.slurm_config import read_slurm, scheduling_for
        from fucina.planning.simulate.trace import fitting
        from fucina.planning.simulate.trace_jobs import agreement, jobs_of_trace

        site = read_slurm(_text(config), qos=_text(qos), associations=_text(associations), partition=partition)
        jobs = fitting(read_trace(trace), machine_size=site.pool.num_gpus)
        classes = tuple(entry.name for entry in site.scheduling.qos)
        course = simulate(
            jobs_of_trace(jobs, pools=(site.pool,), qos=classes),
            pools=(site.pool,),
            scheduling=scheduling_for(site, jobs),
        )
        if write is not None:
            _write(write, site, trace)
        found = agreement(jobs, course)
        if not show(found, form):
            _tell(found, (*site.notes, *jobs.notes), site)


def _text(path: Path | None) -> str:
    from fucina.errors import BadInput

    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as text: {error}", hint="Check the path.") from error


def _write(path: Path, site: "SlurmSite", trace: Path) -> None:
    import yaml

    from fucina.errors import BadInput
    from fucina.planning.simulate.scenario import Scenario

    scenario = Scenario(
        name=site.pool.id,
        trace=str(trace.resolve()),
        pools=(site.pool,),
        scheduling=site.scheduling,
        warmup_days=0,
        replications=1,
    )
    try:
        path.write_text(yaml.safe_dump(scenario.model_dump(mode="json", exclude_defaults=True), sort_keys=False))
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error}", hint="Choose another place.") from error


def _tell(found: "Agreement", notes: tuple[str, ...], site: "SlurmSite") -> None:
    for note in notes:
        say(f"Note: {note}")
    rows = [(name.replace("_", " "), f"{value:,}") for name, value in found.model_dump().items()]
    table(f"{site.pool.id}: {site.pool.num_nodes:,} nodes of {site.pool.gpus_per_node}", ("", ""), rows, right=(1,))
