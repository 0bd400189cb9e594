"""Where steps run. A step is a pure function from an item to a small result; what it makes lies in files.

Every executor gives the same results in the order of the items, whichever finishes first.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Checkpoint = Callable[[], None]
"""Raises Interrupted when the work should stop; a step calls it where nothing would be lost."""


class ShareDone(Exception):
    """This process has done its share of a step; what remains is for others."""


class Executor(Protocol):
    """Runs one step on many items."""

    replaying: bool
    """Whether this process only goes where another has been: what is on disk is taken as it is."""

    def map(
        self,
        step: Callable[[Item, Checkpoint], Result],
        items: Sequence[Item],
        *,
        checkpoint: Checkpoint,
        done: Callable[[Item, Result], None],
    ) -> list[Result]:
        """Results in the order of the items; `done` hears of each as it comes, in the caller's thread."""


class LocalExecutor:
    """Threads of this process; one item a thread is in memory at a time."""

    replaying = False

    def __init__(self, num_threads: int = 0) -> None:
        self._num_threads = num_threads or len(os.sched_getaffinity(0))

    def map(
        self,
        step: Callable[[Item, Checkpoint], Result],
        items: Sequence[Item],
        *,
        checkpoint: Checkpoint,
        done: Callable[[Item, Result], None],
    ) -> list[Result]:
        """See Executor."""
        if self._num_threads == 1 or len(items) < 2:
            return [_run(step, item, checkpoint, done) for item in items]
        results: dict[int, Result] = {}
        with ThreadPoolExecutor(self._num_threads) as pool:
            running: dict[Future[Result], int] = {}
            try:
                for number, item in enumerate(items):
                    checkpoint()
                    running[pool.submit(step, item, checkpoint)] = number
                    if len(running) >= self._num_threads:
                        _collect(running, items, results, done)
                while running:
                    _collect(running, items, results, done)
            finally:
                for future in running:
                    future.cancel()
        return [results[number] for number in range(len(items))]


def _run(
    step: Callable[[Item, Checkpoint], Result],
    item: Item,
    checkpoint: Checkpoint,
    done: Callable[[Item, Result], None],
) -> Result:
    checkpoint()
    result = step(item, checkpoint)
    done(item, result)
    return result


def _collect(
    running: dict[Future[Result], int],
    items: Sequence[Item],
    results: dict[int, Result],
    done: Callable[[Item, Result], None],
) -> None:
    """Take in what has finished; waits for at least one."""
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in sorted(finished, key=running.__getitem__):
        number = running.pop(future)
        results[number] = future.result()
        done(items[number], results[number])
