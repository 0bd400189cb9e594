"""Writing an application: saved as one types, or with a button; its files and who else applies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fucina.access.attachment_kinds import MAX_BYTES, check_size
from fucina.access.moves import EDITABLE
from fucina.access.questions import Question, questions_for
from fucina.client.wire_access import ApplicationDetail
from fucina.errors import FactoryError
from fucina.hub.access.attachments import attach, attachment_path, find_attachment, remove_attachment
from fucina.hub.access.detail import application_detail, note_view
from fucina.hub.access.drafts import check_editable, missing_of, save_draft
from fucina.hub.access.invitations import answer_invitation, invite
from fucina.hub.access.models import Application, CoApplicant
from fucina.hub.access.moving import ApplicationChanged, mode_of
from fucina.hub.access.read import visible_applications
from fucina.hub.compute import projects
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.draft_form import DraftForm, gap_words, initial_of


class Gap(NamedTuple):
    """Something that is missing, and where it is typed."""

    field: str
    label: str
    words: str


class Stored(NamedTuple):
    """What somebody else saved meanwhile."""

    label: str
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftPage:
    """A draft being written."""

    application: Application
    detail: ApplicationDetail
    form: DraftForm
    gaps: Sequence[Gap]
    """What is missing; shown once somebody tried to submit."""
    stored: Sequence[Stored]
    saved: bool
    max_mib: int
    error: FactoryError | None = None


def _find(request: SignedIn, ref: str) -> Application:
    return get_visible(visible_applications(request.user), ref)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def edit(request: SignedIn, ref: str) -> HttpResponse:
    """Write the application; with `submit` it is submitted when nothing is missing."""
    application = _find(request, ref)
    questions = questions_for(mode_of(application))
    if request.method != "POST":
        if application.state not in EDITABLE:
            return redirect("portal:application", ref=ref)
        check_editable(application, by=request.user)
        return _page(request, application, DraftForm(questions=questions, initial=initial_of(application, questions)))
    form = DraftForm(request.POST, questions=questions)
    fields = form.fields_or_none()
    if fields is None:
        return _page(request, application, form, status=422)
    try:
        row = save_draft(
            application=application,
            fields=fields,
            by=request.user,
            at=timezone.now(),
            version=form.cleaned_data["version"],
        )
    except ApplicationChanged as error:
        return _changed(request, form, ref, error)
    if "submit" in request.POST:
        return _submit(request, row, questions)
    if request.headers.get("HX-Request"):
        shown = DraftForm(questions=questions, initial=initial_of(row, questions))
        return _page(request, row, shown, saved=True)
    messages.success(request, _("The draft is saved."))
    return redirect("portal:application-draft", ref=ref)


def _submit(request: SignedIn, row: Application, questions: Sequence[Question]) -> HttpResponse:
    form = DraftForm(questions=questions, initial=initial_of(row, questions))
    gaps = []
    for gap in missing_of(row):
        name = gap.field if gap.field in form.fields else f"q_{gap.field}"
        label = str(form.fields[name].label) if name in form.fields else _("Co-applicants")
        gaps.append(Gap(f"id_{name}", label, gap_words(gap)))
    if gaps:
        return _page(request, row, form, gaps=gaps, status=422)
    try:
        projects.submit(application=row, by=request.user, at=timezone.now(), version=row.version)
    except FactoryError as error:
        return _page(request, row, form, error=error, status=409)
    return redirect("portal:application", ref=row.ref)


def _changed(request: SignedIn, form: DraftForm, ref: str, error: ApplicationChanged) -> HttpResponse:
    """What was typed stays in the form; what stands now is shown beside it, and the next save replaces it."""
    row = _find(request, ref)
    now = initial_of(row, form.questions)
    stored = [
        Stored(str(form.fields[name].label), now.get(name) or "—")
        for name in form.changed_data
        if name in now and name != "version" and now[name] != form.cleaned_data.get(name)
    ]
    form.data = {**request.POST.dict(), "version": str(row.version)}
    return _page(request, row, form, stored=stored, error=error, status=409)


def _page(
    request: SignedIn,
    application: Application,
    form: DraftForm,
    *,
    gaps: Sequence[Gap] = (),
    stored: Sequence[Stored] = (),
    saved: bool = False,
    error: FactoryError | None = None,
    status: int = 200,
) -> HttpResponse:
    context = DraftPage(
        application=application,
        detail=application_detail(application, person=request.user),
        form=form,
        gaps=gaps,
        stored=stored,
        saved=saved,
        max_mib=MAX_BYTES // 2**20,
        error=error,
    )
    return page(request, "portal/application_draft.html", context, place="applications", status=status)


@require_POST
@signed_in
def add_file(request: SignedIn, ref: str) -> HttpResponse:
    """Attach a file."""
    application = _find(request, ref)
    check_editable(application, by=request.user)
    file = request.FILES.get("file")
    if file is None or file.name is None:
        messages.error(request, _("Choose a file first."))
        return redirect("portal:application-draft", ref=ref)
    check_size(file.size or 0)
    attach(application=application, name=file.name, content=file.read(), by=request.user, at=timezone.now())
    messages.success(request, _("The file is attached."))
    return redirect("portal:application-draft", ref=ref)


@require_safe
@signed_in
def file(request: SignedIn, ref: str, attachment: str) -> HttpResponse:
    """A file as a download, which no browser shows in its place."""
    application = _find(request, ref)
    found = find_attachment(application, attachment)
    note_view(application, what=f"attachment {found.ref}", by=request.user, at=timezone.now())
    response = HttpResponse(attachment_path(found).read_bytes(), content_type="application/octet-stream")
    response["Content-Disposition"] = (
        content_disposition_header(as_attachment=True, filename=found.name) or "attachment"
    )
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


@require_POST
@signed_in
def remove_file(request: SignedIn, ref: str, attachment: str) -> HttpResponse:
    """Take a file out."""
    remove_attachment(application=_find(request, ref), ref=attachment, by=request.user, at=timezone.now())
    messages.success(request, _("The file is taken out."))
    return redirect("portal:application-draft", ref=ref)


@require_POST
@signed_in
def add_person(request: SignedIn, ref: str) -> HttpResponse:
    """Invite somebody to apply as well."""
    username = request.POST.get("username", "").strip()
    invite(application=_find(request, ref), username=username, by=request.user, at=timezone.now())
    messages.success(request, _("The invitation waits for an answer."))
    return redirect("portal:application-draft", ref=ref)


@require_POST
@signed_in
def answer(request: SignedIn, ref: str) -> HttpResponse:
    """Say yes or no to an invitation."""
    accept = request.POST.get("answer") == "accept"
    answer_invitation(application=_find(request, ref), accept=accept, by=request.user, at=timezone.now())
    return redirect("portal:application", ref=ref) if accept else redirect("portal:applications")


def waits_for_answer(application: Application, person: Person) -> bool:
    """Whether this person was invited and has not answered."""
    rows = CoApplicant.objects.filter(application=application, person=person, accepted_at=None, declined_at=None)
    return rows.exists()
