import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fucina.planning import kernel
from fucina.planning.kernel import Space, Work
from fucina.planning.layouts import cost_of, shape_of
from fucina.planning.machines import find_accelerator, usual_system
from fucina.planning.models import MODELS
from fucina.planning.rates import Constants, Precision, Stack, rates
from fucina.planning.search import search, space_for

pytest.importorskip("numba")

CHOICES = {
    "tp": [1.0, 2.0, 4.0, 8.0, 16.0], "cp": [1.0, 2.0, 4.0], "ep": [1.0, 8.0], "pp": [1.0, 2.0, 3.0, 4.0, 8.0],
    "vp": [1.0, 2.0, 4.0], "zero": [0.0, 1.0, 2.0, 3.0], "mbs": [1.0, 2.0, 4.0], "recompute": [0.0, 1.0, 2.0, 3.0],
    "shard": [0.0, 8.0], "sp": [0.0, 1.0],
}  # fmt: skip


def setting(name, accelerator, *, sequence=4096, batch=512, precision=Precision.BF16, stack=Stack.FUSED):
    chip = find_accelerator(accelerator)
    reached = rates(chip, usual_system(chip), precision=precision, stack=stack, constants=Constants())
    model = MODELS[name]
    work = Work(float(sequence), float(batch), model.attended(sequence), 1.0, 0.0, 1.0)
    return model, shape_of(model, sequence=sequence), work, reached


spaces = st.fixed_dictionaries(
    {name: st.lists(st.sampled_from(v), min_size=1, max_size=3, unique=True) for name, v in CHOICES.items()}
)


@settings(max_examples=60, deadline=None)
@given(
    spaces,
    st.sampled_from(["llama-3-8b", "llama-3-405b", "deepseek-v3", "gpt-3-175b", "fucina-10m"]),
    st.sampled_from(["A100-64GB", "MI250X-GCD", "H100-80GB", "GB200"]),
    st.sampled_from([Stack.LEGACY, Stack.EAGER, Stack.TUNED]),
    st.integers(1, 200_000),
    st.integers(1, 5_000),
)
def test_the_compiled_and_the_plain_path_give_the_same_bits(choices, name, accelerator, stack, devices, batch):
    _, shape, work, reached = setting(name, accelerator, batch=batch, stack=stack)
    space = Space(**{key: np.array(values) for key, values in choices.items()})

    plain = search(shape, work, reached, space, devices=devices, engine="plain")
    compiled = search(shape, work, reached, space, devices=devices, engine="compiled")

    assert plain == compiled


def test_the_search_finds_what_trying_every_layout_by_hand_finds():
    _, shape, work, reached = setting("llama-3-8b", "H100-80GB", batch=256)
    choices = ([1, 2, 4], [1, 2], [1], [1, 2, 4], [1, 2], [1, 3], [1, 2], [1, 3], [0], [1])
    space = Space(*(np.array(values, dtype=np.float64) for values in choices))
    found = search(shape, work, reached, space, devices=64, keep=1000, engine="plain")

    best = np.inf
    for tp, cp, pp, vp, zero, mbs, mode in itertools.product(
        *(getattr(space, n) for n in ("tp", "cp", "pp", "vp", "zero", "mbs", "recompute"))
    ):
        dp, count = kernel.spread(work.batch, 64.0, tp, cp, 1.0, pp, mbs)
        if dp == 0 or (vp > 1 and (pp == 1 or count < pp)):
            continue
        layout = found.layouts[0]._replace(
            tp=int(tp), cp=int(cp), pp=int(pp), vp=int(vp), dp=int(dp), shard=int(dp * cp), zero=int(zero),
            mbs=int(mbs), recompute=int(mode), sp=tp > 1,
        )  # fmt: skip
        cost = cost_of(shape, work, reached, layout)
        if cost.memory_bytes <= reached.capacity:
            best = min(best, cost.step_s)
    assert found.step_s[0] == best
    assert found.step_s == sorted(found.step_s)
    assert len(found.layouts) == found.fitting


