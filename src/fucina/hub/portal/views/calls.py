"""Access modes and calls: what is on offer, and how officers change it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from fucina.access.call_file import write_call
from fucina.access.modes import BRUSSELS, BadMode
from fucina.client.wire_access import ModeInfo
from fucina.hub.access.call_read import mode_infos
from fucina.hub.access.calls import find_mode, save_modes
from fucina.hub.access.moving import NotAnOfficer
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.forms import CallForm


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A mode in the reader's language."""

    name: str
    info: ModeInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsPage:
    """What is on offer."""

    calls: Sequence[CallRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """A mode being changed."""

    form: CallForm
    mode_id: str


@require_safe
@signed_in
def index(request: SignedIn) -> HttpResponse:
    """Every mode and call."""
    language = (get_language() or "en")[:2]
    rows = [
        CallRow(name=info.name.get(language) or info.name.get("en", info.id), info=info)
        for info in mode_infos(at=timezone.now())
    ]
    return page(request, "portal/calls.html", CallsPage(calls=rows), place="applications")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def edit(request: SignedIn, mode_id: str = "") -> HttpResponse:
    """Change a mode, or write a new one; staff only."""
    if not request.user.is_staff:
        raise NotAnOfficer("Only access officers change modes and calls.", hint="Tell an officer what is wrong.")
    now = timezone.now()
    text = write_call(find_mode(mode_id, day=now.astimezone(BRUSSELS).date())) if mode_id else ""
    form = CallForm(request.POST if request.method == "POST" else None, initial={"text": text})
    if request.method == "POST" and form.is_valid():
        try:
            saved = save_modes(text=form.cleaned_data["text"], by=request.user, at=now)
        except BadMode as error:
            form.add_error("text", f"{error.message} {error.hint}".strip())
        else:
            messages.success(request, _("On offer: %(modes)s.") % {"modes": ", ".join(mode.id for mode in saved)})
            return redirect("portal:calls")
    status = 422 if request.method == "POST" else 200
    return page(request, "portal/call_edit.html", CallPage(form=form, mode_id=mode_id), place="desk", status=status)
