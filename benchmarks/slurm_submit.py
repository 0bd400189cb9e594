"""What submitting and watching through the Slurm executor costs over bare `sbatch`.

`python -m lab --root DIR up`, then as root `PYTHONPATH=. python benchmarks/slurm_submit.py --lab DIR`. All jobs are held, so that
nothing of what is measured is a job's own work. Processor time is user and system time of this process and its children.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fucina.compute.slurm.cli import CliTransport, slurm_environment
from fucina.compute.slurm.controller import CommandController
from fucina.compute.slurm.executor import SlurmExecutor
from fucina.compute.slurm.opening import open_slurm
from fucina.compute.slurm.rest import RestController
from fucina.compute.slurm.transport import Completed
from fucina.compute.spec import JobSpec, JobState
from fucina.network.spec import Accelerator, Partition, RestAccess, Site, SlurmSite
from lab import Cluster, Lab


class Counting(CliTransport):
    """Counts commands."""

    calls = 0

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", user: str = "") -> Completed:
        self.calls += 1
        return super().run(argv, stdin=stdin, user=user)


class HeldByCommand(CommandController):
    def submit(self, options, script):
        return super().submit(replace(options, hold=True), script)


class HeldByRest(RestController):
    def submit(self, options, script):
        return super().submit(replace(options, hold=True), script)


def cpu_s() -> float:
    """Of this process and of the children that it has waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def process_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def site_of(cluster: Cluster, scratch: Path) -> Site:
    h200 = Accelerator(id="h200", vendor="nvidia", tflops_bf16=989, memory_gib=141)
    shape = {"num_nodes": cluster.spec.num_nodes, "num_gpus_per_node": cluster.spec.gpus_per_node}
    folder = cluster.layout.prefix / "usr" / "bin" if cluster.layout.prefix else None
    slurm = SlurmSite(cluster=cluster.name, conf=cluster.conf, bin=folder, scratch=scratch)
    partition = Partition(id="gpu", accelerator=h200, gres_type="h200", **shape)
    return Site(id="bench", name="bench", executor="slurm", slurm=slurm, partitions=(partition,))


def spec(number: int, folder: Path) -> JobSpec:
    fields = {"name": "bench", "walltime_s": 600, "num_gpus": 1, "user": "alice", "account": "projx"}
    return JobSpec(key=f"bench.{os.getpid()}.{number}", command=("true",), working_directory=str(folder), **fields)


def measure_submit(executor: SlurmExecutor, transport: Counting, folder: Path, num_jobs: int) -> None:
    """Ours and bare, in turns of twenty."""
    ours = bare = 0.0
    executor.submit(spec(0, folder))
    for begin in range(1, num_jobs, 20):
        before = cpu_s()
        for number in range(begin, begin + 20):
            executor.submit(spec(number, folder))
        ours += cpu_s() - before
        argv = [
            "sbatch",
            "--parsable",
            "--hold",
            "--account=projx",
            "--partition=gpu",
            "--gres=gpu:h200:1",
            "--time=10",
        ]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(20):
            assert transport.run([*argv, f"--chdir={folder}"], stdin=b"#!/bin/sh\ntrue\n", user="alice").rc == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        bare += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    num_jobs = len(range(1, num_jobs, 20)) * 20
    print(
        f"submit, {num_jobs} jobs each: bare sbatch {1000 * bare / num_jobs:.1f} ms of processor time a job, "
        f"ours {1000 * ours / num_jobs:.1f} ms, overhead {1000 * (ours - bare) / num_jobs:.1f} ms (bar: 50 ms)"
    )


def measure_poll(executor: SlurmExecutor, transport: Counting, cluster: Cluster, keys: list[str]) -> None:
    executor.poll(keys)
    pid = cluster.pid("slurmctld")
    for _ in range(3):
        calls, cpu, controller, wall = transport.calls, cpu_s(), process_cpu_s(pid), time.perf_counter()
        reports = executor.poll(keys)
        print(
            f"poll of {len(keys):,} active jobs: {transport.calls - calls} command, "
            f"{cpu_s() - cpu:.2f} s of processor time here, {process_cpu_s(pid) - controller:.2f} s in slurmctld, "
            f"{time.perf_counter() - wall:.2f} s"
        )
        assert all(report.state is JobState.CLAIMED for report in reports.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lab", type=Path, required=True)
    parser.add_argument("--submits", type=int, default=200)
    parser.add_argument("--active", type=int, default=10_000)
    given = parser.parse_args()
    cluster = Lab(given.lab).clusters["alpha"]
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        top = Path(name)
        top.chmod(0o755)
        folder = top / "scratch" / "project"
        folder.mkdir(parents=True)
        site = site_of(cluster, top / "scratch")
        executor = open_slurm(site, root=top / "root")
        transport = Counting(environment=slurm_environment(site.slurm), bin_folder=site.slurm.bin)
        by_command = HeldByCommand(transport)
        executor.controller = by_command
        try:
            measure_submit(executor, transport, folder, given.submits)
            token = top / "token"
            token.write_text(cluster.jwt("slurm"))
            executor.controller = HeldByRest(RestAccess(url=cluster.rest_url, user="slurm", token_file=token))
            before, wall = cpu_s(), time.perf_counter()
            for number in range(10_000_000, 10_000_000 + given.active):
                executor.submit(spec(number, folder))
            print(
                f"submit over slurmrestd: {1000 * (cpu_s() - before) / given.active:.1f} ms of processor time a job, "
                f"{given.active / (time.perf_counter() - wall):.0f} jobs/s"
            )
            executor.controller.close()
            executor.controller = by_command
            keys = [f"bench.{os.getpid()}.{number}" for number in range(10_000_000, 10_000_000 + given.active)]
            measure_poll(executor, transport, cluster, keys)
        finally:
            cluster.run_as("root", ["scancel", "--user=alice", "--state=PENDING"], check=True)
            executor.close()


if __name__ == "__main__":
    main()
