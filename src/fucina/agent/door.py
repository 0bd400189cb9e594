"""The agent's side of the API."""

from pathlib import Path
from urllib.parse import quote

from fucina.client.door import Door
from fucina.client.wire import (
    ClaimAnswer,
    ClaimRequest,
    FinishedRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    ProgressRequest,
    StartedRequest,
)
from fucina.client.wire_accounting import UsageAnswer, UsageRequest
from fucina.client.wire_site import AccountsAnswer


class AgentDoor(Door):
    """What an agent may ask of the hub: its own site's jobs, nothing else. Every call may be repeated."""

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Jobs to run; those claimed before but never started come again."""
        return self.post(ClaimAnswer, "/agent/claim", request)

    def accounts(self) -> AccountsAnswer:
        """Accounts, users and limits that the site should have."""
        return self.get(AccountsAnswer, "/agent/accounts")

    def heartbeat(self, request: HeartbeatRequest) -> HeartbeatAnswer:
        """Say which jobs are looked after; hear which to cancel."""
        return self.post(HeartbeatAnswer, "/agent/heartbeat", request)

    def started(self, ref: str, request: StartedRequest) -> None:
        """The job runs."""
        self.send(f"/agent/jobs/{ref}/started", request)

    def progress(self, ref: str, request: ProgressRequest) -> None:
        """New progress lines."""
        self.send(f"/agent/jobs/{ref}/progress", request)

    def finished(self, ref: str, request: FinishedRequest) -> None:
        """The job ended; its usage."""
        self.send(f"/agent/jobs/{ref}/finished", request)

    def usage(self, request: UsageRequest) -> UsageAnswer:
        """Usage records from the site's accounting; an empty batch only asks how far the hub knows."""
        return self.post(UsageAnswer, "/agent/usage", request)

    def append_log(self, ref: str, *, offset: int, piece: bytes) -> None:
        """A piece of the job's log, by its position."""
        self.call(
            "PUT",
            f"/agent/jobs/{ref}/log",
            params={"offset": offset},
            content=piece,
            headers={"Content-Type": "application/octet-stream"},
        )

    def fetch_blob(self, ref: str, sha256: str, target: Path) -> None:
        """An input file of the job."""
        self.fetch(f"/agent/jobs/{ref}/blobs/{sha256}", target)

    def put_artifact(self, ref: str, path: str, file: Path, *, sha256: str) -> None:
        """A file that the job leaves for the hub."""
        self.put_file(f"/agent/jobs/{ref}/artifacts/{quote(path)}", file, sha256=sha256)
