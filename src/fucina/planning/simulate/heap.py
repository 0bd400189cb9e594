"""A binary heap of (time, job) over two arrays, for compiled kernels."""

import numpy as np
import numpy.typing as npt

from fucina.planning.simulate.compiled import kernel

Ints = npt.NDArray[np.int64]


@kernel
def push(times: Ints, jobs: Ints, count: int, time: int, job: int) -> int:
    """Add an entry; returns the new count. times, jobs: int64[capacity]."""
    at = count
    while at > 0:
        parent = (at - 1) >> 1
        if times[parent] <= time:
            break
        times[at] = times[parent]
        jobs[at] = jobs[parent]
        at = parent
    times[at] = time
    jobs[at] = job
    return count + 1


@kernel
def pop(times: Ints, jobs: Ints, count: int) -> int:
    """Remove the earliest entry, which the caller read at position 0; returns the new count."""
    count -= 1
    time = times[count]
    job = jobs[count]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= count:
            break
        if child + 1 < count and times[child + 1] < times[child]:
            child += 1
        if times[child] >= time:
            break
        times[at] = times[child]
        jobs[at] = jobs[child]
        at = child
    times[at] = time
    jobs[at] = job
    return count
