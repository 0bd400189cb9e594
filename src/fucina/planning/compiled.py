"""The functions of `kernel.py`, compiled by numba and kept on disk; the same results, bit for bit."""

from collections.abc import Callable
from types import FunctionType
from typing import Any, cast

from numba import njit

from fucina.planning import kernel


def _compile(function: Callable[..., Any], **names: Any) -> Any:
    """A compiled copy of a function that calls compiled ones under the same names."""
    plain = cast(FunctionType, function)
    bound = FunctionType(plain.__code__, {**plain.__globals__, **names}, plain.__name__)
    return njit(cache=True, error_model="numpy", nogil=True)(bound)


between_experts = _compile(kernel.between_experts)
uncovered = _compile(kernel.uncovered)
crowding = _compile(kernel.crowding)
link_between = _compile(kernel.link_between, crowding=crowding)
between_ranks = _compile(kernel.between_ranks, uncovered=uncovered, crowding=crowding, link_between=link_between)
layer_cost = _compile(kernel.layer_cost, between_experts=between_experts)
head_cost = _compile(kernel.head_cost)
combine = _compile(kernel.combine, head_cost=head_cost)
scan_ranks = _compile(
    kernel.scan_ranks, head_cost=head_cost, between_ranks=between_ranks, combine=combine,
    spread=_compile(kernel.spread), keep=_compile(kernel.keep),
)  # fmt: skip
scan = _compile(kernel.scan, layer_cost=layer_cost, scan_ranks=scan_ranks)
