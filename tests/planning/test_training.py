import json

import pytest
import yaml

from fucina.models.recipe import SIZES
from fucina.planning.application import application_text
from fucina.planning.ask import Recipe, TrainingQuestion
from fucina.planning.launch import launch_yaml
from fucina.planning.machines import UnknownAccelerator, UnknownSystem, find_accelerator, machines
from fucina.planning.models import MODELS
from fucina.planning.rates import NoPrecision, Precision
from fucina.planning.reliability import Resilience
from fucina.planning.serving import plan_serving
from fucina.planning.training import BadQuestion, FitsNowhere, NeverEnds, plan_training


def ask(**changes):
    fields = {"model": "llama-3-8b", "num_tokens": 10**12, "system": "leonardo-booster"}
    return TrainingQuestion(**{**fields, **changes})


@pytest.fixture(scope="module")
def answer():
    return plan_training(ask())


@pytest.mark.parametrize("system", ["leonardo-booster", "lumi-g"])
def test_a_run_on_a_real_system(system):
    found = plan_training(ask(system=system))

    assert found.days.low < found.days.value < found.days.high
    assert found.days.value <= 30
    assert 0.2 < found.layout.mfu < 0.6
    assert 50_000 < found.gpu_hours.value < 200_000
    assert len(found.next_layouts) == 5
    assert found.layout.step_s <= min(other.step_s for other in found.next_layouts)
    assert sum(found.layout.time_parts.values()) == pytest.approx(1)
    assert sum(found.layout.memory_parts_gib.values()) == pytest.approx(found.layout.memory_gib)
    assert found.tco2e and found.energy_mwh
    assert json.loads(found.model_dump_json())["layout"]["devices"] <= found.num_devices


def test_lumi_bills_modules_of_two_devices():
    found = plan_training(ask(system="lumi-g", num_devices=512))

    assert found.gpu_hours.value == pytest.approx(found.days.value * 24 * 256)


