"""Projects and their ledgers."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from fucina.client.door import Door
from fucina.client.wire import LedgerLine, ProjectInfo
from fucina.client.wire_accounting import (
    AccountRequest,
    AllocationInfo,
    ForecastAnswer,
    RefundDecision,
    RefundInfo,
    RefundRequest,
    StatementAnswer,
    UsagePage,
)


class AccountingCalls(Door):
    """Projects and their ledgers."""

    def projects(self) -> list[ProjectInfo]:
        """Projects that one may see."""
        return self.list(ProjectInfo, "/projects")

    def project(self, ref: str) -> ProjectInfo:
        """One project."""
        return self.get(ProjectInfo, f"/projects/{ref}")

    def ledger(self, ref: str) -> list[LedgerLine]:
        """The ledger of a project, oldest first."""
        return self.list(LedgerLine, f"/projects/{ref}/ledger")

    def statement(self, ref: str, month: str) -> StatementAnswer:
        """A project's account of one month, such as 2026-11."""
        return self.get(StatementAnswer, f"/projects/{ref}/statement", month=month)

    def fetch_statement(self, ref: str, month: str, target: Path, *, form: str) -> None:
        """The statement as `csv` or `pdf`."""
        self.fetch(f"/projects/{quote(ref)}/statement.{form}?month={quote(month)}", target)

    def forecast(self, ref: str) -> ForecastAnswer:
        """When a project's time will be used up."""
        return self.get(ForecastAnswer, f"/projects/{ref}/forecast")

    def allocations(self, ref: str) -> list[AllocationInfo]:
        """Where a project has time."""
        return self.list(AllocationInfo, f"/projects/{ref}/allocations")

    def refunds(self) -> list[RefundInfo]:
        """Time lost to sites."""
        return self.list(RefundInfo, "/refunds")

    def decide_refund(self, ref: str, decision: RefundDecision) -> RefundInfo:
        """Grant or reject a proposed refund (staff)."""
        return self.post(RefundInfo, f"/refunds/{ref}/decision", decision)

    def refund(self, allocation: str, request: RefundRequest) -> AllocationInfo:
        """Give back what a job used (staff)."""
        return self.post(AllocationInfo, f"/allocations/{allocation}/refund", request)

    def expire(self, allocation: str) -> AllocationInfo:
        """Take back what is free (staff)."""
        return self.post(AllocationInfo, f"/allocations/{allocation}/expire")

    def set_account(self, allocation: str, request: AccountRequest) -> AllocationInfo:
        """Name the account that the site's scheduler charges (staff)."""
        return self.post(AllocationInfo, f"/allocations/{allocation}/account", request)

    def site_usage(self, site: str, month: str) -> Iterator[UsagePage]:
        """What the hub charged for a site's jobs in a month, page by page (staff)."""
        yield from usage_pages(self, f"/sites/{quote(site)}/usage", month)


def usage_pages(door: Door, path: str, month: str) -> Iterator[UsagePage]:
    """Every page of a site's usage; `path` is the person's or the agent's."""
    after = ""
    while True:
        page = door.get(UsagePage, path, month=month, after=after)
        yield page
        after = page.next
        if not after:
            return
