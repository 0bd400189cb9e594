"""Wire types of the audit trail."""

from fucina.client.wire import Answer


class AuditReport(Answer):
    """Whether the audit trail is as it was written."""

    is_whole: bool
    num_sealed: int
    num_waiting: int
    """Records that were committed and not sealed yet."""
    head: str
    """Number and digest of the newest seal; kept elsewhere, it shows later whether the end was cut off."""
    findings: tuple[str, ...] = ()
