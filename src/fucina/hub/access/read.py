"""Wire types built from rows about access."""

from fucina.client.wire import ApplicationInfo, Finding
from fucina.hub.access.models import Application, ApplicationQuerySet, Decision, Grant
from fucina.hub.people.models import Person


def application_info(application: Application) -> ApplicationInfo:
    """An application with its check and its decision."""
    decision = Decision.objects.select_related("decided_by").filter(application=application).order_by("-round").first()
    grant = Grant.objects.filter(application=application).first()
    return ApplicationInfo(
        version=application.version,
        created_at=application.created_at,
        ref=application.ref,
        organisation=application.organisation.name,
        project=application.project,
        access_mode=application.access_mode.name,
        state=application.state,
        gpu_hours=application.gpu_s / 3600,
        granted_gpu_hours=grant.gpu_s / 3600 if grant else None,
        findings=tuple(Finding.model_validate(finding) for finding in application.findings.order_by("pk")),
        reason=decision.reason if decision else "",
        decided_by=_decided_by(decision),
        submitted_at=application.submitted_at,
        decided_at=decision.decided_at if decision else None,
    )


def _decided_by(decision: Decision | None) -> str:
    if decision is None:
        return ""
    return decision.decided_by.username if decision.decided_by else f"rule {decision.rule}"


def visible_applications(person: Person) -> ApplicationQuerySet:
    """Rows that this person may see, newest first, with what `application_info` needs."""
    rows = Application.objects.visible_to(person).select_related("organisation", "access_mode")
    return rows.order_by("-created_at", "-pk")


def applications(person: Person) -> list[ApplicationInfo]:
    """Every application that this person may see, newest first."""
    return [application_info(row) for row in visible_applications(person)]
