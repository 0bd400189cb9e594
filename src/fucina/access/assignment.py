"""Who reviews what: the best expertise under everybody's availability, never across a conflict, the load shared.

A reviewer's fit to an application is the mean of their expertise over its topics. The assignment is a flow on a graph
of applications and reviewers, which HiGHS solves through SciPy; every vertex of it is whole.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from fucina.access.referees import MAX_LEVEL, Assignment, Pairs, Paper, Referee, Shortage, check_pool

FIRST_LOOK = 16
"""Reviewers that are looked at for an application before all of them are."""

OVERLOAD = (0.0, 0.15, 0.4, 0.8)
"""What a review costs in fit up to the fair load, a quarter above it, as much again, and beyond."""

SHORTAGE = 10.0
"""What a review that nobody writes costs in fit."""


Fits = NDArray[np.float64]


def assign(papers: Sequence[Paper], referees: Sequence[Referee], conflicts: Pairs) -> Assignment:
    """Find reviewers for all papers. Raises BadPool.

    Nobody reviews a paper outside of their fields and languages; where too few are left, the shortage says why.
    """
    papers, referees = sorted(papers, key=lambda p: p.ref), sorted(referees, key=lambda r: r.ref)
    check_pool(papers, referees)
    fits = _fits(papers, referees)
    open_to = fits.copy()
    row, column = {p.ref: i for i, p in enumerate(papers)}, {r.ref: i for i, r in enumerate(referees)}
    for paper, referee in conflicts:
        if paper in row and referee in column:
            open_to[row[paper], column[referee]] = 0.0
    open_to[:, [referee.free == 0 for referee in referees]] = 0.0
    by_hand = _greedy(papers, referees, open_to)
    looks = FIRST_LOOK
    while True:
        chosen = _flow(papers, referees, open_to, by_hand, looks=looks)
        missing = sum(paper.num_reviews for paper in papers) - len(chosen)
        if not missing or looks >= len(referees):
            break
        looks *= 8
    pairs = tuple(sorted((papers[i].ref, referees[j].ref) for i, j in chosen))
    return Assignment(
        pairs=pairs,
        fit=float(sum(fits[i, j] for i, j in chosen)),
        shortages=_shortages(papers, chosen, fits, open_to, conflicts),
        loads=dict(sorted(Counter(referee for _, referee in pairs).items())),
    )


def assign_greedily(papers: Sequence[Paper], referees: Sequence[Referee], conflicts: Pairs) -> Assignment:
    """One paper after the other takes the best who are left: what is compared with."""
    papers, referees = sorted(papers, key=lambda p: p.ref), sorted(referees, key=lambda r: r.ref)
    fits = _fits(papers, referees)
    open_to = fits.copy()
    row, column = {p.ref: i for i, p in enumerate(papers)}, {r.ref: i for i, r in enumerate(referees)}
    for paper, referee in conflicts:
        if paper in row and referee in column:
            open_to[row[paper], column[referee]] = 0.0
    chosen = _greedy(papers, referees, open_to)
    pairs = tuple(sorted((papers[i].ref, referees[j].ref) for i, j in chosen))
    return Assignment(
        pairs=pairs,
        fit=float(sum(fits[i, j] for i, j in chosen)),
        shortages=_shortages(papers, chosen, fits, open_to, conflicts),
        loads=dict(sorted(Counter(referee for _, referee in pairs).items())),
    )


def _fits(papers: Sequence[Paper], referees: Sequence[Referee]) -> Fits:
    """Fit of every pair, papers by reviewers."""
    topics = {topic: i for i, topic in enumerate(sorted({t for paper in papers for t in paper.topics}))}
    languages = {name: i for i, name in enumerate(sorted({paper.language for paper in papers}))}
    wants = np.zeros((len(papers), len(topics)))
    knows = np.zeros((len(topics), len(referees)))
    reads = np.zeros((len(languages), len(referees)), dtype=bool)
    for i, paper in enumerate(papers):
        for topic in paper.topics:
            wants[i, topics[topic]] = 1 / (MAX_LEVEL * len(paper.topics))
    for j, referee in enumerate(referees):
        for topic, level in referee.expertise.items():
            if topic in topics:
                knows[topics[topic], j] = level
        for name in referee.languages & languages.keys():
            reads[languages[name], j] = True
    in_language = reads[[languages[paper.language] for paper in papers]] if papers else np.zeros((0, len(referees)))
    return (wants @ knows) * in_language


def _greedy(papers: Sequence[Paper], referees: Sequence[Referee], open_to: Fits) -> list[tuple[int, int]]:
    free = np.array([referee.free for referee in referees])
    chosen = []
    for i, paper in enumerate(papers):
        able = np.flatnonzero((open_to[i] > 0) & (free > 0))
        best = able[np.argsort(-open_to[i, able], kind="stable")][: paper.num_reviews]
        free[best] -= 1
        chosen += [(i, int(j)) for j in best]
    return chosen


def _flow(
    papers: Sequence[Paper],
    referees: Sequence[Referee],
    open_to: Fits,
    by_hand: Sequence[tuple[int, int]],
    *,
    looks: int,
) -> list[tuple[int, int]]:
    """The pairs with the most fit less the price of uneven loads and of reviews that nobody writes.

    Variables: one a pair, one a paper for what is missing, and one a reviewer and step of the load.
    """
    pairs = _candidates(papers, open_to, by_hand, looks=looks)
    num_pairs, num_papers, num_referees, steps = len(pairs), len(papers), len(referees), len(OVERLOAD)
    total = sum(paper.num_reviews for paper in papers)
    num_able = max(1, sum(referee.free > 0 for referee in referees))
    fair = max(1, math.ceil(total / num_able))
    width = max(1, math.ceil(fair / 4))
    size = num_pairs + num_papers + num_referees * steps
    if not total:
        return []
    first_load = num_pairs + num_papers
    paper_of, referee_of = (np.array([pair[k] for pair in pairs], dtype=int) for k in (0, 1))
    loads = np.arange(num_referees * steps)
    rows = np.concatenate([paper_of, np.arange(num_papers), num_papers + referee_of, num_papers + loads // steps])
    columns = np.concatenate(
        [np.arange(num_pairs), num_pairs + np.arange(num_papers), np.arange(num_pairs), first_load + loads]
    )
    signs = np.concatenate([np.ones(num_pairs + num_papers + num_pairs), -np.ones(len(loads))])
    matrix = coo_array((signs, (rows, columns)), shape=(num_papers + num_referees, size)).tocsc()
    demand = np.array([float(paper.num_reviews) for paper in papers])
    exact = np.concatenate([demand, np.zeros(num_referees)])
    high = np.ones(size)
    high[num_pairs:first_load] = demand
    high[first_load:] = [
        room for referee in referees for room in _steps(referee.free, fair=fair, width=width, steps=steps)
    ]
    fit = open_to[paper_of, referee_of] if num_pairs else np.zeros(0)
    cost = np.concatenate([-fit, np.full(num_papers, SHORTAGE), np.tile(OVERLOAD, num_referees)])
    answer = milp(cost, bounds=Bounds(0, high), constraints=LinearConstraint(matrix, exact, exact))
    x = np.rint(answer.x[:num_pairs]).astype(bool)
    return [pair for pair, taken in zip(pairs, x, strict=True) if taken]


def _steps(free: int, *, fair: int, width: int, steps: int) -> list[int]:
    """How many reviews each step of the load holds; together what is free."""
    widths = [fair] + [width] * (steps - 2)
    rooms, left = [], free
    for wide in widths:
        rooms.append(min(wide, left))
        left -= rooms[-1]
    return [*rooms, left]


def _candidates(
    papers: Sequence[Paper], open_to: Fits, by_hand: Sequence[tuple[int, int]], *, looks: int
) -> list[tuple[int, int]]:
    """The pairs that are looked at: the best of each paper, and what one would choose by hand.

    Equally good reviewers are taken in turn, starting elsewhere for every paper, so that nobody is overlooked.
    """
    num_referees = open_to.shape[1]
    pairs = set(by_hand)
    for i in range(len(papers)):
        able = np.flatnonzero(open_to[i] > 0)
        turn = (able - i) % max(num_referees, 1)
        best = able[np.lexsort((turn, -open_to[i, able]))][:looks]
        pairs.update((i, int(j)) for j in best)
    return sorted(pairs)


def _shortages(
    papers: Sequence[Paper], chosen: Sequence[tuple[int, int]], fits: Fits, open_to: Fits, conflicts: Pairs
) -> tuple[Shortage, ...]:
    counts = Counter(i for i, _ in chosen)
    kept_out = Counter(paper for paper, _ in conflicts)
    return tuple(
        Shortage(
            paper.ref,
            paper.num_reviews - counts[i],
            int((fits[i] > 0).sum()),
            int(((fits[i] > 0) & (open_to[i] == 0)).sum()) if kept_out[paper.ref] else 0,
        )
        for i, paper in enumerate(papers)
        if counts[i] < paper.num_reviews
    )
