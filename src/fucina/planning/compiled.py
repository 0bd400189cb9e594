"""The functions of `kernel.py`, compiled by numba and kept on disk; the same results, bit for bit."""

from collections.abc import Callable
from types import FunctionType
from typing import Any

from numba import njit

from fucina.planning import kernel


def _compile(function: Callable[..., Any], **names: Any) -> Any:
    """A compiled copy of a function that calls compiled ones under the same names."""
    assert isinstance(function, FunctionType)
    bound = FunctionType(
        function.__code__, {**function.__globals__, **names}, function.__name__, function.__defaults__
    )
    return njit(cache=True, error_model="numpy", nogil=True)(bound)


between_experts = _compile(kernel.between_experts)
uncovered = _compile(kernel.uncovered)
between_ranks = _compile(kernel.between_ranks, uncovered=uncovered)
layer_cost = _compile(kernel.layer_cost, between_experts=between_experts)
combine = _compile(kernel.combine, between_ranks=between_ranks)
scan = _compile(kernel.scan, layer_cost=layer_cost, combine=combine)
