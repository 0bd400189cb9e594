"""A job in the terms of a site, and the words that Slurm is given."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.compute.slurm import sbatch
from fucina.compute.slurm.placing import DoesNotFit, OutsideProject, inside, partition_for, place
from fucina.compute.spec import JobSpec
from fucina.network.spec import Accelerator, Billing, Partition, Site, SlurmSite

MI250 = Accelerator(id="mi250", vendor="amd", tflops_bf16=383, memory_gib=128)
CPU = Accelerator(id="cpu", tflops_bf16=5, memory_gib=256)
SITE = Site(
    id="s",
    name="s",
    executor="slurm",
    slurm=SlurmSite(cluster="c", account="own"),
    partitions=(
        Partition(
            id="gpu",
            slurm_name="standard-g",
            accelerator=MI250,
            num_nodes=8,
            num_gpus_per_node=4,
            num_cpus_per_node=56,
            memory_gib_per_node=480,
            billing=Billing(devices_per_gpu=2),
        ),
        Partition(id="cpu", accelerator=CPU, num_nodes=100, gres_type="none", qos="std", constraint="fat"),
    ),
)
ROOTS = (Path("/scratch/p"),)


def options(**changes: object) -> sbatch.SubmitOptions:
    values = {"key": "k", "name": "n", "command": ("true",), "walltime_s": 3600, "working_directory": "/scratch/p/x"}
    spec = JobSpec(**(values | changes))
    return place(spec, site=SITE, slurm=SITE.slurm, roots=ROOTS, after_ok=(), warn_s=120)


def test_modules_are_billed_and_dies_are_asked_for():
    made = options(num_gpus=6, num_nodes=3, memory_gib=10.5, num_cpus=14)
    assert (made.partition, made.num_nodes, made.gres, made.memory_mib) == ("standard-g", 3, "gpu:4", 10752)
    assert (made.account, made.output) == ("own", "/scratch/p/x/job-k.log")


def test_without_devices_whole_nodes_are_asked_for():
    made = options(partition="cpu", num_gpus=3)
    assert (made.num_nodes, made.gres, made.exclusive, made.qos, made.constraint) == (3, "", True, "std", "fat")
    assert not options(partition="cpu").exclusive


def test_a_job_goes_to_the_first_partition_that_fits():
    assert options(num_gpus=100).partition == "cpu"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"num_gpus": 9, "partition": "gpu"}, "9 accelerators a node; gpu has 4"),
        ({"num_gpus": 3, "num_nodes": 2, "partition": "gpu"}, "do not divide among 2"),
        ({"num_nodes": 9, "partition": "gpu"}, "9 nodes; gpu has 8"),
        ({"num_cpus": 57, "partition": "gpu"}, "57 cores"),
        ({"memory_gib": 481, "partition": "gpu"}, "481 GiB"),
        ({"walltime_s": 10**6, "partition": "gpu"}, "of time; gpu allows"),
        ({"partition": "nope"}, "no partition 'nope'"),
        ({"num_gpus": 101}, "101 nodes; cpu has 100"),
    ],
)
def test_what_fits_nowhere_is_said(changes, text):
    with pytest.raises(DoesNotFit, match=text) as caught:
        options(**changes)
    assert caught.value.hint


@pytest.mark.parametrize(
    "path", ["", "x", "/scratch/p/../q", "/scratch/pq", "/etc", "/scratch/p/a\n#SBATCH", "/scratch"]
)
def test_a_path_that_leads_out_is_refused(path):
    with pytest.raises(OutsideProject):
        inside(path, ROOTS)


@given(st.lists(st.sampled_from(["..", ".", "a", "p", "scratch", "/"]), max_size=8))
def test_no_path_escapes(parts):
    path = "/scratch/p/" + "/".join(parts)
    try:
        plain = inside(path, ROOTS)
    except OutsideProject:
        return
    assert Path(plain).is_relative_to("/scratch/p") and ".." not in Path(plain).parts


def test_only_a_job_that_saves_its_state_is_warned():
    assert options().warn_s == 120
    assert options(requeue=False).warn_s == 0
    assert options(saves_state=False).warn_s == 0
    assert options(walltime_s=300).warn_s == 0


@given(
    key=st.from_regex(r"[A-Za-z0-9._-]{1,50}", fullmatch=True),
    name=st.text(max_size=80),
    nodes=st.integers(1, 8),
    minutes=st.integers(1, 1000),
    after=st.lists(st.integers(1, 10**8), max_size=3),
)
def test_every_word_for_sbatch_is_one_option_and_the_key_comes_back(key, name, nodes, minutes, after):
    made = sbatch.SubmitOptions(
        key=key,
        name=name,
        time_min=minutes,
        working_directory="/scratch/p/a b",
        output="/scratch/p/o",
        num_nodes=nodes,
        after_ok=tuple(after),
    )
    argv = sbatch.argv(made)
    assert argv[0] == "sbatch" and all(word.startswith("--") for word in argv[1:])
    assert not any(character in word for word in argv for character in "\n\0")
    comment = next(word for word in argv if word.startswith("--comment=")).removeprefix("--comment=")
    assert sbatch.key_of(comment) == key
    assert ("--dependency=afterok:" + ":".join(map(str, after)) in argv) is bool(after)


def test_the_first_partition_is_not_taken_for_a_named_one():
    spec = JobSpec(key="k", name="n", command=("true",), walltime_s=60, partition="standard-g")
    assert partition_for(spec, SITE).id == "gpu"
