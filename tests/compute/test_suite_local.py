"""The shared suite on the local executor."""

import pytest

from fucina.compute.local import LocalExecutor
from tests.compute.executor_suite import Bench, ExecutorSuite


class TestLocal(ExecutorSuite):
    @pytest.fixture
    def bench(self, tmp_path):
        root = tmp_path / "jobs"
        folder = tmp_path / "work"
        folder.mkdir()
        made = Bench(executor=LocalExecutor(root), folder=folder, reopen=lambda: LocalExecutor(root))
        yield made
        for job in root.iterdir():
            made.executor.cancel(job.name)
            made.final(job.name.removeprefix(f"{made.prefix}."))
