"""The local executor: jobs as processes of this machine, each with a shepherd that outlives the agent."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from fucina.compute import shepherd
from fucina.compute.executor import JobConflict, NoSuchJob
from fucina.compute.spec import FINAL, JobReport, JobSpec, JobState

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
"""Variables that a job inherits; secrets of the agent are not among them."""

_LOOK_S = 0.02


class LocalExecutor:
    """Runs jobs under `root`, one folder a key. Implements `Executor`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._root.mkdir(parents=True, exist_ok=True)

    def folder(self, key: str) -> Path:
        """Where the job's spec, state and log lie. Raises NoSuchJob for a key that leads elsewhere."""
        if key in (".", "..") or "/" in key:
            raise NoSuchJob(f"{key!r} is no job key.", hint="Look at the list of jobs.")
        return self._root / key

    def log(self, key: str) -> Path:
        """What the job printed."""
        return self.folder(key) / "log"

    def read_log(self, key: str, *, offset: int, max_bytes: int) -> bytes:
        """A piece of what the job printed, empty at the end or before it started. Raises NoSuchJob."""
        path = self.log(key)
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(max_bytes)

    def submit(self, spec: JobSpec) -> None:
        """Start the job, or do nothing if its key is known. Raises JobConflict if the key means another job."""
        folder = self.folder(spec.key)
        path = folder / "spec.json"
        inherited = {name: os.environ[name] for name in _KEPT if name in os.environ}
        inherited["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)))
        ranks = {"FUCINA_NUM_RANKS_PER_NODE": str(spec.num_ranks_per_node)} if spec.num_ranks_per_node > 1 else {}
        full = spec.model_copy(update={"environment": inherited | ranks | spec.environment})
        if path.exists():
            known = JobSpec.model_validate(shepherd.read_json(path))
            if known.model_copy(update={"environment": {}}) != spec.model_copy(update={"environment": {}}):
                raise JobConflict(f"Job {spec.key} exists and is another one.", hint="Use a new key for a new job.")
        else:
            folder.mkdir(exist_ok=True)
            shepherd.write_json(path, full.model_dump(mode="json"))
        self._tend(spec.key)

    def poll(self, keys: Iterable[str]) -> dict[str, JobReport]:
        """What is known of these jobs; one whose shepherd was killed gets a new one."""
        reports = {}
        for key in keys:
            report = self._report(key)
            if report.state is not JobState.UNKNOWN and not report.is_final and report.reason != "suspended":
                self._tend(key)
            reports[key] = report
        return reports

    def cancel(self, key: str) -> None:
        """End the job, processes of its group included. Raises NoSuchJob."""
        folder = self.folder(key)
        if not (folder / "spec.json").exists():
            raise NoSuchJob(f"This executor has no job {key}.", hint="Look at the list of jobs.")
        (folder / "cancel").touch()
        self._tend(key)
        self._wake(key)

    def suspend(self) -> None:
        """Ask every running job to save its state and stop, and wait until all have."""
        live = {folder.name: pid for folder in self._root.iterdir() if (pid := self._shepherd(folder.name))}
        for key in live:
            (self.folder(key) / "suspend").touch()
            self._wake(key)
        while any(self._shepherd(key) == pid for key, pid in live.items()):
            threading.Event().wait(_LOOK_S)

    def resume(self) -> None:
        """Start again what was suspended, or lost with the machine."""
        for folder in self._root.iterdir():
            if (folder / "spec.json").exists() and not self._report(folder.name).is_final:
                self._tend(folder.name)

    def forget(self, key: str) -> None:
        """Drop what is kept about a final job."""
        if self._report(key).is_final:
            shutil.rmtree(self.folder(key))

    def _report(self, key: str) -> JobReport:
        folder = self.folder(key)
        if not (folder / "spec.json").exists():
            return JobReport(key=key, state=JobState.UNKNOWN, reason="the executor does not know this job")
        state = shepherd.read_json(folder / "state.json")
        if not state:
            return JobReport(key=key, state=JobState.CLAIMED, reason="starting")
        try:
            report = JobReport.model_validate(state | {"key": key})
        except ValidationError as error:
            return JobReport(
                key=key, state=JobState.UNKNOWN, reason=f"state.json cannot be read: {error.error_count()} faults"
            )
        return report

    def _shepherd(self, key: str) -> int:
        """Process that looks after the job, 0 if there is none."""
        state = shepherd.read_json(self.folder(key) / "state.json")
        pid: int = state.get("shepherd", 0)
        return pid if shepherd.is_alive(pid, state.get("shepherd_started", 0)) else 0

    def _tend(self, key: str) -> None:
        """Make sure that a job which is not final has a shepherd; two at once are one, by its lock."""
        if self._shepherd(key) or self._report(key).state in FINAL:
            return
        (self.folder(key) / "suspend").unlink(missing_ok=True)
        with (self.folder(key) / "shepherd.log").open("ab") as log:
            subprocess.run(  # noqa: S603 - our own module, a list, no shell
                [sys.executable, "-m", "fucina.compute.shepherd", str(self.folder(key))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                check=True,
            )

    def _wake(self, key: str) -> None:
        """Have the shepherd look at its wishes now and not at its next beat."""
        if pid := self._shepherd(key):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGUSR1)
