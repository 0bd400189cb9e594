"""Registering sites, whom their jobs run as, and draining them."""

from django.utils import timezone
from ninja import Router

from fucina.client.wire_site import (
    DrainRequest,
    PersonalSiteAnswer,
    PersonalSiteRequest,
    SiteAnswer,
    SiteRequest,
    UserInfo,
    UserRequest,
)
from fucina.hub.api.doors import PersonRequest
from fucina.hub.compute import personal
from fucina.hub.network import actions
from fucina.hub.network import read as network_read

router = Router(tags=["sites"])


@router.post("", response=SiteAnswer)
def register(request: PersonRequest, body: SiteRequest) -> SiteAnswer:
    """Take in a site of the network, or what changed of it; staff only."""
    issued = actions.admit_site(site=body.site, new_token=body.new_token, by=request.auth, at=timezone.now())
    return SiteAnswer(site=body.site.id, agent=issued.agent.ref, token=issued.secret)


@router.post("/personal", response=PersonalSiteAnswer)
def register_personal(request: PersonRequest, body: PersonalSiteRequest) -> PersonalSiteAnswer:
    """Bring time that you have at a site which does not run Fucina."""
    return personal.bring_site(request=body, by=request.auth, at=timezone.now())


@router.get("/{name}/users", response=list[UserInfo])
def users(request: PersonRequest, name: str) -> list[UserInfo]:
    """Whom people's jobs run as at the site; staff only."""
    return network_read.users(actions.find_site(name, person=request.auth), person=request.auth)


@router.post("/{name}/users", response=list[UserInfo])
def map_user(request: PersonRequest, name: str, body: UserRequest) -> list[UserInfo]:
    """Say whom a person's jobs run as; staff only."""
    site = actions.find_site(name, person=request.auth)
    actions.map_user(site=site, username=body.person, unix_user=body.unix_user, by=request.auth, at=timezone.now())
    return network_read.users(site, person=request.auth)


@router.post("/{name}/drain", response=SiteAnswer)
def drain(request: PersonRequest, name: str, body: DrainRequest) -> SiteAnswer:
    """Have the site take nothing new, or take work again; staff only."""
    site = actions.find_site(name, person=request.auth)
    actions.set_draining(site=site, drain=body.drain, by=request.auth, at=timezone.now())
    agent = site.agents.first()
    return SiteAnswer(site=site.name, agent=agent.ref if agent else "")
