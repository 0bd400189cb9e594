"""The audit trail."""

from ninja import Router

from fucina.client.wire_audit import AuditReport
from fucina.hub.api.doors import PersonRequest
from fucina.hub.people.chain import verify_chain

router = Router(tags=["audit"])


@router.get("/verification", response=AuditReport)
def verification(request: PersonRequest, expect: str = "") -> AuditReport:
    """Whether any record was changed, removed or put elsewhere; for staff."""
    return verify_chain(by=request.auth, expect=expect)
