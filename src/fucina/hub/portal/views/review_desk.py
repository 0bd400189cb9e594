"""The review desk: queue with clocks, reviewers, panel and rankings, for access officers."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fucina.access.modes import Criterion
from fucina.access.moves import EVALUATED, ApplicationState
from fucina.client.wire_review import RankingInfo, RankingSummary, ReviewerInfo
from fucina.errors import FactoryError
from fucina.hub.access.models import Application
from fucina.hub.access.moving import mode_of
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.forms_review import RankingForm, ReviewerForm
from fucina.hub.portal.paging import Turn, turn_to
from fucina.hub.review import read
from fucina.hub.review.assigning import Assigned, assign_reviewers, in_state
from fucina.hub.review.clocks import Clock, clocks, mark_seen
from fucina.hub.review.conflicts import involved
from fucina.hub.review.models import Escalation, Review
from fucina.hub.review.pool import put_reviewer
from fucina.hub.review.rankings import Scored, confirm_ranking, free_gpu_s, propose_ranking, scored

ROOM_DAYS = 90
"""Over which the room of a partition is counted, unless an officer types another number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """An application on the desk."""

    application: Application
    clock: Clock | None
    reviews: Sequence[Review]
    is_own: bool
    escalation: Escalation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDeskPage:
    """What waits, with its clock."""

    rows: Sequence[QueueRow]
    turn: Turn
    modes_in_review: Sequence[str]
    modes_in_panel: Sequence[str]
    rankings: Sequence[RankingSummary]
    num_late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedPage:
    """What came of looking for reviewers."""

    mode: str
    found: Assigned


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPage:
    """The pool of reviewers."""

    reviewers: Sequence[ReviewerInfo]
    turn: Turn
    form: ReviewerForm
    error: FactoryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRow:
    """An application before the panel."""

    row: Scored
    means: Sequence[tuple[float | None, bool]]
    """Mean by criterion, and whether it is below the threshold."""
    points: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelPage:
    """Scores of a mode's applications, and the form of a ranking."""

    mode: str
    criteria: Sequence[str]
    rows: Sequence[PanelRow]
    form: RankingForm
    num_own: int
    error: FactoryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingPage:
    """One ranking, and what if there were more."""

    ranking: RankingInfo
    form: RankingForm


def _officer(request: SignedIn) -> Person:
    if not request.user.is_staff:
        raise PermissionDenied
    return request.user


@require_safe
@signed_in
def desk(request: SignedIn) -> HttpResponse:
    """Everything that waits for a step, what is late first."""
    person, at = _officer(request), timezone.now()
    waiting = Application.objects.filter(state__in=sorted(EVALUATED)).select_related("organisation", "access_mode")
    late = list(read.open_escalations())
    by_application = {row.application_id: row for row in late}
    rows, turn = turn_to(request, waiting.order_by("submitted_at", "pk"))
    steps = dict.fromkeys(waiting.order_by().values_list("access_mode__name", "state"))
    found = [read.ranking_summary(row) for row in read.visible_rankings(person)[:10]]
    context = ReviewDeskPage(
        rows=_queue(rows, person, by_application, at=at),
        turn=turn,
        modes_in_review=sorted({mode for mode, state in steps if state == ApplicationState.REVIEW}),
        modes_in_panel=sorted({mode for mode, state in steps if state == ApplicationState.PANEL}),
        rankings=found,
        num_late=len(late),
    )
    return page(request, "portal/review_desk.html", context, place="desk")


def _queue(
    applications: Sequence[Application], person: Person, late: dict[int, Escalation], *, at: datetime
) -> list[QueueRow]:
    own = involved(applications, person)
    reviews: dict[int, list[Review]] = defaultdict(list)
    for review in Review.objects.filter(application__in=applications).select_related("reviewer__person").order_by("pk"):
        reviews[review.application_id].append(review)
    found = clocks(applications, at=at)
    return [
        QueueRow(
            application=row,
            clock=found.get(row.pk),
            reviews=() if row.pk in own else reviews[row.pk],
            is_own=row.pk in own,
            escalation=late.get(row.pk),
        )
        for row in applications
    ]


@require_POST
@signed_in
def take_up(request: SignedIn, pk: int) -> HttpResponse:
    """Say that one has taken up what is late."""
    person = _officer(request)
    escalation = Escalation.objects.filter(pk=pk).first()
    if escalation is not None:
        mark_seen(escalation=escalation, by=person, at=timezone.now())
    return redirect("portal:review-desk")


