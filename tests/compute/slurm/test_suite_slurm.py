"""The shared suite on real clusters, by each way to reach them."""

import pytest

from tests.compute.executor_suite import ExecutorSuite
from tests.compute.slurm.bench import bench_of, site_of

pytestmark = pytest.mark.slurm


class TestCommands(ExecutorSuite):
    """Commands on this machine: root submits as alice."""

    @pytest.fixture
    def bench(self, slurm_lab):
        with bench_of(site_of(slurm_lab.clusters["alpha"]), user="alice", owner="alice", account="projx") as made:
            yield made
