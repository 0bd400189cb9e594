"""Grants while they last."""

from fucina.client.door import Door
from fucina.client.wire_access import (
    ChangeDecision,
    ChangeInfo,
    ChangeRequest,
    ClawBackRequest,
    GrantInfo,
    ReportRequest,
)


class AwardCalls(Door):
    """Grants while they last."""

    def grant(self, ref: str) -> GrantInfo:
        """The grant of an application."""
        return self.get(GrantInfo, f"/applications/{ref}/grant")

    def accept_award(self, ref: str) -> GrantInfo:
        """Accept the award with its terms."""
        return self.post(GrantInfo, f"/applications/{ref}/acceptance")

    def ask_change(self, ref: str, request: ChangeRequest) -> ChangeInfo:
        """Ask for an extension, a supplement or a transfer."""
        return self.post(ChangeInfo, f"/applications/{ref}/changes", request)

    def changes(self) -> list[ChangeInfo]:
        """Requests for changes of grants."""
        return self.list(ChangeInfo, "/changes")

    def decide_change(self, ref: str, request: ChangeDecision) -> ChangeInfo:
        """Agree to a change, or refuse it."""
        return self.post(ChangeInfo, f"/changes/{ref}/decision", request)

    def claw_back(self, ref: str, request: ClawBackRequest) -> GrantInfo:
        """Take back free time of a grant that is little used."""
        return self.post(GrantInfo, f"/applications/{ref}/claw-back", request)

    def hand_in_report(self, ref: str, request: ReportRequest) -> GrantInfo:
        """Hand in the final report."""
        return self.post(GrantInfo, f"/applications/{ref}/report", request)
