"""Which nodes a job gets: part of one node by best fit, or whole nodes in as few islands as possible.

Free nodes are listed by island, partly used ones by their free accelerators, so that a choice costs no search over
nodes.
"""

from fucina.planning.simulate.compiled import kernel
from fucina.planning.simulate.state import BLOCK, BUSY, DOWN, DRAINING, LAST, NONE, SCATTERED, UP, UPTIME, World


@kernel
def count_up(world: World, pool: int, now: int) -> None:
    """Bring the pool's tally of time up to `now`."""
    pools = world.pools
    tally = world.tally[pool]
    passed = now - tally[LAST]
    if passed > 0:
        tally[BUSY] += passed * pools.running_gpus[pool]
        tally[SCATTERED] += passed * (pools.free_gpus[pool] - pools.free_nodes[pool] * pools.gpus_per_node[pool])
        tally[UPTIME] += passed * pools.up_nodes[pool]
        tally[LAST] = now


@kernel
def list_in(world: World, node: int) -> None:
    """Put a node that is up into the list of its kind."""
    nodes, pools = world.nodes, world.pools
    pool = nodes.pool[node]
    free = nodes.free[node]
    if free == 0:
        return
    if free == pools.gpus_per_node[pool]:
        island = nodes.island[node]
        head = world.islands.whole[island]
        world.islands.whole[island] = node
        world.islands.count[island] += 1
        pools.free_nodes[pool] += 1
    else:
        head = world.loose[pool, free]
        world.loose[pool, free] = node
    nodes.before[node] = NONE
    nodes.after[node] = head
    if head >= 0:
        nodes.before[head] = node


@kernel
def list_out(world: World, node: int) -> None:
    """Take a node that is up out of its list."""
    nodes, pools = world.nodes, world.pools
    pool = nodes.pool[node]
    free = nodes.free[node]
    if free == 0:
        return
    before, after = nodes.before[node], nodes.after[node]
    if after >= 0:
        nodes.before[after] = before
    if before >= 0:
        nodes.after[before] = after
    if free == pools.gpus_per_node[pool]:
        island = nodes.island[node]
        world.islands.count[island] -= 1
        pools.free_nodes[pool] -= 1
        if before < 0:
            world.islands.whole[island] = after
    elif before < 0:
        world.loose[pool, free] = after


@kernel
def nodes_needed(gpus: int, gpus_per_node: int) -> int:
    """Whole nodes that a job takes; 0 for a part of one node."""
    if gpus < gpus_per_node:
        return 0
    return (gpus + gpus_per_node - 1) // gpus_per_node


@kernel
def loose_node(world: World, pool: int, gpus: int) -> int:
    """The partly used node with least room that is enough, or -1."""
    pools = world.pools
    for free in range(gpus, pools.gpus_per_node[pool]):
        if world.loose[pool, free] >= 0:
            return world.loose[pool, free]
    return -1


@kernel
def first_node(world: World, pool: int, gpus: int) -> int:
    """The first node with room for a part of one, or -1."""
    nodes, pools = world.nodes, world.pools
    for node in range(pools.first_node[pool], pools.first_node[pool] + pools.num_nodes[pool]):
        if nodes.state[node] == UP and nodes.free[node] >= gpus:
            return node
    return -1


@kernel
def node_for(world: World, pool: int, gpus: int, packed: bool) -> int:
    """The node that a part of one goes to; -1 where only a wholly free one is left and any will do."""
    if world.rules.first_fit and not packed:
        return first_node(world, pool, gpus)
    return loose_node(world, pool, gpus)


@kernel
def fits(world: World, pool: int, gpus: int) -> bool:
    """Whether the pool could start a job of that size at once."""
    need = nodes_needed(gpus, world.pools.gpus_per_node[pool])
    if need == 0:
        return world.pools.free_nodes[pool] > 0 or loose_node(world, pool, gpus) >= 0
    return need <= world.pools.free_nodes[pool]


@kernel
def _tightest_island(world: World, pool: int, need: int) -> int:
    """The island with fewest free nodes that are enough; else the one with most."""
    pools = world.pools
    best, most = -1, -1
    for island in range(pools.first_island[pool], pools.end_island[pool]):
        count = world.islands.count[island]
        if count >= need and (best < 0 or count < world.islands.count[best]):
            best = island
            if count == need:
                break
        if most < 0 or count > world.islands.count[most]:
            most = island
    return best if best >= 0 else most


