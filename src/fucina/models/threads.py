"""How many processor threads a job may use, how they share its work, and what makes torch quick on them."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import torch

_MALLOPT_TRIM_THRESHOLD = -1
_MALLOPT_MMAP_MAX = -4
_MALLOPT_ARENA_MAX = -8

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Split(NamedTuple):
    """How threads divide the work of a step."""

    num_workers: int
    """Threads that take whole portions of a batch, each for itself."""
    num_threads_each: int
    """Threads inside one operation; sums depend on it in their last digits, and on nothing else here."""


def usable_threads(num_threads: int) -> int:
    """The threads to take: as asked, or all processors that this process may run on."""
    if num_threads > 0:
        return num_threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def split_threads(num_threads: int, *, num_portions: int) -> Split:
    """As many workers as there are portions; only what is left over goes into single operations.

    Workers meet once a step, threads inside an operation hundreds of times: on processors that others use too, the
    latter wait for the slowest each time.
    """
    num_workers = max(1, min(num_threads, num_portions))
    return Split(num_workers=num_workers, num_threads_each=max(1, num_threads // num_workers))


class Workers:
    """Threads that do tasks side by side and give the answers in order."""

    def __init__(self, split: Split) -> None:
        self.split = split
        _settle(split.num_threads_each)
        self._pool = (
            ThreadPoolExecutor(split.num_workers, initializer=_settle, initargs=(split.num_threads_each,))
            if split.num_workers > 1
            else None
        )

    def map(self, work: Callable[[Task], Answer], tasks: Iterable[Task]) -> list[Answer]:
        """The answers to all tasks; the first error, if there was one, is raised."""
        return [work(task) for task in tasks] if self._pool is None else list(self._pool.map(work, tasks))

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


def set_threads(num_threads: int) -> int:
    """Let torch use as many threads as asked inside an operation, 0 for all; returns how many."""
    count = usable_threads(num_threads)
    _settle(count)
    return count


def _settle(num_threads: int) -> None:
    """Both settings hold for the thread that makes them."""
    torch.set_num_threads(num_threads)
    torch.set_flush_denormal(True)


def keep_memory() -> bool:
    """Have the C library keep freed memory for the next step; returns whether it could.

    By default glibc gives every large block back to the kernel and takes it again a moment later, page by page: at the
    sizes of a training step that costs more than many of its products. All threads share one arena, because the
    others cannot hold large blocks.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_MALLOPT_MMAP_MAX, 0), (_MALLOPT_TRIM_THRESHOLD, 2**31 - 1), (_MALLOPT_ARENA_MAX, 1))
    return all([bool(mallopt(name, value)) for name, value in settings])
