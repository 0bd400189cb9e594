"""The audit trail."""

from fucina.client.door import Door
from fucina.client.wire_audit import AuditReport


class AuditCalls(Door):
    """The audit trail."""

    def verify_audit(self, expect: str = "") -> AuditReport:
        """Whether the audit trail is as it was written."""
        return self.get(AuditReport, "/audit/verification", expect=expect or None)