def test_hours_are_arithmetic_of_the_answer(answer):
    steps = -(-answer.question.num_tokens // answer.batch_tokens)
    assert answer.layout.days * 86_400 == pytest.approx(steps * answer.layout.step_s)
    assert answer.days.value == pytest.approx(answer.layout.days / answer.goodput.share)
    assert answer.gpu_hours.value == pytest.approx(answer.days.value * 24 * answer.num_devices)
    chosen = next(scale for scale in answer.scales if scale.devices == answer.num_devices)
    assert chosen.gpu_hours == pytest.approx(answer.gpu_hours.value)


def test_sensitivities_point_the_right_way(answer):
    speed = {one.change: one.speed for one in answer.sensitivities}

    assert speed["half the network"] <= 1 <= speed["twice the network"]
    assert speed["twice the memory"] >= 1


def test_why_the_simplest_layout_does_not_fit(answer):
    naive = next(one for one in answer.misfits if one.layout.startswith("data parallel alone"))

    assert naive.needs_gib > naive.has_gib
    assert "optimizer" in naive.largest


def test_prices_and_carbon_are_multiplied(answer):
    found = plan_training(ask(eur_per_gpu_hour=2.0, eur_per_kwh=0.1, g_per_kwh=100.0))

    assert found.eur == pytest.approx(2 * answer.gpu_hours.value + 0.1 * 1000 * answer.energy_mwh)
    assert found.tco2e == pytest.approx(0.1 * answer.energy_mwh)
    assert answer.eur is None


def test_adapters_take_less_memory_and_time_and_preferences_more():
    full, lora, dpo = (
        plan_training(ask(recipe=recipe, num_tokens=10**9, num_devices=8)) for recipe in ("sft", "lora", "dpo")
    )
    assert lora.layout.memory_parts_gib["weights, gradients and optimizer"] < 24
    assert lora.gpu_hours.value < full.gpu_hours.value < dpo.gpu_hours.value


def test_a_small_run_takes_a_small_step():
    found = plan_training(ask(num_tokens=100_000))

    assert found.batch_tokens <= 2 * 100_000
    assert plan_training(ask(num_tokens=1)).batch_tokens == 8192


def test_sequences_beyond_what_a_model_was_made_for_are_said():
    assert any("up to 8,192" in note for note in plan_training(ask(sequence=32_768)).notes)


@pytest.mark.parametrize(
    ("system", "words"), [("MI300X", "other generations"), ("GH200-96GB", "its generation"), ("H100-80GB", None)]
)
def test_an_accelerator_without_a_published_run_is_said_to_be_one(system, words):
    notes = [note for note in plan_training(ask(system=system)).notes if note.startswith("No published run")]

    assert [words in note for note in notes] == ([True] if words else [])


@pytest.mark.parametrize("accelerator", [chip.id for chip in machines().accelerators])
def test_no_accelerator_explodes(accelerator):
    found = plan_training(ask(model="llama-3-70b", system=accelerator, num_devices=1024))

    assert 0.2 < found.layout.mfu < 0.65
    assert found.layout.memory_gib * 2**30 <= 0.9 * find_accelerator(accelerator).mem_gb * 2**30


def test_recipes_cost_what_their_passes_do():
    hours = {
        recipe: plan_training(ask(recipe=recipe, num_tokens=10**9, num_devices=16)).layout.step_s
        for recipe in ("sft", "lora", "dpo")
    }

    assert hours["lora"] / hours["sft"] == pytest.approx(2 / 3, rel=0.2)
    assert hours["dpo"] / hours["sft"] == pytest.approx(4 / 3, rel=0.2)


def test_all_named_sizes_are_models():
    assert {name for name in MODELS if name.startswith("fucina-")} == {f"fucina-{size.lower()}" for size in SIZES}
    assert MODELS["fucina-30b"].num_parameters == pytest.approx(30e9, rel=0.05)


def test_writing_with_experts_reads_only_those_that_tokens_choose():
    found = plan_serving(ask(model="deepseek-v3", system="H200-141GB", recipe=Recipe.INFERENCE, num_devices=16))
    whole = 671e9 * 2 / 16 / 4.8e12

    assert found.batch == 512
    assert 1 / found.tokens_per_s_per_user > whole
    with pytest.raises(FitsNowhere, match="23,824"):
        plan_serving(ask(system="lumi-g", recipe=Recipe.INFERENCE, sequence=10**10))


def test_a_question_that_cannot_be():
    cases = (
        (BadQuestion, {"num_tokens": 0}, "zero tokens"),
        (BadQuestion, {"num_tokens": -5}, "zero tokens"),
        (BadQuestion, {"num_devices": 0}, "too few"),
        (BadQuestion, {"num_devices": 10**7}, "13,824 devices"),
        (BadQuestion, {"batch_tokens": 100}, "one sequence"),
        (BadQuestion, {"num_tokens": 10**6, "batch_tokens": 10**7}, "more than the whole run"),
        (UnknownSystem, {"system": "hal"}, "hal"),
        (NoPrecision, {"precision": "fp8"}, "A100-64GB has no fp8"),
        (FitsNowhere, {"model": "llama-3-405b", "num_devices": 8}, "fits nowhere"),
        (FitsNowhere, {"num_devices": 1}, "fits nowhere"),
        (NeverEnds, {"resilience": Resilience(failures_per_1000_node_days=1e9)}, "never gets on"),
    )
    for kind, change, words in cases:
        with pytest.raises(kind, match=words) as caught:
            plan_training(ask(**change))
        assert caught.value.hint


def test_the_hint_s_number_of_devices_is_enough():
    with pytest.raises(FitsNowhere) as caught:
        plan_training(ask(model="llama-3-405b", num_devices=8))
    number = int(caught.value.hint.split("about ")[1].split(" ")[0].replace(",", ""))

    assert plan_training(ask(model="llama-3-405b", num_devices=2 * number)).layout.memory_gib < 64


def test_an_unknown_accelerator_names_those_there_are():
    with pytest.raises(UnknownAccelerator) as caught:
        find_accelerator("H9000")
    assert "H100-80GB" in caught.value.hint


def test_launch_settings_are_plain_fsdp_and_consistent():
    answer = plan_training(ask(fsdp_only=True, num_devices=64))
    found = yaml.safe_load(launch_yaml(answer))

    assert found["torchrun"]["nnodes"] * found["torchrun"]["nproc_per_node"] == 64
    assert found["fsdp"]["mesh"]["replicate"] * found["fsdp"]["mesh"]["shard"] == 64
    assert set(found["parallel"].values()) == {1}
    recipe = found["recipe"]
    tokens = 64 * recipe["micro_batch_sequences"] * recipe["sequence_length"] * recipe["accumulate"]
    assert tokens == recipe["batch_tokens"]


def test_the_application_says_hours_scaling_and_risks(answer):
    text = application_text(answer)

    assert f"**{answer.gpu_hours.value:,.0f}**" in text
    assert text.count("\n| ") == len(answer.scales) + 1
    assert "does not fit" in text and "None" not in text


def test_writing_tokens_is_bound_by_memory_and_said_to_be_uncalibrated():
    found = plan_serving(ask(model="llama-3-70b", recipe=Recipe.INFERENCE, num_tokens=10**9))

    assert found.devices_per_replica == 4
    assert found.memory_gib < 64
    assert "reading" in found.bound_by and "Not calibrated" in found.notes[0]
    assert found.tokens_per_s_per_user * found.batch == pytest.approx(
        found.tokens_per_s_per_device * found.devices_per_replica
    )
    with pytest.raises(FitsNowhere):
        plan_serving(ask(model="llama-3-405b", recipe=Recipe.INFERENCE, num_devices=1))


def test_eight_bits_and_a_hundred_thousand_accelerators():
    found = plan_training(
        ask(
            model="llama-3-405b", system="GB200", num_devices=100_000, num_tokens=15 * 10**12,
            precision=Precision.FP8, batch_tokens=64_000_000,
        )
    )  # fmt: skip
    assert found.goodput.share < 0.7
    assert found.days.value < 30
