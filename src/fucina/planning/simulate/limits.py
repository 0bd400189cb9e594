"""Limits of accounts: how much each holds, and which jobs must wait for it."""

from fucina.planning.simulate.compiled import kernel
from fucina.planning.simulate.placement import nodes_needed
from fucina.planning.simulate.state import World

TOO_MANY_JOBS, TOO_MANY_GPUS = 1, 2
"""Limits that a job may wait for."""


@kernel
def held_gpus(world: World, job: int, pool: int) -> int:
    """Accelerators that a job keeps from others: whole nodes where it takes several."""
    need = nodes_needed(world.jobs.gpus[job], world.pools.gpus_per_node[pool])
    return need * world.pools.gpus_per_node[pool] if need > 0 else world.jobs.gpus[job]


@kernel
def count_held(world: World, account: int, gpus: int, num_jobs: int) -> None:
    """Count accelerators and a job for an account and all above it."""
    accounts = world.accounts
    while account >= 0:
        accounts.held[account] += gpus
        accounts.running[account] += num_jobs
        account = accounts.parent[account]


@kernel
def over_limit(world: World, job: int, pool: int) -> int:
    """Whether a job waits for a limit of its account, or of one above, and for which: 0 for none.

    It then does not stop those behind it. As in Slurm's backfill, one that waits for accelerators of its account keeps
    its reservation as long as it would not fit the machine either.
    """
    if not world.rules.limits:
        return 0
    accounts = world.accounts
    held = held_gpus(world, job, pool)
    account = world.jobs.account[job]
    while account >= 0:
        if accounts.held[account] + held > accounts.max_gpus[account]:
            return TOO_MANY_GPUS
        if accounts.running[account] >= accounts.max_running[account]:
            return TOO_MANY_JOBS
        account = accounts.parent[account]
    return 0
