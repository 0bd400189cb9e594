"""Scripts of jobs over several nodes."""

import subprocess

import pytest

from fucina.compute.slurm.script import Surroundings, on_every_node, render
from fucina.compute.spec import JobSpec
from fucina.network.spec import ContainerRuntime


def spec(**changes) -> JobSpec:
    values = {"key": "k", "name": "n", "command": ("fucina", "stage", "train", "."), "walltime_s": 600}
    return JobSpec(**(values | {"working_directory": "/scratch/p", "num_gpus": 8} | changes))


def test_a_job_on_one_node_is_started_as_it_is():
    text = render(spec(num_ranks_per_node=4), Surroundings())
    assert "srun" not in text
    assert "FUCINA_NUM_RANKS_PER_NODE=4" in text
    assert "FUCINA_RENDEZVOUS" not in text
    assert 'kill -TERM "$child"' in text


def test_training_on_two_nodes_starts_once_on_each():
    text = render(spec(num_nodes=2, num_ranks_per_node=4), Surroundings(interconnect="ib0"))
    assert "srun --nodes=2 --ntasks=2 --ntasks-per-node=1 --kill-on-bad-exit=0 fucina stage train . &" in text
    assert 'export FUCINA_RENDEZVOUS="$first:' in text
    assert "NCCL_SOCKET_IFNAME=ib0" in text
    assert 'kill -USR1 "$child"' in text


def test_another_job_on_two_nodes_starts_its_own_steps():
    text = render(spec(num_nodes=2, command=("srun", "hostname")), Surroundings())
    assert "srun hostname &" in text
    assert "FUCINA_NUM_NODES" not in text


def test_a_container_that_srun_starts_is_started_on_each_node():
    around = Surroundings(container=ContainerRuntime.PYXIS, image="fucina.sqsh")
    text = render(spec(num_nodes=2, num_ranks_per_node=4), around)
    (line,) = [line for line in text.splitlines() if line.startswith("srun")]
    assert line.count("srun") == 1
    assert "--nodes=2 --ntasks=2 --ntasks-per-node=1" in line
    assert "--container-image=fucina.sqsh" in line
    assert line.endswith("fucina stage train . &")


def test_apptainer_is_started_on_each_node():
    around = Surroundings(container=ContainerRuntime.APPTAINER, image="fucina.sif", vendor="amd")
    argv = on_every_node(["apptainer", "exec", "fucina.sif", "fucina"], spec=spec(num_nodes=2, num_ranks_per_node=1))
    assert argv[:2] == ["srun", "--nodes=2"]
    assert argv[-4:] == ["apptainer", "exec", "fucina.sif", "fucina"]
    assert "--rocm" in render(spec(num_nodes=2, num_ranks_per_node=1), around)


@pytest.mark.parametrize("num_nodes", [1, 2, 3])
@pytest.mark.parametrize("num_ranks_per_node", [0, 1, 4])
def test_bash_reads_every_script(num_nodes, num_ranks_per_node):
    text = render(spec(num_nodes=num_nodes, num_ranks_per_node=num_ranks_per_node), Surroundings(interconnect="a b'c"))
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
