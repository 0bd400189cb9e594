"""Which applications get time when not all fit: the most points under what every partition has free.

The choice is a mixed-integer program that HiGHS solves through SciPy. What comes back is made whole again in integer
GPU-seconds, so that no rounding of a solver can give away a second that is not there.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fucina.access.entries import Award, Choice, Entry, Room, points_of, share_of

NODE_LIMIT = 2000
"""Branches that one group of partitions may take; a limit in seconds would let a slow machine decide."""

GAP = 5e-4
"""Share of the points that may be left to prove where more than `EXACT` alternatives compete.

Measured: the last part takes a hundred times as long as all before."""

EXACT = 400
"""Alternatives in one group up to which the best choice is looked for to the last point."""


def greedy(entries: Sequence[Entry], limits: Mapping[str, int], *, smallest_share: float | None) -> dict[str, Award]:
    """Down the list, whatever still fits: what a panel does by hand."""
    room, awards = Room(limits), {}
    for entry in sorted(entries, key=lambda entry: entry.place):
        award = _first_that_fits(entry, room, smallest_share=smallest_share)
        if award is not None:
            room.take(award.gpu_s)
            awards[entry.ref] = award
    return awards


def _first_that_fits(entry: Entry, room: Room, *, smallest_share: float | None) -> Award | None:
    for option, asked in enumerate(entry.asks):
        if room.fits(asked):
            return Award(option, dict(asked))
    if smallest_share is None:
        return None
    for option, asked in enumerate(entry.asks):
        share = min((room.left(name) / amount for name, amount in asked.items() if amount), default=1.0)
        part = {name: min(int(amount * share), room.left(name)) for name, amount in asked.items()}
        if _is_enough(part, asked, smallest_share):
            return Award(option, part)
    return None


def _is_enough(part: Mapping[str, int], asked: Mapping[str, int], smallest_share: float) -> bool:
    return all(part[name] >= smallest_share * amount for name, amount in asked.items())


def choose(entries: Sequence[Entry], limits: Mapping[str, int], *, smallest_share: float | None = None) -> Choice:
    """The awards with the most points; never fewer than going down the list gives.

    `smallest_share` is the least that may be awarded of what was asked for; None awards all or nothing.
    """
    able = sorted((entry for entry in entries if not entry.below), key=lambda entry: entry.place)
    by_ref = {entry.ref: entry for entry in able}
    by_hand = greedy(able, limits, smallest_share=smallest_share)
    awards: dict[str, Award] = {}
    bound = 0.0
    for group in _groups(able):
        mine = {entry.ref: by_hand[entry.ref] for entry in group if entry.ref in by_hand}
        found, group_bound = _solve(group, limits, smallest_share=smallest_share)
        better = _value(found, by_ref) > _value(mine, by_ref)
        awards |= found if better else mine
        bound += group_bound
    awards = _fill(able, _prefer_earlier(able, awards, limits), limits, smallest_share=smallest_share)
    return Choice(awards, points_of(by_hand, by_ref), max(bound, points_of(awards, by_ref)))


def _value(awards: Mapping[str, Award], entries: Mapping[str, Entry]) -> float:
    return sum(entries[ref].value * share_of(award, entries[ref]) for ref, award in awards.items())


def _groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries that compete with each other, if only through others; each group is solved on its own."""
    names = sorted({name for entry in entries for asked in entry.asks for name in asked})
    column = {name: len(entries) + i for i, name in enumerate(names)}
    edges = [(row, column[name]) for row, e in enumerate(entries) for asked in e.asks for name in asked]
    size = len(entries) + len(names)
    if not edges:
        return [[entry] for entry in entries]
    rows, columns = zip(*edges, strict=True)
    _, labels = connected_components(coo_array((np.ones(len(edges)), (rows, columns)), shape=(size, size)), False)
    groups: dict[int, list[Entry]] = defaultdict(list)
    for entry, label in zip(entries, labels[: len(entries)], strict=True):
        groups[int(label)].append(entry)
    return list(groups.values())


