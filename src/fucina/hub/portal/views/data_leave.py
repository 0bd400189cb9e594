"""Asking for data, deciding, ending, and the policy of a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from fucina.client.wire_data import DataAccessAsk, DataRequestInfo, DatasetDetail, Policy
from fucina.errors import FactoryError
from fucina.hub.data import leave, publishing
from fucina.hub.data.models import RequestState
from fucina.hub.data.read import detail, find_dataset, find_request, request_infos, visible_requests
from fucina.hub.people.models import Organisation
from fucina.hub.portal.data_forms import AskForm, DataDecisionForm, PolicyForm
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.paging import Turn, turn_to

PLACE = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsPage:
    """Requests that one's organisations made, and those for their data."""

    requests: Sequence[DataRequestInfo]
    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPage:
    """A form about a dataset."""

    found: DatasetDetail
    form: forms.Form
    error: FactoryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidePage:
    """The decision on a request."""

    info: DataRequestInfo
    form: forms.Form
    error: FactoryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndPage:
    """The question before a request is taken back, or a grant ended."""

    info: DataRequestInfo
    question: str | Promise


@require_safe
@signed_in
def requests(request: SignedIn) -> HttpResponse:
    """Requests, newest first."""
    rows, turn = turn_to(request, visible_requests(request.user))
    context = RequestsPage(requests=request_infos(rows, person=request.user), turn=turn)
    return page(request, "portal/data_requests.html", context, place=PLACE)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def ask(request: SignedIn, ref: str) -> HttpResponse:
    """Ask for a dataset."""
    row = find_dataset(ref, person=request.user)
    own = Organisation.objects.filter(memberships__person=request.user).exclude(pk=row.organisation_id)
    form = AskForm(
        request.POST if request.method == "POST" else None,
        organisations=list(own.order_by("name").values_list("ref", "name")),
        has_terms=bool(row.terms),
    )
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            asked = DataAccessAsk.model_validate(form.cleaned_data)
            leave.ask(dataset=row, request=asked, by=request.user, at=timezone.now())
        except FactoryError as refused:
            error = refused
        else:
            messages.success(request, _("The request is sent. Its holder decides."))
            return redirect("portal:data-requests")
    found = detail(row, person=request.user, at=timezone.now())
    context = FormPage(found=found, form=form, error=error)
    status = 422 if request.method == "POST" else 200
    return page(request, "portal/data_request.html", context, place=PLACE, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def policy(request: SignedIn, ref: str) -> HttpResponse:
    """Say who finds a dataset and who may have it; owners only."""
    row = find_dataset(ref, person=request.user)
    publishing.check_owner(row, request.user)
    now = {name: getattr(row, name) for name in ("listing", "access", "sensitivity", "terms")}
    form = PolicyForm(request.POST if request.method == "POST" else None, initial=now)
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            wanted = Policy.model_validate(form.cleaned_data)
            publishing.change_policy(dataset=row, policy=wanted, by=request.user, at=timezone.now())
        except FactoryError as refused:
            error = refused
        else:
            messages.success(request, _("The policy is kept."))
            return redirect("portal:dataset", ref=ref)
    found = detail(find_dataset(ref, person=request.user), person=request.user, at=timezone.now())
    context = FormPage(found=found, form=form, error=error)
    status = 422 if request.method == "POST" else 200
    return page(request, "portal/data_policy.html", context, place=PLACE, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def decide(request: SignedIn, ref: str) -> HttpResponse:
    """Grant or reject a request for one's data."""
    row = find_request(ref, person=request.user)
    form = DataDecisionForm(request.POST if request.method == "POST" else None, initial={"days": 365})
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            leave.decide(request=row, decision=form.to_decision(), by=request.user, at=timezone.now())
        except FactoryError as refused:
            error = refused
        else:
            messages.success(request, _("The decision is recorded."))
            return redirect("portal:data-requests")
    (info,) = request_infos([row], person=request.user)
    context = DecidePage(info=info, form=form, error=error)
    status = 422 if request.method == "POST" else 200
    return page(request, "portal/data_decide.html", context, place=PLACE, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def end(request: SignedIn, ref: str) -> HttpResponse:
    """Take back a request that waits, or end what one was granted, after a question."""
    row = find_request(ref, person=request.user)
    waits = row.state == RequestState.SUBMITTED
    if request.method == "POST":
        act = leave.take_back if waits else leave.revoke
        act(request=row, by=request.user, at=timezone.now())
        messages.success(request, _("Done."))
        return redirect("portal:data-requests")
    (info,) = request_infos([row], person=request.user)
    question = _("Take this request back?") if waits else _("End this leave now?")
    return page(request, "portal/data_end.html", EndPage(info=info, question=question), place=PLACE)
