"""The training stage over two nodes of a real cluster, stopped before its walltime and put back into the queue."""

import os
import subprocess
import sys

import pytest

from fucina.compute.spec import JobSpec, JobState
from fucina.line.task import read_record
from tests.compute.slurm.bench import bench_of, site_of
from tests.line.factory import tiny_project, wait_for

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def prepared(tmp_path):
    """The working directories of a tiny project, `prepare` done."""
    home = tmp_path / "home"
    project = tiny_project(tmp_path / "project")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FUCINA_")}
    environment |= {"FUCINA_HOME": str(home), "FUCINA_NUM_THREADS": "1"}
    for words in (["workdirs", project, tmp_path / "work"], ["stage", "prepare", tmp_path / "work" / "prepare"]):
        command = [sys.executable, "-m", "fucina.cli", *map(str, words)]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    return tmp_path / "work"


def test_training_over_two_nodes_saves_its_state_when_warned_and_goes_on(slurm_lab, site_programs, prepared):
    cluster = slurm_lab.clusters["alpha"]
    with bench_of(site_of(cluster, programs=site_programs), user="alice", owner="alice", account="projx") as bench:
        work = bench.folder / "run"
        subprocess.run(["cp", "-r", str(prepared), str(work)], check=True)
        subprocess.run(["chown", "-R", "alice:", str(work)], check=True)
        train = work / "train"
        spec = JobSpec(
            key=f"{bench.prefix}.train",
            name="train",
            command=("fucina", "stage", "train", "."),
            num_gpus=4,
            num_nodes=2,
            num_ranks_per_node=2,
            walltime_s=600,
            working_directory=str(train),
            environment={"FUCINA_HOME": str(work), "FUCINA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            user="alice",
            account="projx",
        )
        bench.executor.submit(spec)
        lines, log = train / "progress.ndjson", train / f"job-{spec.key}.log"

        def trains() -> bool:
            report = bench.executor.poll([spec.key])[spec.key]
            assert not report.is_final, (report.reason, log.read_text())
            return lines.is_file() and b'"loss"' in lines.read_bytes()

        wait_for(trains)
        native = bench.executor.poll([spec.key])[spec.key].native_id
        cluster.run_as("alice", ["scancel", "--batch", "--signal=USR1", native])

        def put_back() -> bool:
            found = bench.executor.poll([spec.key])[spec.key]
            assert not found.is_final, (found.reason, log.read_text())
            return "goes back into the queue" in log.read_text()

        wait_for(put_back, seconds=60)
        assert not (train / "record.json").exists()

        def ended() -> bool:
            return bench.executor.poll([spec.key])[spec.key].is_final

        wait_for(ended, seconds=240)
        report = bench.executor.poll([spec.key])[spec.key]
        assert report.state is JobState.SUCCEEDED, (report.reason, log.read_text())
        assert report.num_attempts == 2
        record = read_record(train)
        assert record.counts["ranks"] == 4
        assert record.num_attempts == 2
