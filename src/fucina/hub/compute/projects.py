"""Applying and deciding, and what a grant opens: the project and its allocation."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from fucina.access.modes import Mode, ModesFile
from fucina.client.wire import ApplicationRequest, DecisionRequest, GrantShare
from fucina.errors import BadInput, Unavailable
from fucina.hub.access.actions import decide_application, find_organisation, submit_application
from fucina.hub.access.calls import modes_on_offer
from fucina.hub.access.drafts import submit_draft
from fucina.hub.access.models import Application, Grant
from fucina.hub.accounting.actions import allocate
from fucina.hub.compute.models import Project
from fucina.hub.network.models import Partition
from fucina.hub.people.actions import Actor, record
from fucina.hub.people.models import Person
from fucina.units import gpu_hours, gpu_seconds


class NoSite(Unavailable):
    """Time was granted where no site is registered."""

    code = "no_site"


class BadSplit(BadInput):
    """Parts of a grant that do not add up to it, or name a place twice or one that is not there."""

    code = "bad_split"


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
        modes=modes or modes_on_offer(),
        by=by,
        at=at,
    )
    _open_if_granted(application, by=by, at=at)
    return application


@transaction.atomic
def submit(*, application: Application, by: Person, at: datetime, version: int | None = None) -> Application:
    """Submit a draft; what is granted by rule is open at once. Raises what `submit_draft` raises, NoSite."""
    row = submit_draft(application=application, modes=modes_on_offer(), by=by, at=at, version=version)
    _open_if_granted(row, by=by, at=at)
    return row


@transaction.atomic
def decide(*, application: Application, request: DecisionRequest, by: Person, at: datetime) -> Application:
    """Decide on an application for good; a grant is open at once.

    Raises NotAnOfficer, OwnOrganisation, AlreadyDecided, WrongState, NoSite, BadSplit.
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
    if request.split and not request.granted:
        raise BadSplit("What is rejected cannot be split.", hint="Leave out the split, or grant the application.")
    _open_if_granted(application, split=request.split, by=by, at=at)
    return application


def _open_if_granted(application: Application, *, by: Actor, at: datetime, split: Sequence[GrantShare] = ()) -> None:
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
    if split:
        _split(grant, split, by=by, at=at)
        return
    mode = Mode.model_validate(application.access_mode.wire)
    allocate(grant=grant, partition=_partition(mode.site), by=by, at=at)


def _split(grant: Grant, split: Sequence[GrantShare], *, by: Actor, at: datetime) -> None:
    """Put each part of a grant where it belongs; the last takes what rounding to seconds left. Raises BadSplit."""
    partitions = [_find_partition(share.place) for share in split]
    if len({partition.pk for partition in partitions}) < len(partitions):
        raise BadSplit("The split names a partition twice.", hint="Name each partition once.")
    parts_gpu_s = [gpu_seconds(share.gpu_hours) for share in split]
    if abs(sum(parts_gpu_s) - grant.gpu_s) > len(split):
        raise BadSplit(
            f"The parts add up to {gpu_hours(sum(parts_gpu_s))} GPU-hours; {gpu_hours(grant.gpu_s)} are granted.",
            hint="Make them add up to the grant.",
        )
    parts_gpu_s[-1] = grant.gpu_s - sum(parts_gpu_s[:-1])
    for partition, part_gpu_s in zip(partitions, parts_gpu_s, strict=True):
        allocate(grant=grant, partition=partition, gpu_s=part_gpu_s, by=by, at=at)


def _find_partition(place: str) -> Partition:
    """The partition that `site/partition` names, or a site's first. Raises BadSplit."""
    site, _, name = place.partition("/")
    rows = Partition.objects.select_related("site").filter(site__name=site).order_by("position")
    found = (rows.filter(name=name) if name else rows).first() if "\x00" not in place else None
    if found is None:
        known = ", ".join(
            str(row) for row in Partition.objects.select_related("site").order_by("site__name", "position")
        )
        raise BadSplit(f"There is no partition {place[:130]!r}.", hint=f"There are: {known or 'none'}.")
    return found


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
