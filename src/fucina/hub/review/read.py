"""Wire types built from rows about reviewing and ranking."""

from collections.abc import Iterable
from datetime import date, datetime

from django.db.models import Count, Q, QuerySet

from fucina.access.modes import Review as ReviewRules
from fucina.access.moves import EVALUATED
from fucina.client.wire_review import (
    LateInfo,
    PlaceInfo,
    RankingInfo,
    RankingSummary,
    ReviewerInfo,
    ReviewInfo,
    ReviewSheet,
    UseInfo,
)
from fucina.errors import NotVisible
from fucina.hub.access.models import Application
from fucina.hub.access.moving import mode_of
from fucina.hub.people.models import Person
from fucina.hub.review.clocks import clock_of, clocks
from fucina.hub.review.models import Escalation, Ranking, RankingPlace, Review, Reviewer, ReviewQuerySet, ReviewState
from fucina.hub.review.pool import check_officer
from fucina.hub.review.rankings import reason_of

HOUR = 3600


def pool(person: Person) -> "QuerySet[Reviewer]":
    """Reviewers with how many reviews each has open. Raises NotAnOfficer."""
    check_officer(person, "see the pool of reviewers")
    return with_load(Reviewer.objects.all()).order_by("person__username")


def with_load(rows: "QuerySet[Reviewer]") -> "QuerySet[Reviewer]":
    """Reviewers with `num_open`."""
    num_open = Count("reviews", filter=Q(reviews__state=ReviewState.ASSIGNED))
    return rows.select_related("person").annotate(num_open=num_open)


def find_reviewer(username: str, *, person: Person) -> Reviewer:
    """A reviewer by user name; people find themselves, officers all. Raises NotVisible."""
    rows = Reviewer.objects.all() if person.is_staff else Reviewer.objects.filter(person=person)
    found = with_load(rows).filter(person__username=username).first() if "\x00" not in username else None
    if found is None:
        raise NotVisible(
            f"There is no reviewer {username!r} that you may see.", hint="`fucina review pool` lists them."
        )
    return found


def reviewer_info(row: Reviewer) -> ReviewerInfo:
    """A reviewer; read through `with_load`."""
    return ReviewerInfo(
        ref=row.ref,
        username=row.person.username,
        name=row.person.name,
        affiliation=row.affiliation,
        expertise=row.expertise,
        languages=tuple(row.languages),
        max_reviews=row.max_reviews,
        num_open=getattr(row, "num_open", 0),
        away_until=row.away_until,
        is_active=row.is_active,
    )


def visible_reviews(person: Person) -> ReviewQuerySet:
    """Reviews that this person may see, newest first, with what `review_info` needs."""
    rows = Review.objects.visible_to(person).select_related(
        "reviewer__person", "application__organisation", "application__access_mode"
    )
    return rows.order_by("-assigned_at", "-pk")


def is_blind(review: Review, person: Person) -> bool:
    """Whether this person must not see who applies."""
    rules = mode_of(review.application).review
    return rules is not None and rules.blind and review.reviewer.person_id == person.pk


def review_info(review: Review, *, person: Person) -> ReviewInfo:
    """A review in a list; whoever applies is left out where the mode is blind, or once it was declined."""
    application = review.application
    hidden = is_blind(review, person) or (
        review.state == ReviewState.DECLINED and review.reviewer.person_id == person.pk
    )
    return ReviewInfo(
        ref=review.ref,
        application=application.ref,
        project="" if hidden else application.project,
        organisation="" if hidden else application.organisation.name,
        reviewer=review.reviewer.person.username,
        state=review.state,
        assigned_at=review.assigned_at,
        closed_at=review.closed_at,
        due_on=_due_on(application),
    )


def _due_on(application: Application) -> date | None:
    if application.submitted_at is None:
        return None
    return clock_of(mode_of(application), submitted_at=application.submitted_at, at=application.submitted_at).due_on


