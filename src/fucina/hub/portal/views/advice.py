"""The adviser: open to everybody; the address holds the answers and nothing is kept."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from fucina.access.adviser import Advice, advise
from fucina.access.places import places_of
from fucina.errors import BadInput
from fucina.hub.access.calls import modes_on_offer
from fucina.hub.network.catalogue_read import standing
from fucina.hub.portal.advice_form import AdviceForm
from fucina.hub.portal.door import page

LOOKS = {"apply": "good", "apply-after-asking": "warn", "no-mode-fits": "bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionsPage:
    """The questions, with what was wrong with the answers."""

    form: AdviceForm
    error: BadInput | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvicePage:
    """The answer."""

    advice: Advice
    look: str
    application_query: str
    """What the application takes over; empty where there is nothing to apply for."""
    answers_query: str


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """The questions; with answers in the address, the advice."""
    answers = request.GET.copy()
    is_change = bool(answers.pop("change", None))
    if not answers or is_change:
        initial = {name: value for name, value in answers.items() if name in AdviceForm.base_fields}
        return page(
            request, "portal/advice_questions.html", QuestionsPage(form=AdviceForm(initial=initial)), place="advice"
        )
    form = AdviceForm(answers)
    if not form.is_valid() or form.intake is None:
        return page(request, "portal/advice_questions.html", QuestionsPage(form=form), place="advice", status=422)
    try:
        advice = advise(form.intake, now=timezone.now(), modes=modes_on_offer(), places=places_of(standing().catalogue))
    except BadInput as error:
        return page(
            request, "portal/advice_questions.html", QuestionsPage(form=form, error=error), place="advice", status=422
        )
    prefill = advice.application.model_dump(mode="json") if advice.application else {}
    context = AdvicePage(
        advice=advice,
        look=LOOKS.get(advice.verdict, "live"),
        application_query=urlencode({name: value for name, value in prefill.items() if value}),
        answers_query=answers.urlencode(),
    )
    return page(request, "portal/advice.html", context, place="advice")
