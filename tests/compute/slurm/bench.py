"""Executors on the lab's clusters, as a site file describes them."""

import os
import pwd
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fucina.compute.slurm.opening import open_slurm
from fucina.network.spec import Accelerator, Partition, Site, SlurmSite, SshAccess
from lab import Cluster
from lab.daemons import wait_until
from tests.compute.executor_suite import Bench

H200 = Accelerator(id="h200", vendor="nvidia", tflops_bf16=989, memory_gib=141)


def site_of(cluster: Cluster, **slurm: object) -> Site:
    """The site file of a cluster of the lab."""
    shape = {
        "accelerator": H200,
        "num_nodes": cluster.spec.num_nodes,
        "num_gpus_per_node": cluster.spec.gpus_per_node,
        "gres_type": "h200",
    }
    values = {"cluster": cluster.name, "conf": cluster.conf, "checkpoint_warning_s": 20} | slurm
    if cluster.layout.prefix:
        values["bin"] = cluster.layout.prefix / "usr" / "bin"
    return Site(
        id=cluster.name,
        name=cluster.name,
        executor="slurm",
        slurm=SlurmSite(**values),
        partitions=tuple(Partition(id=name, **shape) for name in ("gpu", "short", "lowprio")),
    )


def ssh_access(cluster: Cluster, user: str, **changes: object) -> SshAccess:
    """How `user` signs in at the cluster's login node."""
    values = {"host": "127.0.0.1", "port": cluster.ssh_port, "user": user}
    values |= {"key": cluster.ssh_key, "known_hosts": cluster.known_hosts}
    return SshAccess(**(values | changes))


@contextmanager
def bench_of(site: Site, *, user: str, owner: str, **fields: object) -> Iterator[Bench]:
    """A bench whose jobs run as `user`, in a folder of `owner` that every node sees."""
    with tempfile.TemporaryDirectory(prefix="fucina-bench-", ignore_cleanup_errors=True) as name:
        top = Path(name)
        top.chmod(0o755)
        scratch, root = top / "scratch", top / "root"
        folder = scratch / "project"
        folder.mkdir(parents=True)
        entry = pwd.getpwnam(owner)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        slurm = site.slurm.model_copy(update={"scratch": scratch})
        site = site.model_copy(update={"slurm": slurm})
        opened = []

        def reopen():
            opened.append(open_slurm(site, root=root))
            return opened[-1]

        made = Bench(executor=reopen(), folder=folder, reopen=reopen, fields={"user": user} | fields)
        made.site, made.root = site, root
        try:
            yield made
        finally:
            keys = made.executor.known_keys()
            for key in keys:
                made.executor.cancel(key)
            try:
                for key in keys:
                    made.final(key.removeprefix(f"{made.prefix}."))
            finally:
                for executor in opened:
                    executor.close()


def saved(cluster: Cluster) -> None:
    """Return when slurmctld has written down what it knows now."""
    began, state = time.time_ns(), cluster.places.state / "job_state"
    wait_until("saved state", lambda: state.stat().st_mtime_ns > began, within_s=30)


def in_queue(cluster: Cluster, key: str) -> list[str]:
    """Ids of all jobs of alice with that key that the queue knows, whatever their state."""
    rows = cluster.run_as("root", ["squeue", "-h", "-t", "all", "-u", "alice", "-o", "%A %k"], check=True).stdout
    return [line.split()[0] for line in rows.splitlines() if line.endswith(f"fucina:{key}")]
