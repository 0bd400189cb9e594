"""Letters of decisions, from the rows."""

from fucina.access.letter import Letter, Outcome, write_letter
from fucina.errors import NotVisible
from fucina.hub.access.models import Application, Decision, Grant
from fucina.hub.access.moving import mode_of


def find_decision(application: Application) -> Decision:
    """The newest decision. Raises NotVisible while there is none."""
    rows = Decision.objects.select_related("decided_by").filter(application=application)
    decision = rows.order_by("-round").first()
    if decision is None:
        raise NotVisible(f"{application.ref} has no decision yet.", hint="It is written when somebody has decided.")
    return decision


def decision_letter(application: Application, decision: Decision) -> Letter:
    """What became of the application, in the applicant's language."""
    grant = Grant.objects.filter(application=application).first() if decision.granted else None
    by = decision.decided_by
    return write_letter(
        Outcome(
            language=application.language,
            ref=application.ref,
            organisation=application.organisation.name,
            project=application.project,
            mode_names=mode_of(application).name,
            asked_gpu_hours=application.gpu_s / 3600,
            granted_gpu_hours=grant.gpu_s / 3600 if grant else None,
            reason=decision.reason,
            decided_by=str(by) if by else decision.rule,
            is_rule=by is None,
            round=decision.round,
            submitted_at=application.submitted_at or application.created_at,
            decided_at=decision.decided_at,
            ends_at=grant.ends_at if grant else None,
        )
    )
