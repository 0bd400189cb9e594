"""The stage is ended by SIGKILL, which no code can catch, and started again."""

import multiprocessing
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from fucina.compute.record import Progress
from fucina.trust.evaluate import evaluate
from fucina.trust.recipe import EvaluateRecipe

RECIPE = EvaluateRecipe(
    gates={"memorised_share": 0.01},
    num_memorisation_probes=20,
    num_exposure_candidates=31,
    num_leak_samples=1,
    num_threads=1,
)


class DiesAt(Progress):
    """Kills its own process when a message appears."""

    def __init__(self, path: Path, *, message: str) -> None:
        super().__init__(path, stage="evaluate")
        self._message = message

    def report(
        self, *, done: int, total: int, unit: str, message: str = "", values: Mapping[str, float] | None = None
    ) -> None:
        if message.startswith(self._message):
            os.kill(os.getpid(), signal.SIGKILL)


def run(model: Path, data: Path, folder: Path, message: str) -> None:
    progress = DiesAt(folder / "progress.ndjson", message=message)
    evaluate(RECIPE, model=model, data=data, out=folder / "out", scratch=folder / "scratch", progress=progress)


@pytest.mark.slow
def test_a_killed_evaluation_ends_with_the_same_bytes(tmp_path: Path, prepared_data: Path, fresh_model: Path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(fresh_model, prepared_data, whole, "never")
    spawn = multiprocessing.get_context("spawn")
    for message in ("leakage: 2", "every gate holds"):
        process = spawn.Process(target=run, args=(fresh_model, prepared_data, killed, message))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    for leftover in (killed / "out" / "results.json.partial", killed / "scratch" / "parts" / "samples.json.partial"):
        leftover.write_bytes(b"{")

    (killed / "scratch" / "parts" / "samples.json").unlink()
    run(fresh_model, prepared_data, killed, "never")

    assert {path.name: path.read_bytes() for path in (killed / "out").iterdir()} == {
        path.name: path.read_bytes() for path in (whole / "out").iterdir()
    }
