"""The tree of accounts as the engine takes it: shares among siblings, limits, and the way from the top to each leaf."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fucina.planning.simulate import state
from fucina.planning.simulate.cluster import Account, BadScenario
from fucina.planning.simulate.job_table import JobTable
from fucina.planning.simulate.state import Array


def account_tables(table: JobTable, known: Sequence[Account]) -> tuple[Any, Array]:
    """The accounts, those with jobs first, and the branch of each of these.

    Raises BadScenario when an account is under one that is not named or under itself, when one has both jobs and
    accounts below, and when a job is larger than its account may ever hold.
    """
    named = _named(table, known)
    parents = {entry.parent for entry in named.values() if entry.parent}
    if both := sorted(parents & set(table.accounts)):
        raise BadScenario(
            f"Account {both[0]!r} has jobs of its own and accounts below it.", hint="Give its jobs to one below."
        )
    leaves = [name for name in named if name not in parents]
    order = leaves + [name for name in named if name in parents]
    number = {name: position for position, name in enumerate(order)}
    ways = [_way(name, named) for name in leaves]
    entries = [named[name] for name in order]
    below: dict[str, float] = {}
    for entry in entries:
        below[entry.parent] = below.get(entry.parent, 0.0) + entry.share
    share = {entry.name: entry.share / below[entry.parent] for entry in entries}
    made = state.table(
        state.ACCOUNT,
        len(order),
        share=[share[name] for name in order],
        norm=[float(np.prod([share[step] for step in _way(name, named)])) for name in order],
        factor=1.0,
        max_gpus=[entry.max_gpus or state.FAR for entry in entries],
        max_running=[entry.max_running or state.FAR for entry in entries],
        parent=[number.get(entry.parent, state.NONE) for entry in entries],
    )
    branch = np.full((max(map(len, ways)), len(leaves)), state.NONE, np.int32)
    for column, way in enumerate(ways):
        branch[: len(way), column] = [number[name] for name in way]
    _check_limits(table, made, entries)
    return made, branch


def _named(table: JobTable, known: Sequence[Account]) -> dict[str, Account]:
    """All accounts by name, those of the job table first and in its order."""
    given = {entry.name: entry for entry in known}
    shares = table.shares or (1.0,) * len(table.accounts)
    named = {
        name: given.get(name) or Account(name=name, share=share)
        for name, share in zip(table.accounts, shares, strict=True)
    }
    named |= {name: entry for name, entry in given.items() if name not in named}
    for entry in known:
        if entry.parent and entry.parent not in given:
            raise BadScenario(
                f"Account {entry.name!r} stands under {entry.parent!r}, which is not there.",
                hint="Name that account too.",
            )
    return named


def _way(name: str, named: dict[str, Account]) -> list[str]:
    """The accounts from the top down to this one."""
    way = [name]
    while above := named[way[-1]].parent:
        if above in way:
            raise BadScenario(f"Account {above!r} stands under itself.", hint="Correct its parent.")
        way.append(above)
    return way[::-1]


def _check_limits(table: JobTable, made: Any, entries: Sequence[Account]) -> None:
    """No job may ask for more than its account may ever hold: it would wait for ever."""
    limit = made.max_gpus.copy()
    for position in range(len(limit)):
        above = made.parent[position]
        while above >= 0:
            limit[position] = min(limit[position], made.max_gpus[above])
            above = made.parent[above]
    too_large = np.flatnonzero(table.gpus > limit[table.account])
    if len(too_large):
        job = int(too_large[0])
        raise BadScenario(
            f"Job {job + 1} asks for {table.gpus[job]:,} accelerators; {entries[table.account[job]].name!r} may hold "
            f"{limit[table.account[job]]:,} at most.",
            hint="Leave such jobs out, or raise max_gpus.",
        )
