"""From a project to five jobs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.compute.spec import JobSpec
from fucina.data.recipe import SourceFile
from fucina.line.plan import BadNumberOfGpus, BudgetTooSmall, nodes_for, plan_run
from fucina.line.project_file import load_project
from fucina.line.spec import STAGES
from fucina.network.spec import load_network
from fucina.units import gpu_seconds
from tests.conftest import EXAMPLE

SITE = load_network().sites[0]
SOURCES = (SourceFile(path="a.jsonl", name="a.jsonl", sha256="0" * 64, num_bytes=1, licence="CC0-1.0"),)
SPEC = load_project(EXAMPLE / "project.yaml")


def planned(spec):
    return plan_run(spec, sources=SOURCES, run="run1", site=SITE, partition=SITE.partitions[0])


def test_each_stage_waits_for_the_one_before():
    stages = planned(SPEC)
    assert [stage.stage for stage in stages] == list(STAGES)
    assert [stage.job.depends_on for stage in stages] == [(), *((stage.job.key,) for stage in stages[:-1])]
    assert all(stage.input.parsed_recipe() for stage in stages)
    assert all(JobSpec.model_validate_json(stage.job.model_dump_json()) == stage.job for stage in stages)


@given(st.floats(0.2, 1000))
def test_a_run_never_holds_more_than_the_project_allows(hours):
    spec = SPEC.model_copy(update={"compute": SPEC.compute.model_copy(update={"gpu_hours": hours})})
    held = sum(stage.job.num_gpus * stage.job.walltime_s for stage in planned(spec))
    assert held <= gpu_seconds(hours)


def test_a_budget_that_cannot_do_names_both_numbers():
    spec = SPEC.model_copy(update={"compute": SPEC.compute.model_copy(update={"gpu_hours": 0.001})})
    with pytest.raises(BudgetTooSmall, match=r"needs about [\d.]+ GPU-hours .* leaves [\d.]+ for it") as caught:
        planned(spec)
    assert "compute.gpu_hours" in caught.value.hint


BIG = SITE.partitions[0].model_copy(update={"num_nodes": 3, "num_gpus_per_node": 4})


def planned_on(num_gpus, hours=10.0):
    compute = SPEC.compute.model_copy(update={"gpus": num_gpus, "gpu_hours": hours})
    spec = SPEC.model_copy(update={"compute": compute})
    return plan_run(spec, sources=SOURCES, run="run1", site=SITE, partition=BIG)


@given(st.sampled_from([1, 2, 3, 4, 8, 12]), st.floats(1, 1000))
def test_training_takes_whole_nodes_or_a_part_of_one_and_keeps_the_budget(num_gpus, hours):
    stages = planned_on(num_gpus, hours)
    train = next(stage.job for stage in stages if stage.stage == "train")
    assert train.num_gpus == num_gpus == train.num_nodes * train.num_ranks_per_node
    assert train.num_nodes == -(-num_gpus // 4)
    assert sum(stage.job.num_gpus * stage.job.walltime_s for stage in stages) <= gpu_seconds(hours)
    assert all(stage.job.num_nodes == 1 for stage in stages if stage.stage != "train")


@pytest.mark.parametrize(("num_gpus", "said"), [(13, "has 12"), (5, "no whole number of nodes"), (100_000, "has 12")])
def test_accelerators_that_the_partition_cannot_give(num_gpus, said):
    with pytest.raises(BadNumberOfGpus, match=said) as caught:
        nodes_for(num_gpus, site=SITE, partition=BIG)
    assert "compute.gpus" in caught.value.hint


def test_more_accelerators_than_seconds_of_budget():
    with pytest.raises(BudgetTooSmall):
        planned_on(12, hours=0.004)
