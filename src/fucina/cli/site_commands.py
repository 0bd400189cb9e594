"""`fucina site ...`: describe a site, prove it, register it, say whom jobs run as, and look at its accounts."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fucina.cli.output import EXIT_FAILED, Format, FormatOption, out, say, show, speaking, table

app = typer.Typer(help="Sites: describe, check, register, map users, drain, reconcile.", no_args_is_help=True)

SiteFile = Annotated[Path, typer.Argument(help="Site file; `fucina site template` prints one to fill in.")]
SiteName = Annotated[str, typer.Argument(help="Id of the site.")]


@app.command()
def template() -> None:
    """Print a site file with every field explained."""
    from importlib.resources import files

    sys.stdout.write(files("fucina.network").joinpath("site-template.yaml").read_text("utf-8"))


@app.command()
def check(
    site_file: SiteFile,
    form: FormatOption = Format.TEXT,
    user: Annotated[str, typer.Option(help="As root: user of the site to run the small jobs as.")] = "",
    account: Annotated[str, typer.Option(help="Slurm account to charge; that of the file when left out.")] = "",
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds to wait for a small job.", min=1)] = 180.0,
) -> None:
    """Prove a site file end to end with small jobs; exits with 1 when something must be mended."""
    from fucina.cli.sites import check_site

    with speaking(form):
        is_good = check_site(site_file, form=form, user=user, account=account, wait_s=wait_s)
    if not is_good:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def register(
    site_file: SiteFile,
    form: FormatOption = Format.TEXT,
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Replace the agent's token; the old one ends.")
    ] = False,
) -> None:
    """Tell the hub of a site, and keep its agent's token in the home folder (staff)."""
    from fucina.cli.sites import register_site
    from fucina.config import load_settings

    with speaking(form):
        register_site(load_settings(), site_file, new_token=new_token, form=form)


@app.command(name="map-user")
def map_user(
    site: SiteName,
    person: Annotated[str, typer.Argument(help="Name that the person signs in with.")],
    unix_user: Annotated[str, typer.Argument(help="User of the site; an empty one takes the mapping back.")],
    form: FormatOption = Format.TEXT,
) -> None:
    """Say which user of a site a person's jobs run as (staff)."""
    from fucina.cli.runs import connect
    from fucina.cli.sites import user_request
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.map_user(site, user_request(person, unix_user))
        if not show(found, form):
            say(f"{person} is {unix_user} at {site}." if unix_user else f"{person} has no user at {site} any more.")


@app.command()
def users(site: SiteName, form: FormatOption = Format.TEXT) -> None:
    """List which users of a site people's jobs run as (staff)."""
    from fucina.cli.runs import connect
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.site_users(site)
        if not show(found, form):
            table(
                "", ("person", "user", "since (UTC)"), [(u.person, u.unix_user, f"{u.set_at:%Y-%m-%d}") for u in found]
            )


@app.command()
def drain(site: SiteName, form: FormatOption = Format.TEXT) -> None:
    """Have a site take nothing new; what it has goes on to its end (staff)."""
    from fucina.cli.runs import connect
    from fucina.client.wire_site import DrainRequest
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.drain_site(site, DrainRequest(drain=True))
        if not show(found, form):
            say(f"{site} takes nothing new.")


@app.command()
def resume(site: SiteName, form: FormatOption = Format.TEXT) -> None:
    """Have a drained site take work again (staff)."""
    from fucina.cli.runs import connect
    from fucina.client.wire_site import DrainRequest
    from fucina.config import load_settings

    with speaking(form), connect(load_settings()) as hub:
        found = hub.drain_site(site, DrainRequest(drain=False))
        if not show(found, form):
            say(f"{site} takes work again.")


@app.command()
def reconcile(
    site_file: Annotated[
        Path | None, typer.Argument(help="Site file; the site of the network file when left out.")
    ] = None,
    form: FormatOption = Format.TEXT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
) -> None:
    """Bring Slurm's accounts, users and limits to what the hub says, and report what the hub does not know.

    Runs at the site, with the agent's token. Nothing is ever deleted, and foreign accounts are left alone.
    """
    from fucina.cli.sites import reconcile_site
    from fucina.config import load_settings

    with speaking(form):
        report = reconcile_site(load_settings(), site_file, dry_run=dry_run)
        if not show(report, form):
            verb = "would be done" if report.dry_run else "done"
            table(f"{len(report.steps)} changes {verb}", ("change",), [(step.what,) for step in report.steps])
            for problem in report.problems:
                out.print(f"✗ {problem}", markup=False, soft_wrap=True)
            for title, names in (
                ("Accounts below ours that the hub does not know", report.unknown_accounts),
                ("Accounts of the site itself, left alone", report.foreign_accounts),
                ("Jobs of ours in Slurm that this agent does not look after", report.unknown_jobs),
            ):
                if names:
                    say(f"{title}: {', '.join(names)}")
    if report.problems:
        raise typer.Exit(EXIT_FAILED)
