"""What an application needs from reviewers, and who gets it to review."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.timezone import localdate

from fucina.access.apart import assign
from fucina.access.modes import Mode
from fucina.access.moves import ApplicationState
from fucina.access.referees import Paper, Referee, Shortage
from fucina.errors import BadInput, WrongState
from fucina.hub.access.models import Application
from fucina.hub.access.moving import mode_of
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person
from fucina.hub.review.conflicts import InConflict, check_not_own, find_conflicts, involved, keep_conflicts
from fucina.hub.review.models import Case, Review, Reviewer, ReviewState
from fucina.hub.review.pool import check_officer, tidy_topics


class NothingToReview(WrongState):
    """No application of that mode waits for reviewers."""

    code = "nothing_to_review"


class AssignedMeanwhile(WrongState):
    """Somebody else assigned, declined or submitted reviews at the same time."""

    code = "assigned_meanwhile"


class BadCase(BadInput):
    """What an application asks for does not fit what it asked for before."""

    code = "bad_case"


class Assigned(NamedTuple):
    """What came of looking for reviewers."""

    reviews: list[Review]
    shortages: tuple[Shortage, ...]
    num_conflicts: int
    """Pairs that were kept apart."""


@transaction.atomic
def prepare_case(
    *,
    application: Application,
    topics: Sequence[str],
    language: str,
    asks: Sequence[Mapping[str, int]],
    by: Person,
    at: datetime,
) -> Case:
    """Say what an application is about and where it could run; `asks` are alternatives, GPU-seconds by place.

    Raises NotAnOfficer, OwnOrganisation, BadCase.
    """
    check_officer(by, "prepare applications for the review")
    check_not_own([application], by)
    for asked in asks:
        if not asked or min(asked.values()) <= 0 or sum(asked.values()) > application.gpu_s:
            raise BadCase(
                f"An alternative has {sum(asked.values()) / 3600:,.2f} GPU-hours; {application.ref} asks for "
                f"{application.gpu_s / 3600:,.2f}.",
                hint="Name a place and a positive amount, together at most what is asked for.",
            )
    known = tidy_topics(topics)
    if not known or not (len(language) == 2 and language.isalpha()):
        raise BadCase("A case needs a topic and a language in two letters.", hint="Such as energy, and en or it.")
    case, _ = Case.objects.update_or_create(
        application=application,
        defaults={
            "topics": known,
            "language": language.lower(),
            "asks": [dict(asked) for asked in asks],
            "prepared_at": at,
        },
    )
    record(by, "review.prepare", application, at=at, data={"topics": known, "alternatives": len(asks)})
    return case


def case_of(application: Application, cases: Mapping[int, Case]) -> tuple[list[str], str]:
    """Topics and language; the sector and the letters' language where nobody prepared the case."""
    case = cases.get(application.pk)
    if case is not None:
        return list(case.topics), case.language
    return tidy_topics([application.sector]), application.language[:2]


def in_state(mode_id: str, state: ApplicationState) -> list[Application]:
    """Applications of a mode that wait at that step, by submission."""
    rows = Application.objects.filter(access_mode__name=mode_id, state=state.value)
    return list(rows.select_related("organisation", "access_mode").order_by("submitted_at", "pk"))


def assign_reviewers(*, mode_id: str, by: Person, at: datetime) -> Assigned:
    """Find the missing reviewers of every application of the mode that is in review.

    Applications in which the officer is involved are left to others. Raises NotAnOfficer, NothingToReview,
    AssignedMeanwhile.
    """
    check_officer(by, "assign reviewers")
    waiting = in_state(mode_id, ApplicationState.REVIEW)
    own = involved(waiting, by)
    applications = [row for row in waiting if row.pk not in own]
    if not applications:
        raise NothingToReview(
            f"No application of {mode_id} waits for reviewers.", hint="Pass the technical assessment first."
        )
    today = localdate(at)
    pool = [
        row
        for row in Reviewer.objects.filter(is_active=True, person__is_active=True).select_related("person")
        if row.away_until is None or row.away_until <= today
    ]
    conflicts = find_conflicts(pool, applications, on=today)
    missing, had = _missing(applications)
    load = _load()
    cases = {case.application_id: case for case in Case.objects.filter(application__in=applications)}
    found = assign(
        [_paper(row, cases, missing[row.pk]) for row in applications],
        [_referee(row, load[row.pk]) for row in pool],
        {(str(f.application), str(f.reviewer)) for f in conflicts}
        | {(str(a), str(r)) for a, reviewers in had.items() for r in reviewers},
    )
    pairs = [(int(a), int(r)) for a, r in found.pairs]
    with transaction.atomic():
        _check_unchanged(applications, pool, missing=missing, load=load)
        keep_conflicts(conflicts, at=at)
        reviews = _write(applications, pairs, by=by, at=at)
    refs = {str(row.pk): row.ref for row in applications}
    shortages = tuple(shortage._replace(ref=refs[shortage.ref]) for shortage in found.shortages)
    return Assigned(reviews, shortages, len({(f.application, f.reviewer) for f in conflicts}))


