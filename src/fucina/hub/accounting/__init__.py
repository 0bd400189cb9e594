"""Allocations, the append-only ledger of GPU-seconds, usage records."""
