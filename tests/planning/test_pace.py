import subprocess
import sys

import pytest

from fucina.planning.ask import TrainingQuestion
from fucina.planning.machines import UnknownAccelerator, find_accelerator
from fucina.planning.pace import training_flops_per_s
from fucina.planning.training import plan_training


@pytest.mark.parametrize(
    ("model", "parameters", "accelerator"),
    [("llama-3-8b", 8e9, "H100-80GB"), ("llama-3-70b", 70e9, "A100-80GB"), ("fucina-1b", 1e9, "A100-64GB")],
)
def test_the_pace_is_near_what_the_search_finds(model, parameters, accelerator):
    found = training_flops_per_s(parameters, accelerator=accelerator)
    answer = plan_training(
        TrainingQuestion(
            model=model, num_tokens=10**12, system=accelerator, num_devices=64, sequence=4096, stack="eager",
            batch_tokens=2**22,
        )
    )  # fmt: skip
    searched = 6 * answer.parameters * answer.layout.tokens_per_s_per_device

    assert found == pytest.approx(searched, rel=0.2)
    assert found < find_accelerator(accelerator).peak_16


@pytest.mark.parametrize("parameters", [0.0, 1.0, 1e6, 1e9, 1e12, 1e30])
def test_any_size_has_a_pace(parameters):
    assert 0 < training_flops_per_s(parameters, accelerator="H100-80GB") < 989e12


def test_an_unknown_accelerator_is_named():
    with pytest.raises(UnknownAccelerator, match="Z80"):
        training_flops_per_s(1e9, accelerator="Z80")


def test_it_needs_neither_numpy_nor_a_compiler():
    code = "import sys, fucina.access.needs; print(any(name in sys.modules for name in ('numpy', 'numba')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