@kernel
def _reserve_until(world: World, node: int, slot: int) -> None:
    """Let a node be wholly free at `slot` by the estimates, or now with -1."""
    nodes = world.nodes
    pool = nodes.pool[node]
    ring = world.release.shape[1]
    if nodes.until[node] >= 0:
        world.release[pool, nodes.until[node] % ring] -= 1
        world.coarse[pool, nodes.until[node] % ring // BLOCK] -= 1
    nodes.until[node] = slot
    if slot >= 0:
        world.release[pool, slot % ring] += 1
        world.coarse[pool, slot % ring // BLOCK] += 1


@kernel
def _occupy(world: World, node: int, job: int, gpus: int, slot: int, firm: bool) -> None:
    nodes, pools = world.nodes, world.pools
    pool = nodes.pool[node]
    list_out(world, node)
    nodes.free[node] -= gpus
    pools.free_gpus[pool] -= gpus
    list_in(world, node)
    if firm:
        if nodes.firm[node] == 0:
            pools.soft_nodes[pool] -= 1
        nodes.firm[node] += gpus
    if slot > nodes.until[node]:
        _reserve_until(world, node, slot)


@kernel
def place(world: World, job: int, pool: int, slot: int, firm: bool, packed: bool) -> int:
    """Give a job that fits its nodes until `slot`; returns how many islands they lie in."""
    jobs, nodes, pools = world.jobs, world.nodes, world.pools
    gpus = jobs.gpus[job]
    per_node = pools.gpus_per_node[pool]
    need = nodes_needed(gpus, per_node)
    if need == 0:
        node = node_for(world, pool, gpus, packed)
        if node < 0:
            node = world.islands.whole[_tightest_island(world, pool, 1)]
        jobs.link[job] = nodes.job[node]
        nodes.job[node] = job
        jobs.node[job] = node
        nodes.chain[node] = NONE
        _occupy(world, node, job, gpus, slot, firm)
        return 1
    islands = 0
    last = NONE
    while need > 0:
        island = _tightest_island(world, pool, need)
        islands += 1
        while need > 0 and world.islands.whole[island] >= 0:
            node = world.islands.whole[island]
            if world.rules.first_fit:
                node = first_node(world, pool, per_node)
            _occupy(world, node, job, per_node, slot, firm)
            nodes.job[node] = job
            nodes.chain[node] = last
            last = node
            need -= 1
    jobs.link[job] = NONE
    jobs.node[job] = last
    return islands


@kernel
def _vacate(world: World, node: int, gpus: int, firm: bool) -> None:
    nodes, pools = world.nodes, world.pools
    pool = nodes.pool[node]
    up = nodes.state[node] == UP
    if up:
        list_out(world, node)
    nodes.free[node] += gpus
    if up:
        pools.free_gpus[pool] += gpus
        list_in(world, node)
    if firm:
        nodes.firm[node] -= gpus
        if nodes.firm[node] == 0 and up:
            pools.soft_nodes[pool] += 1
    if nodes.free[node] == pools.gpus_per_node[pool]:
        _reserve_until(world, node, -1)
        if nodes.state[node] == DRAINING:
            nodes.state[node] = DOWN


@kernel
def take_back(world: World, job: int, firm: bool) -> None:
    """Free the nodes of a job."""
    jobs, nodes, pools = world.jobs, world.nodes, world.pools
    per_node = pools.gpus_per_node[jobs.pool[job]]
    gpus = jobs.gpus[job]
    node = jobs.node[job]
    if gpus < per_node:
        if nodes.job[node] == job:
            nodes.job[node] = jobs.link[job]
        else:
            other = nodes.job[node]
            while jobs.link[other] != job:
                other = jobs.link[other]
            jobs.link[other] = jobs.link[job]
        _vacate(world, node, gpus, firm)
    else:
        while node >= 0:
            after = nodes.chain[node]
            nodes.job[node] = NONE
            nodes.chain[node] = NONE
            _vacate(world, node, per_node, firm)
            node = after
    jobs.node[job] = NONE
    jobs.link[job] = NONE


@kernel
def shut(world: World, node: int, state: int) -> None:
    """Let a node take no more jobs: DOWN once it is empty, or DRAINING while it is not."""
    nodes, pools = world.nodes, world.pools
    pool = nodes.pool[node]
    if nodes.state[node] == UP:
        list_out(world, node)
        pools.free_gpus[pool] -= nodes.free[node]
        pools.up_nodes[pool] -= 1
        if nodes.firm[node] == 0:
            pools.soft_nodes[pool] -= 1
    empty = nodes.free[node] == pools.gpus_per_node[pool]
    nodes.state[node] = DOWN if empty else state


@kernel
def reopen(world: World, node: int) -> None:
    """Let a node take jobs again."""
    nodes, pools = world.nodes, world.pools
    if nodes.state[node] == UP:
        return
    pool = nodes.pool[node]
    nodes.state[node] = UP
    pools.up_nodes[pool] += 1
    pools.free_gpus[pool] += nodes.free[node]
    if nodes.firm[node] == 0:
        pools.soft_nodes[pool] += 1
    list_in(world, node)
