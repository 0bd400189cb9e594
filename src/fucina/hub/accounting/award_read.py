"""Wire types of grants and their changes."""

from datetime import datetime

from django.db.models import QuerySet

from fucina.access.terms import terms_of
from fucina.client.wire_access import ChangeInfo, GrantInfo
from fucina.hub.access.models import Application, Grant, GrantChange
from fucina.hub.access.moving import mode_of
from fucina.hub.accounting.awards import report_draft, use_of
from fucina.hub.people.models import Person


def grant_info(grant: Grant, *, at: datetime, language: str = "en") -> GrantInfo:
    """A grant as it stands."""
    use = use_of(grant, at=at)
    return GrantInfo(
        ref=grant.ref,
        project=grant.project,
        granted_gpu_hours=use.granted_gpu_s / 3600,
        used_gpu_hours=use.used_gpu_s / 3600,
        free_gpu_hours=use.free_gpu_s / 3600,
        ends_at=grant.ends_at,
        accepted_at=grant.accepted_at,
        needs_acceptance=bool(grant.terms_sha256) and grant.accepted_at is None,
        terms=terms_of(mode_of(grant.application), language=language),
        is_under_used=use.is_under_used,
        reported_at=grant.reported_at,
        report=grant.report if grant.reported_at else report_draft(grant, at=at),
    )


def visible_changes(person: Person) -> QuerySet[GrantChange]:
    """Requests for changes of grants that this person may see, newest first."""
    seen = Application.objects.visible_to(person).values("pk")
    rows = GrantChange.objects.select_related("grant__application", "grant__organisation")
    return rows.filter(grant__application__in=seen).order_by("-asked_at", "-pk")


def change_info(change: GrantChange) -> ChangeInfo:
    """A request for a change."""
    return ChangeInfo(
        ref=change.ref,
        application=change.grant.application.ref,
        kind=change.kind,
        gpu_hours=change.gpu_s / 3600,
        ends_at=change.ends_at,
        source=change.source,
        target=change.target,
        reason=change.reason,
        state=change.state,
        answer=change.answer,
    )
