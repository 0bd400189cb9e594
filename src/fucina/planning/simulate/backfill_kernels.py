"""First come first served and EASY backfilling on one machine without placement, exact to the second.

At each distinct instant come first all completions, then all submissions, then one scheduling pass. EASY keeps one
reservation, for the head of the queue, from the estimated ends of the running jobs (Lifka 1995; Mu'alem and Feitelson
2001).

Legend: n jobs. submit, run, estimate, size, start: int64[n]. A queue is a linked list through `following`: int64[n].
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fucina.planning.simulate.compiled import inlined, kernel
from fucina.planning.simulate.heap import pop, push

Ints = npt.NDArray[np.int64]
FAR = 2**62


class _Table(NamedTuple):
    """The jobs, and the linked list of those that wait."""

    run: Ints
    estimate: Ints
    size: Ints
    start: Ints
    following: Ints


class _Running(NamedTuple):
    """A heap of the true ends, and the estimated ends with the sizes in order."""

    times: Ints
    jobs: Ints
    ends: Ints
    sizes: Ints


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
    """When `need` processors will be free by the estimates, and how many more will be; ends that fall together count
    together."""
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


@inlined
def _begin(jobs: _Table, running: _Running, count: int, job: int, now: int) -> int:
    """Start a job; returns how many run."""
    jobs.start[job] = now
    _insert(running.ends, running.sizes, count, now + jobs.estimate[job], jobs.size[job])
    return push(running.times, running.jobs, count, now + jobs.run[job], job)


@inlined
def _end_all(jobs: _Table, running: _Running, count: int, now: int) -> tuple[int, int]:
    """End what ends now; returns how many still run, and the processors that came free."""
    freed = 0
    while count > 0 and running.times[0] == now:
        job = running.jobs[0]
        freed += jobs.size[job]
        _remove(running.ends, running.sizes, count, jobs.start[job] + jobs.estimate[job], jobs.size[job])
        count = pop(running.times, running.jobs, count)
    return count, freed


@inlined
def _backfill(
    jobs: _Table, running: _Running, count: int, before: int, tail: int, now: int, free: int, shadow: int, spare: int
) -> tuple[int, int, int, int]:
    """Start what does not delay the head, from the job after `before` on; returns running, free, spare and the new
    tail."""
    following = jobs.following
    job = following[before]
    while job >= 0 and free > 0:
        after = following[job]
        ends_before = now + jobs.estimate[job] <= shadow
        if jobs.size[job] <= free and (ends_before or jobs.size[job] <= spare):
            count = _begin(jobs, running, count, job, now)
            free -= jobs.size[job]
            if not ends_before:
                spare -= jobs.size[job]
            following[before] = after
        else:
            before = job
        job = after
    return count, free, spare, before if job < 0 else tail


@kernel
def easy(submit: Ints, run: Ints, estimate: Ints, size: Ints, machine: int, start: Ints) -> None:
    """Start times under EASY; every size is at most `machine`.

    As long as nothing ends and the head stays, its reservation stays too, and only new arrivals need a look: those
    that did not fit before fit even less later.
    """
    n = len(submit)
    capacity = min(n, machine) + 1
    jobs = _Table(run, estimate, size, start, np.full(n + 1, -1, np.int64))
    running = _Running(
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
    )
    count, free, arrived, head, tail, shadow, spare = 0, machine, 0, -1, -1, FAR, 0
    while True:
        now = running.times[0] if count > 0 else FAR
        if arrived < n and submit[arrived] < now:
            now = submit[arrived]
        if now == FAR:
            break
        count, freed = _end_all(jobs, running, count, now)
        free += freed
        before = tail
        while arrived < n and submit[arrived] == now:
            if head < 0:
                head = arrived
            else:
                jobs.following[tail] = arrived
            tail = arrived
            arrived += 1
        if before < 0 or freed > 0:
            while head >= 0 and size[head] <= free:
                count = _begin(jobs, running, count, head, now)
                free -= size[head]
                head = jobs.following[head]
            if head < 0:
                tail = -1
                continue
            shadow, spare = _reservation(running.ends, running.sizes, count, free, size[head])
            before = head
        if free > 0:
            count, free, spare, tail = _backfill(jobs, running, count, before, tail, now, free, shadow, spare)
