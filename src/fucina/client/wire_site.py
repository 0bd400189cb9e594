"""Wire types of sites: registering them, whom their jobs run as, and what their scheduler should know."""

from pydantic import AwareDatetime, Field

from fucina.client.wire import Answer, Request
from fucina.network.spec import Site

UNIX_USER = r"^[a-z_][a-z0-9_-]{0,31}$"


class SiteRequest(Request):
    """A site of the network, as its YAML describes it."""

    site: Site
    new_token: bool = False
    """Replace the agent's token, which ends the old one."""


class SiteAnswer(Answer):
    """A registered site with the agent that serves it."""

    site: str
    """The id that the hub knows it by."""
    agent: str
    token: str = ""
    """The agent's secret, in the answer that makes it and nowhere else; empty when the old one stays."""


class PersonalSiteRequest(Request):
    """An allocation that a person has at a site which does not run Fucina."""

    site: Site
    project: str
    """Project reference that the time is for."""
    gpu_hours: float = Field(gt=0, le=10_000_000)
    """What the person was given there, as the person declares it."""


class PersonalSiteAnswer(SiteAnswer):
    """A personal site with its allocation."""

    allocation: str


class UserRequest(Request):
    """Whom a person's jobs run as at a site; an empty user takes the mapping back."""

    person: str
    """User name in the hub."""
    unix_user: str = Field(default="", pattern=r"^([a-z_][a-z0-9_-]{0,31})?$")


class UserInfo(Answer):
    """One mapping."""

    person: str
    unix_user: str
    set_at: AwareDatetime


class DrainRequest(Request):
    """Whether a site should take nothing new."""

    drain: bool


class DesiredAccount(Answer):
    """An account of the site's scheduler as it should be."""

    name: str
    description: str
    organisation: str
    partition: str
    """`Partition.id` that its time is granted on."""
    limit_gpu_s: int
    """What the scheduler may let it use in all, as the site bills it."""
    closed: bool = False
    """Nothing is left of it and nothing runs: no new job is to start."""
    users: tuple[str, ...] = ()
    """Users of the site that may charge it."""


class AccountsAnswer(Answer):
    """Every account of one site."""

    accounts: tuple[DesiredAccount, ...]
