"""People, organisations and applications."""

from django.utils import timezone
from ninja import Router

from fucina.client.wire import (
    ApplicationInfo,
    ApplicationRequest,
    DecisionRequest,
    Me,
    OrganisationInfo,
    OrganisationRequest,
)
from fucina.hub.access import read
from fucina.hub.api.doors import PersonRequest
from fucina.hub.compute import projects
from fucina.hub.people import actions as people_actions
from fucina.hub.people import read as people_read
from fucina.hub.people.visible import get_visible

router = Router(tags=["access"])


@router.get("/me", response=Me)
def me(request: PersonRequest) -> Me:
    """Who this token or session is."""
    return people_read.me(request.auth)


@router.get("/organisations", response=list[OrganisationInfo])
def organisations(request: PersonRequest) -> list[OrganisationInfo]:
    """Organisations that you may see."""
    return people_read.organisations(request.auth)


@router.post("/organisations", response=OrganisationInfo)
def create_organisation(request: PersonRequest, body: OrganisationRequest) -> OrganisationInfo:
    """Found an organisation; you become its owner."""
    organisation = people_actions.create_organisation(
        name=body.name, country=body.country, by=request.auth, at=timezone.now()
    )
    return people_read.organisation_info(organisation, person=request.auth)


@router.get("/applications", response=list[ApplicationInfo])
def applications(request: PersonRequest) -> list[ApplicationInfo]:
    """Applications that you may see, newest first."""
    return read.applications(request.auth)


@router.post("/applications", response=ApplicationInfo)
def apply(request: PersonRequest, body: ApplicationRequest) -> ApplicationInfo:
    """Apply for accelerator time."""
    return read.application_info(projects.apply(request=body, by=request.auth, at=timezone.now()))


@router.get("/applications/{ref}", response=ApplicationInfo)
def application(request: PersonRequest, ref: str) -> ApplicationInfo:
    """One application."""
    return read.application_info(get_visible(read.visible_applications(request.auth), ref))


@router.post("/applications/{ref}/decision", response=ApplicationInfo)
def decide(request: PersonRequest, ref: str, body: DecisionRequest) -> ApplicationInfo:
    """Decide on an application, for good."""
    row = get_visible(read.visible_applications(request.auth), ref)
    return read.application_info(projects.decide(application=row, request=body, by=request.auth, at=timezone.now()))