@require_POST
@signed_in
def assign(request: SignedIn, mode: str) -> HttpResponse:
    """Find the missing reviewers."""
    found = assign_reviewers(mode_id=mode, by=_officer(request), at=timezone.now())
    return page(request, "portal/review_assigned.html", AssignedPage(mode=mode, found=found), place="desk")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def pool(request: SignedIn) -> HttpResponse:
    """The pool, and a form for whoever joins it."""
    person = _officer(request)
    form = ReviewerForm(request.POST if request.method == "POST" else None)
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            put_reviewer(**form.cleaned_data, by=person, at=timezone.now())
        except FactoryError as refused:
            error = refused
        else:
            return redirect("portal:review-pool")
    rows, turn = turn_to(request, read.pool(person))
    context = PoolPage(reviewers=[read.reviewer_info(row) for row in rows], turn=turn, form=form, error=error)
    return page(
        request, "portal/review_pool.html", context, place="desk", status=422 if request.method == "POST" else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def panel(request: SignedIn, mode: str) -> HttpResponse:
    """Scores side by side, and a ranking under a capacity; a ranking decides nothing."""
    person = _officer(request)
    waiting = in_state(mode, ApplicationState.PANEL)
    own = involved(waiting, person)
    rules = mode_of(waiting[0]).review if waiting else None
    form = RankingForm(
        request.POST if request.method == "POST" else None,
        capacity=_capacity(),
        parts_from=rules.partial_from if rules else None,
    )
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            made = propose_ranking(
                mode_id=mode,
                capacity_gpu_s=form.capacity_gpu_s,
                overbooking=form.cleaned_data["overbooking"],
                smallest_share=form.cleaned_data.get("smallest_share"),
                by=person,
                at=timezone.now(),
            )
        except FactoryError as refused:
            error = refused
        else:
            return redirect("portal:ranking", ref=made.ref)
    criteria = rules.criteria if rules else ()
    context = PanelPage(
        mode=mode,
        criteria=[_name(criterion) for criterion in criteria],
        rows=[_panel_row(row, criteria) for row in scored([row for row in waiting if row.pk not in own])],
        form=form,
        num_own=len(own),
        error=error,
    )
    return page(request, "portal/panel.html", context, place="desk", status=422 if request.method == "POST" else 200)


def _capacity() -> dict[str, float]:
    """GPU-hours by place: what grants leave free over the next months."""
    return {place: gpu_s / 3600 for place, gpu_s in free_gpu_s(days=ROOM_DAYS).items()}


def _name(criterion: Criterion) -> str:
    return criterion.name.get((get_language() or "en")[:2]) or criterion.name.get("en", criterion.id)


def _panel_row(row: Scored, criteria: Sequence[Criterion]) -> PanelRow:
    if row.score is None:
        return PanelRow(row=row, means=[(None, False) for _ in criteria], points=None)
    means = [(row.score.means[c.id], c.id in row.score.below) for c in criteria]
    return PanelRow(row=row, means=means, points=row.score.points / 1000)


@require_safe
@signed_in
def ranking(request: SignedIn, ref: str) -> HttpResponse:
    """One ranking with the reason of every place."""
    person = _officer(request)
    row = get_visible(read.visible_rankings(person), ref)
    used = {place: gpu_s / 3600 for place, gpu_s in row.capacity_gpu_s.items()}
    first = Application.objects.filter(places__ranking=row).select_related("access_mode").first()
    rules = mode_of(first).review if first else None
    form = RankingForm(
        capacity={place: used.get(place, 0.0) for place in _capacity()},
        parts_from=rules.partial_from if rules else None,
        share=row.smallest_share,
        initial={"overbooking": row.overbooking},
    )
    info = read.ranking_info(row, language=(get_language() or "en")[:2])
    return page(request, "portal/ranking.html", RankingPage(ranking=info, form=form), place="desk")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def confirm(request: SignedIn, ref: str) -> HttpResponse:
    """Decide as the ranking proposes, after asking once more."""
    person = _officer(request)
    row = get_visible(read.visible_rankings(person), ref)
    if request.method == "POST":
        confirm_ranking(ranking=row, by=person, at=timezone.now())
        return redirect("portal:ranking", ref=ref)
    info = read.ranking_info(row, language=(get_language() or "en")[:2])
    context = RankingPage(ranking=info, form=RankingForm(capacity={}, parts_from=None))
    return page(request, "portal/ranking_confirm.html", context, place="desk")
