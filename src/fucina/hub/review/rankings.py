"""Rankings: what the panel sees, a proposal under a capacity, and the decisions that follow from it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum

from fucina.access.apart import choose
from fucina.access.entries import Entry
from fucina.access.moves import ApplicationState, MoveName
from fucina.access.ranking import BadRanking, Outcome, Standing, rank
from fucina.access.reasons import ranking_reason
from fucina.access.scoring import Score, combine
from fucina.client.wire import DecisionRequest, GrantShare
from fucina.errors import WrongState
from fucina.hub.access.models import Application
from fucina.hub.access.moving import mode_of, move_application
from fucina.hub.accounting.models import LedgerTotal
from fucina.hub.compute import projects
from fucina.hub.network.models import Partition
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person
from fucina.hub.review.assigning import in_state
from fucina.hub.review.conflicts import check_not_own
from fucina.hub.review.models import Case, Ranking, RankingPlace, Review, ReviewState
from fucina.hub.review.pool import check_officer

HOUR = 3600
DAY = 24 * HOUR


class NothingToRank(WrongState):
    """No application of that mode waits for the panel."""

    code = "nothing_to_rank"


class NotReviewed(WrongState):
    """An application before the panel has no review, or nobody said where it would run."""

    code = "not_reviewed"


class RankingStale(WrongState):
    """What was ranked has changed since, or the ranking was confirmed."""

    code = "ranking_stale"


class Scored(NamedTuple):
    """An application as the panel sees it."""

    application: Application
    score: Score | None
    """None while nobody has submitted a review."""
    num_reviews: int
    num_wanted: int


def scored(applications: Sequence[Application]) -> list[Scored]:
    """Scores of applications from their submitted reviews, highest first; one query."""
    by_application: dict[int, list[Mapping[str, float]]] = defaultdict(list)
    submitted = Review.objects.filter(application__in=applications, state=ReviewState.SUBMITTED).order_by("pk")
    for application_id, scores in submitted.values_list("application_id", "scores"):
        by_application[application_id].append(scores)
    rows = []
    for application in applications:
        rules, given = mode_of(application).review, by_application[application.pk]
        score = combine(rules, given) if rules and given else None
        rows.append(Scored(application, score, len(given), rules.num_reviewers if rules else 0))
    return sorted(rows, key=lambda row: (row.score is None, -(row.score.points if row.score else 0)))


def free_gpu_s(*, days: int) -> dict[str, int]:
    """GPU-seconds of every partition of the network over so many days, less what grants still have there."""
    partitions = Partition.objects.filter(site__owner__isnull=True).select_related("site").order_by("pk")
    sums = LedgerTotal.objects.values_list("allocation__partition").annotate(left=Sum("gpu_s"))
    left = dict(sums.values_list("allocation__partition", "left"))
    free = {}
    for row in partitions:
        whole = row.spec.num_nodes * row.spec.num_gpus_per_node * days * DAY
        free[str(row)] = max(0, whole - max(0, left.get(row.pk, 0)))
    return free


def propose_ranking(
    *,
    mode_id: str,
    capacity_gpu_s: Mapping[str, int],
    overbooking: float,
    smallest_share: float | None,
    by: Person,
    at: datetime,
) -> Ranking:
    """Rank everything of the mode that waits for the panel, and keep the proposal; nothing is decided.

    Raises NotAnOfficer, OwnOrganisation, NothingToRank, NotReviewed, BadRanking.
    """
    check_officer(by, "make rankings")
    applications = in_state(mode_id, ApplicationState.PANEL)
    if not applications:
        raise NothingToRank(f"No application of {mode_id} waits for the panel.", hint="Close the reviews first.")
    check_not_own(applications, by)
    allowed = mode_of(applications[0]).review
    if smallest_share is not None and (allowed is None or allowed.partial_from is None):
        raise BadRanking(f"{mode_id} awards all or nothing.", hint="Leave out the smallest share.")
    if smallest_share is not None and allowed and allowed.partial_from and smallest_share < allowed.partial_from:
        raise BadRanking(
            f"{mode_id} awards no less than {allowed.partial_from:.0%} of what was asked for; "
            f"{smallest_share:.0%} is less.",
            hint="Name a larger share.",
        )
    _check_places(capacity_gpu_s)
    found = rank(
        _entries(applications, capacity_gpu_s),
        capacity_gpu_s,
        overbooking=overbooking,
        smallest_share=smallest_share,
        choose=choose,
    )
    by_ref = {row.ref: row for row in applications}
    with transaction.atomic():
        ranking = Ranking.objects.create(
            mode=mode_id,
            capacity_gpu_s=dict(capacity_gpu_s),
            overbooking=overbooking,
            smallest_share=smallest_share,
            uses=[asdict(use) | {"over_gpu_s": use.over_gpu_s} for use in found.uses],
            points=found.points,
            greedy_points=found.greedy_points,
            bound=found.bound,
            made_by=by,
            made_at=at,
        )
        RankingPlace.objects.bulk_create(_place(ranking, by_ref[s.ref], s) for s in found.standings)
        record(
            by,
            "review.rank",
            ranking,
            at=at,
            data={"mode": mode_id, "capacity_gpu_s": dict(capacity_gpu_s), "overbooking": overbooking},
        )
    return ranking


def _place(ranking: Ranking, application: Application, standing: Standing) -> RankingPlace:
    return RankingPlace(
        ranking=ranking,
        application=application,
        rank=standing.rank,
        points=standing.points,
        outcome=standing.outcome.value,
        gpu_s=standing.gpu_s,
        below=list(standing.below),
        ahead=list(standing.ahead),
        instead=list(standing.instead),
        short_gpu_s=standing.short_gpu_s,
    )


def _check_places(capacity_gpu_s: Mapping[str, int]) -> None:
    known = {str(row) for row in Partition.objects.filter(site__owner__isnull=True).select_related("site")}
    unknown = sorted(capacity_gpu_s.keys() - known)
    if unknown or not capacity_gpu_s:
        raise BadRanking(
            f"There is no partition {unknown[0]!r}." if unknown else "No capacity is given.",
            hint=f"There are: {', '.join(sorted(known)) or 'none'}.",
        )


def _entries(applications: Sequence[Application], capacity_gpu_s: Mapping[str, int]) -> list[Entry]:
    """What is ranked. Raises NotReviewed."""
    cases = {case.application_id: case for case in Case.objects.filter(application__in=applications)}
    rows = scored(applications)
    bare = [row.application.ref for row in rows if row.score is None]
    if bare:
        raise NotReviewed(f"Nobody has reviewed {', '.join(bare[:5])}.", hint="Assign reviewers, or decide by hand.")
    entries = []
    for row in rows:
        application, score = row.application, row.score
        asks = list(cases[application.pk].asks) if application.pk in cases else []
        if not asks and len(capacity_gpu_s) > 1:
            raise NotReviewed(
                f"Nobody said on which partition {application.ref} would run.",
                hint="Prepare it with `fucina review prepare`.",
            )
        if score is not None and application.submitted_at is not None:
            entries.append(
                Entry(
                    ref=application.ref,
                    points=score.points,
                    asks=tuple(asks) or ({next(iter(capacity_gpu_s)): application.gpu_s},),
                    order=application.submitted_at.isoformat(),
                    below=score.below,
                )
            )
    return entries


def reason_of(place: RankingPlace, *, total: int, language: str) -> str:
    """Why an application stands there, in that language."""
    return ranking_reason(
        outcome=Outcome(place.outcome),
        rank=place.rank,
        total=total,
        points=place.points,
        gpu_s=place.gpu_s,
        below=place.below,
        num_ahead=len(place.ahead),
        num_instead=len(place.instead),
        short_gpu_s=place.short_gpu_s,
        review=mode_of(place.application).review,
        language=language,
    )


@transaction.atomic
def confirm_ranking(*, ranking: Ranking, by: Person, at: datetime) -> Ranking:
    """Decide on every application as the ranking proposes, all or none.

    Raises NotAnOfficer, OwnOrganisation, RankingStale, and what a decision raises.
    """
    check_officer(by, "confirm rankings")
    row = Ranking.objects.select_for_update(of=("self",)).get(pk=ranking.pk)
    if row.confirmed_at is not None:
        raise RankingStale(f"{row.ref} was confirmed on {row.confirmed_at:%Y-%m-%d %H:%M} UTC.", hint="It is decided.")
    places = list(row.places.select_related("application__organisation", "application__access_mode"))
    check_not_own([place.application for place in places], by)
    _check_fresh(row, places)
    for place in places:
        reason = reason_of(place, total=len(places), language=place.application.language)
        move_application(application=place.application, name=MoveName.RANK, by=by, at=at, data={"ranking": row.ref})
        request = DecisionRequest(granted=bool(place.gpu_s), reason=reason)
        if place.gpu_s:
            split = tuple(GrantShare(place=name, gpu_hours=amount / HOUR) for name, amount in place.gpu_s.items())
            hours = sum(place.gpu_s.values()) / HOUR
            request = DecisionRequest(granted=True, gpu_hours=hours, reason=reason, split=split)
        projects.decide(application=place.application, request=request, by=by, at=at)
    row.confirmed_by, row.confirmed_at = by, at
    row.save(update_fields=["confirmed_by", "confirmed_at"])
    outcomes = Counter(place.outcome for place in places)
    record(by, "review.confirm", row, at=at, data={"outcomes": dict(outcomes)})
    return row


def _check_fresh(ranking: Ranking, places: Sequence[RankingPlace]) -> None:
    """Raises RankingStale when what waits for the panel, or a score, is no longer what was ranked."""
    waiting = in_state(ranking.mode, ApplicationState.PANEL)
    if {row.pk for row in waiting} != {place.application_id for place in places}:
        raise RankingStale(
            f"{len(places)} applications were ranked, and others wait for the panel now ({len(waiting)}).",
            hint="Make the ranking again.",
        )
    points = {row.application.pk: row.score.points if row.score else -1 for row in scored(waiting)}
    changed = [place.application.ref for place in places if points[place.application_id] != place.points]
    if changed:
        raise RankingStale(f"The scores of {', '.join(changed[:5])} have changed.", hint="Make the ranking again.")
