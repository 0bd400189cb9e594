"""Types of the ledger that cross the API."""

from pydantic import AwareDatetime, Field

from fucina.accounting import forecast, statement
from fucina.accounting.usage import UsageReceipt, UsageRecord
from fucina.client.wire import Answer, Request


class UsageRequest(Request):
    """Usage records of the agent's site; an empty batch only asks how far the hub knows."""

    records: tuple[UsageRecord, ...] = Field(max_length=1000)


class UsageAnswer(UsageReceipt, Answer):
    """What became of a batch of usage records."""


class StatementAnswer(statement.Statement, Answer):
    """A project's account of one month."""


class ForecastAnswer(forecast.Forecast, Answer):
    """What is likely to become of a project's time."""


class KnownUsage(Answer):
    """A usage record in the hub's books."""

    key: str
    """What the job stands under; its record may carry another name."""
    record: UsageRecord
    is_placed: bool
    """False where no allocation pays for it yet."""


class UsagePage(Answer):
    """Usage of a site in a month, a page of it."""

    jobs: tuple[KnownUsage, ...]
    accounts: tuple[str, ...]
    """Slurm accounts of the site's allocations."""
    next: str = ""
    """Where to go on; empty at the end."""


class RefundInfo(Answer):
    """Time that a job lost through a fault of its site."""

    ref: str
    allocation: str
    project: str
    organisation: str
    job: str
    gpu_s: int
    reason: str
    state: str
    proposed_at: AwareDatetime
    decided_at: AwareDatetime | None = None


class RefundDecision(Request):
    """The decision of a member of staff."""

    granted: bool


class RefundRequest(Request):
    """A refund that staff gives of its own accord."""

    job: str = Field(min_length=1, max_length=200)
    gpu_s: int = Field(gt=0)
    reason: str = Field(min_length=3, max_length=500)


class AllocationInfo(Answer):
    """Granted time on one partition, with what is left of it."""

    ref: str
    project: str
    organisation: str
    site: str
    partition: str
    slurm_account: str
    granted_gpu_s: int
    held_gpu_s: int
    used_gpu_s: int
    free_gpu_s: int
    ends_at: AwareDatetime | None = None


class AccountRequest(Request):
    """The account that the site's scheduler charges for an allocation."""

    slurm_account: str = Field(min_length=1, max_length=64)
