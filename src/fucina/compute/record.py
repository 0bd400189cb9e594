"""What a stage leaves beside its outputs: progress lines while it runs, one record when it ends."""

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

from fucina.compute.spec import utc_iso


class ProgressLine(BaseModel):
    """One line of `progress.ndjson`."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    stage: str
    done: int
    total: int
    unit: str
    message: str = ""
    values: dict[str, float] = {}
    """Measured numbers such as `loss`, `tokens_per_s`, `mfu`."""


class StageRecord(BaseModel):
    """`record.json`: what went in, what came out, with which versions, seeds, counts and cost."""

    model_config = ConfigDict(frozen=True)

    stage: str
    run: str
    started_at: AwareDatetime
    """First start, over all attempts."""
    ended_at: AwareDatetime
    num_attempts: int
    inputs: dict[str, str]
    """SHA-256 by name: the recipe, source files, and each earlier stage's output tree."""
    outputs: dict[str, str]
    """SHA-256 by path under `out/`."""
    versions: dict[str, str]
    seeds: dict[str, int]
    counts: dict[str, int]
    measurements: dict[str, float]
    wall_s: float
    """Over all attempts."""
    cpu_s: float
    num_gpus: int
    accelerator_s: float
    energy_j: float | None = None
    energy_method: str = ""


class StageResult(BaseModel):
    """What the function behind a stage hands back for the record."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counts: dict[str, int] = {}
    seeds: dict[str, int] = {}
    measurements: dict[str, float] = {}


class Interrupted(Exception):
    """The stage was told to stop and has saved its state; started again it goes on from there."""


class Progress:
    """Writes progress lines to a file and carries the wish to stop from a signal handler to the work loop."""

    def __init__(
        self,
        path: Path,
        *,
        stage: str,
        echo: Callable[[str], object] | None = None,
        guard: Callable[[], None] | None = None,
    ) -> None:
        self._path = path
        self._stage = stage
        self._echo = echo
        """Hears each line in words, for a log or a terminal."""
        self._guard = guard
        """Raises when this process may not write any more."""
        self.stopping = False
        """Set by SIGTERM: save what is needed to resume, then raise Interrupted."""

    def report(
        self, *, done: int, total: int, unit: str, message: str = "", values: Mapping[str, float] | None = None
    ) -> None:
        """Append one line; a reader sees whole lines only. Raises what the guard raises."""
        self.check_lease()
        line = {
            "at": utc_iso(datetime.now(UTC)),
            "stage": self._stage,
            "done": done,
            "total": total,
            "unit": unit,
            "message": message,
            "values": dict(values or {}),
        }
        data = (json.dumps(line, allow_nan=False) + "\n").encode()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
        if self._echo:
            numbers = [f"{name} {value:.6g}" for name, value in (values or {}).items()]
            self._echo(", ".join([f"{done:,} of {total:,} {unit}", *numbers, *([message] if message else [])]) + "\n")

    def check_lease(self) -> None:
        """Raises Fenced when another process has taken this work over; call it before a checkpoint is written."""
        if self._guard:
            self._guard()

    def raise_if_stopping(self) -> None:
        """Raises Interrupted when a stop was asked for; call it where nothing would be lost."""
        self.check_lease()
        if self.stopping:
            raise Interrupted
