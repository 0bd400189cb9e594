"""Multifactor priority with fairshare as Slurm defines it, over a tree of accounts.

Usage decays with a half-life and is brought up to date every calculation period. Fair Tree (Slurm's default since
19.05) ranks, level by level, those under one account by shares over usage; the classic factor is
2^(-(usage/shares)/damping).
"""

import math

import numpy as np

from fucina.planning.simulate.compiled import kernel
from fucina.planning.simulate.state import CALC, CALCULATED, Array, World


@kernel
def charge(world: World, account: int, now: int) -> None:
    """Bring what an account used up to `now`."""
    accounts = world.accounts
    accounts.usage[account] += accounts.held[account] * float(now - accounts.since[account])
    accounts.since[account] = now


@kernel
def calculate(world: World, now: int) -> None:
    """Decay all usage and compute the fairshare factors."""
    accounts, rules, clock = world.accounts, world.rules, world.clock
    clock[CALC] += rules.calc_s * ((now - clock[CALC]) // rules.calc_s + 1)
    if rules.weight_share == 0.0:
        return
    keep = 1.0
    if rules.half_life_s > 0.0:
        keep = math.exp(-math.log(2.0) * float(now - clock[CALCULATED]) / rules.half_life_s)
    clock[CALCULATED] = now
    num = world.branch.shape[1]
    total = 0.0
    accounts.usage[num:] = 0.0
    for account in range(num):
        charge(world, account, now)
        accounts.usage[account] *= keep
        total += accounts.usage[account]
        above = accounts.parent[account]
        while above >= 0:
            accounts.usage[above] += accounts.usage[account]
            above = accounts.parent[above]
    if rules.tree:
        _rank(world, total)
        return
    for account in range(num):
        used = accounts.usage[account] / total if total > 0.0 else 0.0
        accounts.factor[account] = 2.0 ** (-(used / accounts.norm[account]) / rules.damping)


@kernel
def _rank(world: World, total: float) -> None:
    """Fair Tree: by the level of the topmost account first, then of the one below; equals share the better rank."""
    accounts, branch = world.accounts, world.branch
    level = np.zeros(len(accounts.usage), np.float64)
    for account in range(len(level)):
        above = accounts.parent[account]
        whole = accounts.usage[above] if above >= 0 else total
        if whole > 0.0:
            level[account] = accounts.usage[account] / whole / accounts.share[account]
    depth, num = branch.shape
    order = np.arange(num)
    keys = np.empty(num, np.float64)
    for row in range(depth - 1, -1, -1):
        for position in range(num):
            account = branch[row, order[position]]
            keys[position] = level[account] if account >= 0 else 0.0
        order = order[np.argsort(keys, kind="mergesort")]
    rank = num
    for position in range(num):
        differs = False
        for row in range(depth):
            one, other = branch[row, order[position]], branch[row, order[position - 1]]
            if (level[one] if one >= 0 else 0.0) != (level[other] if other >= 0 else 0.0):
                differs = True
        if position > 0 and differs:
            rank = num - position
        accounts.factor[order[position]] = rank / num


@kernel
def priority_of(world: World, job: int, now: int) -> float:
    """Weighted sum of the factors, each between 0 and 1, as a whole number."""
    jobs, accounts, rules = world.jobs, world.accounts, world.rules
    age = min(1.0, float(now - jobs.submit[job]) / rules.max_age_s)
    pool = jobs.pool[job]
    size = jobs.gpus[job] / float(world.pools.num_nodes[pool] * world.pools.gpus_per_node[pool])
    return math.floor(
        rules.weight_age * age
        + rules.weight_share * accounts.factor[jobs.account[job]]
        + rules.weight_size * size
        + rules.weight_qos * world.qos.weight[jobs.qos[job]]
    )


@kernel
def in_order(world: World, listed: Array, now: int) -> Array:
    """Jobs by priority, the earlier submitted first among equals."""
    rules = world.rules
    listed = np.sort(listed)
    if rules.weight_age + rules.weight_share + rules.weight_size + rules.weight_qos == 0.0:
        return listed
    keys = np.empty(len(listed), np.float64)
    for position in range(len(listed)):
        job = listed[position]
        world.jobs.priority[job] = priority_of(world, job, now)
        keys[position] = -world.jobs.priority[job]
    return listed[np.argsort(keys, kind="mergesort")]
