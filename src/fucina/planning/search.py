"""Which layouts there are, and the fastest that fit: every valid combination is evaluated."""

import importlib
import importlib.util
from typing import Any, Literal, NamedTuple

import numpy as np

from fucina.planning import kernel
from fucina.planning.kernel import Rates, Shape, Space, Work
from fucina.planning.layouts import Layout
from fucina.planning.models import Model

Engine = Literal["auto", "plain", "compiled"]

SMALL = 3000
"""Layouts below which the plain path is faster than loading the compiler."""


class Found(NamedTuple):
    """What a search found, fastest first."""

    layouts: list[Layout]
    step_s: list[float]
    evaluated: int
    fitting: int
    least_bytes: float
    """The least memory that any layout needs per device."""


def space_for(
    model: Model, *, rates: Rates, devices: int, batch: int, sequence: int, **fixed: int | bool | list[int] | None
) -> Space:
    """Every choice that a model and a machine allow; a fixed dimension keeps what it is given."""
    domain = max(1, int(rates.domain))
    powers = [2**i for i in range(18)]
    layers = model.num_layers
    e = model.experts
    choices: dict[str, list[int]] = {
        "tp": [t for t in powers if t <= min(domain, devices) and model.num_heads % t == 0 and model.d_ff % t == 0],
        "cp": [c for c in powers if c <= min(64, devices) and sequence // c >= 1024] or [1],
        "ep": [x for x in powers if e is None and x == 1 or e is not None and e.num_routed % x == 0 and x <= devices],
        "pp": [
            p for p in range(1, min(layers, devices) + 1) if layers % p == 0 or (layers + 2) % p == 0 or p in powers
        ],
        "vp": [v for v in range(1, 17) if layers % v == 0 or (layers + 2) % v == 0],
        "zero": [1, 2, 3],
        "mbs": [m for m in powers if m <= min(64, batch)],
        "recompute": [kernel.SELECTIVE, kernel.PARTIAL],  # partial is none where all fits, full where nothing else does
        "shard": [0],
        "sp": [1],
    }
    arrays = {}
    for name, values in choices.items():
        wanted = fixed.get(name)
        if wanted is not None:
            values = wanted if isinstance(wanted, list) else [int(wanted)]
        arrays[name] = np.array(values, dtype=np.float64)
    return Space(**arrays)


def size_of(space: Space) -> int:
    """Combinations of a space, valid or not."""
    return int(np.prod([len(values) for values in space]))


def search(
    shape: Shape, work: Work, rates: Rates, space: Space, *, devices: int, keep: int = 16, engine: Engine = "auto"
) -> Found:
    """The fastest layouts that fit, by evaluating every one."""
    found = np.full((keep, 13), np.inf)
    use_compiled = engine == "compiled" or (
        engine == "auto" and size_of(space) > SMALL and importlib.util.find_spec("numba") is not None
    )
    run: Any = importlib.import_module("fucina.planning.compiled").scan if use_compiled else _plain
    evaluated, fitting, least = run(shape, work, rates, space, float(devices), found)
    kept = found[np.isfinite(found[:, 0])]
    layouts = [Layout._make([*(int(value) for value in row[2:12]), bool(row[12])]) for row in kept]
    return Found(layouts, [float(value) for value in kept[:, 0]], int(evaluated), int(fitting), float(least))


def _plain(shape: Shape, work: Work, rates: Rates, space: Space, devices: float, found: Any) -> tuple[int, int, float]:
    """The same search without a compiler; lists are faster than arrays here."""
    return kernel.scan(shape, work, rates, Space(*(values.tolist() for values in space)), devices, found)
