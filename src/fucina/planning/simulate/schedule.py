"""Passes over a pool's queue: start from the head, then backfill behind reservations, as Slurm's two schedulers do.

Estimated ends are rounded up to slots, and the backfill pass comes at intervals; a slot of 1 s and an interval of 0
make
both exact. Reservations count wholly free nodes.
"""

import numpy as np

from fucina.planning.simulate.compiled import kernel
from fucina.planning.simulate.jobs import job_slots, place_in_heap, remove_from_heap
from fucina.planning.simulate.limits import TOO_MANY_GPUS, TOO_MANY_JOBS, count_held, held_gpus, over_limit
from fucina.planning.simulate.placement import count_up, fits, loose_node, node_for, nodes_needed, place, take_back
from fucina.planning.simulate.priority import calculate, charge, in_order
from fucina.planning.simulate.state import (
    BLOCK,
    CALC,
    CONSERVATIVE,
    FAR,
    FCFS,
    GANGS,
    LOST,
    MOVING,
    NONE,
    PREEMPTED,
    RUNNING,
    SPREAD,
    STARTS,
    UP,
    WAITING,
    Array,
    World,
)


@kernel
def next_close(world: World, pool: int, now: int) -> int:
    """When the pool closes next, FAR if never."""
    closes = world.closes[pool]
    for position in range(len(closes)):
        if closes[position] > now:
            return closes[position]
    return FAR


@kernel
def is_firm(world: World, job: int) -> bool:
    """Whether a job may not be preempted."""
    return not world.qos.yields[world.jobs.qos[job]]


@kernel
def durations(world: World, job: int, pool: int) -> tuple[int, int]:
    """How long a job will run there, and how long it says, s."""
    jobs, rules = world.jobs, world.rules
    extra = rules.restart_s if jobs.stops[job] > 0 else 0
    speed = world.pools.speed[pool]
    run = int(np.ceil(jobs.left[job] / speed)) + extra
    return run, max(run, int(np.ceil(jobs.estimate[job] / speed)) + extra)


@kernel
def start(world: World, job: int, pool: int, now: int, packed: bool) -> None:
    """Start a job that fits; `packed` fills a partly used node first, whatever the rule is."""
    jobs, pools = world.jobs, world.pools
    run, estimate = durations(world, job, pool)
    held = held_gpus(world, job, pool)
    count_up(world, pool, now)
    islands = place(world, job, pool, job_slots(world, now + estimate), is_firm(world, job), packed)
    tally = world.tally[pool]
    tally[STARTS] += 1
    if jobs.gpus[job] > pools.gpus_per_node[pool]:
        tally[GANGS] += 1
        tally[SPREAD] += islands > 1
    jobs.state[job] = RUNNING
    jobs.start[job] = now
    if jobs.first_start[job] < 0:
        jobs.first_start[job] = now
    jobs.end[job] = now + run
    place_in_heap(world, job)
    charge(world, jobs.account[job], now)
    count_held(world, jobs.account[job], held, 1)
    pools.running_gpus[pool] += held
    pools.running_gpu_end[pool] += float(held) * (now + estimate)
    pools.queued_gpu_s[pool] -= float(held) * estimate


@kernel
def release(world: World, job: int, now: int) -> None:
    """Take a running job off its nodes and its accounts."""
    jobs, pools = world.jobs, world.pools
    pool = jobs.pool[job]
    _, estimate = durations(world, job, pool)
    held = held_gpus(world, job, pool)
    count_up(world, pool, now)
    take_back(world, job, is_firm(world, job))
    charge(world, jobs.account[job], now)
    count_held(world, jobs.account[job], -held, -1)
    pools.running_gpus[pool] -= held
    pools.running_gpu_end[pool] -= float(held) * (jobs.start[job] + estimate)
    pools.dirty[pool] = True


@kernel
def enqueue(world: World, job: int, pool: int, now: int) -> None:
    """Let a job wait for the pool's next pass."""
    jobs, pools = world.jobs, world.pools
    jobs.state[job] = WAITING
    jobs.pool[job] = pool
    jobs.link[job] = pools.fresh[pool]
    pools.fresh[pool] = job
    pools.dirty[pool] = True
    _, estimate = durations(world, job, pool)
    pools.queued_gpu_s[pool] += float(held_gpus(world, job, pool)) * estimate
    if pools.head[pool] < 0:
        pools.wake[pool] = now


