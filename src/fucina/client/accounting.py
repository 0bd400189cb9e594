"""Projects and their ledgers."""

from fucina.client.door import Door
from fucina.client.wire import LedgerLine, ProjectInfo


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