def _load() -> Counter[int]:
    """Open reviews by reviewer."""
    return Counter(Review.objects.filter(state=ReviewState.ASSIGNED).values_list("reviewer_id", flat=True))


def _check_unchanged(
    applications: Sequence[Application], pool: Sequence[Reviewer], *, missing: Counter[int], load: Counter[int]
) -> None:
    """Keep what was counted for oneself. Raises AssignedMeanwhile when it has changed since."""
    keys = [row.pk for row in applications]
    locked = Application.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
    states = set(locked.values_list("state", flat=True))
    list(Reviewer.objects.select_for_update(no_key=True).filter(pk__in=[row.pk for row in pool]).order_by("pk"))
    if states != {ApplicationState.REVIEW.value} or _missing(applications)[0] != missing or _load() != load:
        raise AssignedMeanwhile(
            f"Reviews of these {len(keys)} applications changed while reviewers were looked for.",
            hint="Nothing was assigned; look at the desk and ask again.",
        )


def _missing(applications: Sequence[Application]) -> tuple[Counter[int], dict[int, set[int]]]:
    """How many reviews each application lacks, and who was asked before."""
    missing: Counter[int] = Counter()
    had: dict[int, set[int]] = defaultdict(set)
    modes: dict[int, Mode] = {}
    for row in applications:
        mode = modes.setdefault(row.access_mode_id, mode_of(row))
        missing[row.pk] = mode.review.num_reviewers if mode.review else 0
    asked = Review.objects.filter(application__in=applications)
    for application_id, reviewer_id, state in asked.values_list("application_id", "reviewer_id", "state"):
        had[application_id].add(reviewer_id)
        missing[application_id] -= state != ReviewState.DECLINED
    return missing, had


def _paper(application: Application, cases: Mapping[int, Case], missing: int) -> Paper:
    topics, language = case_of(application, cases)
    return Paper(ref=str(application.pk), topics=frozenset(topics), language=language, num_reviews=max(0, missing))


def _referee(reviewer: Reviewer, load: int) -> Referee:
    return Referee(
        ref=str(reviewer.pk),
        expertise=reviewer.expertise,
        languages=frozenset(reviewer.languages),
        free=max(0, reviewer.max_reviews - load),
    )


def _write(
    applications: Sequence[Application], pairs: Sequence[tuple[int, int]], *, by: Person, at: datetime
) -> list[Review]:
    """The new reviews, and one audit record an application."""
    rows = Review.objects.bulk_create(
        [Review(application_id=a, reviewer_id=r, assigned_by=by, assigned_at=at) for a, r in pairs]
    )
    by_application: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        by_application[row.application_id].append(row.ref)
    for application in applications:
        if application.pk in by_application:
            record(by, "review.assign", application, at=at, data={"reviews": by_application[application.pk]})
    return rows


@transaction.atomic
def assign_one(*, application: Application, reviewer: Reviewer, by: Person, at: datetime) -> Review:
    """Give an application to one reviewer by hand; a conflict holds here too.

    Raises NotAnOfficer, OwnOrganisation, WrongState, InConflict.
    """
    check_officer(by, "assign reviewers")
    check_not_own([application], by)
    if application.state != ApplicationState.REVIEW:
        raise NothingToReview(f"{application.ref} is {application.state}.", hint="Reviews are written in peer review.")
    found = find_conflicts([reviewer], [application], on=localdate(at))
    if found:
        keep_conflicts(found, at=at)
        raise InConflict(f"{reviewer} may not review it: {found[0].detail}", hint="Choose another reviewer.")
    if Review.objects.filter(application=application, reviewer=reviewer).exists():
        raise NothingToReview(f"{reviewer} has this application already, or declined it.", hint="Choose another.")
    (row,) = _write([application], [(application.pk, reviewer.pk)], by=by, at=at)
    return row
