"""Reviewers, reviews and rankings."""

from urllib.parse import quote

from fucina.client.door import Door
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
    TieRequest,
)


class ReviewCalls(Door):
    """Reviewers, reviews and rankings."""

    def reviewers(self) -> list[ReviewerInfo]:
        """The pool (staff)."""
        return self.list(ReviewerInfo, "/reviewers")

    def put_reviewer(self, request: ReviewerRequest) -> ReviewerInfo:
        """Take somebody into the pool, or change what is known (staff)."""
        return self.post(ReviewerInfo, "/reviewers", request)

    def declare_tie(self, username: str, request: TieRequest) -> ReviewerInfo:
        """Say that a reviewer is tied to an organisation."""
        return self.post(ReviewerInfo, f"/reviewers/{quote(username, safe='')}/ties", request)

    def prepare_case(self, application: str, request: CaseRequest) -> None:
        """Say what an application is about and where it could run (staff)."""
        self.send(f"/applications/{quote(application, safe='')}/case", request)

    def assign_reviewers(self, mode: str) -> AssignmentInfo:
        """Find the missing reviewers of a mode's applications (staff)."""
        return self.post(AssignmentInfo, f"/reviews/of/{quote(mode, safe='')}/assignment")

    def reviews(self) -> list[ReviewInfo]:
        """Reviews that one may see, newest first."""
        return self.list(ReviewInfo, "/reviews")

    def review(self, ref: str) -> ReviewSheet:
        """One of one's own reviews."""
        return self.get(ReviewSheet, f"/reviews/{quote(ref, safe='')}")

    def save_review(self, ref: str, request: ReviewRequest) -> ReviewSheet:
        """Keep a draft."""
        return self.post(ReviewSheet, f"/reviews/{quote(ref, safe='')}/draft", request)

    def submit_review(self, ref: str, request: ReviewRequest) -> ReviewSheet:
        """Submit for good."""
        return self.post(ReviewSheet, f"/reviews/{quote(ref, safe='')}/submission", request)

    def decline_review(self, ref: str, request: ReasonRequest) -> ReviewInfo:
        """Give a review back."""
        return self.post(ReviewInfo, f"/reviews/{quote(ref, safe='')}/refusal", request)

    def reopen_review(self, ref: str, request: ReasonRequest) -> ReviewInfo:
        """Let a reviewer change what they submitted (staff)."""
        return self.post(ReviewInfo, f"/reviews/{quote(ref, safe='')}/reopening", request)

    def late(self) -> list[LateInfo]:
        """Applications that wait for longer than was promised (staff)."""
        return self.list(LateInfo, "/late")

    def rankings(self) -> list[RankingSummary]:
        """Rankings, newest first (staff)."""
        return self.list(RankingSummary, "/rankings")

    def ranking(self, ref: str) -> RankingInfo:
        """One ranking (staff)."""
        return self.get(RankingInfo, f"/rankings/{quote(ref, safe='')}")

    def make_ranking(self, request: RankingRequest) -> RankingInfo:
        """Propose awards under a capacity; nothing is decided (staff)."""
        return self.post(RankingInfo, "/rankings", request)

    def confirm_ranking(self, ref: str) -> RankingInfo:
        """Decide on everybody as the ranking proposes (staff)."""
        return self.post(RankingInfo, f"/rankings/{quote(ref, safe='')}/confirmation")
