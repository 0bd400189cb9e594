"""The event loop: completions, then events of the machine, then submissions, then one pass for each pool that
changed."""

from fucina.planning.simulate.compiled import kernel
from fucina.planning.simulate.jobs import place_in_heap, remove_from_heap
from fucina.planning.simulate.placement import count_up, fits, nodes_needed, reopen, shut
from fucina.planning.simulate.schedule import enqueue, release, requeue, run_pass, stop
from fucina.planning.simulate.state import (
    ARRIVED,
    CLOSE,
    CUT,
    DONE,
    DOWN,
    DRAIN,
    DRAINING,
    ENDED,
    ENERGY,
    EVENT,
    FAIL,
    FAILED,
    FAR,
    GRAVITY,
    HEAP,
    HOME,
    LOCAL_FIRST,
    LOST,
    MOVING,
    NONE,
    OPEN,
    RETURN,
    SERVED,
    World,
)


@kernel
def _next(world: World) -> int:
    """The next instant at which something happens, FAR if nothing will."""
    jobs, pools, events, clock = world.jobs, world.pools, world.events, world.clock
    now = jobs.end[jobs.heap[0]] if clock[HEAP] > 0 else FAR
    if clock[ARRIVED] < len(jobs):
        now = min(now, jobs.submit[clock[ARRIVED]])
    if clock[EVENT] < len(events):
        now = min(now, events.time[clock[EVENT]])
    for pool in range(len(pools)):
        if pools.is_open[pool]:
            now = min(now, pools.wake[pool])
    return now


@kernel
def _submit(world: World, now: int) -> None:
    """Send what is submitted now; with the last job, keep the tally."""
    clock = world.clock
    while clock[ARRIVED] < len(world.jobs) and world.jobs.submit[clock[ARRIVED]] == now:
        _send(world, clock[ARRIVED], now)
        clock[ARRIVED] += 1
        if clock[ARRIVED] == len(world.jobs):
            for pool in range(len(world.pools)):
                count_up(world, pool, now)
            world.steady[:] = world.tally


@kernel
def advance(world: World, budget: int) -> bool:
    """Work through at most `budget` instants; returns whether anything is left to do."""
    jobs, pools, events, clock = world.jobs, world.pools, world.events, world.clock
    for _ in range(budget):
        now = _next(world)
        if now == FAR or clock[ENDED] == len(jobs):
            return False
        while clock[HEAP] > 0 and jobs.end[jobs.heap[0]] == now:
            job = jobs.heap[0]
            remove_from_heap(world, job)
            if jobs.state[job] == MOVING:
                _arrive(world, job, now)
            else:
                _finish(world, job, now)
        while clock[EVENT] < len(events) and events.time[clock[EVENT]] == now:
            _happen(world, events.kind[clock[EVENT]], events.target[clock[EVENT]], now)
            clock[EVENT] += 1
        _submit(world, now)
        for pool in range(len(pools)):
            if pools.dirty[pool] or pools.wake[pool] <= now:
                if world.rules.interval_s == 0:
                    pools.wake[pool] = now
                run_pass(world, pool, now)
    return True


@kernel
def _finish(world: World, job: int, now: int) -> None:
    jobs = world.jobs
    release(world, job, now)
    extra = world.rules.restart_s if jobs.stops[job] > 0 else 0
    pool = jobs.pool[job]
    tally = world.tally[pool]
    tally[LOST] += extra * jobs.gpus[job]
    tally[SERVED] += 1
    jobs.state[job] = DONE
    world.clock[ENDED] += 1


@kernel
def expected_wait(world: World, job: int, pool: int, now: int) -> float:
    """How long a job would wait in a pool, s: none if it fits now, else the work ahead over the whole pool."""
    pools = world.pools
    if not pools.is_open[pool]:
        return 1e18 if next_open(world, pool, now) == FAR else float(next_open(world, pool, now) - now)
    if pools.head[pool] < 0 and pools.fresh[pool] < 0 and fits(world, pool, world.jobs.gpus[job]):
        return 0.0
    ahead = pools.queued_gpu_s[pool] + pools.running_gpu_end[pool] - float(now) * pools.running_gpus[pool]
    return max(1.0, ahead / max(1.0, float(pools.up_nodes[pool] * pools.gpus_per_node[pool])))


@kernel
def next_open(world: World, pool: int, now: int) -> int:
    """When a closed pool opens again, as announced; FAR if it is not known."""
    events = world.events
    for position in range(world.clock[EVENT], len(events.time)):
        if events.kind[position] == OPEN and events.target[position] == pool:
            return events.time[position]
    return FAR


