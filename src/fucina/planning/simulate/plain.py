"""The same three policies over Python lists: what runs where numba is missing, and what the kernels are checked
against."""

from bisect import bisect_right, insort
from collections.abc import Sequence
from heapq import heappop, heappush

FAR = 2**62


def fcfs(submit: Sequence[int], run: Sequence[int], size: Sequence[int], machine: int) -> list[int]:
    """Start times in strict order of submission; every size is at most `machine`."""
    start: list[int] = []
    ends: list[tuple[int, int]] = []
    free, now = machine, 0
    for job, needed in enumerate(size):
        now = max(now, submit[job])
        while ends and (ends[0][0] <= now or free < needed):
            end, freed = heappop(ends)
            free += freed
            now = max(now, end)
        start.append(now)
        free -= needed
        heappush(ends, (now + run[job], needed))
    return start


def easy(
    submit: Sequence[int], run: Sequence[int], estimate: Sequence[int], size: Sequence[int], machine: int
) -> list[int]:
    """Start times under EASY; every size is at most `machine`."""
    start = [-1] * len(submit)
    ends: list[tuple[int, int]] = []
    by_estimate: list[tuple[int, int]] = []
    waiting: list[int] = []
    free, arrived = machine, 0

    def begin(job: int, now: int) -> None:
        start[job] = now
        heappush(ends, (now + run[job], job))
        insort(by_estimate, (now + estimate[job], size[job]))

    while ends or arrived < len(submit):
        now = min(ends[0][0] if ends else FAR, submit[arrived] if arrived < len(submit) else FAR)
        while ends and ends[0][0] == now:
            _, job = heappop(ends)
            by_estimate.remove((start[job] + estimate[job], size[job]))
            free += size[job]
        while arrived < len(submit) and submit[arrived] == now:
            waiting.append(arrived)
            arrived += 1
        while waiting and size[waiting[0]] <= free:
            begin(job := waiting.pop(0), now)
            free -= size[job]
        if not waiting:
            continue
        shadow, spare = _reservation(by_estimate, free, size[waiting[0]])
        left = waiting[:1]
        for job in waiting[1:]:
            ends_before = now + estimate[job] <= shadow
            if size[job] <= free and (ends_before or size[job] <= spare):
                begin(job, now)
                free -= size[job]
                spare -= 0 if ends_before else size[job]
            else:
                left.append(job)
        waiting = left
    return start


def _reservation(by_estimate: Sequence[tuple[int, int]], free: int, need: int) -> tuple[int, int]:
    shadow = FAR
    for end, freed in by_estimate:
        if free >= need and end != shadow:
            break
        free += freed
        shadow = end
    return shadow, free - need


class _Profile:
    """Free processors over time."""

    def __init__(self, machine: int, begin: int) -> None:
        self.times, self.free = [begin], [machine]

    def add(self, begin: int, end: int, size: int) -> None:
        for time in (begin, end):
            at = bisect_right(self.times, time)
            if self.times[at - 1] != time:
                self.times.insert(at, time)
                self.free.insert(at, self.free[at - 1])
        at = bisect_right(self.times, begin) - 1
        while self.times[at] < end:
            self.free[at] += size
            at += 1

    def earliest(self, now: int, duration: int, size: int) -> int:
        begin = now
        for at in range(bisect_right(self.times, now) - 1, len(self.times)):
            if self.free[at] < size:
                begin = self.times[at + 1]
            elif at + 1 == len(self.times) or self.times[at + 1] >= begin + duration:
                break
        return begin

    def forget(self, now: int) -> None:
        at = bisect_right(self.times, now) - 1
        del self.times[:at], self.free[:at]


def conservative(
    submit: Sequence[int], run: Sequence[int], estimate: Sequence[int], size: Sequence[int], machine: int
) -> list[int]:
    """Start times under conservative backfilling; every size is at most `machine`."""
    start = [-1] * len(submit)
    profile = _Profile(machine, min(submit[0], 0))
    ends: list[tuple[int, int]] = []
    waiting: list[int] = []
    arrived = 0
    while arrived < len(submit) or waiting:
        now = min(
            ends[0][0] if ends else FAR,
            submit[arrived] if arrived < len(submit) else FAR,
            min((start[job] for job in waiting), default=FAR),
        )
        profile.forget(now)
        early = False
        while ends and ends[0][0] == now:
            _, job = heappop(ends)
            if run[job] < estimate[job]:
                profile.add(now, start[job] + estimate[job], size[job])
                early = True
        for job in [job for job in waiting if early and start[job] > now]:
            profile.add(start[job], start[job] + estimate[job], size[job])
            start[job] = profile.earliest(now, estimate[job], size[job])
            profile.add(start[job], start[job] + estimate[job], -size[job])
        while arrived < len(submit) and submit[arrived] == now:
            start[arrived] = profile.earliest(now, estimate[arrived], size[arrived])
            profile.add(start[arrived], start[arrived] + estimate[arrived], -size[arrived])
            waiting.append(arrived)
            arrived += 1
        for job in waiting:
            if start[job] == now:
                heappush(ends, (now + run[job], job))
        waiting = [job for job in waiting if start[job] > now]
    return start
