"""An application with everything that belongs to it, as its reader may see it."""

from datetime import datetime

from fucina.access.moves import EDITABLE, ApplicationState, MoveName, moves_from
from fucina.access.questions import questions_for
from fucina.client.wire_access import (
    ApplicationDetail,
    AttachmentInfo,
    CoApplicantInfo,
    EventInfo,
    MissingInfo,
    QuestionInfo,
)
from fucina.hub.access.drafts import missing_of
from fucina.hub.access.models import Application, Attachment, CoApplicant
from fucina.hub.access.moving import applies, mode_of, roles_of
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person


def application_detail(application: Application, *, person: Person) -> ApplicationDetail:
    """The application as this person sees it."""
    is_editable = application.state in EDITABLE
    return ApplicationDetail(
        ref=application.ref,
        version=application.version,
        state=application.state,
        organisation=application.organisation.name,
        access_mode=application.access_mode.name,
        project=application.project,
        purpose=application.purpose,
        sector=application.sector,
        gpu_hours=application.gpu_s / 3600,
        answers=application.answers,
        questions=tuple(QuestionInfo.model_validate(q.model_dump()) for q in questions_for(mode_of(application))),
        missing=tuple(MissingInfo(**m._asdict()) for m in missing_of(application)) if is_editable else (),
        events=events(application),
        co_applicants=tuple(_co_applicant(row) for row in application.co_applicants.select_related("person")),
        attachments=tuple(attachment_info(row) for row in application.attachments.filter(removed_at=None)),
        moves=possible_moves(application, person=person),
    )


def possible_moves(application: Application, *, person: Person) -> tuple[MoveName, ...]:
    """Moves that this person may make now."""
    return moves_from(ApplicationState(application.state), roles_of(application, person))


def events(application: Application) -> tuple[EventInfo, ...]:
    """The timeline, oldest first."""
    return tuple(EventInfo.model_validate(row) for row in application.events.order_by("version"))


def _co_applicant(row: CoApplicant) -> CoApplicantInfo:
    state = "declined" if row.declined_at else "accepted" if row.accepted_at else "invited"
    return CoApplicantInfo(username=row.person.username, name=str(row.person), state=state)


def attachment_info(row: Attachment) -> AttachmentInfo:
    """A file of an application."""
    return AttachmentInfo.model_validate(row)


def note_view(application: Application, *, what: str, by: Person, at: datetime) -> None:
    """Keep that staff looked at what others wrote about themselves; who applies looks at their own."""
    if not applies(application, by):
        record(by, "access.view", application, at=at, data={"what": what})
