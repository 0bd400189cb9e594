"""How fast a model of some size trains on a device, in the time of a page: a few usual layouts instead of a search.

For estimates before anybody has chosen a model or a layout, with ordinary software and fused attention.
"""

import itertools
import math
from functools import cache

from fucina.planning.kernel import PARTIAL, SELECTIVE, Work
from fucina.planning.layouts import Layout, cost_of, shape_of
from fucina.planning.machines import System, UnknownSystem, find_accelerator, find_system, usual_system
from fucina.planning.models import MODELS, Model
from fucina.planning.rates import Precision, Stack, fitted, rates

SEQUENCE, BATCH = 4096, 1024
"""Tokens of a sequence and sequences of a step: 4 M tokens, as published runs below 200 B parameters."""
RESERVE = 0.9
"""Of the usable memory that is filled."""
MOST_DEVICES = 4096
COUNTS = 3
"""Numbers of devices that are tried, from the least that holds the model."""


def training_flops_per_s(parameters: float, *, accelerator: str, system: str = "") -> float | None:
    """Six FLOPs per parameter and token of one device, times the tokens that it trains on in a second.

    `system` is used where the planner knows it, else the accelerator's usual node. None where no usual layout fits.
    Raises UnknownAccelerator.
    """
    name = min(
        (model.name for model in MODELS.values() if model.experts is None),
        key=lambda name: abs(math.log(MODELS[name].num_parameters / max(1.0, parameters))),
    )
    return _pace(name, accelerator, system)


def node_of(accelerator: str, system: str) -> System:
    """The system where it is known by name, else the accelerator's usual node. Raises UnknownAccelerator."""
    try:
        return find_system(system)
    except UnknownSystem:
        return usual_system(find_accelerator(accelerator))


@cache
def _pace(name: str, accelerator: str, system: str) -> float | None:
    model, node = MODELS[name], node_of(accelerator, system)
    chip = find_accelerator(node.accelerator)
    reached = rates(chip, node, precision=Precision.BF16, stack=Stack.EAGER, constants=fitted())
    room = RESERVE * reached.capacity
    work = Work(float(SEQUENCE), float(BATCH), model.attended(SEQUENCE), 1.0, 0.0, 1.0)
    shape = shape_of(model, sequence=SEQUENCE)
    paces: list[float] = []
    devices = node.per_node
    while devices <= MOST_DEVICES and len(paces) < COUNTS:
        steps = [
            cost.step_s
            for layout in _usual(model, devices, node.per_node)
            if (cost := cost_of(shape, work, reached._replace(capacity=room), layout)).memory_bytes <= room
        ]
        if steps:
            paces.append(6.0 * model.num_parameters * BATCH * SEQUENCE / min(steps) / devices)
        devices *= 2
    return max(paces, default=None)


def _usual(model: Model, devices: int, per_node: int) -> list[Layout]:
    """FSDP over all devices, or a pipeline with split optimizer; tensor parallelism up to a node."""
    found = []
    for tp, pp in itertools.product((1, 2, 4, 8), (1, 4, 8, 16)):
        dp = devices // (tp * pp)
        if tp > per_node or model.num_heads % tp or pp > model.num_layers or not 1 <= dp <= BATCH:
            continue
        for mbs, zero, recompute in itertools.product((1, 2, 4, 8), (1,) if pp > 1 else (2, 3), (SELECTIVE, PARTIAL)):
            if mbs * dp <= BATCH:
                found.append(Layout(tp, 1, 1, pp, 1, dp, dp, zero, mbs, recompute, tp > 1))
    return found
