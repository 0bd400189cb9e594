"""The heap of jobs by when they end or arrive, with the place of each, so that one can be taken out."""

from fucina.planning.simulate.compiled import kernel
from fucina.planning.simulate.state import HEAP, World


@kernel
def job_slots(world: World, time: int) -> int:
    """The first slot that begins at or after `time`."""
    return (time + world.rules.slot_s - 1) // world.rules.slot_s


@kernel
def _earlier(world: World, one: int, other: int) -> bool:
    """By time, the lower number first among equals, so that the order never depends on the past."""
    end = world.jobs.end
    return end[one] < end[other] or (end[one] == end[other] and one < other)


@kernel
def _rise(world: World, at: int, job: int) -> None:
    heap, place = world.jobs.heap, world.jobs.place
    while at > 0:
        parent = (at - 1) >> 1
        if not _earlier(world, job, heap[parent]):
            break
        heap[at] = heap[parent]
        place[heap[at]] = at
        at = parent
    heap[at] = job
    place[job] = at


@kernel
def _sink(world: World, at: int, job: int) -> None:
    heap, place = world.jobs.heap, world.jobs.place
    count = world.clock[HEAP]
    while True:
        child = 2 * at + 1
        if child >= count:
            break
        if child + 1 < count and _earlier(world, heap[child + 1], heap[child]):
            child += 1
        if not _earlier(world, heap[child], job):
            break
        heap[at] = heap[child]
        place[heap[at]] = at
        at = child
    heap[at] = job
    place[job] = at


@kernel
def place_in_heap(world: World, job: int) -> None:
    """Add a job, whose `end` is set."""
    world.clock[HEAP] += 1
    _rise(world, world.clock[HEAP] - 1, job)


@kernel
def remove_from_heap(world: World, job: int) -> None:
    """Take a job out, wherever it is."""
    heap, place = world.jobs.heap, world.jobs.place
    at = place[job]
    world.clock[HEAP] -= 1
    last = heap[world.clock[HEAP]]
    place[job] = -1
    if last == job:
        return
    if at > 0 and _earlier(world, last, heap[(at - 1) >> 1]):
        _rise(world, at, last)
    else:
        _sink(world, at, last)
