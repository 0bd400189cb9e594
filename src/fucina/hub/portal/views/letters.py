"""The letter of a decision, as a page and as PDF."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from fucina.access.letter import Letter, letter_pdf
from fucina.hub.access.detail import note_view
from fucina.hub.access.letters import decision_letter, find_decision
from fucina.hub.access.models import Application
from fucina.hub.access.read import visible_applications
from fucina.hub.people.visible import get_visible
from fucina.hub.portal.door import SignedIn, page, signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterPage:
    """A letter."""

    application: Application
    letter: Letter


@require_safe
@signed_in
def show(request: SignedIn, ref: str) -> HttpResponse:
    """The letter, in the applicant's language."""
    application = get_visible(visible_applications(request.user), ref)
    letter = decision_letter(application, find_decision(application))
    note_view(application, what="letter", by=request.user, at=timezone.now())
    context = LetterPage(application=application, letter=letter)
    return page(request, "portal/letter.html", context, place="applications")


@require_safe
@signed_in
def document(request: SignedIn, ref: str) -> HttpResponse:
    """The letter as PDF."""
    application = get_visible(visible_applications(request.user), ref)
    decision = find_decision(application)
    pdf = letter_pdf(decision_letter(application, decision), made_at=decision.decided_at)
    note_view(application, what="letter", by=request.user, at=timezone.now())
    response = HttpResponse(pdf, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{application.ref}.pdf"'
    return response