def rules_of(review: Review) -> ReviewRules:
    """By what a review judges. Raises NotVisible where its mode has no criteria."""
    rules = mode_of(review.application).review
    if rules is None:
        raise NotVisible(f"{review.application.ref} is not reviewed.", hint="Its access mode has no criteria.")
    return rules


def review_sheet(review: Review, *, person: Person) -> ReviewSheet:
    """A review as its reviewer writes it; for rows from `open_review` only."""
    rules, application = rules_of(review), review.application
    return ReviewSheet(
        **review_info(review, person=person).model_dump(),
        purpose=application.purpose,
        sector=application.sector,
        gpu_hours=application.gpu_s / HOUR,
        criteria=rules.criteria,
        step=rules.step,
        scores=review.scores,
        reasons=review.reasons,
        remark=review.remark,
        version=review.version,
    )


def visible_rankings(person: Person) -> "QuerySet[Ranking]":
    """Rankings that this person may see, newest first."""
    return Ranking.objects.visible_to(person).select_related("made_by", "confirmed_by").order_by("-made_at", "-pk")


def ranking_summary(row: Ranking) -> RankingSummary:
    """A ranking in a list."""
    return RankingSummary(
        ref=row.ref,
        mode=row.mode,
        overbooking=row.overbooking,
        smallest_share=row.smallest_share,
        points=row.points / 1000,
        greedy_points=row.greedy_points / 1000,
        bound=row.bound / 1000,
        made_by=row.made_by.username,
        made_at=row.made_at,
        confirmed_by=row.confirmed_by.username if row.confirmed_by else "",
        confirmed_at=row.confirmed_at,
    )


def ranking_info(row: Ranking, *, language: str) -> RankingInfo:
    """A ranking with everybody in it; reasons in the reader's language."""
    places = list(row.places.select_related("application__organisation", "application__access_mode").order_by("rank"))
    return RankingInfo(
        **ranking_summary(row).model_dump(),
        uses=tuple(
            UseInfo(
                partition=use["partition"],
                capacity=use["capacity_gpu_s"] / HOUR,
                limit=use["limit_gpu_s"] / HOUR,
                awarded=use["awarded_gpu_s"] / HOUR,
                over=use["over_gpu_s"] / HOUR,
                asked=use["asked_gpu_s"] / HOUR,
            )
            for use in row.uses
        ),
        places=tuple(_place_info(place, total=len(places), language=language) for place in places),
    )


def _place_info(place: RankingPlace, *, total: int, language: str) -> PlaceInfo:
    application = place.application
    return PlaceInfo(
        rank=place.rank,
        application=application.ref,
        project=application.project,
        organisation=application.organisation.name,
        points=place.points / 1000,
        outcome=place.outcome,
        gpu_hours={name: amount / HOUR for name, amount in place.gpu_s.items()},
        short_gpu_hours={name: amount / HOUR for name, amount in place.short_gpu_s.items()},
        below=tuple(place.below),
        ahead=tuple(place.ahead),
        instead=tuple(place.instead),
        reason=reason_of(place, total=total, language=language),
    )


def late(person: Person, *, at: datetime) -> list[LateInfo]:
    """What waits for longer than was promised and is still open, longest first. Raises NotAnOfficer."""
    check_officer(person, "see what is late")
    rows = open_escalations()
    found = clocks((row.application for row in rows), at=at)
    told = [
        LateInfo(
            application=row.application.ref,
            organisation=row.application.organisation.name,
            state=row.application.state,
            due_on=row.due_on,
            working_days_late=max(0, -found[row.application_id].days_left),
            seen_by=row.seen_by.username if row.seen_by else "",
        )
        for row in rows
    ]
    return sorted(told, key=lambda info: (-info.working_days_late, info.application))


def open_escalations() -> Iterable[Escalation]:
    """Escalations of what is still not decided."""
    return list(
        Escalation.objects.filter(application__state__in=sorted(EVALUATED))
        .select_related("application__organisation", "application__access_mode", "seen_by")
        .order_by("due_on", "pk")
    )
