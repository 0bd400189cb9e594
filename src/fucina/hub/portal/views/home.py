"""The first page."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from fucina.access.moves import OPEN
from fucina.client.wire import ProjectInfo
from fucina.hub.access.models import Application
from fucina.hub.compute.read import project_infos, visible_run_keys
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.rows import RunRow, project_rows, run_rows

NEWEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """What is going on for this person."""

    projects: Sequence[ProjectInfo]
    runs: Sequence[RunRow]
    has_organisation: bool
    num_own_waiting: int
    num_waiting: int
    """On the access desk; 0 for who does not sit there."""


@require_safe
@signed_in
def show(request: SignedIn) -> HttpResponse:
    """What to do next."""
    person = request.user
    waiting = Application.objects.visible_to(person).filter(state__in=OPEN)
    own = waiting.filter(organisation__memberships__person=person)
    return page(
        request,
        "portal/home.html",
        HomePage(
            projects=project_infos(project_rows(person)[:NEWEST]),
            runs=run_rows(visible_run_keys(person)[:NEWEST]),
            has_organisation=person.memberships.exists(),
            num_own_waiting=own.count(),
            num_waiting=waiting.count() if person.is_staff else 0,
        ),
        place="home",
    )
