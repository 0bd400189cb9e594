"""The Slurm executor for a site whose files are not mounted here: a job's folder is sent, its results are fetched."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from fucina.compute.slurm.executor import SlurmExecutor
from fucina.compute.slurm.mirror import Mirror
from fucina.compute.spec import JobReport, JobSpec
from fucina.network.status import PartitionStatus

GROWING = "progress.ndjson"
FETCHED = "out/release/"
"""Of what a stage leaves, the files beside `out/` and the release; the rest stays for the stages after it."""


class MirroredExecutor:
    """Jobs of one cluster, reached over the network alone. Implements `Executor`."""

    def __init__(self, inner: SlurmExecutor, mirror: Mirror) -> None:
        self._inner = inner
        self._mirror = mirror
        self._fetched: set[str] = set()

    def submit(self, spec: JobSpec) -> None:
        """Send the job's folder and submit it, or do nothing if its key is known.

        Raises CopyFailed and what `SlurmExecutor` raises.
        """
        folder = Path(spec.working_directory)
        image = str(self._mirror.image(folder))
        if spec.key not in self._inner.known_keys():
            self._mirror.push(folder)
        self._inner.submit(spec.model_copy(update={"working_directory": image, "environment": self._moved(spec)}))

    def poll(self, keys: Iterable[str]) -> dict[str, JobReport]:
        """What is known of these jobs; an end is told once its files are here."""
        reports = self._inner.poll(keys)
        for key, report in reports.items():
            spec = self._inner.spec_of(key)
            if spec is None or key in self._fetched:
                continue
            folder = self._mirror.original(spec.working_directory)
            if report.started_at is not None and not report.is_final:
                self._mirror.pull_tail(folder / GROWING)
            if report.is_final:
                self._mirror.pull(folder, wanted=_is_wanted)
                self._fetched.add(key)
        return reports

    def read_log(self, key: str, *, offset: int, max_bytes: int) -> bytes:
        """A piece of what the job printed. Raises NoSuchJob."""
        return self._inner.read_log(key, offset=offset, max_bytes=max_bytes)

    def cancel(self, key: str) -> None:
        """End the job. Raises NoSuchJob, Unavailable."""
        self._inner.cancel(key)

    def suspend(self) -> None:
        """Nothing: Slurm's jobs do not need the agent."""

    def resume(self) -> None:
        """Nothing: Slurm starts again what it lost itself."""

    def forget(self, key: str) -> None:
        """Drop what is kept about a final job."""
        self._inner.forget(key)
        self._fetched.discard(key)

    def end_again(self) -> int:
        """End jobs that were cancelled and run all the same; how many."""
        return self._inner.end_again()

    def partition_status(self) -> list[PartitionStatus]:
        """What each partition has free and how long its queue is."""
        return self._inner.partition_status()

    def start_estimates(self, keys: Iterable[str]) -> dict[str, datetime]:
        """When Slurm expects waiting jobs to start."""
        return self._inner.start_estimates(keys)

    def known_keys(self) -> list[str]:
        """Keys of jobs that have not ended."""
        return self._inner.known_keys()

    def rediscover(self) -> dict[str, int]:
        """Keys and ids of all our jobs that queue and accounting know."""
        return self._inner.rediscover()

    def close(self) -> None:
        """Let go of connections and files."""
        self._inner.close()
        self._mirror.close()

    def _moved(self, spec: JobSpec) -> dict[str, str]:
        """Variables that name a place of this machine name its image at the site."""
        return {name: self._mirror.moved(value) for name, value in spec.environment.items()}


def _is_wanted(path: str) -> bool:
    return "/" not in path or path.startswith(FETCHED)
