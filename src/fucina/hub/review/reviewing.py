"""Writing a review: kept as a draft, submitted once, opened again only by the access desk."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from fucina.access.moves import ApplicationState
from fucina.access.scoring import BadScores, check_scores
from fucina.errors import NotVisible, WrongState
from fucina.hub.access.models import Application
from fucina.hub.access.moving import mode_of
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person
from fucina.hub.people.visible import get_visible
from fucina.hub.review.conflicts import check_conflict, check_not_own
from fucina.hub.review.models import Review, ReviewState, Tie, TieKind
from fucina.hub.review.pool import check_officer, declare_tie

MAX_TEXT = 20_000


class ReviewClosed(WrongState):
    """The review was submitted or declined, or the application is no longer in review."""

    code = "review_closed"


class ReviewChanged(WrongState):
    """The review was changed elsewhere meanwhile."""

    code = "review_changed"


def open_review(ref: str, *, person: Person, at: datetime) -> Review:
    """A reviewer's own review, to read or write; that they saw it is recorded. Raises NotVisible, InConflict."""
    mine = Review.objects.filter(reviewer__person=person).select_related(
        "reviewer__person", "application__organisation", "application__access_mode"
    )
    review = get_visible(mine, ref)
    if review.state != ReviewState.DECLINED:
        check_conflict(review, at=at)
        record(person, "review.view", review, at=at, data={"application": review.application.ref})
    return review


def _lock(review: Review, *, by: Person, version: int, at: datetime) -> Review:
    if review.reviewer.person_id != by.pk:
        raise NotVisible(f"There is no review {review.ref!r} that you may write.", hint="Only its reviewer writes it.")
    check_conflict(review, at=at)
    row = Review.objects.select_for_update(of=("self",)).select_related("reviewer__person").get(pk=review.pk)
    # Locked second and read alone: the panel must not close the step between this look and our write.
    application = Application.objects.select_for_update(no_key=True).get(pk=row.application_id)
    if row.state != ReviewState.ASSIGNED:
        raise ReviewClosed(
            f"The review was {row.state} on {row.closed_at:%Y-%m-%d %H:%M} UTC and is not changed any more; "
            "what you wrote now was not kept.",
            hint="Ask the access desk to open it again, then send the same text.",
        )
    if application.state != ApplicationState.REVIEW:
        raise ReviewClosed(
            f"{application.ref} is {application.state}; its reviews are closed.", hint="Tell the access desk."
        )
    if row.version != version:
        raise ReviewChanged(
            f"This review was saved elsewhere meanwhile: you saw version {version}, now it is {row.version}.",
            hint="Compare both texts, then save again; nothing was overwritten.",
        )
    return row


@transaction.atomic
def _write(
    review: Review,
    *,
    scores: Mapping[str, float],
    reasons: Mapping[str, str],
    remark: str,
    version: int,
    is_final: bool,
    by: Person,
    at: datetime,
) -> Review:
    rules = mode_of(review.application).review
    if rules is None:
        raise ReviewClosed(f"{review.application.ref} is not reviewed.", hint="Its mode has no criteria.")
    if max((len(text) for text in (*reasons.values(), remark)), default=0) > MAX_TEXT:
        raise BadScores(f"A text has more than {MAX_TEXT:,} characters.", hint="Shorten it.")
    check_scores(rules, scores, reasons, is_final=is_final)
    row = _lock(review, by=by, version=version, at=at)
    row.scores, row.reasons, row.remark = dict(scores), dict(reasons), remark
    row.version += 1
    if is_final:
        row.state, row.closed_at = ReviewState.SUBMITTED, at
    row.save(update_fields=["scores", "reasons", "remark", "version", "state", "closed_at"])
    action = "review.submit" if is_final else "review.save"
    record(by, action, row, at=at, data={"scores": row.scores, "version": row.version})
    return row


def save_review(
    *,
    review: Review,
    scores: Mapping[str, float],
    reasons: Mapping[str, str],
    remark: str = "",
    version: int,
    by: Person,
    at: datetime,
) -> Review:
    """Keep a draft. Raises BadScores, InConflict, ReviewClosed, ReviewChanged."""
    return _write(review, scores=scores, reasons=reasons, remark=remark, version=version, is_final=False, by=by, at=at)


def submit_review(
    *,
    review: Review,
    scores: Mapping[str, float],
    reasons: Mapping[str, str],
    remark: str = "",
    version: int,
    by: Person,
    at: datetime,
) -> Review:
    """Submit for good, complete. Raises BadScores, InConflict, ReviewClosed, ReviewChanged."""
    return _write(review, scores=scores, reasons=reasons, remark=remark, version=version, is_final=True, by=by, at=at)


@transaction.atomic
def decline_review(*, review: Review, reason: str, is_conflict: bool, by: Person, at: datetime) -> Review:
    """Give a review back; a conflict that is declared so holds for everything of that organisation.

    Raises NotVisible, ReviewClosed.
    """
    if review.reviewer.person_id != by.pk:
        raise NotVisible(f"There is no review {review.ref!r} that you may decline.", hint="Only its reviewer does.")
    row = Review.objects.select_for_update(of=("self",)).select_related("reviewer", "application").get(pk=review.pk)
    if row.state != ReviewState.ASSIGNED:
        raise ReviewClosed(f"The review is {row.state} already.", hint="Tell the access desk.")
    row.state, row.closed_at, row.remark = ReviewState.DECLINED, at, reason[:MAX_TEXT]
    row.version += 1
    row.save(update_fields=["state", "closed_at", "remark", "version"])
    if is_conflict:
        known = Tie.objects.filter(
            reviewer=row.reviewer, organisation=row.application.organisation_id, kind=TieKind.DECLARED
        )
        if not known.exists():
            declare_tie(
                reviewer=row.reviewer,
                organisation=row.application.organisation,
                kind=TieKind.DECLARED,
                note=reason,
                by=by,
                at=at,
            )
    record(by, "review.decline", row, at=at, data={"conflict": is_conflict})
    return row


@transaction.atomic
def reopen_review(*, review: Review, reason: str, by: Person, at: datetime) -> Review:
    """Let a reviewer change what they submitted; what stood is in the audit record.

    Raises NotAnOfficer, OwnOrganisation, ReviewClosed.
    """
    check_officer(by, "open a review again")
    check_not_own([review.application], by)
    row = Review.objects.select_for_update(of=("self",)).select_related("application").get(pk=review.pk)
    if row.state != ReviewState.SUBMITTED or row.application.state != ApplicationState.REVIEW:
        raise ReviewClosed(
            f"The review is {row.state}, the application {row.application.state}; it cannot be opened again.",
            hint="Only a submitted review of an application in review can.",
        )
    stood = {"scores": row.scores, "reasons": row.reasons, "remark": row.remark, "why": reason}
    row.state, row.closed_at = ReviewState.ASSIGNED, None
    row.version += 1
    row.save(update_fields=["state", "closed_at", "version"])
    record(by, "review.reopen", row, at=at, data=stood)
    return row
