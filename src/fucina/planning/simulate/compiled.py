"""`kernel`: compiles by numba where it is installed; else the same function runs as plain Python, with the same
results."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

try:
    from numba import njit
except ImportError:
    njit = None

P = ParamSpec("P")
R = TypeVar("R")

HERE = Path(__file__).parent


def forget_stale(folder: Path) -> int:
    """Drop kept kernels that are older than any source beside them; returns how many.

    numba looks only at the file of a kernel itself, not at those of the kernels that it calls.
    """
    try:
        newest = max(source.stat().st_mtime for source in folder.glob("*.py"))
        stale = [kept for kept in (folder / "__pycache__").glob("*.nbi") if kept.stat().st_mtime < newest]
        for kept in stale:
            kept.unlink(missing_ok=True)
    except (OSError, ValueError):  # no source, or a folder of another user; its owner compiles
        return 0
    return len(stale)


COMPILED = njit is not None
"""Whether kernels run compiled in this process."""

if COMPILED:
    forget_stale(HERE)


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
