"""What keeps a reviewer from an application: looked for before an assignment, and again whenever a review is opened."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db.models import Q
from django.utils.timezone import localdate

from fucina.errors import NotAllowed
from fucina.hub.access.models import Application, CoApplicant
from fucina.hub.access.moving import OwnOrganisation
from fucina.hub.people.actions import record
from fucina.hub.people.models import Membership, Person
from fucina.hub.review.models import Conflict, ConflictKind, Review, Reviewer, Tie, TieKind

RECENT = timedelta(days=3 * 365)
"""How long a collaboration counts after its end."""


class InConflict(NotAllowed):
    """The reviewer has a conflict of interest with the application."""

    code = "in_conflict"


class Found(NamedTuple):
    """A conflict."""

    application: int
    reviewer: int
    kind: ConflictKind
    detail: str


class _People(NamedTuple):
    """Who applies with what, read once for all pairs."""

    applicants: dict[int, set[int]]
    """People by application: who made it, who sent it, co-applicants."""
    members: dict[int, set[int]]
    """People by organisation."""
    belongs: dict[int, set[int]]
    """Organisations by person."""


def find_conflicts(reviewers: Sequence[Reviewer], applications: Sequence[Application], *, on: date) -> list[Found]:
    """Every conflict between these reviewers and applications; the number of queries does not grow with them."""
    people = _read(reviewers, applications)
    partners = _partners(reviewers, since=on - RECENT)
    ties: dict[tuple[int, int], list[Tie]] = defaultdict(list)
    for tie in Tie.objects.filter(reviewer__in=reviewers):
        ties[tie.reviewer_id, tie.organisation_id].append(tie)
    found = []
    for application in applications:
        for reviewer in reviewers:
            tied = ties.get((reviewer.pk, application.organisation_id), [])
            for kind, detail in _between(reviewer, application, people, partners, tied, on=on):
                found.append(Found(application.pk, reviewer.pk, kind, detail))
    return found


def _read(reviewers: Sequence[Reviewer], applications: Sequence[Application]) -> _People:
    applicants: dict[int, set[int]] = defaultdict(set)
    for application in applications:
        applicants[application.pk] |= {application.created_by_id, application.submitted_by_id or 0} - {0}
    asked = CoApplicant.objects.filter(application__in=applications, declined_at=None)
    for application_id, person_id in asked.values_list("application_id", "person_id"):
        applicants[application_id].add(person_id)
    everybody = {reviewer.person_id for reviewer in reviewers}.union(*applicants.values())
    organisations = {application.organisation_id for application in applications}
    members: dict[int, set[int]] = defaultdict(set)
    belongs: dict[int, set[int]] = defaultdict(set)
    rows = Membership.objects.filter(Q(person__in=everybody) | Q(organisation__in=organisations))
    for person_id, organisation_id in rows.values_list("person_id", "organisation_id"):
        members[organisation_id].add(person_id)
        belongs[person_id].add(organisation_id)
    return _People(applicants, members, belongs)


def _partners(reviewers: Iterable[Reviewer], *, since: date) -> dict[int, set[int]]:
    """With whom each reviewer applied since that day: organisations, by the reviewer's person."""
    people = {reviewer.person_id for reviewer in reviewers}
    recent = Application.objects.filter(created_at__date__gte=since)
    partners: dict[int, set[int]] = defaultdict(set)
    sent = recent.filter(submitted_by__in=people).values_list("pk", "submitted_by", "organisation")
    joined = CoApplicant.objects.filter(
        person__in=people, accepted_at__isnull=False, declined_at=None, application__in=recent
    ).values_list("application_id", "person_id", "application__organisation")
    shared: dict[int, set[int]] = defaultdict(set)
    for application_id, person_id, organisation_id in [*sent, *joined]:
        partners[person_id].add(organisation_id)
        shared[application_id].add(person_id)
    others = CoApplicant.objects.filter(application__in=shared, accepted_at__isnull=False, declined_at=None)
    for application_id, organisation_id in others.values_list("application_id", "person__memberships__organisation"):
        for person_id in shared[application_id]:
            partners[person_id] |= {organisation_id} - {None}
    return partners


def _between(
    reviewer: Reviewer,
    application: Application,
    people: _People,
    partners: dict[int, set[int]],
    ties: Sequence[Tie],
    *,
    on: date,
) -> Iterable[tuple[ConflictKind, str]]:
    person, organisation = reviewer.person_id, application.organisation
    applicants = people.applicants[application.pk]
    theirs = {organisation.pk}.union(*(people.belongs[applicant] for applicant in applicants))
    if person in applicants:
        yield ConflictKind.CO_APPLICANT, f"{reviewer} applies with {application.ref}."
    if people.belongs[person] & theirs or _same_name(reviewer.affiliation, organisation.name):
        yield ConflictKind.ORGANISATION, f"{reviewer} belongs to {organisation}, or to a partner that applies with it."
    for tie in ties:
        if tie.kind == TieKind.DECLARED:
            yield ConflictKind.DECLARED, f"{reviewer} has an interest in {organisation}. {tie.note}".strip()
        elif tie.ended_on is None or tie.ended_on >= on - RECENT:
            until = f"until {tie.ended_on}" if tie.ended_on else "now"
            yield ConflictKind.COLLABORATION, f"{reviewer} works with {organisation}, {until}. {tie.note}".strip()
    if partners[person] & theirs and not people.belongs[person] & theirs:
        yield ConflictKind.COLLABORATION, f"{reviewer} applied together with {organisation} in the last three years."


def _same_name(one: str, other: str) -> bool:
    return bool(one.strip()) and " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


def keep_conflicts(found: Iterable[Found], *, at: datetime) -> None:
    """Write down what was found; what is known stays as it was."""
    rows = {(f.application, f.reviewer, f.kind): f for f in found}
    Conflict.objects.bulk_create(
        [
            Conflict(
                application_id=f.application, reviewer_id=f.reviewer, kind=f.kind, detail=f.detail[:500], found_at=at
            )
            for f in rows.values()
        ],
        ignore_conflicts=True,
    )


def check_conflict(review: Review, *, at: datetime) -> None:
    """Raises InConflict, and keeps why, when the reviewer may no longer see the application."""
    found = find_conflicts([review.reviewer], [review.application], on=localdate(at))
    if not found:
        return
    keep_conflicts(found, at=at)
    record(
        review.reviewer.person, "review.kept_out", review, at=at, data={"kinds": sorted({f.kind.value for f in found})}
    )
    raise InConflict(
        f"You may not review {review.application.ref}: {found[0].detail}",
        hint="Decline the review; the access desk finds somebody else.",
    )


def involved(applications: Sequence[Application], person: Person) -> set[int]:
    """Those that are the person's own or a partner's, as `is_involved` says one by one; three queries for all."""
    own = set(Membership.objects.filter(person=person).values_list("organisation_id", flat=True))
    found = {row.pk for row in applications if row.organisation_id in own}
    asked = CoApplicant.objects.filter(application__in=applications, declined_at=None)
    mine = Q(person=person) | Q(accepted_at__isnull=False, person__memberships__organisation__in=own)
    return found | set(asked.filter(mine).values_list("application_id", flat=True))


def check_not_own(applications: Sequence[Application], by: Person) -> None:
    """Raises OwnOrganisation where one of them is the person's own or a partner's."""
    own = involved(applications, by)
    if own:
        first = next(row for row in applications if row.pk in own)
        raise OwnOrganisation(
            f"{first.ref} is of {first.organisation}, to which you belong or with which you apply.",
            hint="Ask another officer.",
        )
