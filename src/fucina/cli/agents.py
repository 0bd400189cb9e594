"""`fucina agent`."""

import glob
import importlib
import logging
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType

from fucina.agent.accounts import Accounts
from fucina.agent.agent import Agent, CancelKeeper, Errand
from fucina.agent.door import AgentDoor
from fucina.agent.pace import pace_of
from fucina.agent.usage import UsageErrand
from fucina.agent.workdir import InputStore
from fucina.client.hub import Hub
from fucina.client.wire_site import PersonalSiteRequest
from fucina.compute.executor import Executor
from fucina.compute.local import LocalExecutor
from fucina.compute.slurm.mirror import Carrier
from fucina.compute.slurm.opening import MissingLibrary, open_mirrored, open_slurm, open_transport
from fucina.config import Settings
from fucina.errors import BadInput, NotSignedIn, Unavailable
from fucina.network.spec import Site, load_network, load_site

logger = logging.getLogger(__name__)


class UnknownSite(BadInput):
    """The network file has no such site."""

    code = "unknown_site"


class NotPersonal(BadInput):
    """A personal agent needs a site file, a project and the hours that its owner was given."""

    code = "not_personal"


def site_of(settings: Settings, site_file: Path | None = None) -> Site:
    """The site that this agent serves. Raises BadSiteFile, UnknownSite."""
    if site_file is not None:
        return load_site(site_file)
    sites = {site.id: site for site in load_network(settings.network_file).sites}
    if settings.site not in sites:
        raise UnknownSite(f"There is no site {settings.site!r}.", hint=f"The network file has {', '.join(sites)}.")
    return sites[settings.site]


def token_file(settings: Settings, site: Site) -> Path:
    """Where the token of that site's agent is kept; the site of this machine has its own place."""
    special = settings.agent_token_file.with_name(f"agent-{_folder_name(site)}.token")
    return special if special.exists() or site.id != settings.site else settings.agent_token_file


def site_root(settings: Settings, site: Site) -> Path:
    """Where the agent of that site keeps its journal; the site of this machine has its own place."""
    return settings.site_folder if site.id == settings.site else settings.home / "sites" / _folder_name(site)


def _folder_name(site: Site) -> str:
    """The site's id as a name that stays in its folder, whatever a hub called the site."""
    return re.sub(r"[^A-Za-z0-9._@-]", "_", site.id).lstrip(".") or "site"


def agent_token(settings: Settings, site: Site) -> str:
    """The token of the site's agent. Raises NotSignedIn."""
    if settings.token:
        return settings.token
    path = token_file(settings, site)
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotSignedIn(
            f"There is no agent token in {path}.",
            hint="Start `fucina up` once, run `fucina site register`, or set FUCINA_TOKEN_FILE.",
        ) from error


def open_executor(site: Site, root: Path) -> Executor:
    """What runs the site's jobs. Raises BadSiteFile, MissingLibrary."""
    if site.is_remote:
        return open_mirrored(site, root=root, carrier=_carrier(site))
    if site.executor == "slurm":
        return open_slurm(site, root=root)
    return LocalExecutor(root / "jobs")


def _carrier(site: Site) -> Carrier | None:
    """The storage over which large files travel to the site, where its file names one. Raises MissingLibrary."""
    if site.slurm is None or site.slurm.store is None:
        return None
    return _stores().S3Carrier(site.slurm.store, site.slurm)


def input_store(site: Site) -> InputStore | None:
    """The storage in which inputs are looked for, where the site file names one. Raises MissingLibrary, BadEndpoint."""
    if site.slurm is None or site.slurm.store is None or site.is_remote:
        return None
    return _stores().store_of(site.slurm.store)


def _stores() -> ModuleType:
    try:
        # Only sites with such a storage need the library.
        return importlib.import_module("fucina.cli.stores")
    except ImportError as error:
        raise MissingLibrary(
            "The library for S3 is not installed.", hint='Install it with pip install "fucina[data]".'
        ) from error


def register_personal(
    settings: Settings,
    site: Site,
    *,
    token: str,
    project: str,
    gpu_hours: float | None,
    wait: Callable[[float], object] = time.sleep,
) -> Site:
    """Register one's own site with one's own token and keep its agent's; returns the site as the hub calls it.

    A hub that has known the site before and does not answer now is waited for. Raises NotPersonal, and what the hub
    answers.
    """
    if not project or gpu_hours is None:
        raise NotPersonal(
            "A personal agent must say for which project it brings how much time.",
            hint="Add --project REFERENCE and --hours GPU-HOURS.",
        )
    request = PersonalSiteRequest(site=site, project=project, gpu_hours=gpu_hours)
    folder = settings.agent_token_file.parent
    is_known = any(folder.glob(f"agent-{glob.escape(_folder_name(site))}.*.token"))
    with Hub(settings.url, token) as hub:
        answer, patience_s = None, pace_of(site).tick_s
        while answer is None:
            try:
                answer = hub.bring_site(request)
            except Unavailable as error:
                if not is_known:
                    raise
                logger.warning("%s It is waited for.", error.message)
                wait(patience_s)
                patience_s = min(2 * patience_s, pace_of(site).patience_s)
    known = site.model_copy(update={"id": answer.site})
    write_token(token_file(settings, known), answer.token)
    return known


def write_token(path: Path, token: str) -> None:
    """Keep a token where only its owner reads it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(token + "\n")
    temporary.replace(path)


def run_agent(settings: Settings, *, token: str, site: Site, personal: bool = False, drain: bool = False) -> None:
    """Serve the site until SIGTERM or SIGINT; SIGUSR1 has it finish what it has and leave."""
    root = site_root(settings, site)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    executor = open_executor(site, root)
    with AgentDoor(settings.url, token) as door:
        accounts, errands = None, []
        if site.executor == "slurm" and site.slurm is not None:
            pace = pace_of(site)
            if not personal:
                accounts = Accounts(site, transport=open_transport(site.slurm), ask=lambda: door.accounts().accounts)
                errands.append(Errand(name="accounts", every_s=pace.accounts_s, run=accounts.run))
            usage = UsageErrand(site=site, slurm=site.slurm, root=root, door=door, personal=personal)
            errands.append(usage.errand(every_s=pace.usage_s))
            if isinstance(executor, CancelKeeper):
                errands.append(Errand(name="cancelled jobs", every_s=pace.cancelled_s, run=executor.end_again))
        agent = Agent(
            door=door,
            executor=executor,
            settings=settings,
            site=site,
            root=root,
            personal=personal,
            errands=tuple(errands),
            before_submit=accounts.ensure if accounts else None,
            store=input_store(site),
        )
        if drain:
            agent.draining.set()

        def stop(_number: int, _frame: FrameType | None) -> None:
            agent.stopping.set()

        def leave(_number: int, _frame: FrameType | None) -> None:
            agent.draining.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGUSR1, leave)
        agent.run()
