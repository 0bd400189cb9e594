"""Why an application stands where it stands in a ranking, in the applicant's language."""

from collections.abc import Mapping, Sequence

from fucina.access.modes import Review
from fucina.access.ranking import Outcome
from fucina.access.scoring import TOTAL
from fucina.access.words import LANGUAGES, number, say

TOTALS = {"en": "the sum of all criteria", "it": "la somma di tutti i criteri"}


def ranking_reason(
    *,
    outcome: Outcome,
    rank: int,
    total: int,
    points: int,
    gpu_s: Mapping[str, int],
    below: Sequence[str],
    num_ahead: int,
    num_instead: int,
    short_gpu_s: Mapping[str, int],
    review: Review | None,
    language: str,
) -> str:
    """The sentences of one standing; no other application is named, since it is somebody else's."""
    tongue = language if language in LANGUAGES else LANGUAGES[0]
    hours = {name: number(round(amount / 3600, 2), tongue) for name, amount in (gpu_s or short_gpu_s).items()}
    where = ", ".join(hours) or "—"
    missing = number(round(sum(short_gpu_s.values()) / 3600, 2), tongue)
    said = [say("rank-place", tongue, rank=rank, total=total, points=number(points / 1000, tongue))]
    match outcome:
        case Outcome.AWARDED:
            said.append(say("rank-awarded", tongue, hours=" + ".join(hours.values()), partition=where))
        case Outcome.PARTLY:
            said.append(say("rank-part", tongue, hours=" + ".join(hours.values()), partition=where, missing=missing))
        case Outcome.BELOW:
            said.append(say("rank-below", tongue, criteria=", ".join(_names(below, review, tongue))))
        case Outcome.NO_ROOM:
            said.append(say("rank-full", tongue, partition=where, missing=missing))
    if num_ahead and outcome is not Outcome.BELOW:
        said.append(say("rank-ahead", tongue, count=num_ahead))
    if num_instead and outcome is not Outcome.BELOW:
        said.append(say("rank-instead", tongue, count=num_instead))
    return " ".join(said)


def _names(below: Sequence[str], review: Review | None, language: str) -> list[str]:
    names = {c.id: c.name.get(language) or c.name.get("en", c.id) for c in review.criteria} if review else {}
    return [TOTALS[language] if name == TOTAL else names.get(name, name) for name in below]
