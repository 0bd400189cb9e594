"""Files, runs, logs."""

from pathlib import Path

from fucina.client.door import Door
from fucina.client.wire import BlobAnswer, BlobQuery, LogAnswer, ProgressAnswer, RunInfo, RunRequest


class RunCalls(Door):
    """Files, runs, logs."""

    def missing_blobs(self, project: str, sha256s: tuple[str, ...]) -> tuple[str, ...]:
        """Which files the project does not have yet."""
        return self.post(BlobAnswer, f"/projects/{project}/blobs/missing", BlobQuery(sha256s=sha256s)).missing

    def put_blob(self, project: str, file: Path, *, sha256: str) -> None:
        """Send a file to a project."""
        self.put_file(f"/projects/{project}/blobs/{sha256}", file, sha256=sha256)

    def start_run(self, request: RunRequest) -> RunInfo:
        """Start a line run; the same key twice is the same run."""
        return self.post(RunInfo, "/runs", request)

    def runs(self, *, project: str | None = None, limit: int | None = None) -> list[RunInfo]:
        """Line runs, newest first."""
        return self.list(RunInfo, "/runs", project=project, limit=limit)

    def run(self, ref: str) -> RunInfo:
        """One line run."""
        return self.get(RunInfo, f"/runs/{ref}")

    def cancel(self, ref: str) -> RunInfo:
        """End a line run."""
        return self.post(RunInfo, f"/runs/{ref}/cancel")

    def log(self, ref: str, stage: str, *, offset: int = 0) -> LogAnswer:
        """A piece of a stage's log."""
        return self.get(LogAnswer, f"/runs/{ref}/jobs/{stage}/log", offset=offset)

    def progress(self, ref: str, stage: str, *, after: int = 0) -> ProgressAnswer:
        """Progress lines of a stage."""
        return self.get(ProgressAnswer, f"/runs/{ref}/jobs/{stage}/progress", after=after)
