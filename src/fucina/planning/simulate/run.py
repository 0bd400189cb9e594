"""Builds the engine's world from a cluster and jobs, runs it in slices that can be cancelled, and hands the columns
back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fucina.planning.simulate import state
from fucina.planning.simulate.accounts import account_tables
from fucina.planning.simulate.cluster import (
    BadScenario,
    Federation,
    Maintenance,
    Outage,
    Pool,
    QueuePolicy,
    Reservation,
    Route,
    Scheduling,
)
from fucina.planning.simulate.engine import advance
from fucina.planning.simulate.job_table import JobTable
from fucina.planning.simulate.state import Array

DAY_S = 86_400
SLICE = 20_000
"""Instants between two looks at the progress, and at an interruption."""
MAX_SLOTS = 4_000_000
MAX_PER_NODE = 16

_POLICY = {
    QueuePolicy.FCFS: state.FCFS,
    QueuePolicy.EASY: state.EASY,
    QueuePolicy.CONSERVATIVE: state.CONSERVATIVE,
}
_ROUTE = {
    Route.HOME: state.HOME,
    Route.LOCAL_FIRST: state.LOCAL_FIRST,
    Route.SHORTEST: state.SHORTEST,
    Route.ENERGY: state.ENERGY,
    Route.GRAVITY: state.GRAVITY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened."""

    table: JobTable
    pools: tuple[Pool, ...]
    first_start_s: Array
    """-1 where a job never started."""
    end_s: Array
    """-1 where a job did not end."""
    pool: Array
    """Where it ran last."""
    stops: Array
    tally: Array
    """Pools by the columns of `state`, up to the last end."""
    steady: Array
    """The same up to the last submission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happenings:
    """What happens to the machines."""

    maintenance: tuple[Maintenance, ...] = ()
    outages: tuple[Outage, ...] = ()
    reservations: tuple[Reservation, ...] = ()


_DEFAULT, _ALONE, _NOTHING = Scheduling(), Federation(), Happenings()


def simulate(
    table: JobTable,
    *,
    pools: Sequence[Pool],
    scheduling: Scheduling = _DEFAULT,
    federation: Federation = _ALONE,
    happenings: Happenings = _NOTHING,
    seed: int = 0,
    watch: Callable[[int, int], None] | None = None,
) -> Course:
    """Run all jobs to their ends. `watch` hears how many of how many have ended, and may raise to cancel.

    Raises BadScenario when a job is larger than its pool or a name is unknown.
    """
    pools = tuple(pools)
    _check(table, pools, federation)
    world = build(table, pools=pools, scheduling=scheduling, federation=federation, happenings=happenings, seed=seed)
    while advance(world, SLICE):
        if watch is not None:
            watch(int(world.clock[state.ENDED]), len(table))
    if watch is not None:
        watch(int(world.clock[state.ENDED]), len(table))
    return _course(table, pools, world)


def _check(table: JobTable, pools: tuple[Pool, ...], federation: Federation) -> None:
    if not pools:
        raise BadScenario("There is no pool of nodes.", hint="Give at least one.")
    if len({pool.id for pool in pools}) < len(pools):
        raise BadScenario("Two pools have the same name.", hint="Give each a name of its own.")
    if not len(table):
        raise BadScenario("There is no job.", hint="Give a trace with jobs, or a load above zero.")
    if np.any(np.diff(table.submit_s) < 0):
        at = int(np.argmax(np.diff(table.submit_s) < 0)) + 1
        raise BadScenario(f"Time goes back at job {at + 1}.", hint="Sort the jobs by submission.")
    room = np.array([pool.num_gpus for pool in pools], np.int64)
    limit = room[table.pool] if federation.route is Route.HOME else np.full(len(table), room.max())
    too_large = np.flatnonzero(table.gpus > limit)
    if len(too_large):
        job = int(too_large[0])
        raise BadScenario(
            f"{len(too_large):,} jobs are larger than where they may run; the first, job {job + 1}, asks for "
            f"{table.gpus[job]:,} accelerators of {limit[job]:,}.",
            hint="Leave such jobs out, or plan a larger machine.",
        )


def build(
    table: JobTable,
    *,
    pools: tuple[Pool, ...],
    scheduling: Scheduling,
    federation: Federation,
    happenings: Happenings,
    seed: int,
) -> state.World:
    """The world before the first event."""
    slowest = min(pool.speed for pool in pools)
    longest = int(table.estimate_s.max() / slowest) + scheduling.restart_s + scheduling.backfill_resolution_s
    slots = (longest // scheduling.backfill_resolution_s // state.BLOCK + 2) * state.BLOCK
    if slots * len(pools) > MAX_SLOTS:
        raise BadScenario(
            f"An estimate of {table.estimate_s.max():,} s has too many steps of {scheduling.backfill_resolution_s} s.",
            hint="Make backfill_resolution_s larger, 60 or more.",
        )
    horizon_s = int(table.submit_s.max()) + 60 * DAY_S
    nodes, islands = _nodes(pools)
    accounts, branch = account_tables(table, scheduling.accounts)
    return state.World(
        jobs=_jobs(table),
        nodes=nodes,
        pools=_pools(pools),
        islands=islands,
        accounts=accounts,
        qos=_qos(scheduling),
        events=_events(pools, happenings, horizon_s=horizon_s, seed=seed),
        loose=np.full((len(pools), MAX_PER_NODE + 1), -1, np.int32),
        release=np.zeros((len(pools), slots), np.int32),
        coarse=np.zeros((len(pools), slots // state.BLOCK), np.int32),
        closes=_closures(pools, happenings),
        tally=np.zeros((len(pools), state.NUM_TALLIES), np.int64),
        steady=np.zeros((len(pools), state.NUM_TALLIES), np.int64),
        branch=branch,
        rules=_rules(scheduling, federation),
        clock=np.array([0, 0, 0, scheduling.first_calculation_s, 0, 0], np.int64),
    )


def _rules(scheduling: Scheduling, federation: Federation) -> state.Rules:
    weights = scheduling.weights
    return state.Rules(
        policy=_POLICY[scheduling.policy],
        route=_ROUTE[federation.route],
        slot_s=scheduling.backfill_resolution_s,
        interval_s=scheduling.backfill_interval_s,
        max_tested=scheduling.backfill_depth,
        window_slots=scheduling.backfill_window_s // scheduling.backfill_resolution_s,
        calc_s=scheduling.calculation_s,
        half_life_s=scheduling.half_life_days * DAY_S,
        tree=scheduling.fairshare == "tree",
        weight_age=weights.age,
        weight_share=weights.fairshare,
        weight_size=weights.size,
        weight_qos=weights.qos,
        max_age_s=scheduling.max_age_days * DAY_S,
        damping=scheduling.damping,
        restart_s=scheduling.restart_s,
        requeue_s=scheduling.requeue_s,
        limits=any(a.max_gpus or a.max_running for a in scheduling.accounts),
        first_fit=scheduling.placement == "first-fit",
        patience_s=federation.patience_s,
        spill_s=federation.spill_s,
        preempts=any(qos.preempts for qos in scheduling.qos),
    )


def _jobs(table: JobTable) -> Any:
    return state.table(
        state.JOB,
        len(table),
        submit=table.submit_s,
        run=table.run_s,
        left=table.run_s,
        estimate=table.estimate_s,
        gpus=table.gpus,
        account=table.account,
        qos=table.qos,
        home=table.pool,
        pool=table.pool,
        data_mb=table.data_gb * 1000,
        state=state.PENDING,
        start=-1,
        first_start=-1,
        end=-1,
        node=-1,
        link=-1,
        place=-1,
    )


def _qos(scheduling: Scheduling) -> Any:
    return state.table(
        state.QOS,
        len(scheduling.qos),
        weight=[qos.priority for qos in scheduling.qos],
        checkpoint_s=[qos.checkpoint_s for qos in scheduling.qos],
        preempts=[qos.preempts for qos in scheduling.qos],
        yields=[qos.yields for qos in scheduling.qos],
    )


def _nodes(pools: tuple[Pool, ...]) -> tuple[Any, Any]:
    """All nodes, and the islands with their lists of free nodes in the order of their numbers."""
    count = np.array([pool.num_nodes for pool in pools], np.int64)
    owner = np.repeat(np.arange(len(pools)), count)
    width = np.array([pool.nodes_per_island or pool.num_nodes for pool in pools], np.int64)
    first_island = np.concatenate([[0], np.cumsum(-(-count // width))])
    numbers = np.arange(count.sum())
    island = first_island[owner] + (numbers - (np.cumsum(count) - count)[owner]) // width[owner]
    same = np.concatenate([[False], island[1:] == island[:-1]])
    nodes = state.table(
        state.NODE,
        len(owner),
        pool=owner,
        island=island,
        free=np.array([pool.gpus_per_node for pool in pools])[owner],
        state=state.UP,
        job=-1,
        chain=-1,
        before=np.where(same, numbers - 1, -1),
        after=np.where(np.concatenate([same[1:], [False]]), numbers + 1, -1),
        until=-1,
    )
    num = int(first_island[-1])
    islands = state.table(
        state.ISLAND, num, whole=np.searchsorted(island, np.arange(num)), count=np.bincount(island, minlength=num)
    )
    return nodes, islands


def _pools(pools: tuple[Pool, ...]) -> Any:
    count = np.array([pool.num_nodes for pool in pools], np.int64)
    per_node = np.array([pool.gpus_per_node for pool in pools], np.int64)
    num_islands = -(-count // np.array([pool.nodes_per_island or pool.num_nodes for pool in pools]))
    sites = {site: number for number, site in enumerate(dict.fromkeys(pool.site or pool.id for pool in pools))}
    return state.table(
        state.POOL,
        len(pools),
        gpus_per_node=per_node,
        first_node=np.cumsum(count) - count,
        num_nodes=count,
        first_island=np.cumsum(num_islands) - num_islands,
        end_island=np.cumsum(num_islands),
        site=[sites[pool.site or pool.id] for pool in pools],
        free_nodes=count,
        free_gpus=count * per_node,
        soft_nodes=count,
        up_nodes=count,
        head=-1,
        fresh=-1,
        wake=state.FAR,
        ordered_at=-state.FAR,
        speed=[pool.speed for pool in pools],
        carbon_g=[_carbon_g(pool) for pool in pools],
        link_mb_s=[pool.link_gbps * 125 for pool in pools],
        is_open=True,
    )


def _carbon_g(pool: Pool) -> float:
    """Of the work of one accelerator-hour on the reference."""
    return pool.power_w / 1000 * pool.pue * pool.carbon_g_per_kwh / pool.speed


def _closures(pools: tuple[Pool, ...], happenings: Happenings) -> Array:
    """Begins of maintenance by pool."""
    begins = [sorted(int(w.begins_day * DAY_S) for w in happenings.maintenance if w.pool == pool.id) for pool in pools]
    closes = np.full((len(pools), max(1, *(len(b) for b in begins))), state.FAR, np.int64)
    for row, times in enumerate(begins):
        closes[row, : len(times)] = times
    return closes


def _events(pools: tuple[Pool, ...], happenings: Happenings, *, horizon_s: int, seed: int) -> Any:
    numbers = {pool.id: number for number, pool in enumerate(pools)}
    found: list[tuple[int, int, int]] = []
    for window in (*happenings.maintenance, *happenings.outages, *happenings.reservations):
        if window.pool not in numbers:
            raise BadScenario(f"There is no pool {window.pool!r}.", hint=f"There are: {', '.join(numbers)}.")
    for closing, kind in ((happenings.maintenance, state.CLOSE), (happenings.outages, state.CUT)):
        for window in closing:
            begin = int(window.begins_day * DAY_S)
            found.append((begin, kind, numbers[window.pool]))
            found.append((begin + int(window.days * DAY_S), state.OPEN, numbers[window.pool]))
    first = np.cumsum([0, *(pool.num_nodes for pool in pools)])
    for held in happenings.reservations:
        number = numbers[held.pool]
        if held.num_nodes >= pools[number].num_nodes:
            raise BadScenario(
                f"Reservation {held.name!r} wants {held.num_nodes} of {pools[number].num_nodes} nodes.",
                hint="Leave at least one node, or plan maintenance instead.",
            )
        for node in range(int(first[number + 1]) - held.num_nodes, int(first[number + 1])):
            found.append((max(0, int((held.begins_day - held.drain_days) * DAY_S)), state.DRAIN, node))
            found.append((int((held.begins_day + held.days) * DAY_S), state.RETURN, node))
    for number, pool in enumerate(pools):
        found += failures(pool, first_node=int(first[number]), horizon_s=horizon_s, seed=seed + number)
    found.sort()
    columns = np.array(found, np.int64).reshape(-1, 3)
    return state.table(state.HAPPENING, len(found), time=columns[:, 0], kind=columns[:, 1], target=columns[:, 2])


def failures(pool: Pool, *, first_node: int, horizon_s: int, seed: int) -> list[tuple[int, int, int]]:
    """Failures and returns of a pool's nodes: a Poisson process for each node, silent while it is repaired."""
    rate = pool.failures_per_1000_node_days / 1000 / DAY_S
    if rate == 0:
        return []
    chance = np.random.default_rng(seed)
    found: list[tuple[int, int, int]] = []
    clock = chance.exponential(1 / rate, pool.num_nodes)
    while (alive := np.flatnonzero(clock < horizon_s)).size:
        for node in alive:
            found.append((int(clock[node]), state.FAIL, first_node + int(node)))
            found.append((int(clock[node]) + pool.repair_s, state.RETURN, first_node + int(node)))
        clock[alive] += pool.repair_s + chance.exponential(1 / rate, alive.size)
    return found


def _course(table: JobTable, pools: tuple[Pool, ...], world: state.World) -> Course:
    jobs = world.jobs
    ended = jobs.state == state.DONE
    return Course(
        table=table,
        pools=pools,
        first_start_s=np.array(jobs.first_start),
        end_s=np.where(ended, jobs.end, -1),
        pool=np.array(jobs.pool),
        stops=np.array(jobs.stops),
        tally=world.tally,
        steady=world.steady,
    )
