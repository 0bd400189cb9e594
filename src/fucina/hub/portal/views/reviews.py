"""Reviews as their reviewers write them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods, require_safe

from fucina.access.modes import Criterion
from fucina.access.scoring import BadScores
from fucina.client.wire_review import ReviewInfo, ReviewSheet
from fucina.errors import FactoryError, NotAllowed, NotVisible
from fucina.hub.people.visible import get_visible
from fucina.hub.portal.door import SignedIn, page, signed_in
from fucina.hub.portal.forms_review import DeclineForm
from fucina.hub.portal.paging import Turn, turn_to
from fucina.hub.review import reviewing
from fucina.hub.review.models import ReviewState
from fucina.hub.review.read import review_info, review_sheet, visible_reviews


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewsPage:
    """One's own reviews."""

    reviews: Sequence[ReviewInfo]
    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionRow:
    """A criterion with what was typed for it."""

    criterion: Criterion
    name: str
    score: str
    reason: str
    kept: str = ""
    """What the hub has, where something else was typed that it did not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPage:
    """One review: a form while it is open."""

    sheet: ReviewSheet
    rows: Sequence[CriterionRow]
    remark: str
    version: int
    error: FactoryError | None = None
    saved: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may still be written."""
        return self.sheet.state == ReviewState.ASSIGNED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclinePage:
    """The question before a review is given back."""

    info: ReviewInfo
    form: DeclineForm
    error: FactoryError | None = None


@require_safe
@signed_in
def index(request: SignedIn) -> HttpResponse:
    """One's own reviews, newest first."""
    mine = visible_reviews(request.user).filter(reviewer__person=request.user)
    rows, turn = turn_to(request, mine)
    found = [review_info(row, person=request.user) for row in rows]
    return page(request, "portal/reviews.html", ReviewsPage(reviews=found, turn=turn), place="reviews")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def show(request: SignedIn, ref: str) -> HttpResponse:
    """Write a review; what was typed stays on the page whatever happens."""
    at = timezone.now()
    try:
        review = reviewing.open_review(ref, person=request.user, at=at)
    except NotAllowed:
        get_visible(visible_reviews(request.user), ref)
        return redirect("portal:review-decline", ref=ref)
    sheet = review_sheet(review, person=request.user)
    if request.method != "POST":
        scores = {name: f"{score:g}" for name, score in sheet.scores.items()}
        context = _page(sheet, scores=scores, reasons=sheet.reasons, remark=sheet.remark, saved="saved" in request.GET)
        return page(request, "portal/review.html", context, place="reviews")
    typed = {c.id: request.POST.get(f"score-{c.id}", "").strip() for c in sheet.criteria}
    reasons = {c.id: request.POST.get(f"reason-{c.id}", "").strip() for c in sheet.criteria}
    remark = request.POST.get("remark", "").strip()
    version = request.POST.get("version", "")
    write = reviewing.submit_review if request.POST.get("do") == "submit" else reviewing.save_review
    try:
        write(
            review=review,
            scores={name: _number(text, name) for name, text in typed.items() if text},
            reasons={name: text for name, text in reasons.items() if text},
            remark=remark,
            version=int(version) if version.isdecimal() else -1,
            by=request.user,
            at=at,
        )
    except (NotVisible, NotAllowed):
        raise
    except FactoryError as error:
        context = _page(sheet, scores=typed, reasons=reasons, remark=remark, error=error)
        return page(request, "portal/review.html", context, place="reviews", status=422)
    response = redirect("portal:review", ref=ref)
    if write is reviewing.save_review:
        response["Location"] += "?saved"
    return response


def _number(text: str, name: str) -> float:
    """A score as people write it, with comma or point. Raises BadScores."""
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise BadScores(f"{text[:20]!r} for {name} is not a number.", hint="Write it as 3.5.") from error


def _page(
    sheet: ReviewSheet,
    *,
    scores: Mapping[str, str],
    reasons: Mapping[str, str],
    remark: str,
    error: FactoryError | None = None,
    saved: bool = False,
) -> ReviewPage:
    language = (get_language() or "en")[:2]
    rows = [
        CriterionRow(
            criterion=c,
            name=c.name.get(language) or c.name.get("en", c.id),
            score=scores.get(c.id, ""),
            reason=reasons.get(c.id, ""),
            kept=_kept(sheet, c.id, score=scores.get(c.id, ""), reason=reasons.get(c.id, "")) if error else "",
        )
        for c in sheet.criteria
    ]
    return ReviewPage(sheet=sheet, rows=rows, remark=remark, version=sheet.version, error=error, saved=saved)


def _kept(sheet: ReviewSheet, name: str, *, score: str, reason: str) -> str:
    """What is kept for a criterion; empty where it is what was typed, or nothing."""
    kept_score, kept_reason = sheet.scores.get(name), sheet.reasons.get(name, "")
    same = (f"{kept_score:g}" if kept_score is not None else "") == score.replace(",", ".") and kept_reason == reason
    if same or (kept_score is None and not kept_reason):
        return ""
    return f"{kept_score:g} · {kept_reason}" if kept_score is not None else kept_reason


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def decline(request: SignedIn, ref: str) -> HttpResponse:
    """Give a review back, after asking once more."""
    mine = visible_reviews(request.user).filter(reviewer__person=request.user)
    review = get_visible(mine, ref)
    form = DeclineForm(request.POST if request.method == "POST" else None)
    error = None
    if request.method == "POST" and form.is_valid():
        try:
            reviewing.decline_review(
                review=review,
                reason=form.cleaned_data["reason"],
                is_conflict=form.cleaned_data["is_conflict"],
                by=request.user,
                at=timezone.now(),
            )
        except FactoryError as refused:
            error = refused
        else:
            return redirect("portal:reviews")
    context = DeclinePage(info=review_info(review, person=request.user), form=form, error=error)
    status = 422 if request.method == "POST" else 200
    return page(request, "portal/review_decline.html", context, place="reviews", status=status)
