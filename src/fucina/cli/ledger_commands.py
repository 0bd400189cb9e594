"""`fucina ledger ...`. A group of commands has a module of its own, which imports no more than typer until one runs."""

from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import EXIT_FAILED, Format, FormatOption, say, show, speaking, table
from fucina.units import gpu_hours

app = typer.Typer(help="What was granted, held and used.", no_args_is_help=True)


@app.command(name="show")
def show_entries(
    project: Annotated[str, typer.Argument(help="Project reference.")], form: FormatOption = Format.TEXT
) -> None:
    """Print every entry of a project's ledger with the balance after it, in GPU-seconds."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.ledger(project)
        if not show(found, form):
            rows = [
                (f"{e.at:%Y-%m-%d %H:%M:%S}", e.kind, f"{e.gpu_s:+,}", f"{e.balance_gpu_s:,}", e.job, e.note)
                for e in found
            ]
            table("GPU-seconds", ("at (UTC)", "entry", "GPU-s", "balance", "job", "note"), rows, right=(2, 3))


Month = Annotated[str, typer.Option(help="As 2026-11; months are in UTC.")]


@app.command()
def statement(
    project: Annotated[str, typer.Argument(help="Project reference.")],
    month: Month,
    csv: Annotated[Path | None, typer.Option(help="Write every job of the month to this file.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write the statement to this file.")] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Print a project's account of one month, and keep it as CSV or PDF."""
    from fucina.cli.reconciliation import check_target
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        for target in (csv, pdf):
            if target is not None:
                check_target(target)
        found = hub.statement(project, month)
        for target, kind in ((csv, "csv"), (pdf, "pdf")):
            if target is not None:
                hub.fetch_statement(project, month, target, form=kind)
        if not show(found, form):
            say(f"{found.name}, {found.month}: {found.num_jobs} jobs used {gpu_hours(found.used_gpu_s)} GPU-hours.")
            columns = ("allocation", "opening", "granted", "used", "refunded", "expired", "held", "closing")
            rows = [
                (
                    f"{line.allocation} {line.site}/{line.partition}",
                    *map(gpu_hours, (line.opening_gpu_s, line.granted_gpu_s, line.used_gpu_s, line.refunded_gpu_s)),
                    *map(gpu_hours, (line.expired_gpu_s, line.held_gpu_s, line.closing_gpu_s)),
                )
                for line in found.allocations
            ]
            table("Bookings, GPU-hours", columns, rows, right=range(1, 8))


@app.command()
def forecast(
    project: Annotated[str, typer.Argument(help="Project reference.")], form: FormatOption = Format.TEXT
) -> None:
    """Say when a project's time will be used up, and what to look at."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.forecast(project)
        if not show(found, form):
            say(f"{gpu_hours(found.free_gpu_s)} GPU-hours left; {found.gpu_s_per_day / 3600:.2f} used a day.")
            if found.runs_out_at is not None:
                ends = [f"{at:%Y-%m-%d}" if at else "never" for at in (found.runs_out_early_at, found.runs_out_late_at)]
                say(f"Used up around {found.runs_out_at:%Y-%m-%d} (between {ends[0]} and {ends[1]}).")
            say(found.method or "Too few days of use to carry on.")
            for warned in found.warnings:
                say(f"! {warned.message}")


@app.command()
def refunds(form: FormatOption = Format.TEXT) -> None:
    """List time that jobs lost through a fault of their site."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.refunds()
        if not show(found, form):
            rows = [(r.ref, r.project, r.job, gpu_hours(r.gpu_s), r.state, r.reason) for r in found]
            table("Refunds", ("refund", "project", "job", "GPU-hours", "state", "reason"), rows, right=(3,))


@app.command(name="decide-refund")
def decide_refund(
    refund: Annotated[str, typer.Argument(help="Reference of a proposed refund.")],
    grant: Annotated[bool, typer.Option("--grant/--reject")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Grant or reject a proposed refund (staff; never of one's own organisation)."""
    from fucina.cli.runs import connect
    from fucina.client.wire_accounting import RefundDecision
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        made = hub.decide_refund(refund, RefundDecision(granted=grant))
        if not show(made, form):
            say(f"{made.ref}: {made.state}, {gpu_hours(made.gpu_s)} GPU-hours.")


@app.command(name="set-account")
def set_account(
    allocation: Annotated[str, typer.Argument(help="Allocation reference.")],
    account: Annotated[str, typer.Argument(help="Slurm account that the site charges.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Name the Slurm account of an allocation (staff); usage that waited for it is charged."""
    from fucina.cli.runs import connect
    from fucina.client.wire_accounting import AccountRequest
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        made = hub.set_account(allocation, AccountRequest(slurm_account=account))
        if not show(made, form):
            say(f"{made.ref}: account {made.slurm_account}, {gpu_hours(made.free_gpu_s)} GPU-hours left.")


SiteArgument = Annotated[str, typer.Argument(help="Site, as the network file calls it.")]
AgentToken = Annotated[
    Path | None, typer.Option(help="File with the site's agent token; your own token (staff) when left out.")
]


@app.command()
def reconcile(
    site: SiteArgument,
    month: Month,
    sacct: Annotated[
        Path | None, typer.Option(help="A file that sacct wrote; sacct is run here when left out.")
    ] = None,
    site_file: Annotated[Path | None, typer.Option(help="Network file that describes the site.")] = None,
    agent_token: AgentToken = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Hold what the hub charged in a month against Slurm's accounting; every difference with its cause."""
    from fucina.cli.reconciliation import compare, show_differences

    with speaking(form):
        found = compare(site, month=month, sacct=sacct, site_file=site_file, agent_token=agent_token)
        if not show(found, form):
            show_differences(found)
    if found.differences:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def export(
    site: SiteArgument,
    month: Month,
    target: Annotated[Path, typer.Argument(help="File to write.")],
    kind: Annotated[str, typer.Option("--as", help="xdmod for Open XDMoD's Slurm shredder, egi for APEL job records.")],
    gocdb_name: Annotated[str, typer.Option(help="egi: the site's name in GOCDB.")] = "",
    submit_host: Annotated[str, typer.Option(help="egi: the scheduler's host.")] = "",
    service_level: Annotated[float, typer.Option(help="egi: HEPSPEC of a processor.")] = 0.0,
    agent_token: AgentToken = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Write a site's usage of a month in a format that others read."""
    from fucina.cli.reconciliation import write_export

    with speaking(form):
        num_lines = write_export(
            site,
            month=month,
            target=target,
            kind=kind,
            gocdb_name=gocdb_name,
            submit_host=submit_host,
            service_level=service_level,
            agent_token=agent_token,
        )
        say(f"{target}: {num_lines} lines.", form)