class _Rows:
    """Constraints `low <= A x <= high`, row by row."""

    def __init__(self) -> None:
        self.cells: list[tuple[int, int, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def add(self, cells: list[tuple[int, float]], *, low: float = -np.inf, high: float) -> None:
        self.cells += [(len(self.high), column, value) for column, value in cells]
        self.low.append(low)
        self.high.append(high)

    def constraint(self, num_columns: int) -> LinearConstraint:
        rows, columns, values = zip(*self.cells, strict=True)
        matrix = coo_array((values, (rows, columns)), shape=(len(self.high), num_columns)).tocsc()
        return LinearConstraint(matrix, np.array(self.low), np.array(self.high))


def _solve(
    group: Sequence[Entry], limits: Mapping[str, int], *, smallest_share: float | None
) -> tuple[dict[str, Award], float]:
    """Awards of one group, whole GPU-seconds within the limits, and points that nothing exceeds."""
    options = [(entry, option) for entry in group for option in range(len(entry.asks))]
    if not options:
        return {}, 0.0
    count = len(options)
    parts = count if smallest_share is not None else 0
    rows = _Rows()
    users: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for column, (entry, option) in enumerate(options):
        for name, amount in entry.asks[option].items():
            users[name].append((column + parts, amount / max(limits.get(name, 0), 1)))
    for name, cells in users.items():
        rows.add(cells, high=1.0 if limits.get(name, 0) > 0 else 0.0)
    column = 0
    for entry in group:
        rows.add([(column + i, 1.0) for i in range(len(entry.asks))], high=1.0)
        column += len(entry.asks)
    for column in range(parts):
        rows.add([(column + parts, 1.0), (column, -1.0)], high=0.0)
        rows.add([(column, smallest_share or 0.0), (column + parts, -1.0)], high=0.0)
    values = np.array([entry.value for entry, _ in options], dtype=float)
    answer = milp(
        -np.concatenate([np.zeros(parts), values]),
        integrality=np.concatenate([np.ones(count), np.zeros(parts)]),
        bounds=Bounds(0, 1),
        constraints=rows.constraint(count + parts),
        options={"node_limit": NODE_LIMIT, "mip_rel_gap": GAP if count > EXACT else 0.0},
    )
    whole = float(values.sum())
    if answer.x is None:
        return {}, whole
    bound = -float(answer.mip_dual_bound) if answer.mip_dual_bound is not None else whole
    return _in_seconds(options, answer.x, parts, limits, smallest_share=smallest_share), bound


def _in_seconds(
    options: Sequence[tuple[Entry, int]],
    x: NDArray[np.float64],
    parts: int,
    limits: Mapping[str, int],
    *,
    smallest_share: float | None,
) -> dict[str, Award]:
    """The solver's answer in whole seconds, best first; what its tolerance has let through is left out."""
    room, awards = Room(limits), {}
    for column, (entry, option) in enumerate(options):
        if x[column] < 0.5:
            continue
        asked = entry.asks[option]
        share = min(1.0, float(x[column + parts]) + 1e-9)
        part = {name: min(int(amount * share), room.left(name)) for name, amount in asked.items()}
        if part == dict(asked) or (smallest_share is not None and _is_enough(part, asked, smallest_share)):
            awards[entry.ref] = Award(option, part)
            room.take(part)
    return awards


def _prefer_earlier(entries: Sequence[Entry], awards: dict[str, Award], limits: Mapping[str, int]) -> dict[str, Award]:
    """Among equal points, whoever stands first gets the time wherever that costs nobody else anything."""
    by_points: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_points[entry.points].append(entry)
    chosen, room = dict(awards), Room(limits)
    for award in awards.values():
        room.take(award.gpu_s)
    for equals in by_points.values():
        for first in equals:
            if first.ref in chosen:
                continue
            for later in reversed(equals):
                if later is first:
                    break
                if later.ref in chosen and _swap(first, later, chosen, room):
                    break
    return chosen


def _swap(first: Entry, later: Entry, chosen: dict[str, Award], room: Room) -> bool:
    """Give `first` what `later` has, where all that `first` asks for then fits and no point is lost."""
    had = chosen[later.ref]
    room.take(had.gpu_s, sign=-1)
    for option, asked in enumerate(first.asks):
        if room.fits(asked):
            del chosen[later.ref]
            chosen[first.ref] = Award(option, dict(asked))
            room.take(asked)
            return True
    room.take(had.gpu_s)
    return False


def _fill(
    entries: Sequence[Entry], awards: dict[str, Award], limits: Mapping[str, int], *, smallest_share: float | None
) -> dict[str, Award]:
    """Whatever still fits beside the awards is awarded too, best first."""
    room, filled = Room(limits), dict(awards)
    for award in awards.values():
        room.take(award.gpu_s)
    for entry in entries:
        if entry.ref not in filled:
            more = _first_that_fits(entry, room, smallest_share=smallest_share)
            if more is not None:
                filled[entry.ref] = more
                room.take(more.gpu_s)
    return filled
