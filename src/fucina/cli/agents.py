"""`fucina agent`."""

import signal
from types import FrameType

from fucina.agent.agent import Agent
from fucina.agent.door import AgentDoor
from fucina.compute.local import LocalExecutor
from fucina.config import Settings
from fucina.errors import BadInput, NotSignedIn
from fucina.network.spec import Site, load_network


class UnknownSite(BadInput):
    """The network file has no such site."""

    code = "unknown_site"


def site_of(settings: Settings) -> Site:
    """The site that this agent serves. Raises UnknownSite."""
    sites = {site.id: site for site in load_network(settings.network_file).sites}
    if settings.site not in sites:
        raise UnknownSite(f"There is no site {settings.site!r}.", hint=f"The network file has {', '.join(sites)}.")
    return sites[settings.site]


def run_agent(settings: Settings) -> None:
    """Serve the site until SIGTERM or SIGINT. Raises NotSignedIn without a token."""
    token = settings.token
    if not token:
        try:
            token = settings.agent_token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise NotSignedIn(
                f"There is no agent token in {settings.agent_token_file}.",
                hint="Start `fucina up` once, or set FUCINA_TOKEN_FILE.",
            ) from error
    with AgentDoor(settings.url, token) as door:
        executor = LocalExecutor(settings.site_folder / "jobs")
        agent = Agent(door=door, executor=executor, settings=settings, site=site_of(settings))

        def stop(_number: int, _frame: FrameType | None) -> None:
            agent.stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        agent.run()