@kernel
def stop(world: World, job: int, now: int) -> int:
    """Stop a running job, which keeps its work up to its last checkpoint; returns the accelerator-seconds lost."""
    jobs = world.jobs
    pool = jobs.pool[job]
    release(world, job, now)
    remove_from_heap(world, job)
    every = world.qos.checkpoint_s[jobs.qos[job]]
    extra = world.rules.restart_s if jobs.stops[job] > 0 else 0
    useful = max(0, now - jobs.start[job] - extra)
    saved = useful // every * every if every > 0 else 0
    jobs.left[job] = max(1, jobs.left[job] - int(saved * world.pools.speed[pool]))
    jobs.stops[job] += 1
    return (now - jobs.start[job] - saved) * held_gpus(world, job, pool)


@kernel
def may_start(world: World, job: int, pool: int, now: int, closes_at: int) -> bool:
    """Whether a job fits and ends before the pool closes."""
    if not fits(world, pool, world.jobs.gpus[job]):
        return False
    _, estimate = durations(world, job, pool)
    return now + estimate <= closes_at


@kernel
def _listed(world: World, head: int) -> Array:
    """The jobs of a linked list."""
    count = 0
    job = head
    while job >= 0:
        count += 1
        job = world.jobs.link[job]
    listed = np.empty(count, np.int32)
    job = head
    for position in range(count):
        listed[position] = job
        job = world.jobs.link[job]
    return listed


@kernel
def _goes_first(world: World, one: int, other: int) -> bool:
    """By priority, the earlier submitted first among equals."""
    priority = world.jobs.priority
    return priority[one] > priority[other] or (priority[one] == priority[other] and one < other)


@kernel
def merge(world: World, pool: int, now: int) -> None:
    """Put new arrivals in their place; all jobs anew when priorities were calculated since."""
    jobs, pools, clock = world.jobs, world.pools, world.clock
    fresh = _listed(world, pools.fresh[pool])
    pools.fresh[pool] = NONE
    if pools.ordered_at[pool] < clock[CALC] - world.rules.calc_s:
        fresh = np.concatenate((fresh, _listed(world, pools.head[pool])))
        pools.head[pool] = NONE
        pools.ordered_at[pool] = now
    fresh = in_order(world, fresh, now)
    before = NONE
    after = pools.head[pool]
    for position in range(len(fresh)):
        job = fresh[position]
        while after >= 0 and _goes_first(world, after, job):
            before = after
            after = jobs.link[after]
        if before < 0:
            pools.head[pool] = job
        else:
            jobs.link[before] = job
        jobs.link[job] = after
        before = job


@kernel
def start_from_head(world: World, pool: int, now: int) -> None:
    """Start jobs in order until one must wait for accelerators."""
    jobs, pools = world.jobs, world.pools
    closes_at = next_close(world, pool, now)
    before = NONE
    job = pools.head[pool]
    while job >= 0:
        after = jobs.link[job]
        if over_limit(world, job, pool) > 0:
            before = job
            job = after
            continue
        if not may_start(world, job, pool, now, closes_at) and not (
            world.rules.preempts and world.qos.preempts[jobs.qos[job]] and make_room(world, job, pool, now, closes_at)
        ):
            return
        take_out(world, pool, before, after)
        start(world, job, pool, now, False)
        job = after


@kernel
def take_out(world: World, pool: int, before: int, after: int) -> None:
    """Take the job between these two out of the queue; -1 before it means that it is the head."""
    if before < 0:
        world.pools.head[pool] = after
    else:
        world.jobs.link[before] = after


@kernel
def make_room(world: World, job: int, pool: int, now: int, closes_at: int) -> bool:
    """Preempt yielding jobs so that this one fits, on the nodes with most room; nothing happens if that cannot be."""
    jobs, nodes, pools = world.jobs, world.nodes, world.pools
    per_node = pools.gpus_per_node[pool]
    need = nodes_needed(jobs.gpus[job], per_node)
    _, estimate = durations(world, job, pool)
    if now + estimate > closes_at or need > pools.soft_nodes[pool]:
        return False
    first = pools.first_node[pool]
    wanted = per_node if need > 0 else jobs.gpus[job]
    for room in range(per_node, -1, -1):
        for node in range(first, first + pools.num_nodes[pool]):
            if fits(world, pool, jobs.gpus[job]):
                return True
            if nodes.state[node] == UP and nodes.free[node] == room and per_node - nodes.firm[node] >= wanted:
                _clear(world, node, wanted, now)
    return fits(world, pool, jobs.gpus[job])


