"""Grants while they last: acceptance, changes, taking back, the final report."""

from django.utils import timezone
from ninja import Router

from fucina.client.wire_access import (
    ChangeDecision,
    ChangeInfo,
    ChangeRequest,
    ClawBackRequest,
    GrantInfo,
    ReportRequest,
)
from fucina.hub.accounting import awards
from fucina.hub.accounting.award_read import change_info, grant_info, visible_changes
from fucina.hub.api.doors import PersonRequest
from fucina.hub.people.visible import get_visible
from fucina.units import gpu_seconds

router = Router(tags=["access"])


def _info(request: PersonRequest, ref: str) -> GrantInfo:
    grant = awards.find_grant(ref, person=request.auth)
    return grant_info(grant, at=timezone.now(), language=request.auth.language)


@router.get("/applications/{ref}/grant", response=GrantInfo)
def grant(request: PersonRequest, ref: str) -> GrantInfo:
    """The grant of an application, its terms and its use."""
    return _info(request, ref)


@router.post("/applications/{ref}/acceptance", response=GrantInfo)
def accept(request: PersonRequest, ref: str) -> GrantInfo:
    """Accept the award with its terms."""
    awards.accept_award(grant=awards.find_grant(ref, person=request.auth), by=request.auth, at=timezone.now())
    return _info(request, ref)


@router.post("/applications/{ref}/changes", response=ChangeInfo)
def ask(request: PersonRequest, ref: str, body: ChangeRequest) -> ChangeInfo:
    """Ask for an extension, a supplement or a transfer."""
    change = awards.ask_change(
        grant=awards.find_grant(ref, person=request.auth),
        kind=body.kind,
        reason=body.reason,
        gpu_s=gpu_seconds(body.gpu_hours) if body.gpu_hours else 0,
        ends_at=body.ends_at,
        source=body.source,
        target=body.target,
        by=request.auth,
        at=timezone.now(),
    )
    return change_info(change)


@router.get("/changes", response=list[ChangeInfo])
def changes(request: PersonRequest) -> list[ChangeInfo]:
    """Requests for changes of grants, newest first."""
    return [change_info(row) for row in visible_changes(request.auth)[:200]]


@router.post("/changes/{ref}/decision", response=ChangeInfo)
def decide(request: PersonRequest, ref: str, body: ChangeDecision) -> ChangeInfo:
    """Agree to a change, or refuse it."""
    row = get_visible(visible_changes(request.auth), ref)
    done = awards.decide_change(change=row, agreed=body.agreed, answer=body.answer, by=request.auth, at=timezone.now())
    return change_info(done)


@router.post("/applications/{ref}/claw-back", response=GrantInfo)
def claw_back(request: PersonRequest, ref: str, body: ClawBackRequest) -> GrantInfo:
    """Take back free time of a grant that is little used."""
    awards.claw_back(
        grant=awards.find_grant(ref, person=request.auth),
        gpu_s=gpu_seconds(body.gpu_hours),
        reason=body.reason,
        by=request.auth,
        at=timezone.now(),
    )
    return _info(request, ref)


@router.post("/applications/{ref}/report", response=GrantInfo)
def report(request: PersonRequest, ref: str, body: ReportRequest) -> GrantInfo:
    """Hand in the final report."""
    found = awards.find_grant(ref, person=request.auth)
    awards.hand_in_report(grant=found, results=body.results, by=request.auth, at=timezone.now())
    return _info(request, ref)
