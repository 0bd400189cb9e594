"""Reviewers, reviews and rankings."""

from django.utils import timezone
from ninja import Router

from fucina.client.wire_review import (
    AssignmentInfo,
    CaseRequest,
    LateInfo,
    RankingInfo,
    RankingRequest,
    RankingSummary,
    ReasonRequest,
    ReviewerInfo,
    ReviewerRequest,
    ReviewInfo,
    ReviewRequest,
    ReviewSheet,
    ShortageInfo,
    TieRequest,
)
from fucina.hub.access.actions import find_organisation
from fucina.hub.access.read import visible_applications
from fucina.hub.api.doors import PersonRequest
from fucina.hub.people.visible import get_visible
from fucina.hub.review import pool, read, reviewing
from fucina.hub.review.assigning import assign_reviewers, prepare_case
from fucina.hub.review.models import TieKind
from fucina.hub.review.rankings import confirm_ranking, propose_ranking

router = Router(tags=["review"])
HOUR = 3600


@router.get("/reviewers", response=list[ReviewerInfo])
def reviewers(request: PersonRequest) -> list[ReviewerInfo]:
    """The pool of reviewers (staff)."""
    return [read.reviewer_info(row) for row in read.pool(request.auth)]


@router.post("/reviewers", response=ReviewerInfo)
def put_reviewer(request: PersonRequest, body: ReviewerRequest) -> ReviewerInfo:
    """Take somebody into the pool, or change what is known of them (staff)."""
    pool.put_reviewer(**body.model_dump(), by=request.auth, at=timezone.now())
    return read.reviewer_info(read.find_reviewer(body.username, person=request.auth))


@router.post("/reviewers/{username}/ties", response=ReviewerInfo)
def declare_tie(request: PersonRequest, username: str, body: TieRequest) -> ReviewerInfo:
    """Say that a reviewer is tied to an organisation: the reviewer, or staff."""
    row = read.find_reviewer(username, person=request.auth)
    pool.declare_tie(
        reviewer=row,
        organisation=find_organisation(body.organisation, person=request.auth),
        kind=TieKind(body.kind),
        ended_on=body.ended_on,
        note=body.note,
        by=request.auth,
        at=timezone.now(),
    )
    return read.reviewer_info(row)


@router.post("/applications/{ref}/case")
def case(request: PersonRequest, ref: str, body: CaseRequest) -> dict[str, str]:
    """Say what an application is about, and where it could run (staff)."""
    row = get_visible(visible_applications(request.auth), ref)
    prepare_case(
        application=row,
        topics=body.topics,
        language=body.language,
        asks=[{place: round(hours * HOUR) for place, hours in asked.items()} for asked in body.asks],
        by=request.auth,
        at=timezone.now(),
    )
    return {"application": row.ref}


@router.post("/reviews/of/{mode}/assignment", response=AssignmentInfo)
def assign(request: PersonRequest, mode: str) -> AssignmentInfo:
    """Find the missing reviewers of a mode's applications (staff)."""
    found = assign_reviewers(mode_id=mode, by=request.auth, at=timezone.now())
    return AssignmentInfo(
        mode=mode,
        num_assigned=len(found.reviews),
        num_conflicts=found.num_conflicts,
        shortages=tuple(ShortageInfo.model_validate(shortage._asdict()) for shortage in found.shortages),
    )


@router.get("/reviews", response=list[ReviewInfo])
def reviews(request: PersonRequest) -> list[ReviewInfo]:
    """Reviews that you may see, newest first."""
    return [read.review_info(row, person=request.auth) for row in read.visible_reviews(request.auth)]


@router.get("/reviews/{ref}", response=ReviewSheet)
def review(request: PersonRequest, ref: str) -> ReviewSheet:
    """One of your own reviews; that you read it is recorded."""
    row = reviewing.open_review(ref, person=request.auth, at=timezone.now())
    return read.review_sheet(row, person=request.auth)


@router.post("/reviews/{ref}/draft", response=ReviewSheet)
def save(request: PersonRequest, ref: str, body: ReviewRequest) -> ReviewSheet:
    """Keep a draft of your review."""
    return _written(request, ref, body, is_final=False)


@router.post("/reviews/{ref}/submission", response=ReviewSheet)
def submit(request: PersonRequest, ref: str, body: ReviewRequest) -> ReviewSheet:
    """Submit your review for good."""
    return _written(request, ref, body, is_final=True)


def _written(request: PersonRequest, ref: str, body: ReviewRequest, *, is_final: bool) -> ReviewSheet:
    row = reviewing.open_review(ref, person=request.auth, at=timezone.now())
    write = reviewing.submit_review if is_final else reviewing.save_review
    write(review=row, **body.model_dump(), by=request.auth, at=timezone.now())
    return read.review_sheet(get_visible(read.visible_reviews(request.auth), ref), person=request.auth)


@router.post("/reviews/{ref}/refusal", response=ReviewInfo)
def decline(request: PersonRequest, ref: str, body: ReasonRequest) -> ReviewInfo:
    """Give one of your reviews back."""
    row = get_visible(read.visible_reviews(request.auth), ref)
    reviewing.decline_review(
        review=row, reason=body.reason, is_conflict=body.is_conflict, by=request.auth, at=timezone.now()
    )
    return read.review_info(get_visible(read.visible_reviews(request.auth), ref), person=request.auth)


@router.post("/reviews/{ref}/reopening", response=ReviewInfo)
def reopen(request: PersonRequest, ref: str, body: ReasonRequest) -> ReviewInfo:
    """Let a reviewer change what they submitted (staff)."""
    row = get_visible(read.visible_reviews(request.auth), ref)
    reviewing.reopen_review(review=row, reason=body.reason, by=request.auth, at=timezone.now())
    return read.review_info(get_visible(read.visible_reviews(request.auth), ref), person=request.auth)


@router.get("/late", response=list[LateInfo])
def late(request: PersonRequest) -> list[LateInfo]:
    """Applications that wait for longer than was promised (staff)."""
    return read.late(request.auth, at=timezone.now())


@router.get("/rankings", response=list[RankingSummary])
def rankings(request: PersonRequest) -> list[RankingSummary]:
    """Rankings that you may see, newest first."""
    return [read.ranking_summary(row) for row in read.visible_rankings(request.auth)]


@router.post("/rankings", response=RankingInfo)
def make_ranking(request: PersonRequest, body: RankingRequest) -> RankingInfo:
    """Propose awards under a capacity; nothing is decided (staff)."""
    row = propose_ranking(
        mode_id=body.mode,
        capacity_gpu_s={place: round(hours * HOUR) for place, hours in body.capacity.items()},
        overbooking=body.overbooking,
        smallest_share=body.smallest_share,
        by=request.auth,
        at=timezone.now(),
    )
    return read.ranking_info(row, language=request.auth.language)


@router.get("/rankings/{ref}", response=RankingInfo)
def ranking(request: PersonRequest, ref: str) -> RankingInfo:
    """One ranking with everybody in it (staff)."""
    return read.ranking_info(get_visible(read.visible_rankings(request.auth), ref), language=request.auth.language)


@router.post("/rankings/{ref}/confirmation", response=RankingInfo)
def confirm(request: PersonRequest, ref: str) -> RankingInfo:
    """Decide on everybody as the ranking proposes (staff; never with one's own organisation in it)."""
    row = get_visible(read.visible_rankings(request.auth), ref)
    done = confirm_ranking(ranking=row, by=request.auth, at=timezone.now())
    return read.ranking_info(done, language=request.auth.language)
