import pytest
import torch
from transformers import LlamaForCausalLM

from fucina.models.decoder import config_for
from fucina.models.recipe import (
    SIZES,
    UnknownSize,
    default_learning_rate,
    default_weight_decay,
    num_block_parameters,
    num_parameters,
    shape_for,
    train_flops,
)
from fucina.units import parse_count


@pytest.mark.parametrize("size", SIZES)
def test_a_size_has_about_the_parameters_that_its_name_says(size: str) -> None:
    named = float(size[:-1]) * parse_count(f"1{size[-1]}")
    vocabulary_size = 4096 if named < 100e6 else 32768
    config = config_for(shape_for(size), vocabulary_size=vocabulary_size, sequence_length=256, end_token=0)

    with torch.device("meta"):
        model = LlamaForCausalLM(config)

    counted = model.num_parameters()
    assert counted == num_parameters(shape_for(size), vocabulary_size=vocabulary_size)
    assert counted == pytest.approx(named, rel=0.17 if size == "1M" else 0.15)


def test_an_unknown_size_lists_those_there_are() -> None:
    with pytest.raises(UnknownSize, match="no model size '2M'") as caught:
        shape_for("2M")

    assert "0.1M, 1M, 3M" in caught.value.hint


def test_flops_follow_the_formula() -> None:
    shape = shape_for("1M")
    parameters = num_block_parameters(shape) + 4096 * shape.d_model
    per_token = 6 * parameters + 12 * shape.num_layers * shape.d_model * 256

    assert train_flops(shape, vocabulary_size=4096, sequence_length=256, num_tokens=10) == 10 * per_token


def test_an_input_table_of_its_own_takes_part_in_no_product() -> None:
    tied = shape_for("7B").model_copy(update={"tied_embeddings": True})

    def flops(shape):
        return train_flops(shape, vocabulary_size=32768, sequence_length=4096, num_tokens=1)

    assert flops(shape_for("7B")) == flops(tied)


def test_wider_models_learn_more_slowly() -> None:
    rates = [default_learning_rate(shape, optimizer="muon") for shape in SIZES.values()]

    assert rates == sorted(rates, reverse=True)
    assert 1e-4 < rates[-1] < 1e-3


def test_the_recipe_decides_what_is_left_open() -> None:
    assert default_weight_decay(shape_for("1M")) > default_weight_decay(shape_for("7B")) > 0
    assert default_learning_rate(shape_for("1M"), optimizer="adamw") < default_learning_rate(
        shape_for("1M"), optimizer="muon"
    )
