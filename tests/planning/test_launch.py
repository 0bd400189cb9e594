"""The settings that a plan writes start the factory's own trainer: torchrun, two processes, on processors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fucina.line.task import read_record
from fucina.models.recipe import TrainRecipe
from fucina.planning.ask import TrainingQuestion
from fucina.planning.launch import WORKDIR, launch_yaml, trainer_settings
from fucina.planning.training import OWN_TOKENS_AT_ONCE, FitsNowhere, plan_training
from tests.line.factory import tiny_project


def ask(**changes):
    fields = {
        "model": "fucina-0.1m", "num_tokens": 20_000, "system": "A100-40GB", "num_devices": 2, "sequence": 64,
        "batch_tokens": 2048, "fsdp_only": True,
    }  # fmt: skip
    return plan_training(TrainingQuestion(**{**fields, **changes}))


def test_the_recipe_is_the_trainer_s_own_and_says_what_was_asked():
    settings = yaml.safe_load(launch_yaml(ask()))["trainer"]
    recipe = TrainRecipe.model_validate(settings["recipe"])

    assert (recipe.size, recipe.num_tokens, recipe.sequence_length, recipe.batch_tokens) == ("0.1M", 20_000, 64, 2048)
    assert recipe.peak_tflops == 2 * 312
    assert settings["command"][:4] == ["torchrun", "--standalone", "--nnodes=1", "--nproc-per-node=2"]


def test_several_nodes_meet_at_the_first():
    asked = {"model": "fucina-1b", "system": "A100-80GB", "num_devices": 64, "sequence": 2048, "batch_tokens": 2**20,
             "num_tokens": 10**9}  # fmt: skip
    command = trainer_settings(ask(**asked))["command"]

    assert {"--nnodes=8", "--nproc-per-node=8", "--rdzv-backend=c10d"} <= set(command)
    assert "--standalone" not in command


@pytest.mark.parametrize(
    "change",
    [
        {"model": "llama-3-8b", "num_devices": 64, "batch_tokens": 1_000_000, "num_tokens": 10**9},
        {"recipe": "sft"},
        {"sequence": 8},
    ],
)
def test_what_the_trainer_cannot_do_gets_no_command_of_it(change):
    answer = ask(**change)

    assert trainer_settings(answer) is None
    assert "trainer" not in yaml.safe_load(launch_yaml(answer))


def test_eight_bits_are_not_the_trainer_s():
    assert trainer_settings(ask(system="H100-80GB", precision="fp8")) is None


def test_a_size_whose_state_one_accelerator_cannot_hold_is_refused_for_the_trainer():
    with pytest.raises(FitsNowhere, match=r"fucina-30b.*fits nowhere"):
        ask(model="fucina-30b", num_devices=64, sequence=2048, batch_tokens=4_194_304, num_tokens=10**9)


@pytest.mark.slow
def test_tokens_at_once_are_the_trainer_s():
    from fucina.models.run import _TOKENS_AT_ONCE  # noqa: PLC0415 - torch is heavy

    assert _TOKENS_AT_ONCE["cuda"] == OWN_TOKENS_AT_ONCE


@pytest.mark.slow
@pytest.mark.line
def test_the_written_settings_start_the_trainer_on_two_processes(tmp_path):
    project, work, home = tiny_project(tmp_path / "project"), tmp_path / "work", tmp_path / "home"
    mine = {name: value for name, value in os.environ.items() if not name.startswith("FUCINA_")}
    environment = mine | {"FUCINA_HOME": str(home), "FUCINA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

    def call(*arguments):
        done = subprocess.run(
            [str(argument) for argument in arguments],
            env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    fucina = (sys.executable, "-m", "fucina.cli")
    call(*fucina, "workdirs", project, work)
    call(*fucina, "stage", "prepare", work / "prepare")
    launch = tmp_path / "launch.yaml"
    call(
        *fucina, "plan", "train", "--model", "fucina-0.1m", "--tokens", "20000", "--system", "A100-40GB", "--gpus", "2",
        "--sequence", "64", "--batch", "2048", "--launch", launch,
    )  # fmt: skip
    settings = yaml.safe_load(launch.read_text(encoding="utf-8"))["trainer"]
    stage = work / "train" / "stage.json"
    stage.write_text(json.dumps(json.loads(stage.read_text()) | {"recipe": settings["recipe"]}), encoding="utf-8")

    program, *arguments = settings["command"]
    arguments = [str(work / "train") if argument == WORKDIR else argument for argument in arguments]
    call(Path(sys.executable).with_name(program), *arguments)

    record = read_record(work / "train")
    assert record.counts["ranks"] == 2
    summary = json.loads((work / "train" / "out" / "summary.json").read_text())
    assert summary["num_tokens"] >= 20_000
