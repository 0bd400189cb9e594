"""An executor whose jobs end when a test says so; it keeps its jobs in a folder, as Slurm keeps them from the agent."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from fucina.compute.executor import JobConflict, NoSuchJob
from fucina.compute.spec import JobReport, JobSpec, JobState
from fucina.errors import Unavailable
from tests.hub.conftest import NOON


class Scripted:
    """Implements `Executor` with what stands in its files; another one of the same folder is the same cluster."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir(parents=True, exist_ok=True)
        self.is_down = False
        self.num_submits = 0
        self.cancelled: list[str] = []
        self.starts: dict[str, datetime] = {}
        self.num_forecasts = 0

    def submit(self, spec: JobSpec) -> None:
        self._answer()
        path = self.root / f"{spec.key}.json"
        if path.exists():
            if JobSpec.model_validate_json(path.read_text()).command != spec.command:
                raise JobConflict("another job", hint="")
            return
        self.num_submits += 1
        path.write_text(spec.model_dump_json())
        self.say(spec.key, JobState.CLAIMED, pending_reason="Priority")

    def say(self, key: str, state: JobState, **changes: object) -> None:
        """What the next poll shows."""
        began = None if state is JobState.CLAIMED else NOON
        fields = {"key": key, "state": state, "native_id": key[-4:], "started_at": began} | changes
        (self.root / f"{key}.report").write_text(JobReport.model_validate(fields).model_dump_json())

    def specs(self) -> dict[str, JobSpec]:
        """Every job that was ever submitted."""
        found = [JobSpec.model_validate(json.loads(path.read_text())) for path in self.root.glob("*.json")]
        return {spec.key: spec for spec in found}

    def poll(self, keys: Iterable[str]) -> dict[str, JobReport]:
        self._answer()
        reports = {}
        for key in keys:
            path = self.root / f"{key}.report"
            unknown = JobReport(key=key, state=JobState.UNKNOWN, reason="gone")
            reports[key] = JobReport.model_validate_json(path.read_text()) if path.exists() else unknown
        return reports

    def read_log(self, key: str, *, offset: int, max_bytes: int) -> bytes:
        path = self.root / f"{key}.log"
        return path.read_bytes()[offset : offset + max_bytes] if path.exists() else b""

    def cancel(self, key: str) -> None:
        self._answer()
        if not (self.root / f"{key}.json").exists():
            raise NoSuchJob("none", hint="")
        if self.poll([key])[key].is_final:
            return
        self.cancelled.append(key)
        self.say(key, JobState.CANCELLED, reason="cancelled")

    def start_estimates(self, keys: Iterable[str]) -> dict[str, datetime]:
        self._answer()
        self.num_forecasts += 1
        return {key: self.starts[key] for key in keys if key in self.starts}

    def suspend(self) -> None:
        """Nothing."""

    def resume(self) -> None:
        """Nothing."""

    def forget(self, key: str) -> None:
        (self.root / f"{key}.report").unlink(missing_ok=True)

    def _answer(self) -> None:
        if self.is_down:
            raise Unavailable("The cluster is down.", hint="Wait.")
