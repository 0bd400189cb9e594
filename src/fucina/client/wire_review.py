"""Types of reviewing and ranking that cross the API."""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, Field

from fucina.access.modes import Criterion
from fucina.client.wire import Answer, Request


class ReviewerRequest(Request):
    """Somebody for the pool, or what changed about them."""

    username: str = Field(min_length=1, max_length=150)
    expertise: dict[str, int] = Field(max_length=100)
    """Level, 1 to 3, by topic."""
    languages: tuple[str, ...] = ("en",)
    max_reviews: int = 5
    affiliation: str = Field(default="", max_length=200)
    away_until: date | None = None
    is_active: bool = True


class ReviewerInfo(Answer):
    """A reviewer of the pool."""

    ref: str
    username: str
    name: str
    affiliation: str
    expertise: dict[str, int]
    languages: tuple[str, ...]
    max_reviews: int
    num_open: int
    """Reviews that they have not submitted."""
    away_until: date | None
    is_active: bool


class TieRequest(Request):
    """What ties a reviewer to an organisation."""

    organisation: str
    """Name or reference."""
    kind: Literal["declared", "collaboration"] = "declared"
    ended_on: date | None = None
    note: str = Field(default="", max_length=500)


class CaseRequest(Request):
    """What an application is about, and where it could run."""

    topics: tuple[str, ...] = Field(min_length=1, max_length=20)
    language: str = "en"
    asks: tuple[dict[str, float], ...] = Field(default=(), max_length=10)
    """Alternatives: GPU-hours by `site/partition`."""


class ShortageInfo(Answer):
    """An application with too few reviewers."""

    ref: str
    missing: int
    able: int
    in_conflict: int


class AssignmentInfo(Answer):
    """What came of looking for reviewers."""

    mode: str
    num_assigned: int
    num_conflicts: int
    shortages: tuple[ShortageInfo, ...]


class ReviewRequest(Request):
    """A review, in part or whole."""

    scores: dict[str, float] = Field(max_length=50)
    reasons: dict[str, str] = Field(max_length=50)
    remark: str = ""
    version: int = Field(ge=0)
    """Of the review as it was read."""


class ReasonRequest(Request):
    """Why."""

    reason: str = Field(min_length=3, max_length=4000)
    is_conflict: bool = False


class ReviewInfo(Answer):
    """A review, without its texts."""

    ref: str
    application: str
    project: str
    organisation: str
    """Empty where reviewers must not know it."""
    reviewer: str
    state: str
    assigned_at: AwareDatetime
    closed_at: AwareDatetime | None
    due_on: date | None
    """Of the decision."""


class ReviewSheet(ReviewInfo):
    """A review with all that its reviewer needs."""

    purpose: str
    sector: str
    gpu_hours: float
    criteria: tuple[Criterion, ...]
    step: float
    scores: dict[str, float]
    reasons: dict[str, str]
    remark: str
    version: int


class RankingRequest(Request):
    """What a ranking is made under."""

    mode: str = Field(min_length=1, max_length=63)
    capacity: dict[str, float] = Field(min_length=1, max_length=100)
    """GPU-hours by `site/partition`."""
    overbooking: float = 1.0
    smallest_share: float | None = None


class PlaceInfo(Answer):
    """An application in a ranking."""

    rank: int
    application: str
    project: str
    organisation: str
    points: float
    outcome: str
    gpu_hours: dict[str, float]
    short_gpu_hours: dict[str, float]
    below: tuple[str, ...]
    ahead: tuple[str, ...]
    instead: tuple[str, ...]
    reason: str


class UseInfo(Answer):
    """A partition in a ranking, in GPU-hours."""

    partition: str
    capacity: float
    limit: float
    awarded: float
    over: float
    asked: float


class RankingSummary(Answer):
    """A ranking in a list."""

    ref: str
    mode: str
    overbooking: float
    smallest_share: float | None
    points: float
    greedy_points: float
    """Had one gone down the list."""
    bound: float
    """What no choice exceeds."""
    made_by: str
    made_at: AwareDatetime
    confirmed_by: str
    confirmed_at: AwareDatetime | None


class RankingInfo(RankingSummary):
    """A ranking with everybody in it."""

    uses: tuple[UseInfo, ...]
    places: tuple[PlaceInfo, ...]


class LateInfo(Answer):
    """An application that waits for longer than was promised."""

    application: str
    organisation: str
    state: str
    due_on: date
    working_days_late: int
    seen_by: str
