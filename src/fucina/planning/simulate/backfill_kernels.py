"""First come first served and EASY backfilling on one machine without placement, exact to the second.

At each distinct instant come first all completions, then all submissions, then one scheduling pass. EASY keeps one
reservation, for the head of the queue, from the estimated ends of the running jobs (Lifka 1995; Mu'alem and Feitelson 2001).

Legend: n jobs. submit, run, estimate, size, start: int64[n]. A queue is a linked list through `following`: int64[n].
"""

import numpy as np
import numpy.typing as npt

from fucina.planning.simulate.compiled import kernel
from fucina.planning.simulate.heap import pop, push

Ints = npt.NDArray[np.int64]
FAR = np.int64(2**62)


@kernel
def _insert(ends: Ints, sizes: Ints, count: int, end: int, size: int) -> int:
    """Keep the running jobs sorted by their estimated ends."""
    at = count
    while at > 0 and ends[at - 1] > end:
        ends[at] = ends[at - 1]
        sizes[at] = sizes[at - 1]
        at -= 1
    ends[at] = end
    sizes[at] = size
    return count + 1


@kernel
def _remove(ends: Ints, sizes: Ints, count: int, end: int, size: int) -> int:
    """Drop one running job with that estimated end and size; which of several equals does not matter."""
    low = 0
    high = count
    while low < high:
        middle = (low + high) >> 1
        if ends[middle] < end:
            low = middle + 1
        else:
            high = middle
    while sizes[low] != size:
        low += 1
    for at in range(low, count - 1):
        ends[at] = ends[at + 1]
        sizes[at] = sizes[at + 1]
    return count - 1


@kernel
def _reservation(ends: Ints, sizes: Ints, count: int, free: int, need: int) -> tuple[int, int]:
    """When `need` processors will be free by the estimates, and how many more will be; ends that fall together count together."""
    at = 0
    while at < count:
        end = ends[at]
        while at < count and ends[at] == end:
            free += sizes[at]
            at += 1
        if free >= need:
            return end, free - need
    return FAR, 0


@kernel
def fcfs(submit: Ints, run: Ints, size: Ints, machine: int, start: Ints) -> None:
    """Start times in strict order of submission; every size is at most `machine`."""
    n = len(submit)
    capacity = min(n, machine) + 1
    times = np.empty(capacity, np.int64)
    jobs = np.empty(capacity, np.int64)
    num_running = 0
    free = machine
    arrived = 0
    head = 0
    while head < n:
        now = times[0] if num_running > 0 else FAR
        if arrived < n and submit[arrived] < now:
            now = submit[arrived]
        while num_running > 0 and times[0] == now:
            free += size[jobs[0]]
            num_running = pop(times, jobs, num_running)
        while arrived < n and submit[arrived] == now:
            arrived += 1
        while head < arrived and size[head] <= free:
            start[head] = now
            free -= size[head]
            num_running = push(times, jobs, num_running, now + run[head], head)
            head += 1


@kernel
def easy(submit: Ints, run: Ints, estimate: Ints, size: Ints, machine: int, start: Ints) -> None:
    """Start times under EASY; every size is at most `machine`.

    As long as nothing ends and the head stays, its reservation stays too, and only new arrivals need a look: those
    that did not fit before fit even less later.
    """
    n = len(submit)
    capacity = min(n, machine) + 1
    times = np.empty(capacity, np.int64)
    jobs = np.empty(capacity, np.int64)
    ends = np.empty(capacity, np.int64)
    sizes = np.empty(capacity, np.int64)
    following = np.full(n + 1, -1, np.int64)
    num_running = 0
    free = machine
    arrived = 0
    head = -1
    tail = -1
    shadow = FAR
    spare = 0
    while True:
        now = times[0] if num_running > 0 else FAR
        if arrived < n and submit[arrived] < now:
            now = submit[arrived]
        if now == FAR:
            break
        ended = False
        while num_running > 0 and times[0] == now:
            job = jobs[0]
            free += size[job]
            _remove(ends, sizes, num_running, start[job] + estimate[job], size[job])
            num_running = pop(times, jobs, num_running)
            ended = True
        old_tail = tail
        while arrived < n and submit[arrived] == now:
            if head < 0:
                head = arrived
            else:
                following[tail] = arrived
            tail = arrived
            arrived += 1
        if old_tail < 0 or ended:
            while head >= 0 and size[head] <= free:
                start[head] = now
                free -= size[head]
                _insert(ends, sizes, num_running, now + estimate[head], size[head])
                num_running = push(times, jobs, num_running, now + run[head], head)
                head = following[head]
            if head < 0:
                tail = -1
                continue
            shadow, spare = _reservation(ends, sizes, num_running, free, size[head])
            before = head
        else:
            before = old_tail
        job = following[before]
        while job >= 0 and free > 0:
            after = following[job]
            fits_before = now + estimate[job] <= shadow
            if size[job] <= free and (fits_before or size[job] <= spare):
                start[job] = now
                free -= size[job]
                if not fits_before:
                    spare -= size[job]
                _insert(ends, sizes, num_running, now + estimate[job], size[job])
                num_running = push(times, jobs, num_running, now + run[job], job)
                following[before] = after
                if job == tail:
                    tail = before
            else:
                before = job
            job = after