@kernel
def _transfer_s(world: World, job: int, pool: int) -> float:
    home = world.jobs.home[job]
    if world.pools.site[pool] == world.pools.site[home]:
        return 0.0
    return world.jobs.data_mb[job] / min(world.pools.link_mb_s[pool], world.pools.link_mb_s[home])


@kernel
def _cost(world: World, job: int, pool: int, now: int) -> float:
    """What the federation's rule weighs; the least wins."""
    rules, pools = world.rules, world.pools
    transfer = _transfer_s(world, job, pool)
    wait = expected_wait(world, job, pool, now)
    run = world.jobs.left[job] / pools.speed[pool]
    soonest = wait + transfer + run
    if rules.route == ENERGY:
        return pools.carbon_g[pool] if wait <= rules.patience_s else 1e9 + soonest
    if rules.route == GRAVITY:
        return transfer * 1e6 + soonest if wait < 1e18 else 1e18 + transfer
    if rules.route == LOCAL_FIRST and pool == world.jobs.home[job] and wait <= rules.spill_s:
        return -1.0
    return soonest


@kernel
def _choose(world: World, job: int, now: int) -> int:
    pools = world.pools
    home = world.jobs.home[job]
    if world.rules.route == HOME or pools.site[home] < 0:
        return home
    best = -1
    least = 0.0
    for pool in range(len(pools.site)):
        need = nodes_needed(world.jobs.gpus[job], pools.gpus_per_node[pool])
        if pools.site[pool] < 0 or need > pools.num_nodes[pool]:
            continue
        cost = _cost(world, job, pool, now)
        if best < 0 or cost < least:
            best = pool
            least = cost
    return best


@kernel
def _send(world: World, job: int, now: int) -> None:
    """Send a job to a pool; it waits there once its data have arrived."""
    jobs = world.jobs
    pool = _choose(world, job, now)
    transfer = int(_transfer_s(world, job, pool))
    jobs.pool[job] = pool
    if transfer == 0:
        enqueue(world, job, pool, now)
        return
    jobs.state[job] = MOVING
    jobs.end[job] = now + transfer
    place_in_heap(world, job)


@kernel
def _arrive(world: World, job: int, now: int) -> None:
    """Let a job wait where its data are, or go on where that pool was lost meanwhile."""
    pool = world.jobs.pool[job]
    if world.rules.route == HOME or world.pools.is_open[pool]:
        enqueue(world, job, pool, now)
    else:
        _send(world, job, now)


@kernel
def _happen(world: World, kind: int, target: int, now: int) -> None:
    nodes, pools = world.nodes, world.pools
    pool = nodes.pool[target] if kind <= DRAIN else target
    count_up(world, pool, now)
    pools.dirty[pool] = True
    if kind == FAIL:
        while nodes.job[target] >= 0:
            _fail(world, nodes.job[target], now)
        shut(world, target, DOWN)
    elif kind == RETURN:
        reopen(world, target)
    elif kind == DRAIN:
        shut(world, target, DRAINING)
    elif kind == OPEN:
        pools.is_open[pool] = True
        pools.wake[pool] = now
    elif kind == CLOSE:
        pools.is_open[pool] = False
    elif kind == CUT:
        pools.is_open[pool] = False
        _cut(world, pool, now)


@kernel
def _fail(world: World, job: int, now: int) -> None:
    pool = world.jobs.pool[job]
    world.tally[pool, LOST] += stop(world, job, now)
    world.tally[pool, FAILED] += 1
    requeue(world, job, pool, now)


@kernel
def _cut(world: World, pool: int, now: int) -> None:
    """Stop every job of a lost pool and send all that wait there elsewhere, where the federation's rule finds a
    place."""
    jobs, nodes, pools = world.jobs, world.nodes, world.pools
    for node in range(pools.first_node[pool], pools.first_node[pool] + pools.num_nodes[pool]):
        while nodes.job[node] >= 0:
            _fail(world, nodes.job[node], now)
    if world.rules.route == HOME:
        return
    for head in (pools.head[pool], pools.fresh[pool]):
        job = head
        while job >= 0:
            after = jobs.link[job]
            jobs.state[job] = MOVING
            jobs.end[job] = now
            place_in_heap(world, job)
            job = after
    pools.head[pool] = NONE
    pools.fresh[pool] = NONE
    pools.queued_gpu_s[pool] = 0.0
