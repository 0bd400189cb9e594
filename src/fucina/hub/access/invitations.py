"""Co-applicants: asked by who applies, and in it only when they say so."""

from datetime import datetime

from django.db import transaction

from fucina.errors import NotVisible, WrongState
from fucina.hub.access.drafts import check_editable
from fucina.hub.access.models import Application, CoApplicant
from fucina.hub.access.moving import lock
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person


class NotInvited(NotVisible):
    """Nobody asked this person."""

    code = "not_invited"


class NoSuchPerson(NotVisible):
    """Nobody of that name may be invited."""

    code = "no_such_person"


class AlreadyIn(WrongState):
    """The person applies already, or was asked."""

    code = "already_in"


@transaction.atomic
def invite(*, application: Application, username: str, by: Person, at: datetime) -> CoApplicant:
    """Ask somebody to apply as well; from then on they see the application.

    Raises NotAMember, WrongMove, NoSuchPerson, AlreadyIn.
    """
    row = lock(application)
    check_editable(row, by=by)
    person = Person.objects.filter(username=username, is_active=True).first() if "\x00" not in username else None
    if person is None:
        raise NoSuchPerson(f"There is nobody called {username[:80]!r} here.", hint="Ask for their user name.")
    if row.organisation.memberships.filter(person=person).exists():
        raise AlreadyIn(f"{person} belongs to {row.organisation} and applies with it already.", hint="Nothing to do.")
    found = CoApplicant.objects.filter(application=row, person=person).first()
    if found is not None and found.declined_at is None:
        raise AlreadyIn(f"{person} was invited on {found.invited_at:%Y-%m-%d}.", hint="Wait for the answer.")
    if found is None:
        found = CoApplicant(application=row, person=person)
    found.invited_by, found.invited_at, found.accepted_at, found.declined_at = by, at, None, None
    found.save()
    record(by, "access.invite", row, at=at, data={"person": person.username})
    return found


@transaction.atomic
def answer_invitation(*, application: Application, accept: bool, by: Person, at: datetime) -> CoApplicant:
    """Say yes or no; one may leave later too, but not come back without being asked. Raises NotInvited."""
    row = lock(application)
    found = CoApplicant.objects.filter(application=row, person=by, declined_at=None).first()
    if found is None:
        raise NotInvited(f"You were not invited to {row.ref}.", hint="Ask who applies to invite you.")
    if accept:
        found.accepted_at = found.accepted_at or at
    else:
        found.accepted_at, found.declined_at = None, at
    found.save(update_fields=["accepted_at", "declined_at"])
    record(by, "access.accept_invitation" if accept else "access.decline_invitation", row, at=at)
    return found
