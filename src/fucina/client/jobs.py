"""People's own jobs, systems, a project's files."""

from pathlib import Path
from urllib.parse import quote

from fucina.client.door import Door
from fucina.client.wire import LogAnswer
from fucina.client.wire_jobs import (
    JobCheck,
    JobDetail,
    JobRequest,
    JobSummary,
    ProjectFileInfo,
    SystemInfo,
    WaitReason,
)


class JobCalls(Door):
    """People's own jobs, systems, a project's files."""

    def systems(self) -> list[SystemInfo]:
        """Sites with their partitions."""
        return self.list(SystemInfo, "/systems")

    def submit_job(self, request: JobRequest) -> JobDetail:
        """Submit a command; the same key twice is the same job."""
        return self.post(JobDetail, "/jobs", request)

    def check_job(self, request: JobRequest) -> JobCheck:
        """Every fault of a job at once; nothing is queued."""
        return self.post(JobCheck, "/jobs/check", request)

    def jobs(
        self, *, project: str | None = None, state: str | None = None, own: bool = False, limit: int | None = None
    ) -> list[JobSummary]:
        """Jobs, newest first; `own` leaves out stages of runs."""
        return self.list(JobSummary, "/jobs", project=project, state=state, own=str(own).lower(), limit=limit)

    def job(self, ref: str) -> JobDetail:
        """One job."""
        return self.get(JobDetail, f"/jobs/{ref}")

    def cancel_job(self, ref: str) -> JobDetail:
        """End a job of one's own."""
        return self.post(JobDetail, f"/jobs/{ref}/cancel")

    def job_log(self, ref: str, *, offset: int = 0) -> LogAnswer:
        """A piece of a job's log."""
        return self.get(LogAnswer, f"/jobs/{ref}/log", offset=offset)

    def why(self, ref: str) -> WaitReason:
        """Why a job waits."""
        return self.get(WaitReason, f"/jobs/{ref}/why")

    def files(self, ref: str) -> list[ProjectFileInfo]:
        """Files of a project's folder, or those that a job left."""
        return self.list(ProjectFileInfo, f"{_home(ref)}/files")

    def put_project_file(self, project: str, path: str, file: Path, *, sha256: str) -> None:
        """Put a file into a project's folder."""
        self.put_file(f"/projects/{project}/files/{quote(path)}", file, sha256=sha256)

    def fetch_file(self, ref: str, path: str, target: Path) -> None:
        """Download a file of a project's folder, or one that a job left."""
        self.fetch(f"{_home(ref)}/files/{quote(path)}", target)


def _home(ref: str) -> str:
    """The route of whatever has files."""
    return f"/jobs/{ref}" if ref.startswith("job-") else f"/projects/{ref}"
