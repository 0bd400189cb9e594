"""The pool of reviewers: who is in it, what they know, what ties them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from django.db import transaction

from fucina.access.referees import MAX_LEVEL
from fucina.errors import BadInput, NotVisible
from fucina.hub.access.moving import NotAnOfficer
from fucina.hub.people.actions import record
from fucina.hub.people.models import Organisation, Person
from fucina.hub.review.models import Reviewer, Tie, TieKind

MAX_REVIEWS = 200


class BadReviewer(BadInput):
    """A reviewer who cannot be one as described."""

    code = "bad_reviewer"


def check_officer(person: Person, what: str) -> None:
    """Raises NotAnOfficer."""
    if not person.is_staff:
        raise NotAnOfficer(f"Only access officers {what}.", hint="Ask an access officer.")


def tidy_topics(topics: Sequence[str]) -> list[str]:
    """Topics as they are compared: small letters, single spaces, each once."""
    return sorted({" ".join(topic.split()).casefold() for topic in topics} - {""})


@transaction.atomic
def put_reviewer(
    *,
    username: str,
    expertise: Mapping[str, int],
    languages: Sequence[str],
    max_reviews: int,
    affiliation: str = "",
    away_until: date | None = None,
    is_active: bool = True,
    by: Person,
    at: datetime,
) -> Reviewer:
    """Take somebody into the pool, or change what is known of them. Raises NotAnOfficer, NotVisible, BadReviewer."""
    check_officer(by, "keep the pool of reviewers")
    person = Person.objects.filter(username=username, is_active=True).first() if "\x00" not in username else None
    if person is None:
        raise NotVisible(f"There is no person {username!r} who may sign in.", hint="They need an account first.")
    known = {" ".join(topic.split()).casefold(): level for topic, level in expertise.items() if topic.strip()}
    wrong = next((topic for topic, level in known.items() if not 1 <= level <= MAX_LEVEL), None)
    if wrong is not None:
        raise BadReviewer(
            f"An expertise in {wrong} of {known[wrong]} is not between 1 and {MAX_LEVEL}.",
            hint="1 knows the field, 2 works in it, 3 is one of its authorities.",
        )
    if not known or not languages or any(not (len(name) == 2 and name.isalpha()) for name in languages):
        raise BadReviewer(
            "A reviewer needs a field and a language in two letters.", hint="Such as energy:3, and en or it."
        )
    if not 1 <= max_reviews <= MAX_REVIEWS:
        raise BadReviewer(f"{max_reviews} reviews at a time are not between 1 and {MAX_REVIEWS}.", hint="Correct it.")
    facts: dict[str, object] = {
        "expertise": known,
        "languages": sorted({name.lower() for name in languages}),
        "max_reviews": max_reviews,
        "affiliation": affiliation.strip()[:200],
        "away_until": away_until,
        "is_active": is_active,
    }
    row, _ = Reviewer.objects.update_or_create(person=person, defaults=facts, create_defaults={**facts, "added_at": at})
    record(by, "review.put_reviewer", row, at=at, data={"person": username, "expertise": known, "active": is_active})
    return row


@transaction.atomic
def declare_tie(
    *,
    reviewer: Reviewer,
    organisation: Organisation,
    kind: TieKind,
    by: Person,
    at: datetime,
    ended_on: date | None = None,
    note: str = "",
) -> Tie:
    """Say that a reviewer is tied to an organisation; said by themselves or by an officer. Raises NotAnOfficer."""
    if reviewer.person_id != by.pk:
        check_officer(by, "say this of others")
    tie, _ = Tie.objects.update_or_create(
        reviewer=reviewer,
        organisation=organisation,
        kind=kind,
        defaults={"ended_on": ended_on, "note": note[:500], "said_by": by, "said_at": at},
    )
    record(by, "review.declare_tie", reviewer, at=at, data={"organisation": organisation.ref, "kind": str(kind)})
    return tie
