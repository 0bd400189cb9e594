"""Types of the ledger that cross the API."""

from pydantic import Field

from fucina.accounting.usage import UsageReceipt, UsageRecord
from fucina.client.wire import Answer, Request


class UsageRequest(Request):
    """Usage records of the agent's site; an empty batch only asks how far the hub knows."""

    records: tuple[UsageRecord, ...] = Field(max_length=1000)


class UsageAnswer(UsageReceipt, Answer):
    """What became of a batch of usage records."""
