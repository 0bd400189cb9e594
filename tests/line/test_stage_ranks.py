"""`fucina stage train` with several processes, as a job over several accelerators starts it."""

import os
import signal
import subprocess
import sys

import pytest

from fucina.cli.ranks import NoRendezvous, torchrun_command
from fucina.config import Settings
from fucina.line.stage import EXIT_INTERRUPTED, EXIT_OK
from fucina.line.task import read_record
from tests.line.factory import tiny_project, wait_for

pytestmark = pytest.mark.line


def environment(home, **more: str) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("FUCINA_")}
    return mine | {"FUCINA_HOME": str(home), "FUCINA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"} | more


@pytest.mark.slow
def test_two_processes_stop_on_sigterm_and_go_on(tmp_path):
    project = tiny_project(tmp_path / "project")
    home, work = tmp_path / "home", tmp_path / "work"
    fucina = [sys.executable, "-m", "fucina.cli"]
    subprocess.run(
        [*fucina, "workdirs", str(project), str(work)], env=environment(home), check=True, capture_output=True
    )
    prepare = [*fucina, "stage", "prepare", str(work / "prepare")]
    subprocess.run(prepare, env=environment(home), check=True, capture_output=True)

    both = environment(home, FUCINA_NUM_RANKS_PER_NODE="2")
    log = tmp_path / "log"
    command = [*fucina, "stage", "train", str(work / "train")]
    with log.open("wb") as output, subprocess.Popen(command, env=both, stdout=output, stderr=output) as process:
        lines = work / "train" / "progress.ndjson"
        wait_for(lambda: lines.is_file() and b'"loss"' in lines.read_bytes())
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == EXIT_INTERRUPTED, log.read_text()
    assert not (work / "train" / "record.json").exists()
    assert (work / "train" / "scratch" / "checkpoints").is_dir()

    done = subprocess.run(command, env=both, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == EXIT_OK, done.stderr
    record = read_record(work / "train")
    assert record.counts["ranks"] == 2
    assert record.num_attempts == 2


def test_several_nodes_need_a_place_to_meet(tmp_path):
    with pytest.raises(NoRendezvous, match="4 nodes"):
        torchrun_command(tmp_path, Settings(home=tmp_path, num_nodes=4, num_ranks_per_node=8))
    command = torchrun_command(
        tmp_path, Settings(home=tmp_path, num_nodes=4, num_ranks_per_node=8, rendezvous="n1:29500")
    )
    assert {"--nnodes=4", "--nproc-per-node=8", "--rdzv-endpoint=n1:29500"} <= set(command)
