"""Multifactor priority with fairshare as Slurm defines it, over accounts of one level.

Usage decays with a half-life and is brought up to date every calculation period. Fair Tree (Slurm's default since
19.05) ranks
accounts by shares over usage; the classic factor is 2^(-(usage/shares)/damping).
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
    clock[CALC] = now + rules.calc_s
    if rules.weight_share == 0.0:
        return
    num = len(accounts.usage)
    keep = math.exp(-math.log(2.0) * float(now - clock[CALCULATED]) / rules.half_life_s)
    clock[CALCULATED] = now
    total_usage = 0.0
    total_share = 0.0
    for account in range(num):
        charge(world, account, now)
        accounts.usage[account] *= keep
        total_usage += accounts.usage[account]
        total_share += accounts.share[account]
    if not rules.tree:
        for account in range(num):
            used = accounts.usage[account] / total_usage if total_usage > 0.0 else 0.0
            accounts.factor[account] = 2.0 ** (-(used / (accounts.share[account] / total_share)) / rules.damping)
        return
    order = np.argsort(accounts.usage / accounts.share, kind="mergesort")
    rank = num
    for position in range(num):
        account = order[position]
        before = order[position - 1]
        level = accounts.usage[account] / accounts.share[account]
        if position > 0 and level > accounts.usage[before] / accounts.share[before]:
            rank = num - position
        accounts.factor[account] = rank / num


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
