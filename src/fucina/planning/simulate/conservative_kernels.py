"""Conservative backfilling on one machine without placement: every job has a reservation, and none is ever put back.

At its submission a job gets the earliest place in the profile of free processors that hurts nobody. When a job ends
before its estimate, the waiting jobs are taken in the order of submission, each from its place to the earliest one
that is
free now (Mu'alem and Feitelson 2001). At each instant: completions, then submissions, then the starts that are due.

Legend: as in `backfill_kernels`. The profile is `times`, `free`: int64[capacity], `free[i]` holds from `times[i]` on.
"""

import numpy as np
import numpy.typing as npt

from fucina.planning.simulate.compiled import kernel
from fucina.planning.simulate.heap import pop, push

Ints = npt.NDArray[np.int64]
FAR = 2**62


@kernel
def _at(times: Ints, count: int, time: int) -> int:
    """Position of the last step that begins at or before `time`."""
    low = 0
    high = count
    while low < high:
        middle = (low + high) >> 1
        if times[middle] <= time:
            low = middle + 1
        else:
            high = middle
    return low - 1


@kernel
def _split(times: Ints, free: Ints, count: int, time: int) -> int:
    """Let a step begin at `time`; returns the new count."""
    at = _at(times, count, time)
    if times[at] == time:
        return count
    for position in range(count, at + 1, -1):
        times[position] = times[position - 1]
        free[position] = free[position - 1]
    times[at + 1] = time
    free[at + 1] = free[at]
    return count + 1


@kernel
def _join(times: Ints, free: Ints, count: int, time: int) -> int:
    """Drop the step at `time` if it changes nothing; returns the new count."""
    at = _at(times, count, time)
    if at == 0 or times[at] != time or free[at] != free[at - 1]:
        return count
    for position in range(at, count - 1):
        times[position] = times[position + 1]
        free[position] = free[position + 1]
    return count - 1


@kernel
def _add(times: Ints, free: Ints, count: int, begin: int, end: int, size: int) -> int:
    """Give `size` processors back over [begin, end), or take them where it is negative; returns the new count."""
    count = _split(times, free, count, begin)
    count = _split(times, free, count, end)
    at = _at(times, count, begin)
    while times[at] < end:
        free[at] += size
        at += 1
    count = _join(times, free, count, end)
    return _join(times, free, count, begin)


@kernel
def _earliest(times: Ints, free: Ints, count: int, now: int, duration: int, size: int) -> int:
    """The first instant from `now` on at which `size` processors stay free for `duration`."""
    begin = now
    at = _at(times, count, now)
    while at < count:
        if free[at] < size:
            begin = times[at + 1]
        elif at + 1 == count or times[at + 1] >= begin + duration:
            return begin
        at += 1
    return begin


@kernel
def _forget(times: Ints, free: Ints, count: int, now: int) -> int:
    """Drop what lies before `now`; returns the new count."""
    at = _at(times, count, now)
    if at > 0:
        for position in range(count - at):
            times[position] = times[position + at]
            free[position] = free[position + at]
    times[0] = now
    return count - at


@kernel
def _compress(
    times: Ints, free: Ints, count: int, head: int, following: Ints, now: int, estimate: Ints, size: Ints, start: Ints
) -> int:
    """Move every waiting job to the earliest place that is free now, in order; returns the new count of steps."""
    job = head
    while job >= 0:
        if start[job] > now:
            count = _add(times, free, count, start[job], start[job] + estimate[job], size[job])
            start[job] = _earliest(times, free, count, now, estimate[job], size[job])
            count = _add(times, free, count, start[job], start[job] + estimate[job], -size[job])
        job = following[job]
    return count


@kernel
def _end_all(
    heap_times: Ints,
    heap_jobs: Ints,
    num_running: int,
    times: Ints,
    free: Ints,
    count: int,
    now: int,
    run: Ints,
    estimate: Ints,
    size: Ints,
    start: Ints,
    head: int,
    following: Ints,
) -> tuple[int, int]:
    """End what ends now, and pull the others forward if it ended early; returns how many run, and the count of
    steps."""
    early = False
    while num_running > 0 and heap_times[0] == now:
        job = heap_jobs[0]
        if run[job] < estimate[job]:
            count = _add(times, free, count, now, start[job] + estimate[job], size[job])
            early = True
        num_running = pop(heap_times, heap_jobs, num_running)
    if early:
        count = _compress(times, free, count, head, following, now, estimate, size, start)
    return num_running, count


@kernel
def _start_due(
    heap_times: Ints, heap_jobs: Ints, num_running: int, head: int, following: Ints, now: int, run: Ints, start: Ints
) -> tuple[int, int, int, int]:
    """Start the waiting jobs whose time has come; returns how many run, head and tail of the others, the next start."""
    due = FAR
    before = -1
    job = head
    while job >= 0:
        after = following[job]
        if start[job] == now:
            num_running = push(heap_times, heap_jobs, num_running, now + run[job], job)
            if before < 0:
                head = after
            else:
                following[before] = after
        else:
            due = min(due, start[job])
            before = job
        job = after
    return num_running, head, before, due


@kernel
def conservative(submit: Ints, run: Ints, estimate: Ints, size: Ints, machine: int, start: Ints) -> None:
    """Start times under conservative backfilling; every size is at most `machine`."""
    n = len(submit)
    heap_times = np.empty(min(n, machine) + 1, np.int64)
    heap_jobs = np.empty(min(n, machine) + 1, np.int64)
    times = np.empty(2 * n + 4, np.int64)
    free = np.empty(2 * n + 4, np.int64)
    following = np.full(n + 1, -1, np.int64)
    times[0] = min(submit[0], 0)
    free[0] = machine
    count = 1
    num_running = 0
    arrived = 0
    head = -1
    tail = -1
    due = FAR
    while arrived < n or head >= 0:
        now = due
        if num_running > 0 and heap_times[0] < now:
            now = heap_times[0]
        if arrived < n and submit[arrived] < now:
            now = submit[arrived]
        count = _forget(times, free, count, now)
        num_running, count = _end_all(
            heap_times, heap_jobs, num_running, times, free, count, now, run, estimate, size, start, head, following
        )
        while arrived < n and submit[arrived] == now:
            start[arrived] = _earliest(times, free, count, now, estimate[arrived], size[arrived])
            count = _add(times, free, count, start[arrived], start[arrived] + estimate[arrived], -size[arrived])
            if head < 0:
                head = arrived
            else:
                following[tail] = arrived
            tail = arrived
            arrived += 1
        num_running, head, tail, due = _start_due(heap_times, heap_jobs, num_running, head, following, now, run, start)
