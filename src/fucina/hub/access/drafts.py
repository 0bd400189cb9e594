"""Drafts: started with what is known already, saved as one types, submitted when nothing is missing."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from fucina.access.modes import ModesFile
from fucina.access.moves import EDITABLE, ApplicationState, WrongMove
from fucina.access.questions import Answer, Missing, check_known, missing_answers, questions_for
from fucina.client.wire_access import DraftFields
from fucina.errors import BadInput
from fucina.hub.access.actions import check_applied_for, keep_mode, take_in
from fucina.hub.access.models import Application
from fucina.hub.access.moving import NotAMember, applies, lock, mode_of
from fucina.hub.people.actions import record
from fucina.hub.people.models import Organisation, Person
from fucina.units import gpu_seconds

MAX_DRAFTS = 50
"""Of one organisation at a time."""
MIN_PURPOSE = 10


class Incomplete(BadInput):
    """What is missing before an application may be submitted."""

    code = "incomplete"


class TooManyDrafts(BadInput):
    """Drafts that nobody goes on with."""

    code = "too_many_drafts"


class ClosedMode(BadInput):
    """The mode takes no applications now."""

    code = "mode_closed"


@transaction.atomic
def start_draft(
    *, organisation: Organisation, mode_id: str, fields: DraftFields, modes: ModesFile, by: Person, at: datetime
) -> Application:
    """Begin an application with what was given, and answers of the organisation's earlier ones to the same questions.

    Raises NotAMember, UnknownMode, NotAppliedFor, TooManyDrafts.
    """
    if not organisation.memberships.filter(person=by).exists():
        raise NotAMember(f"You do not belong to {organisation}.", hint="Ask one of its owners to add you or to apply.")
    mode = modes.mode(mode_id, day=at.date())
    check_applied_for(mode)
    check_known(fields.answers, mode=mode)
    Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)
    mine = Application.objects.filter(organisation=organisation)
    if mine.filter(state=ApplicationState.DRAFT).count() >= MAX_DRAFTS:
        raise TooManyDrafts(f"{organisation} has {MAX_DRAFTS} drafts.", hint="Submit or withdraw some of them first.")
    application = Application.objects.create(
        organisation=organisation,
        project=fields.project,
        purpose=fields.purpose,
        sector=fields.sector or _latest_sector(organisation),
        access_mode=keep_mode(mode),
        gpu_s=gpu_seconds(fields.gpu_hours) if fields.gpu_hours else 0,
        answers={**_earlier_answers(organisation, {q.id for q in questions_for(mode)}), **fields.answers},
        language=by.language,
        state=ApplicationState.DRAFT,
        created_by=by,
        created_at=at,
    )
    record(by, "access.start_draft", application, at=at, data={"mode": mode.id})
    return application


def _earlier_answers(organisation: Organisation, wanted: set[str]) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    rows = Application.objects.filter(organisation=organisation).exclude(answers={}).order_by("-created_at")
    for answers in rows.values_list("answers", flat=True)[:10]:
        found = {**{name: value for name, value in answers.items() if name in wanted}, **found}
    return found


def _latest_sector(organisation: Organisation) -> str:
    rows = Application.objects.filter(organisation=organisation).exclude(sector="").order_by("-created_at")
    return rows.values_list("sector", flat=True).first() or ""


@transaction.atomic
def save_draft(*, application: Application, fields: DraftFields, by: Person, at: datetime, version: int) -> Application:
    """Keep what was typed; nothing is checked but what could never be kept. Saving the same again changes nothing.

    Raises NotAMember, WrongMove, ApplicationChanged, UnknownQuestion.
    """
    row = lock(application, version=version)
    check_editable(row, by=by)
    check_known(fields.answers, mode=mode_of(row))
    gpu_s = gpu_seconds(fields.gpu_hours) if fields.gpu_hours else 0
    if row.state != ApplicationState.DRAFT and not gpu_s:
        gpu_s = row.gpu_s
    new: Mapping[str, object] = {
        "project": fields.project, "purpose": fields.purpose, "sector": fields.sector, "gpu_s": gpu_s,
        "answers": dict(fields.answers),
    }  # fmt: skip
    changed = [name for name, value in new.items() if getattr(row, name) != value]
    if not changed:
        return row
    for name in changed:
        setattr(row, name, new[name])
    row.version += 1
    row.save(update_fields=[*changed, "version"])
    record(by, "access.save_draft", row, at=at, data={"changed": changed, "version": row.version})
    return row


def check_editable(application: Application, *, by: Person) -> None:
    """Raises NotAMember or WrongMove unless this person may write in the application now."""
    if not applies(application, by):
        raise NotAMember(f"You do not belong to {application.organisation}.", hint="Only who applies writes in it.")
    if application.state not in EDITABLE:
        raise WrongMove(
            f"The application is {application.state}; it can be changed while it is a draft or was returned.",
            hint="Withdraw it and apply again, or ask the access desk to return it.",
        )


def missing_of(application: Application) -> tuple[Missing, ...]:
    """Everything that is missing before the application may be submitted."""
    found = []
    if not application.project:
        found.append(Missing("project", "empty", ""))
    if len(application.purpose.strip()) < MIN_PURPOSE:
        found.append(Missing("purpose", "short" if application.purpose.strip() else "empty", str(MIN_PURPOSE)))
    if application.gpu_s <= 0:
        found.append(Missing("gpu_hours", "empty", ""))
    invited = application.co_applicants.filter(accepted_at=None, declined_at=None).select_related("person")
    found += [Missing("co_applicants", "waits", row.person.username) for row in invited]
    return (*found, *missing_answers(application.answers, mode=mode_of(application)))


@transaction.atomic
def submit_draft(
    *, application: Application, modes: ModesFile, by: Person, at: datetime, version: int | None = None
) -> Application:
    """Submit what is complete.

    Raises NotAMember, WrongMove, ApplicationChanged, ClosedMode, Incomplete, AlreadyOpen.
    """
    row = lock(application, version=version)
    check_editable(row, by=by)
    missing = missing_of(row)
    if missing:
        words = "; ".join(f"{m.field} ({m.code}{', ' + m.wanted if m.wanted else ''})" for m in missing)
        raise Incomplete(f"{len(missing)} answers are missing: {words}.", hint="Complete them, then submit again.")
    if row.state == ApplicationState.DRAFT and not mode_of(row).is_open(at):
        raise ClosedMode(
            f"{row.access_mode.name} takes no applications now.",
            hint="The draft stays; look when the mode opens again, or start one in another mode.",
        )
    return take_in(row, modes=modes, by=by, at=at, version=version)
