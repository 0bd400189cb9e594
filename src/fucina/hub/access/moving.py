"""The one way to move an application: locked, checked, kept on its timeline and in the audit trail."""

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction

from fucina.access.modes import Mode
from fucina.access.moves import MOVES, ApplicationState, MoveName, Role, check_move
from fucina.errors import NotAllowed, WrongState
from fucina.hub.access.models import Application, ApplicationEvent, CoApplicant, Decision
from fucina.hub.people.actions import Rule, record
from fucina.hub.people.models import Membership, Person


class NotAMember(NotAllowed):
    """Only members apply for their organisation."""

    code = "not_a_member"


class NotAnOfficer(NotAllowed):
    """Only access officers decide."""

    code = "not_an_officer"


class OwnOrganisation(NotAllowed):
    """An officer does not decide on an organisation that they belong to."""

    code = "own_organisation"


class SameOfficer(NotAllowed):
    """An appeal is heard by somebody else than who decided."""

    code = "same_officer"


class ApplicationChanged(WrongState):
    """Somebody else has changed the application meanwhile."""

    code = "application_changed"


class AlreadyOpen(WrongState):
    """One application per project at a time."""

    code = "application_open"


class AppealedBefore(WrongState):
    """One appeal for an application."""

    code = "appealed_before"


def mode_of(application: Application) -> Mode:
    """The mode as it was when the application was made under it."""
    return Mode.model_validate(application.access_mode.wire)


def lock(application: Application, *, version: int | None = None) -> Application:
    """The application's row, kept for oneself until the transaction ends.

    Raises ApplicationChanged when it is no longer the version that the person saw.
    """
    rows = Application.objects.select_for_update(no_key=True, of=("self",))
    row = rows.select_related("organisation", "access_mode").get(pk=application.pk)
    if version is not None and version != row.version:
        raise ApplicationChanged(
            f"Somebody else has changed the application: you saw version {version}, now it is {row.version}.",
            hint="Look at it as it is now, then do it again; nothing of theirs was overwritten.",
        )
    return row


def applies(application: Application, person: Person) -> bool:
    """Whether the person is one of those who apply."""
    return (
        Membership.objects.filter(organisation=application.organisation_id, person=person).exists()
        or CoApplicant.objects.filter(
            application=application, person=person, accepted_at__isnull=False, declined_at=None
        ).exists()
    )


def is_involved(application: Application, person: Person) -> bool:
    """Whether it is the person's own: theirs, their organisation's, or of somebody of their organisation."""
    asked = CoApplicant.objects.filter(application=application, declined_at=None)
    colleagues = Membership.objects.filter(
        person=person, organisation__memberships__person__in=asked.filter(accepted_at__isnull=False).values("person")
    )
    return applies(application, person) or asked.filter(person=person).exists() or colleagues.exists()


def roles_of(application: Application, person: Person) -> frozenset[Role]:
    """As what the person may act on the application; an officer never on what is their own."""
    if applies(application, person):
        return frozenset({Role.APPLICANT})
    return frozenset({Role.OFFICER}) if person.is_staff and not is_involved(application, person) else frozenset()


def _roles(application: Application, name: MoveName, by: Person | Rule) -> frozenset[Role]:
    if isinstance(by, Rule):
        return frozenset({Role.RULE}) if mode_of(application).decision == "automatic" else frozenset()
    roles, wanted = roles_of(application, by), MOVES[name].roles
    if not roles & wanted and Role.OFFICER in wanted:
        if not by.is_staff:
            raise NotAnOfficer(
                "Only access officers decide on applications.", hint="Wait for the decision of an officer."
            )
        raise OwnOrganisation(
            f"You belong to {application.organisation}, or apply with it; its applications are decided by others.",
            hint="Ask another officer.",
        )
    if not roles & wanted:
        raise NotAMember(
            f"You do not belong to {application.organisation}.", hint=f"Only who applies may {name} an application."
        )
    return roles


def _check_appeal(application: Application, name: MoveName, by: Person | Rule) -> None:
    if name is MoveName.APPEAL and application.events.filter(move=MoveName.APPEAL.value).exists():
        raise AppealedBefore("The application was appealed before.", hint="Apply again if things changed.")
    if name in {MoveName.UPHOLD, MoveName.DISMISS}:
        last = Decision.objects.filter(application=application).order_by("-round").first()
        if last is not None and isinstance(by, Person) and last.decided_by_id == by.pk:
            raise SameOfficer(
                f"You took the decision of {last.decided_at:%Y-%m-%d}.", hint="Another officer hears the appeal."
            )


@transaction.atomic
def move_application(
    *,
    application: Application,
    name: MoveName,
    by: Person | Rule,
    at: datetime,
    reason: str = "",
    version: int | None = None,
    data: Mapping[str, object] | None = None,
    changes: Mapping[str, object] | None = None,
) -> Application:
    """Make one move; it is on the timeline and in the audit trail, or nothing happened. Returns the row as it is now.

    `version` is what the person saw; `changes` are fields set by the same move.
    Raises ApplicationChanged, NotAMember, NotAnOfficer, OwnOrganisation, SameOfficer, AppealedBefore, AlreadyDecided,
    WrongMove, ReasonMissing, AlreadyOpen.
    """
    row = lock(application, version=version)
    before = ApplicationState(row.state)
    roles = _roles(row, name, by)
    after = check_move(name, state=before, path=mode_of(row).path, roles=roles, reason=reason)
    _check_appeal(row, name, by)
    for field, value in (changes or {}).items():
        setattr(row, field, value)
    row.state = after
    row.version += 1
    try:
        with transaction.atomic():
            row.save(update_fields=["state", "version", *(changes or {})])
    except IntegrityError as error:
        raise AlreadyOpen(
            f"{row.organisation} has an application for {row.project} that waits for its decision.",
            hint="Wait for the decision, or withdraw it and apply again.",
        ) from error
    ApplicationEvent.objects.create(
        application=row,
        version=row.version,
        move=name,
        before=before,
        after=after,
        who=by.audit_name,
        person=by if isinstance(by, Person) else None,
        reason=reason,
        at=at,
    )
    found = {"before": before.value, "after": after.value, "version": row.version, **(data or {})}
    record(by, f"access.{name}", row, at=at, data=found)
    return row
