import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from benchmarks.plan_table import RUNS
from fucina.cli import plan_commands
from fucina.cli.main import app

TRAIN = ["plan", "train", "--model", "llama-3-8b", "--tokens", "1T"]


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("system", ["leonardo-booster", "lumi-g"])
def test_people_read_layouts_days_and_hours(system):
    done = run(*TRAIN, "--system", system)

    assert done.exit_code == 0, done.output
    for words in ("GPU-hours", "8 in 10", "MFU", "ZeRO", "half the network", "Does not fit", "interruptions", "CO2e"):
        assert words in done.output


def test_programs_read_json():
    done = run(*TRAIN, "--system", "leonardo-booster", "--format", "json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["gpu_hours"]["value"] > 0


def test_launch_and_application(tmp_path):
    done = run(
        *TRAIN, "--system", "leonardo-booster", "--gpus", "64", "--launch", tmp_path / "run.yaml", "--application"
    )

    assert done.exit_code == 0
    assert "## Technical justification" in done.output
    assert "torchrun" in (tmp_path / "run.yaml").read_text(encoding="utf-8")


def test_inference():
    done = run(*TRAIN[:-1], "1B", "--recipe", "inference", "--system", "H100-80GB")

    assert done.exit_code == 0
    assert "for each user" in done.output


@pytest.mark.parametrize(
    "wrong",
    [
        ["--tokens", "0", "--system", "lumi-g"],
        ["--tokens", "some", "--system", "lumi-g"],
        ["--tokens", "1T", "--system", "nowhere"],
        ["--tokens", "1T", "--system", "lumi-g", "--model", "nothing"],
        ["--tokens", "1T", "--system", "lumi-g", "--precision", "fp8"],
        ["--tokens", "1T", "--system", "lumi-g", "--gpus", "1"],
        ["--tokens", "1T", "--system", "lumi-g", "--batch", "0"],
        ["--tokens", "1T", "--system", "lumi-g", "--batch", "2T"],
        ["--tokens", "1T", "--system", "lumi-g", "--failures", "1e308"],
        ["--tokens", "1T", "--system", "lumi-g", "--restart", "1e308"],
        ["--tokens", "1T", "--system", "lumi-g", "--carbon", "1e308"],
        ["--tokens", "1T", "--system", "lumi-g", "--model", "x" * 5000],
        ["--tokens", "1T", "--system", "lumi-g", "--model", "x" * 5000 + ".json"],
        ["--tokens", "1T", "--system", "lumi-g", "--sequence", "999999999999999999"],
        ["--tokens", "1B", "--system", "lumi-g", "--sequence", "10000000000", "--recipe", "inference"],
        ["--tokens", "1T", "--system", "H100-80GB", "--gpus", "10000000000000"],
        ["--tokens", "1T", "--system", "lumi-g", "--price", "inf"],
        ["--tokens", "1T", "--system", "lumi-g", "--gpus", "8", "--launch", "/nonexistent/file"],
    ],
)
def test_a_mistake_ends_with_2_and_a_hint_and_no_traceback(wrong):
    done = run("plan", "train", "--model", "llama-3-8b", *wrong)

    assert done.exit_code == 2
    assert not done.stdout
    assert "✗" in done.stderr and len(done.stderr.strip().splitlines()) >= 2
    assert "Traceback" not in done.output


def test_score_prints_errors_by_family_and_accelerator():
    done = run("plan", "score", RUNS, "--format", "json")

    assert done.exit_code == 0
    groups = {line["group"] for line in json.loads(done.stdout)["summary"]}
    assert "dense, healthy steps" in groups
    assert any(group.startswith("family tt/") for group in groups)
    assert "accelerator H100-80GB" in groups
    assert run("plan", "score", RUNS, "--held-out").exit_code == 0
    assert run("plan", "score", "/absent.yaml").exit_code == 2


def test_without_numpy_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(plan_commands, "find_spec", lambda name: None)
    done = run(*TRAIN, "--system", "lumi-g")

    assert done.exit_code == 6
    assert "fucina[plan]" in done.stderr


def test_asking_loads_no_framework():
    code = (
        "import sys; from typer.testing import CliRunner; from fucina.cli.main import app; "
        "done = CliRunner().invoke(app, ['plan', 'train', '--model', 'llama-3-8b', '--tokens', '1T', '--system', "
        "'lumi-g']); assert done.exit_code == 0, done.output; "
        "print([name for name in ('torch', 'django', 'transformers', 'scipy', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
