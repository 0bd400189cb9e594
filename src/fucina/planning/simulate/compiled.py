"""`kernel`: compiles by numba where it is installed; else the same function runs as plain Python, with the same
results."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

try:
    from numba import njit
except ImportError:
    njit = None

P = ParamSpec("P")
R = TypeVar("R")

COMPILED = njit is not None
"""Whether kernels run compiled in this process."""


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """A private function over arrays, compiled once and kept on disk. No fast-math, so that both ways agree to the
    bit."""
    if njit is None:
        return function
    compiled: Any = njit(cache=True, nogil=True)(function)
    return compiled


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel whose code is put where it is called: for small pieces in a hot loop."""
    if njit is None:
        return function
    compiled: Any = njit(cache=True, nogil=True, inline="always")(function)
    return compiled
