"""People, organisations, tokens and the audit trail."""
