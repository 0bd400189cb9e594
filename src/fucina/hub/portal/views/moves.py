"""The moves of an application that need nothing but a reason, each with a page of its own."""

from dataclasses import dataclass

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from fucina.access.moves import MOVES, MoveName
from fucina.errors import FactoryError, NotAllowed
from fucina.hub.access.desk import ELSEWHERE, move_by_name
from fucina.hub.access.detail import possible_moves
from fucina.hub.access.models import Application
from fucina.hub.access.read import visible_applications
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.forms import PlainForm

WORDS: dict[str, str | Promise] = {
    "submit": _("Submitted"),
    "return": _("Return it to be completed"),
    "checked": _("Administrative check passed"),
    "assessed": _("Technical assessment passed"),
    "close-review": _("Close the review"),
    "reply": _("Reply to the reviews"),
    "close-reply": _("Go on without a reply"),
    "rank": _("Ranked by the panel"),
    "grant": _("Granted"),
    "reject": _("Rejected"),
    "withdraw": _("Withdraw the application"),
    "appeal": _("Appeal against the decision"),
    "uphold": _("Uphold the appeal"),
    "dismiss": _("Dismiss the appeal"),
}
"""Every move, as it is offered and as it stands on the timeline."""


class ReasonForm(PlainForm):
    """Why a move is made, and which version the person saw."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("It stands on the timeline, where both sides read it."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePage:
    """One move before it is made."""

    application: Application
    word: str | Promise
    form: ReasonForm
    error: FactoryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A move that this person may make."""

    name: str
    word: str | Promise


def offered_moves(application: Application, *, person: Person) -> list[Offered]:
    """What may be done with a reason only; deciding and withdrawing have pages of their own."""
    names = possible_moves(application, person=person)
    return [
        Offered(name=name, word=WORDS[name])
        for name in names
        if name not in ELSEWHERE and name is not MoveName.WITHDRAW
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def move(request: SignedIn, ref: str, name: str) -> HttpResponse:
    """Make one move."""
    application = get_visible(visible_applications(request.user), ref)
    if name not in MOVES:
        return redirect("portal:application", ref=ref)
    given = request.POST if request.method == "POST" else None
    form = ReasonForm(given, initial={"version": application.version})
    form.fields["reason"].required = MOVES[MoveName(name)].wants_reason
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            move_by_name(
                application=application,
                name=name,
                reason=form.cleaned_data["reason"],
                version=form.cleaned_data["version"],
                by=request.user,
                at=timezone.now(),
            )
        except NotAllowed:
            raise
        except FactoryError as refused:
            error = refused
        else:
            return redirect("portal:application", ref=ref)
    context = MovePage(application=application, word=WORDS[name], form=form, error=error)
    status = 409 if error else 422 if request.method == "POST" else 200
    return page(request, "portal/application_move.html", context, place="applications", status=status)
