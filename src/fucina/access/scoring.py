"""From reviewers' scores to the points of an application and the thresholds that it misses."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from fucina.access.modes import Criterion, Review
from fucina.errors import BadInput

MIN_REASON = 10
"""Characters that a reason has at least."""

TOTAL = "total"
"""What is missed where the sum is too low."""


class BadScores(BadInput):
    """Scores that the mode's criteria do not allow."""

    code = "bad_scores"


class Score(NamedTuple):
    """What reviews say together."""

    points: int
    """Thousandths, weighted."""
    means: dict[str, float]
    """By criterion."""
    below: tuple[str, ...]
    """Criteria whose mean is under their threshold, and `total`."""
    spread: float
    """Between the highest and the lowest reviewer's sum, in points."""


def check_scores(review: Review, scores: Mapping[str, float], reasons: Mapping[str, str], *, is_final: bool) -> None:
    """Raises BadScores; what is final is complete and has a reason for every score."""
    criteria = {criterion.id: criterion for criterion in review.criteria}
    unknown = sorted((scores.keys() | reasons.keys()) - criteria.keys())
    if unknown:
        raise BadScores(f"There is no criterion {unknown[0]!r}.", hint=f"The criteria are {', '.join(criteria)}.")
    for name, score in scores.items():
        _check_one(criteria[name], score, step=review.step)
    if not is_final:
        return
    missing = [name for name in criteria if name not in scores]
    if missing:
        raise BadScores(f"There is no score for {', '.join(missing)}.", hint="Score every criterion, then submit.")
    short = [name for name in criteria if len(reasons.get(name, "").strip()) < MIN_REASON]
    if short:
        raise BadScores(
            f"The reason for {', '.join(short)} has fewer than {MIN_REASON} characters.",
            hint="Say why; the applicant may read it.",
        )


def _check_one(criterion: Criterion, score: float, *, step: float) -> None:
    if not (math.isfinite(score) and 0 <= score <= criterion.max_score):
        raise BadScores(
            f"{score:g} for {criterion.id} is not between 0 and {criterion.max_score:g}.", hint="Correct the score."
        )
    if _exact(score) % _exact(step):
        raise BadScores(f"{score:g} for {criterion.id} is not a multiple of {step:g}.", hint="Round it to the step.")


def _exact(value: float) -> Fraction:
    return Fraction(str(value))


def combine(review: Review, scores: Sequence[Mapping[str, float]]) -> Score:
    """The mean of all reviewers by criterion, their weighted sum, and what lies under a threshold.

    Exact, so that a mean on a threshold passes. Raises BadScores where nobody has scored.
    """
    if not scores:
        raise BadScores("Nobody has reviewed it.", hint="Wait for a review, or assign another reviewer.")
    means = {
        criterion.id: sum((_exact(given[criterion.id]) for given in scores), Fraction(0)) / len(scores)
        for criterion in review.criteria
    }
    total = sum((_exact(c.weight) * means[c.id] for c in review.criteria), Fraction(0))
    below = [c.id for c in review.criteria if means[c.id] < _exact(c.threshold)]
    if total < _exact(review.threshold_total):
        below.append(TOTAL)
    sums = [sum(_exact(c.weight) * _exact(given[c.id]) for c in review.criteria) for given in scores]
    return Score(
        points=round(total * 1000),
        means={name: float(mean) for name, mean in means.items()},
        below=tuple(below),
        spread=float(max(sums) - min(sums)),
    )
