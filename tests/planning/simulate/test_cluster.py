import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from fucina.planning.simulate import state
from fucina.planning.simulate.cluster import (
    BadScenario,
    Federation,
    Maintenance,
    Outage,
    Pool,
    Qos,
    Reservation,
    Route,
    Scheduling,
    Weights,
)
from fucina.planning.simulate.compiled import COMPILED
from fucina.planning.simulate.job_table import JobTable
from fucina.planning.simulate.replay import Policy, start_times
from fucina.planning.simulate.run import DAY_S, Happenings, simulate
from fucina.planning.simulate.workload import JobClass, fit, generate, profiles
from tests.planning.simulate.test_replay import JOBS, trace

EXACT = {"backfill_interval_s": 0, "backfill_resolution_s": 1, "backfill_depth": 10**6}
MIX = (
    JobClass(name="sme", profile="helios", load=0.4, max_gpus=16, num_accounts=5, run_scale=0.3),
    JobClass(name="large", profile="acme-kalos", load=0.5, min_gpus=16, max_gpus=64, num_accounts=3, run_scale=0.3),
)


def jobs(*rows, accounts=("a", "b"), data_gb=None):
    """Jobs of (submit, run, estimate, gpus, account, qos, pool)."""
    columns = np.array([tuple(row) + (0,) * (7 - len(row)) for row in rows], np.int64).T
    submit, run, estimate, gpus, account, qos, pool = columns
    size = len(rows)
    return JobTable(
        submit_s=submit, run_s=run, estimate_s=estimate, gpus=gpus, account=account, qos=qos, pool=pool,
        group=np.zeros(size, np.int64), data_gb=np.zeros(size) if data_gb is None else np.array(data_gb, float),
        accounts=accounts, groups=("all",),
    )  # fmt: skip


def pool(num_nodes=2, gpus=4, **more):
    """A pool named p."""
    return Pool(**{"id": "p", "num_nodes": num_nodes, "gpus_per_node": gpus, **more})


@pytest.mark.parametrize("policy", ["fcfs", "easy"])
@given(rows=JOBS)
@settings(max_examples=80, deadline=None)
def test_the_engine_agrees_with_the_exact_schedules_on_nodes_of_one_accelerator(policy, rows):
    exact = trace(rows)
    zero = np.zeros(len(exact), np.int64)
    table = JobTable(
        submit_s=exact.submit_s, run_s=exact.run_s, estimate_s=exact.estimate_s, gpus=exact.size,
        account=zero, qos=zero, pool=zero, group=zero, data_gb=zero.astype(float), accounts=("a",), groups=("all",),
    )  # fmt: skip
    course = simulate(table, pools=[pool(8, 1)], scheduling=Scheduling(policy=policy, **EXACT))
    assert course.first_start_s.tolist() == start_times(exact, machine_size=8, policy=Policy(policy)).tolist()


