"""Applying and deciding, and what a grant opens: the project and its allocation."""

from datetime import datetime

from django.db import transaction

from fucina.access.modes import Mode, ModesFile, shipped_modes
from fucina.client.wire import ApplicationRequest, DecisionRequest
from fucina.errors import Unavailable
from fucina.hub.access.actions import decide_application, find_organisation, submit_application
from fucina.hub.access.models import Application, Grant
from fucina.hub.accounting.actions import allocate
from fucina.hub.compute.models import Project
from fucina.hub.network.models import Partition
from fucina.hub.people.actions import Actor, record
from fucina.hub.people.models import Person


class NoSite(Unavailable):
    """Time was granted where no site is registered."""

    code = "no_site"


@transaction.atomic
def apply(*, request: ApplicationRequest, by: Person, at: datetime, modes: ModesFile | None = None) -> Application:
    """Apply for time; what is granted by rule is open at once.

    Raises NotVisible, NotAMember, UnknownMode, AlreadyOpen, NoSite.
    """
    application = submit_application(
        organisation=find_organisation(request.organisation, person=by),
        project=request.project,
        purpose=request.purpose,
        sector=request.sector,
        mode_id=request.access_mode,
        num_gpu_hours=request.gpu_hours,
        modes=modes or shipped_modes(),
        by=by,
        at=at,
    )
    _open_if_granted(application, by=by, at=at)
    return application


@transaction.atomic
def decide(*, application: Application, request: DecisionRequest, by: Person, at: datetime) -> Application:
    """Decide on an application for good; a grant is open at once.

    Raises NotAnOfficer, OwnOrganisation, AlreadyDecided, WrongState, NoSite.
    """
    decide_application(
        application=application,
        granted=request.granted,
        num_gpu_hours=request.gpu_hours,
        reason=request.reason,
        by=by,
        at=at,
    )
    application.refresh_from_db()
    _open_if_granted(application, by=by, at=at)
    return application


def _open_if_granted(application: Application, *, by: Actor, at: datetime) -> None:
    grant = Grant.objects.select_related("organisation").filter(application=application).first()
    if grant is None:
        return
    project, created = Project.objects.get_or_create(
        organisation=grant.organisation,
        name=grant.project,
        defaults={"purpose": application.purpose, "created_at": at},
    )
    if created:
        record(by, "compute.open_project", project, at=at, data={"grant": grant.ref})
    mode = Mode.model_validate(application.access_mode.wire)
    allocate(grant=grant, partition=_partition(mode.site), by=by, at=at)


def _partition(site: str) -> Partition:
    """The first partition of that site, or of the site that registered first. Raises NoSite."""
    rows = Partition.objects.select_related("site").order_by("site__registered_at", "site__pk", "position")
    found = (rows.filter(site__name=site) if site else rows).first()
    if found is None:
        raise NoSite(
            f"No site {site!r} is registered here." if site else "No site is registered here.",
            hint="Start the factory with `fucina up`, or register a site.",
        )
    return found
