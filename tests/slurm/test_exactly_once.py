"""Exactly once, proven: thousands of real jobs over both clusters while every part is killed and started again."""

import os
import shutil
from contextlib import ExitStack

import pytest

from tests.agent.slurm_world import new_folder
from tests.slurm.chaos import Chaos
from tests.with_postgres import postgres

NUM_JOBS = int(os.environ.get("EXACTLY_ONCE_JOBS", "0"))
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.slow,
    pytest.mark.skipif(not NUM_JOBS, reason="takes long: set EXACTLY_ONCE_JOBS, or run benchmarks/exactly_once.py"),
]
SEED = int(os.environ.get("EXACTLY_ONCE_SEED", "1"))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_gpu_second_is_counted_once_whatever_is_killed(slurm_lab, tmp_path, database):
    folder = new_folder()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = stack.enter_context(postgres()) if database == "postgresql" else ""
        chaos = Chaos(slurm_lab, folder, num_jobs=NUM_JOBS // 2, seed=SEED, postgres=url, gently=True)
        stack.callback(lambda: print(chaos.world.logs()))  # noqa: T201 - shown when the test fails
        stack.callback(chaos.close)
        chaos.open(tmp_path / "apply")
        chaos.run(tmp_path)
        audit = chaos.settle(seconds=300)
        print(chaos.report(audit))  # noqa: T201 - the numbers
        assert audit.faults == []
        assert all(chaos.killed.values())