@pytest.mark.parametrize("name", ["llama-3-8b", "llama-3-70b", "deepseek-v3"])
def test_every_layout_occupies_no_more_than_there_is_and_its_parts_add_up(name):
    model, shape, work, reached = setting(name, "H200-141GB", batch=1000)
    space = space_for(model, rates=reached, devices=500, batch=1000, sequence=4096)
    found = search(shape, work, reached, space, devices=500, keep=200)

    assert found.layouts
    for layout, step_s in zip(found.layouts, found.step_s, strict=True):
        cost = cost_of(shape, work, reached, layout)
        assert layout.devices <= 500
        assert cost.step_s == step_s
        assert cost.memory_bytes <= reached.capacity
        assert layout.dp * layout.mbs * cost.micro_batches >= 1000
        parts = sum(getattr(cost, field) for field in cost._fields if field.endswith("_s") and field != "step_s")
        assert parts == pytest.approx(cost.step_s, rel=1e-9)


@pytest.mark.parametrize("field", ["capacity", "out", "up", "memory", "matrix", "attention"])
def test_more_of_anything_is_never_slower(field):
    model, shape, work, reached = setting("llama-3-70b", "A100-64GB", batch=1024)
    space = space_for(model, rates=reached, devices=256, batch=1024, sequence=4096)
    before = search(shape, work, reached, space, devices=256, keep=1).step_s[0]
    more = reached._replace(**{field: getattr(reached, field) * 1.5})

    assert search(shape, work, more, space, devices=256, keep=1).step_s[0] <= before


def test_recalculating_some_layers_is_never_worse_than_all_or_none():
    _, shape, work, reached = setting("llama-3-70b", "A100-64GB", batch=1024)
    base = {"tp": 4.0, "cp": 1.0, "ep": 1.0, "pp": 4.0, "vp": 1.0, "zero": 1.0, "mbs": 1.0, "shard": 0.0, "sp": 1.0}

    def best(mode):
        space = Space(**{k: np.array([v]) for k, v in {**base, "recompute": mode}.items()})
        found = search(shape, work, reached, space, devices=256, keep=1, engine="plain")
        return found.step_s[0] if found.step_s else np.inf

    assert best(3.0) <= best(2.0) * (1 + 1e-9)
    assert best(3.0) <= best(0.0)


def test_a_step_of_one_device_takes_what_its_products_take_at_least():
    _, shape, work, reached = setting("llama-2-7b", "H200-141GB", batch=64)
    space = Space(*(np.array([v]) for v in (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 3.0, 0.0, 1.0)))
    found = search(shape, work, reached, space, devices=1, keep=1)
    flops = MODELS["llama-2-7b"].flops_per_token(4096) * 64 * 4096

    assert found.step_s[0] > flops / find_accelerator("H200-141GB").peak_16


def test_experts_that_fill_a_domain_exchange_gradients_over_one_port_each():
    _, _, _, reached = setting("mixtral-8x7b", "H100-80GB")

    shared = kernel.link_between(reached, 64.0, 1.0, 1)
    alone = kernel.link_between(reached, 8.0, 8.0, 1)

    assert kernel.link_between(reached, 8.0, 1.0, 1) == reached.up
    assert alone == pytest.approx(reached.out / kernel.crowding(reached, 8.0, 8.0))
    assert shared == pytest.approx(min(reached.up, 8 * reached.out / kernel.crowding(reached, 64.0, 1.0)))


def test_a_token_crosses_the_network_once_to_each_domain_of_its_experts():
    _, shape, _, reached = setting("deepseek-v3", "H100-80GB")
    reached = reached._replace(up=1e30, ep_exposed=1.0)

    def crossings(ep):
        return kernel.between_experts(shape, reached, 1.0, ep) * reached.out / (4.0 * shape.hidden)

    assert crossings(1.0) == 0.0
    assert crossings(8.0) == pytest.approx(0.0, abs=1e-12)
    assert crossings(16.0) == pytest.approx(1 - 0.5**8)
    assert crossings(64.0) == pytest.approx(7 * (1 - (7 / 8) ** 8))


def test_narrow_heads_reach_less_of_the_attention_rate():
    _, shape, work, reached = setting("llama-3-8b", "H100-80GB")
    narrow = shape._replace(heads=2 * shape.heads)

    wide_s, narrow_s = (
        kernel.layer_cost(s, work, reached, 1.0, 1.0, 1.0, 1.0, 0, False).attention_s for s in (shape, narrow)
    )

    assert narrow_s / wide_s == pytest.approx((64 + kernel.HALF_HEAD) / 64 * 128 / (128 + kernel.HALF_HEAD))