@pytest.mark.parametrize("policy", ["fcfs", "easy", "conservative"])
def test_every_job_ends_and_every_accelerator_second_is_accounted_for(policy):
    pools = (pool(16, nodes_per_island=4, failures_per_1000_node_days=300, repair_s=3600),)
    table = generate(MIX, pools=pools, qos=("normal",), days=3, seed=5)
    scheduling = Scheduling(
        policy=policy, weights=Weights(age=100, fairshare=1000), qos=(Qos(name="normal", checkpoint_s=600),)
    )
    course = simulate(table, pools=pools, scheduling=scheduling, seed=3)
    assert (course.end_s >= course.first_start_s + 1).all()
    assert (course.first_start_s >= table.submit_s).all()
    tally = course.tally[0]
    assert tally[state.SERVED] == len(table)
    assert tally[state.FAILED] == course.stops.sum() > 0
    held = np.where(table.gpus < 4, table.gpus, -(-table.gpus // 4) * 4)
    useful = int((table.run_s.astype(np.int64) * held).sum())
    assert tally[state.BUSY] == pytest.approx(useful + tally[state.LOST], rel=0.02)
    assert tally[state.LOST] > 0


def test_a_small_job_takes_part_of_a_node_and_a_gang_takes_whole_ones():
    table = jobs((0, 100, 100, 1), (0, 100, 100, 3), (1, 100, 100, 4), (2, 50, 50, 5))
    course = simulate(table, pools=[pool(2, 4)], scheduling=Scheduling(**EXACT))
    # 1 + 3 share a node; 4 takes the other; 5 needs two whole nodes and waits for both
    assert course.first_start_s.tolist() == [0, 0, 1, 101]
    assert course.tally[0, state.GANGS] == 1


def test_scattered_accelerators_do_not_serve_a_gang():
    table = jobs((0, 100, 100, 3), (0, 100, 100, 3), (1, 10, 10, 4))
    course = simulate(table, pools=[pool(2, 4)], scheduling=Scheduling(**EXACT))
    assert course.first_start_s[2] == 100
    assert (
        course.steady[0, state.SCATTERED] == 2
    )  # two free on partly used nodes, for one second until the last submission


def test_a_gang_stays_in_one_island_where_it_can():
    one = simulate(jobs((0, 10, 10, 4), (0, 10, 10, 16)), pools=[pool(8, 4, nodes_per_island=4)])
    assert one.tally[0, state.SPREAD] == 0
    two = simulate(jobs((0, 10, 10, 20)), pools=[pool(8, 4, nodes_per_island=4)])
    assert two.tally[0, state.SPREAD] == 1


def test_a_failure_costs_what_was_not_saved_and_a_restart():
    table = jobs((0, 3000, 9000, 8))
    pools = [pool(2, 4)]
    scheduling = Scheduling(qos=(Qos(name="normal", checkpoint_s=1000),), restart_s=60, **EXACT)
    lost = Happenings(outages=(Outage(pool="p", begins_day=2500 / DAY_S, days=0.01),))
    course = simulate(table, pools=pools, scheduling=scheduling, happenings=lost)
    # 2,500 s of which 2,000 were saved; back at 3,364 s; a restart of 60 s and the last 1,000 s
    assert course.end_s[0] == 2500 + int(0.01 * DAY_S) + 60 + 1000
    assert course.tally[0, state.LOST] == (500 + 60) * 8
    unsaved = simulate(table, pools=pools, scheduling=Scheduling(restart_s=0, **EXACT), happenings=lost)
    assert unsaved.end_s[0] == 2500 + int(0.01 * DAY_S) + 3000


def test_a_preempting_class_stops_those_that_yield_and_only_those():
    classes = (
        Qos(name="normal", yields=True, checkpoint_s=10),
        Qos(name="firm"),
        Qos(name="urgent", priority=1, preempts=True),
    )
    scheduling = Scheduling(qos=classes, weights=Weights(qos=1), restart_s=5, **EXACT)
    table = jobs((0, 100, 100, 4, 0, 0), (0, 100, 100, 4, 0, 1), (50, 20, 20, 4, 0, 2), (51, 20, 20, 4, 0, 2))
    course = simulate(table, pools=[pool(2, 4)], scheduling=scheduling)
    assert course.first_start_s[2] == 50
    assert course.stops.tolist() == [1, 0, 0, 0]
    assert course.first_start_s[3] == 70  # the firm job stays; the first urgent one is not stopped either
    assert course.tally[0, state.PREEMPTED] == 1


def test_fairshare_puts_the_account_first_that_used_less():
    scheduling = Scheduling(weights=Weights(fairshare=1000), calculation_s=10, half_life_days=1, **EXACT)
    table = jobs((0, 1000, 1000, 8, 0), (500, 100, 100, 8, 0), (600, 100, 100, 8, 1))
    course = simulate(table, pools=[pool(2, 4)], scheduling=scheduling)
    assert course.first_start_s.tolist() == [0, 1100, 1000]
    plain = simulate(table, pools=[pool(2, 4)], scheduling=Scheduling(**EXACT))
    assert plain.first_start_s.tolist() == [0, 1000, 1100]


def test_no_job_runs_into_announced_maintenance():
    table = jobs((0, 100, 1000, 8), (0, 50, 90, 4))
    upkeep = Happenings(maintenance=(Maintenance(pool="p", begins_day=200 / DAY_S, days=0.01),))
    course = simulate(table, pools=[pool(2, 4)], scheduling=Scheduling(**EXACT), happenings=upkeep)
    assert course.first_start_s.tolist() == [200 + 864, 0]


def test_reserved_nodes_take_no_jobs_until_they_are_given_back():
    table = jobs((10, 100, 100, 8), (10, 10, 10, 4))
    kept = Happenings(
        reservations=(Reservation(pool="p", name="r", begins_day=0.01, days=0.01, num_nodes=1, drain_days=1),)
    )
    course = simulate(table, pools=[pool(2, 4)], scheduling=Scheduling(**EXACT), happenings=kept)
    assert course.first_start_s.tolist() == [1728, 10]


@pytest.mark.parametrize(
    ("route", "where"),
    [(Route.HOME, 0), (Route.LOCAL_FIRST, 1), (Route.SHORTEST, 1), (Route.ENERGY, 2), (Route.GRAVITY, 0)],
)
def test_a_federation_sends_a_job_by_its_rule(route, where):
    pools = [
        Pool(id="full", num_nodes=1, carbon_g_per_kwh=400),
        Pool(id="fast", num_nodes=1, carbon_g_per_kwh=400),
        Pool(id="clean", num_nodes=1, carbon_g_per_kwh=20, link_gbps=0.1),
    ]
    table = jobs((0, 50_000, 50_000, 4), (1, 10, 60, 4), data_gb=[1000, 10])
    federation = Federation(route=route, spill_s=600)
    first = jobs((0, 50_000, 50_000, 4), data_gb=[1000])
    assert simulate(first, pools=pools, federation=Federation(route=Route.GRAVITY)).pool[0] == 0
    course = simulate(table, pools=pools, federation=federation)
    if route is Route.ENERGY:
        assert course.pool.tolist() == [2, 2]
    else:
        assert course.pool.tolist() == [0, where]


def test_jobs_of_a_lost_site_go_elsewhere_and_home_ones_wait():
    pools = [Pool(id="a", num_nodes=1), Pool(id="b", num_nodes=1)]
    lost = Happenings(outages=(Outage(pool="a", begins_day=100 / DAY_S, days=1),))
    table = jobs((0, 500, 500, 4), (200, 50, 50, 4))
    away = simulate(table, pools=pools, federation=Federation(route=Route.LOCAL_FIRST, spill_s=60), happenings=lost)
    assert away.pool.tolist() == [1, 1]
    waiting = simulate(table, pools=pools, happenings=lost)
    assert waiting.pool.tolist() == [0, 0]
    assert waiting.end_s.min() > DAY_S


def test_the_generator_meets_what_was_published():
    for known in profiles().values():
        model = fit(known.id)
        chance = np.random.default_rng(1)
        gpus = chance.choice(model.sizes, 2_000_000, p=model.chances)
        run = model.scale_s * gpus**model.growth * np.exp(model.spread * chance.standard_normal(len(gpus)))
        assert gpus.mean() == pytest.approx(known.mean_gpus, rel=0.03)
        assert np.median(gpus) == known.median_gpus
        assert np.median(run) == pytest.approx(known.median_run_s, rel=0.03)
        assert run.mean() == pytest.approx(known.mean_run_s, rel=0.15)
        assert (run * gpus).mean() == pytest.approx(known.gpu_s / known.jobs, rel=0.3)  # a heavy tail


def test_what_cannot_be_simulated_is_refused_with_numbers():
    with pytest.raises(BadScenario, match=r"job 1, asks for 9 accelerators of 8"):
        simulate(jobs((0, 1, 1, 9)), pools=[pool(2, 4)])
    with pytest.raises(BadScenario, match="Time goes back at job 2"):
        simulate(jobs((5, 1, 1, 1), (4, 1, 1, 1)), pools=[pool()])
    with pytest.raises(BadScenario, match="There is no pool 'q'"):
        simulate(
            jobs((0, 1, 1, 1)), pools=[pool()], happenings=Happenings(outages=(Outage(pool="q", begins_day=1, days=1),))
        )
    with pytest.raises(BadScenario, match="There is no pool of nodes"):
        simulate(jobs((0, 1, 1, 1)), pools=[])
    with pytest.raises(BadScenario, match="no workload profile 'nowhere'"):
        generate((JobClass(name="x", profile="nowhere", load=1),), pools=(pool(),), qos=("normal",), days=1, seed=1)


SCENE = """
import hashlib, sys
if len(sys.argv) > 1: sys.modules["numba"] = None
from fucina.planning.simulate.cluster import *
from fucina.planning.simulate.compiled import COMPILED
from fucina.planning.simulate.run import Happenings, simulate
from fucina.planning.simulate.workload import JobClass, generate
assert COMPILED is (len(sys.argv) == 1)
pools = (Pool(id="a", num_nodes=6, nodes_per_island=3, failures_per_1000_node_days=200),
         Pool(id="b", num_nodes=4, speed=2.0))
mix = (JobClass(name="s", profile="helios", load=0.5, max_gpus=8, num_accounts=4, data_gb=5, qos="low"),
       JobClass(name="l", profile="acme-kalos", load=0.5, min_gpus=4, max_gpus=16, num_accounts=2, qos="high"))
qos = (Qos(name="low", yields=True, checkpoint_s=300), Qos(name="high", priority=1, preempts=True))
digest = hashlib.sha256()
for seed, (policy, route) in enumerate([("easy", "local-first"), ("conservative", "shortest-wait"), ("fcfs", "home")]):
    table = generate(mix, pools=pools, qos=("low", "high"), days=0.5, seed=seed)
    weights = Weights(age=10, fairshare=100, qos=50, size=5)
    scheduling = Scheduling(policy=policy, qos=qos, weights=weights, fairshare=["tree", "classic"][seed % 2])
    happenings = Happenings(outages=(Outage(pool="b", begins_day=0.2, days=0.1),))
    course = simulate(table, pools=pools, scheduling=scheduling, federation=Federation(route=route),
                      happenings=happenings, seed=seed)
    for column in (course.first_start_s, course.end_s, course.pool, course.stops, course.tally):
        digest.update(column.astype("int64").tobytes())
print(len(table), digest.hexdigest())
"""


@pytest.mark.skipif(not COMPILED, reason="numba is not installed")
def test_without_numba_everything_comes_out_the_same():
    told = [
        subprocess.run([sys.executable, "-c", SCENE, *flag], capture_output=True, text=True, check=False)
        for flag in ((), ("plain",))
    ]
    assert not [one.stderr for one in told if one.returncode]
    assert told[0].stdout == told[1].stdout
    assert len(told[0].stdout.split()[1]) == hashlib.sha256().digest_size * 2
