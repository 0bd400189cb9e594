"""Steps on a Ray cluster whose nodes see the same files; the extra `ray` installs it."""

import os
from collections.abc import Callable, Sequence

import ray
import ray.exceptions

from fucina.data.executors import Checkpoint, Item, Result
from fucina.errors import Unavailable

LOCAL = "local"
"""Address that starts a cluster on this machine for as long as the process lives."""

_MAX_RETRIES = 8
"""A worker that dies takes its step with it; the step is done again from the files before it."""

_STEPS_PER_CORE = 2


class ClusterUnreachable(Unavailable):
    """No Ray cluster answers."""

    code = "ray_unreachable"


class RayExecutor:
    """The same steps as a thread runs, as tasks of a cluster."""

    replaying = False

    def __init__(self, address: str, *, num_cores: int | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if ray.is_initialized():
            return
        try:
            # Ray wants the number of cores only where it starts a cluster itself.
            cores = {"num_cpus": num_cores, "include_dashboard": False} if address == LOCAL else {}
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **cores)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ClusterUnreachable(
                f"No Ray cluster answers at {address!r}: {str(error).splitlines()[0] if str(error) else 'no reason'}.",
                hint="Check the address (HOST:6379), or give `local` to start one here.",
            ) from error

    def map(
        self,
        step: Callable[[Item, Checkpoint], Result],
        items: Sequence[Item],
        *,
        checkpoint: Checkpoint,
        done: Callable[[Item, Result], None],
    ) -> list[Result]:
        """See Executor."""
        shared = ray.put(step)
        task = ray.remote(_run).options(num_cpus=1, max_retries=_MAX_RETRIES)
        window = max(2, int(_STEPS_PER_CORE * ray.cluster_resources().get("CPU", 1)))
        running: dict[ray.ObjectRef, int] = {}
        results: dict[int, Result] = {}
        waiting = iter(enumerate(items))
        try:
            while len(results) < len(items):
                checkpoint()
                while len(running) < window and (entry := next(waiting, None)):
                    running[task.remote(shared, entry[1])] = entry[0]
                for reference in ray.wait(list(running), num_returns=1)[0]:
                    number = running.pop(reference)
                    results[number] = ray.get(reference)
                    done(items[number], results[number])
        finally:
            for reference in running:
                ray.cancel(reference, force=True)
        return [results[number] for number in range(len(items))]


def _run(step: Callable[[Item, Checkpoint], Result], item: Item) -> Result:
    """One step in a worker; it is stopped from outside."""
    return step(item, lambda: None)
