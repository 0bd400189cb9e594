"""Releases and the key that they are verified with."""

from pathlib import Path
from urllib.parse import quote

from fucina.client.door import Door
from fucina.client.wire import ReleaseInfo, ReleaseWithdrawal
from fucina.trust.transparency import InclusionProof, ReleaseLog


class ReleaseCalls(Door):
    """Releases and the key that they are verified with."""

    def releases(self) -> list[ReleaseInfo]:
        """Releases, newest first."""
        return self.list(ReleaseInfo, "/releases")

    def release(self, ref: str) -> ReleaseInfo:
        """One release."""
        return self.get(ReleaseInfo, f"/releases/{ref}")

    def release_file(self, ref: str, path: str) -> bytes:
        """One small file of a release."""
        return self.call("GET", f"/releases/{ref}/files/{quote(path)}").content

    def fetch_release_file(self, ref: str, path: str, target: Path) -> None:
        """Download one file of a release."""
        self.fetch(f"/releases/{ref}/files/{quote(path)}", target)

    def withdraw(self, ref: str, request: ReleaseWithdrawal) -> ReleaseInfo:
        """Say to everybody that a release must not be used any more."""
        return self.post(ReleaseInfo, f"/releases/{ref}/withdraw", request)

    def release_proof(self, ref: str) -> InclusionProof:
        """That a release is in the factory's log."""
        return self.get(InclusionProof, f"/releases/{ref}/proof")

    def release_log(self) -> ReleaseLog:
        """The factory's log of releases."""
        return self.get(ReleaseLog, "/release-log")

    def factory_key(self) -> bytes:
        """The factory's public key, PEM."""
        return self.call("GET", "/factory-key").content
