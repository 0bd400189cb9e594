"""What `fucina site` does: checks, registration, accounts."""

from pathlib import Path

from pydantic import ValidationError
from rich.markup import escape

from fucina.agent.accounts import NoScheduler, Reconciliation, reconcile
from fucina.agent.check import Checked, Outcome, SiteCheck
from fucina.agent.door import AgentDoor
from fucina.agent.journal import Journal
from fucina.cli.agents import agent_token, site_of, site_root, token_file, write_token
from fucina.cli.output import Format, out, say, show
from fucina.cli.runs import connect
from fucina.client.wire_site import SiteRequest, UserRequest
from fucina.compute.slurm.opening import open_slurm, open_transport
from fucina.compute.slurm.sbatch import key_of
from fucina.compute.slurm.states import state_of
from fucina.compute.spec import FINAL
from fucina.config import Settings
from fucina.errors import BadInput
from fucina.network.spec import Site, load_site

_MARKS = {
    Outcome.GOOD: "[green]✓[/green]",
    Outcome.BAD: "[red]✗[/red]",
    Outcome.UNSURE: "[yellow]?[/yellow]",
}


class BadUser(BadInput):
    """A name that no Unix user can have."""

    code = "bad_user"


def check_site(site_file: Path, *, form: Format, user: str, account: str, wait_s: float) -> bool:
    """Check a site and tell each finding as it comes; whether nothing must be mended."""
    site = load_site(site_file)
    if site.slurm is None:
        raise NoScheduler(f"Site {site.id} has no Slurm; there is nothing to check.", hint="Start its agent.")
    transport = open_transport(site.slurm)
    found: list[Checked] = []
    try:
        for one in SiteCheck(site, site.slurm, transport=transport, user=user, account=account, wait_s=wait_s).run():
            found.append(one)
            if form is Format.TEXT:
                out.print(f"{_MARKS[one.outcome]} {escape(one.name)}: {escape(one.message)}", soft_wrap=True)
                if one.hint and one.outcome is not Outcome.GOOD:
                    out.print(f"  {escape(one.hint)}", soft_wrap=True)
    finally:
        transport.close()
    show(found, form)
    num_bad = sum(one.outcome is Outcome.BAD for one in found)
    if form is Format.TEXT:
        say(f"{site.id}: {len(found)} checks, {num_bad} to be mended.")
    return not num_bad


def register_site(settings: Settings, site_file: Path, *, new_token: bool, form: Format) -> None:
    """Tell the hub of a site; its agent's token goes into the home folder."""
    site = load_site(site_file)
    with connect(settings) as hub:
        answer = hub.register_site(SiteRequest(site=site, new_token=new_token))
    if answer.token:
        write_token(token_file(settings, site), answer.token)
    if show(answer.model_copy(update={"token": ""}), form):
        return
    if answer.token:
        say(f"Site {site.id} is registered. Its agent's token is in {token_file(settings, site)}.")
        say(f"Start the agent at the site: fucina agent --site-file {site_file}")
    else:
        say(f"Site {site.id} is up to date; its agent keeps its token (--new-token makes another).")


def user_request(person: str, unix_user: str) -> UserRequest:
    """The request for a mapping. Raises BadUser."""
    try:
        return UserRequest(person=person, unix_user=unix_user)
    except ValidationError as error:
        raise BadUser(
            f"{unix_user!r} is no name of a Unix user.", hint="Small letters, digits, '-' and '_', at most 32."
        ) from error


def reconcile_site(settings: Settings, site_file: Path | None, *, dry_run: bool) -> Reconciliation:
    """Bring the site's accounts to what the hub says, or say what that would take."""
    site = site_of(settings, site_file)
    if site.slurm is None or site.executor != "slurm":
        raise NoScheduler(f"Site {site.id} has no Slurm.", hint="Accounts are made where the executor is slurm.")
    with AgentDoor(settings.url, agent_token(settings, site)) as door:
        desired = door.accounts().accounts
    transport = open_transport(site.slurm)
    try:
        report = reconcile(site, transport=transport, desired=desired, dry_run=dry_run)
    finally:
        transport.close()
    return report.model_copy(update={"unknown_jobs": _unknown_jobs(settings, site)})


def _unknown_jobs(settings: Settings, site: Site) -> tuple[str, ...]:
    """Keys of our live jobs in Slurm that the agent's journal does not have open."""
    executor = open_slurm(site, root=site_root(settings, site))
    journal = Journal(site_root(settings, site) / "journal.db")
    try:
        known = {entry.key for entry in journal.open_entries()}
        rows = executor.controller.queue(()).rows
        live = {key_of(row.comment) for row in rows if state_of(row.state) not in FINAL} - {""}
        return tuple(sorted(live - known))
    finally:
        journal.close()
        executor.close()
