"""Drafts of applications, what belongs to them, and the moves that need nothing but a reason."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Router

from fucina.access.attachment_kinds import check_size
from fucina.access.letter import letter_pdf
from fucina.client.wire import ApplicationInfo
from fucina.client.wire_access import (
    ApplicationDetail,
    AttachmentInfo,
    DraftFields,
    DraftSave,
    DraftStart,
    InvitationAnswer,
    InvitationRequest,
    MoveRequest,
)
from fucina.hub.access import attachments, drafts, invitations, read
from fucina.hub.access.actions import find_organisation
from fucina.hub.access.calls import modes_on_offer
from fucina.hub.access.desk import move_by_name
from fucina.hub.access.detail import application_detail, attachment_info, note_view
from fucina.hub.access.letters import decision_letter, find_decision
from fucina.hub.access.models import Application, Attachment
from fucina.hub.api.doors import PersonRequest
from fucina.hub.api.files import answer_file
from fucina.hub.api.upload import content_length
from fucina.hub.compute import projects
from fucina.hub.people.visible import get_visible

router = Router(tags=["access"])


def _find(request: PersonRequest, ref: str) -> Application:
    return get_visible(read.visible_applications(request.auth), ref)


def _detail(request: PersonRequest, ref: str) -> ApplicationDetail:
    return application_detail(_find(request, ref), person=request.auth)


@router.post("/drafts", response=ApplicationDetail)
def start(request: PersonRequest, body: DraftStart) -> ApplicationDetail:
    """Begin an application, with what earlier ones answered already."""
    row = drafts.start_draft(
        organisation=find_organisation(body.organisation, person=request.auth),
        mode_id=body.access_mode,
        fields=DraftFields.model_validate(body.model_dump(exclude={"organisation", "access_mode"})),
        modes=modes_on_offer(),
        by=request.auth,
        at=timezone.now(),
    )
    return _detail(request, row.ref)


@router.get("/applications/{ref}/detail", response=ApplicationDetail)
def detail(request: PersonRequest, ref: str) -> ApplicationDetail:
    """An application with its questions, answers, timeline and files."""
    note_view(_find(request, ref), what="detail", by=request.auth, at=timezone.now())
    return _detail(request, ref)


@router.put("/applications/{ref}/draft", response=ApplicationDetail)
def save(request: PersonRequest, ref: str, body: DraftSave) -> ApplicationDetail:
    """Keep what was typed; refused when somebody else has saved meanwhile."""
    drafts.save_draft(
        application=_find(request, ref), fields=body, by=request.auth, at=timezone.now(), version=body.version
    )
    return _detail(request, ref)


@router.post("/applications/{ref}/submission", response=ApplicationInfo)
def submit(request: PersonRequest, ref: str) -> ApplicationInfo:
    """Submit a draft; what is missing is listed."""
    row = projects.submit(application=_find(request, ref), by=request.auth, at=timezone.now())
    return read.application_info(row)


@router.post("/applications/{ref}/moves", response=ApplicationInfo)
def move(request: PersonRequest, ref: str, body: MoveRequest) -> ApplicationInfo:
    """Make one move."""
    row = move_by_name(
        application=_find(request, ref),
        name=body.move,
        reason=body.reason,
        version=body.version,
        by=request.auth,
        at=timezone.now(),
    )
    return read.application_info(row)


@router.get("/applications/{ref}/letter.pdf")
def letter(request: PersonRequest, ref: str) -> HttpResponse:
    """The letter of the decision, as PDF in the applicant's language."""
    row = _find(request, ref)
    decision = find_decision(row)
    note_view(row, what="letter", by=request.auth, at=timezone.now())
    pdf = letter_pdf(decision_letter(row, decision), made_at=decision.decided_at)
    return HttpResponse(pdf, content_type="application/pdf")


@router.post("/applications/{ref}/co-applicants", response=ApplicationDetail)
def invite(request: PersonRequest, ref: str, body: InvitationRequest) -> ApplicationDetail:
    """Ask somebody to apply as well."""
    invitations.invite(application=_find(request, ref), username=body.username, by=request.auth, at=timezone.now())
    return _detail(request, ref)


@router.post("/applications/{ref}/invitation", response=ApplicationInfo)
def answer(request: PersonRequest, ref: str, body: InvitationAnswer) -> ApplicationInfo:
    """Say yes or no to an invitation."""
    row = _find(request, ref)
    invitations.answer_invitation(application=row, accept=body.accept, by=request.auth, at=timezone.now())
    return read.application_info(row)


@router.put("/applications/{ref}/attachments/{attachment}", response=AttachmentInfo)
def attach(request: PersonRequest, ref: str, attachment: str) -> AttachmentInfo:
    """Add a file; the body is the file."""
    row = _find(request, ref)
    num_bytes = content_length(request)
    check_size(num_bytes)
    content = request.read(num_bytes)
    return attachment_info(
        attachments.attach(application=row, name=attachment, content=content, by=request.auth, at=timezone.now())
    )


@router.get("/applications/{ref}/attachments/{attachment}")
def download(request: PersonRequest, ref: str, attachment: str) -> HttpResponseBase:
    """A file of an application, as a download."""
    row = _find(request, ref)
    found = attachments.find_attachment(row, attachment)
    note_view(row, what=f"attachment {found.ref}", by=request.auth, at=timezone.now())
    return answer_download(request, found)


@router.delete("/applications/{ref}/attachments/{attachment}", response={204: None})
def remove(request: PersonRequest, ref: str, attachment: str) -> tuple[int, None]:
    """Take a file out of an application."""
    row = _find(request, ref)
    attachments.remove_attachment(application=row, ref=attachment, by=request.auth, at=timezone.now())
    return 204, None


def answer_download(request: HttpRequest, found: Attachment) -> HttpResponseBase:
    """The file as a download that no browser shows in its place."""
    response = answer_file(request, attachments.attachment_path(found), filename=found.name)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    return response
