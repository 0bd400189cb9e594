"""Applications as applicants and access officers see them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fucina.access.modes import Mode
from fucina.access.moves import EDITABLE, EVALUATED, OPEN, ApplicationState, Role
from fucina.access.questions import questions_for
from fucina.access.terms import terms_of
from fucina.client.wire import ApplicationInfo, ApplicationRequest, DecisionRequest
from fucina.client.wire_access import ApplicationDetail, DraftFields, EventInfo
from fucina.errors import FactoryError, WrongState
from fucina.hub.access.actions import find_organisation, withdraw_application
from fucina.hub.access.calls import modes_on_offer
from fucina.hub.access.detail import application_detail, note_view
from fucina.hub.access.drafts import start_draft
from fucina.hub.access.models import Application, Grant
from fucina.hub.access.moving import applies, mode_of, roles_of
from fucina.hub.access.read import application_info, visible_applications
from fucina.hub.accounting.awards import accept_award, find_grant
from fucina.hub.compute import projects
from fucina.hub.compute.models import Project
from fucina.hub.compute.projects import BadSplit
from fucina.hub.network.models import Partition
from fucina.hub.people.models import Membership, Organisation, Person
from fucina.hub.people.visible import get_visible
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.draft_form import CHOICES, in_language
from fucina.hub.portal.figures import figure
from fucina.hub.portal.forms import ApplicationForm, DecisionForm
from fucina.hub.portal.paging import Turn, turn_to
from fucina.hub.portal.views.drafts import waits_for_answer
from fucina.hub.portal.views.moves import WORDS, Offered, offered_moves


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationsPage:
    """A page of applications, or of the queue of the access desk."""

    applications: Sequence[Application]
    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationPage:
    """One application, and what this person may do with it."""

    application: Application
    info: ApplicationInfo
    mode_name: str
    project_ref: str
    """Of the project that the grant opened, when this person may see it."""
    own_organisation: bool
    may_decide: bool
    may_withdraw: bool
    may_edit: bool
    is_invited: bool
    terms: Sequence[str]
    """To be accepted before the granted time can be used; empty when there is nothing to accept."""
    detail: ApplicationDetail
    answers: Sequence[tuple[str, str]]
    """Questions with their answers, in the reader's language."""
    timeline: Sequence[tuple[str | Promise, EventInfo]]
    moves: Sequence[Offered]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPage:
    """A new application."""

    form: ApplicationForm
    has_organisation: bool
    error: FactoryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidePage:
    """The decision on an application."""

    info: ApplicationInfo
    places: Sequence[str]
    """Partitions on which time may be put, as the split names them."""
    form: DecisionForm
    error: FactoryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawPage:
    """The question before an application is withdrawn."""

    info: ApplicationInfo


@require_safe
@signed_in
def index(request: SignedIn) -> HttpResponse:
    """Applications of one's own organisations."""
    own = visible_applications(request.user).filter(organisation__in=_own_organisations(request.user))
    rows, turn = turn_to(request, own)
    return page(
        request, "portal/applications.html", ApplicationsPage(applications=rows, turn=turn), place="applications"
    )


@require_safe
@signed_in
def desk(request: SignedIn) -> HttpResponse:
    """What waits for a decision, oldest first; for access officers only."""
    if not request.user.is_staff:
        raise PermissionDenied
    own = Membership.objects.filter(person=request.user, organisation=OuterRef("organisation"))
    waiting = visible_applications(request.user).filter(state__in=EVALUATED)
    waiting = waiting.annotate(num_not_passed=Count("findings", filter=Q(findings__passed=False)), is_own=Exists(own))
    rows, turn = turn_to(request, waiting.order_by("submitted_at", "pk"))
    return page(request, "portal/desk.html", ApplicationsPage(applications=rows, turn=turn), place="desk")


