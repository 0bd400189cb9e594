"""The shared suite on real clusters, by each way to reach them."""

import pytest

from tests.compute.executor_suite import ExecutorSuite
from tests.compute.slurm.bench import bench_of, site_of, ssh_access

pytestmark = pytest.mark.slurm


class TestCommands(ExecutorSuite):
    """Commands on this machine: root submits as alice."""

    @pytest.fixture
    def bench(self, slurm_lab):
        with bench_of(site_of(slurm_lab.clusters["alpha"]), user="alice", owner="alice", account="projx") as made:
            yield made


class TestRest(ExecutorSuite):
    """slurmrestd: a service that submits as bob with the site's own token."""

    @pytest.fixture
    def bench(self, slurm_lab, tmp_path):
        cluster = slurm_lab.clusters["alpha"]
        token = tmp_path / "token"
        token.write_text(cluster.jwt("slurm"))
        access = {"url": cluster.rest_url, "user": "slurm", "token_file": token}
        with bench_of(
            site_of(cluster, transport="rest", rest=access), user="bob", owner="bob", account="projx"
        ) as made:
            yield made


class TestSsh(ExecutorSuite):
    """Commands on the login node: alice for herself, through nothing but the site file."""

    @pytest.fixture
    def bench(self, slurm_lab):
        cluster = slurm_lab.clusters["beta"]
        access = ssh_access(cluster, "alice")
        with bench_of(site_of(cluster, transport="ssh", ssh=access, account="projy"), user="", owner="alice") as made:
            yield made