@kernel
def _clear(world: World, node: int, wanted: int, now: int) -> None:
    jobs, nodes = world.jobs, world.nodes
    pool = nodes.pool[node]
    victim = nodes.job[node]
    while victim >= 0 and nodes.free[node] < wanted:
        after = jobs.link[victim]
        if not is_firm(world, victim):
            world.tally[pool, LOST] += stop(world, victim, now)
            world.tally[pool, PREEMPTED] += 1
            requeue(world, victim, pool, now)
        victim = after


@kernel
def requeue(world: World, job: int, pool: int, now: int) -> None:
    """Let a stopped job wait again, at once or when it may."""
    jobs = world.jobs
    if world.rules.requeue_s == 0:
        enqueue(world, job, pool, now)
        return
    jobs.state[job] = MOVING
    jobs.end[job] = now + world.rules.requeue_s
    place_in_heap(world, job)


@kernel
def reservation(world: World, pool: int, need: int, now: int) -> tuple[int, int]:
    """The slot at which `need` nodes are wholly free by the estimates, and how many more are then."""
    ring = world.release.shape[1]
    free = world.pools.free_nodes[pool]
    slot = now // world.rules.slot_s
    last = slot + ring - 1
    while free < need and slot < last:
        slot += 1
        at = slot % ring
        if at % BLOCK == 0 and slot + BLOCK <= last and free + world.coarse[pool, at // BLOCK] < need:
            free += world.coarse[pool, at // BLOCK]
            slot += BLOCK - 1
        else:
            free += world.release[pool, at]
    return (slot, free - need) if free >= need else (FAR, 0)


@kernel
def backfill_easy(world: World, pool: int, now: int) -> None:
    """Start jobs that do not delay the head of the queue: they end before its reservation or use what it leaves."""
    jobs, pools, rules = world.jobs, world.pools, world.rules
    per_node = pools.gpus_per_node[pool]
    closes_at = next_close(world, pool, now)
    head = pools.head[pool]
    while head >= 0 and over_limit(world, head, pool) > 0:
        head = jobs.link[head]
    if head < 0:
        return
    shadow, spare = reservation(world, pool, max(1, nodes_needed(jobs.gpus[head], per_node)), now)
    if fits(world, pool, jobs.gpus[head]):  # it waits for the pool to close and open again
        shadow = FAR
    before = head
    job = jobs.link[head]
    tested = 0
    while job >= 0 and tested < rules.max_tested and pools.free_gpus[pool] > 0:
        after = jobs.link[job]
        tested += 1
        begins = False
        if (
            jobs.gpus[job] <= pools.free_gpus[pool]
            and may_start(world, job, pool, now, closes_at)
            and over_limit(world, job, pool) == 0
        ):
            _, estimate = durations(world, job, pool)
            ends = job_slots(world, now + estimate)
            takes = nodes_taken(world, job, pool, shadow)
            begins = ends <= shadow or takes <= spare
            if begins and ends > shadow:
                spare -= takes
        if begins:
            jobs.link[before] = after
            start(world, job, pool, now, True)
        else:
            before = job
        job = after


@kernel
def nodes_taken(world: World, job: int, pool: int, shadow: int) -> int:
    """How many nodes would no longer be wholly free at `shadow`: none for a part of a node that is busy then anyway."""
    gpus = world.jobs.gpus[job]
    need = nodes_needed(gpus, world.pools.gpus_per_node[pool])
    if need > 0:
        return need
    node = loose_node(world, pool, gpus)
    return 0 if node >= 0 and world.nodes.until[node] > shadow else 1


@kernel
def run_pass(world: World, pool: int, now: int) -> None:
    """All that is to be done for a pool at this instant."""
    pools, rules = world.pools, world.rules
    if not pools.is_open[pool]:
        return
    due = now >= pools.wake[pool]
    if due:
        if now >= world.clock[CALC]:
            calculate(world, now)
            pools.dirty[pool] = True
        if not pools.dirty[pool]:
            pools.wake[pool] = now + rules.interval_s if pools.head[pool] >= 0 and rules.interval_s > 0 else FAR
            return
        merge(world, pool, now)
    start_from_head(world, pool, now)
    if due and pools.head[pool] >= 0:
        if rules.policy == CONSERVATIVE:
            backfill_conservative(world, pool, now)
        elif rules.policy != FCFS:
            backfill_easy(world, pool, now)
    waits = pools.head[pool] >= 0 or pools.fresh[pool] >= 0
    if due:
        pools.dirty[pool] = False
        pools.wake[pool] = now + rules.interval_s if waits and rules.interval_s > 0 else FAR


@kernel
def backfill_conservative(world: World, pool: int, now: int) -> None:
    """Give each waiting job, in order, the earliest place that hurts none before it; start those whose place is now."""
    jobs, pools, rules = world.jobs, world.pools, world.rules
    per_node = pools.gpus_per_node[pool]
    closes_at = next_close(world, pool, now)
    base = now // rules.slot_s
    free = _profile(world, pool, now)
    before = NONE
    job = pools.head[pool]
    tested = 0
    while job >= 0 and tested < rules.max_tested:
        after = jobs.link[job]
        tested += 1
        limited = over_limit(world, job, pool)
        if limited == TOO_MANY_JOBS or (limited == TOO_MANY_GPUS and may_start(world, job, pool, now, closes_at)):
            before = job
            job = after
            continue
        _, estimate = durations(world, job, pool)
        length = job_slots(world, now + estimate) - base
        need = max(1, nodes_needed(jobs.gpus[job], per_node))
        if (
            limited == 0
            and not fits(world, pool, jobs.gpus[job])
            and _may_preempt(world, job, pool, free, length, need)
        ):
            then = _profile(world, pool, now)
            make_room(world, job, pool, now, closes_at)
            free += _profile(world, pool, now) - then
        begins, packed = False, False
        if may_start(world, job, pool, now, closes_at):
            begins = _begins(world, job, pool, base, free, length, need, False)
            if not begins and rules.first_fit:
                packed = True
                begins = _begins(world, job, pool, base, free, length, need, True)
        if begins:
            take_out(world, pool, before, after)
            start(world, job, pool, now, packed)
        else:
            _promise(free, length, need)
            before = job
        job = after


@kernel
def _profile(world: World, pool: int, now: int) -> Array:
    """How many nodes are wholly free at each slot from now on, by the estimates."""
    ring = world.release.shape[1]
    slots = min(world.rules.window_slots, ring - 1)
    base = now // world.rules.slot_s
    free = np.empty(slots + 1, np.int64)
    free[0] = world.pools.free_nodes[pool]
    for ahead in range(1, slots + 1):
        free[ahead] = free[ahead - 1] + world.release[pool, (base + ahead) % ring]
    return free


@kernel
def _may_preempt(world: World, job: int, pool: int, free: Array, length: int, need: int) -> bool:
    """Whether a job could start now if all that yields stopped, without hurting those before it."""
    if not world.rules.preempts or not world.qos.preempts[world.jobs.qos[job]]:
        return False
    gained = world.pools.soft_nodes[pool] - world.pools.free_nodes[pool]
    return gained > 0 and _room(free, 0, length, need - gained)


@kernel
def _begins(world: World, job: int, pool: int, base: int, free: Array, length: int, need: int, packed: bool) -> bool:
    """Book a job's place now if that hurts nobody: on a partly used node only what comes after it would be free."""
    first = 0
    if world.jobs.gpus[job] < world.pools.gpus_per_node[pool]:
        node = node_for(world, pool, world.jobs.gpus[job], packed)
        if node >= 0:
            first = max(0, world.nodes.until[node] - base)
    begins = _room(free, first, length, need)
    if begins:
        _book(free, first, length, need)
    return begins


@kernel
def _room(free: Array, begin: int, end: int, need: int) -> bool:
    slot = begin
    while slot < min(end, len(free)) and free[slot] >= need:
        slot += 1
    return slot >= min(end, len(free))


@kernel
def _book(free: Array, begin: int, end: int, need: int) -> None:
    for slot in range(begin, min(end, len(free))):
        free[slot] -= need


@kernel
def _promise(free: Array, length: int, need: int) -> None:
    """Book the earliest place after now; none within the window means no promise."""
    begin = 1
    slot = 1
    while slot < len(free):
        if free[slot] < need:
            begin = slot + 1
        elif slot + 1 >= begin + length:
            break
        slot += 1
    if begin < len(free):
        _book(free, begin, begin + length, need)