@require_safe
@signed_in
def show(request: SignedIn, ref: str) -> HttpResponse:
    """One application."""
    person = request.user
    application = _find(ref, person)
    opened = Project.objects.visible_to(person).filter(organisation=application.organisation, name=application.project)
    is_own = application.organisation.memberships.filter(person=person).exists()
    is_applicant = applies(application, person)
    note_view(application, what="page", by=person, at=timezone.now())
    detail = application_detail(application, person=person)
    context = ApplicationPage(
        application=application,
        info=application_info(application),
        mode_name=_mode_name(Mode.model_validate(application.access_mode.wire)),
        project_ref=opened.values_list("ref", flat=True).first() or "",
        own_organisation=is_own,
        may_decide=may_decide(application, person),
        may_withdraw=application.state in (*OPEN, ApplicationState.DRAFT) and is_applicant,
        may_edit=application.state in EDITABLE and is_applicant,
        is_invited=not is_own and waits_for_answer(application, person),
        terms=_terms_to_accept(application) if is_applicant else (),
        detail=detail,
        answers=_answers(application),
        timeline=[(WORDS.get(event.move, event.move), event) for event in detail.events],
        moves=offered_moves(application, person=person),
    )
    return page(request, "portal/application.html", context, place="applications")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def apply(request: SignedIn) -> HttpResponse:
    """Ask for computing time."""
    organisations = list(_own_organisations(request.user).values_list("ref", "name"))
    known = modes_on_offer().on(timezone.now().date()).values()
    modes = [(mode.id, _mode_choice(mode)) for mode in known if mode.decision != "brought"]
    form = ApplicationForm(
        request.POST if request.method == "POST" else None,
        organisations=organisations,
        modes=modes,
        initial=_from_address(request),
    )
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            application = _apply(form.to_request(), by=request.user)
        except FactoryError as refused:
            error = refused
        else:
            is_draft = application.state == ApplicationState.DRAFT
            return redirect("portal:application-draft" if is_draft else "portal:application", ref=application.ref)
    context = ApplyPage(form=form, has_organisation=bool(organisations), error=error)
    status = 422 if request.method == "POST" else 200
    return page(request, "portal/application_new.html", context, place="applications", status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def decide(request: SignedIn, ref: str) -> HttpResponse:
    """Grant or reject. Who may not decide sees why on the application's own page."""
    application = _find(ref, request.user)
    form = DecisionForm(request.POST if request.method == "POST" else None)
    if not may_decide(application, request.user) and not form.is_valid():
        return redirect("portal:application", ref=ref)
    error = None
    if request.method == "POST" and form.is_valid():
        wanted = DecisionRequest(
            granted=form.cleaned_data["decision"] == "grant",
            gpu_hours=form.cleaned_data["gpu_hours"],
            reason=form.cleaned_data["reason"],
            split=tuple(form.cleaned_data["split"]),
        )
        try:
            projects.decide(application=application, request=wanted, by=request.user, at=timezone.now())
        except (WrongState, BadSplit) as refused:
            error = refused
        else:
            return redirect("portal:application", ref=ref)
    partitions = Partition.objects.filter(site__owner__isnull=True).select_related("site")
    places = [str(row) for row in partitions.order_by("site__name", "position")]
    context = DecidePage(info=application_info(application), places=places, form=form, error=error)
    status = 422 if request.method == "POST" else 200
    return page(request, "portal/application_decide.html", context, place="desk", status=status)


@require_POST
@signed_in
def accept(request: SignedIn, ref: str) -> HttpResponse:
    """Accept an award with its terms."""
    accept_award(grant=find_grant(ref, person=request.user), by=request.user, at=timezone.now())
    return redirect("portal:application", ref=ref)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def withdraw(request: SignedIn, ref: str) -> HttpResponse:
    """Take an application back, after asking once more."""
    application = _find(ref, request.user)
    if request.method == "POST":
        withdraw_application(application=application, by=request.user, at=timezone.now())
        return redirect("portal:application", ref=ref)
    if application.state not in (*OPEN, ApplicationState.DRAFT):
        return redirect("portal:application", ref=ref)
    context = WithdrawPage(info=application_info(application))
    return page(request, "portal/application_withdraw.html", context, place="applications")


def _terms_to_accept(application: Application) -> Sequence[str]:
    grant = Grant.objects.filter(application=application, accepted_at=None).exclude(terms_sha256="").first()
    return terms_of(mode_of(application), language=get_language() or "en") if grant else ()


def _answers(application: Application) -> list[tuple[str, str]]:
    """What was asked and answered, in the mode's order."""
    words = {True: _("Yes"), False: _("No")}
    found = []
    for question in questions_for(mode_of(application)):
        value = application.answers.get(question.id)
        if value is not None:
            shown = words[value] if isinstance(value, bool) else str(CHOICES.get(str(value), value))
            found.append((in_language(question.text), shown))
    return found


def may_decide(application: Application, person: Person) -> bool:
    """Whether this person may grant or reject it as it stands."""
    return application.state in EVALUATED and Role.OFFICER in roles_of(application, person)


def _apply(wanted: ApplicationRequest, *, by: Person) -> Application:
    """Apply at once, or begin a draft where the mode asks more."""
    modes, now = modes_on_offer(), timezone.now()
    if not modes.mode(wanted.access_mode, day=now.date()).questions:
        return projects.apply(request=wanted, by=by, at=now, modes=modes)
    known = wanted.model_dump(include={"project", "purpose", "sector", "gpu_hours"})
    return start_draft(
        organisation=find_organisation(wanted.organisation, person=by),
        mode_id=wanted.access_mode,
        fields=DraftFields(**known),
        modes=modes,
        by=by,
        at=now,
    )


def _find(ref: str, person: Person) -> Application:
    return get_visible(visible_applications(person).select_related("submitted_by"), ref)


def _own_organisations(person: Person) -> QuerySet[Organisation]:
    return Organisation.objects.filter(memberships__person=person).order_by("name")


def _from_address(request: SignedIn) -> dict[str, str | float]:
    """What the adviser, or a link, has already answered."""
    names = ("project", "purpose", "sector", "access_mode")
    known: dict[str, str | float] = {name: request.GET[name] for name in names if name in request.GET}
    try:
        hours = float(request.GET.get("gpu_hours", ""))
    except ValueError:
        return known
    return known | {"gpu_hours": hours} if math.isfinite(hours) else known


def _mode_name(mode: Mode) -> str:
    """A mode in the reader's language."""
    return mode.name.get((get_language() or "en")[:2]) or mode.name.get("en", mode.id)


def _mode_choice(mode: Mode) -> str:
    """A mode with what it allows and who decides."""
    limit = (
        _("up to %(hours)s GPU-hours a project") % {"hours": figure(mode.max_gpu_hours)} if mode.max_gpu_hours else ""
    )
    how = _("decided at once") if mode.decision == "automatic" else _("decided by an access officer")
    return f"{_mode_name(mode)} ({', '.join(part for part in (limit, how) if part)})"
