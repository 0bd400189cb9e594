import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.planning.reliability import (
    RATES,
    BadReliability,
    Resilience,
    best_interval_s,
    daly_interval_s,
    goodput,
    levers,
    mttf_s,
    spares,
    useful_share,
)


@pytest.mark.parametrize(("num_gpus", "hours"), [(16_384, 1.8), (131_072, 0.23)])
def test_the_meta_paper_s_mean_times_to_failure(num_gpus, hours):
    rate = RATES["rsc-1"].per_1000_node_days

    assert mttf_s(num_gpus // 8, failures_per_1000_node_days=rate) / 3600 == pytest.approx(hours, rel=0.03)


def test_llama_3_was_useful_nine_tenths_of_the_time():
    rate = RATES["llama-3"].per_1000_node_days
    found = goodput(2048, resilience=Resilience(failures_per_1000_node_days=rate))

    assert found.interruptions_per_day * 54 == pytest.approx(466)
    assert found.share > 0.9
    lost = found.lost_to_checkpoints + found.lost_to_rework + found.lost_to_restarts
    assert found.share + lost == pytest.approx(1)


@given(mttf=st.floats(60, 1e7), stall=st.floats(0.1, 600))
def test_no_other_interval_is_better(mttf, stall):
    best = best_interval_s(mttf, checkpoint_stall_s=stall)

    def share(interval):
        return useful_share(mttf, interval_s=interval, checkpoint_stall_s=stall, restart_s=0)

    assert all(share(best) >= share(best * factor) * (1 - 1e-9) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2))


@given(mttf=st.floats(3600, 1e6), stall=st.floats(0.1, 60))
def test_daly_agrees_where_stalls_are_short(mttf, stall):
    exact = best_interval_s(mttf, checkpoint_stall_s=stall)

    assert daly_interval_s(mttf, checkpoint_stall_s=stall) == pytest.approx(exact, rel=0.01)


def test_the_formula_is_what_a_walk_through_time_gives():
    mttf, interval, stall, restart = 1000.0, 200.0, 20.0, 100.0
    dice = random.Random(7)  # noqa: S311 - a simulation
    clock = done = 0.0
    while done < 2000 * interval:
        left = interval + stall
        while True:
            life = dice.expovariate(1 / mttf)
            if life >= left:
                clock += left
                break
            clock += life
            while (again := dice.expovariate(1 / mttf)) < restart:
                clock += again
            clock += restart
        done += interval

    expected = useful_share(mttf, interval_s=interval, checkpoint_stall_s=stall, restart_s=restart)
    assert done / clock == pytest.approx(expected, rel=0.03)


def test_young_breaks_down_where_stalls_are_long():
    found = goodput(100_000, resilience=Resilience(failures_per_1000_node_days=6.5, checkpoint_stall_s=120))

    assert found.young_interval_s > 1.5 * found.checkpoint_interval_s


def test_a_hundred_thousand_accelerators_need_better_restarts():
    resilience = Resilience()
    assert goodput(12_500, resilience=resilience).share < 0.7
    found = {lever.name: lever for lever in levers(12_500, resilience=resilience)}

    assert found["checkpoint stall"].needed is None
    assert 0 < found["restart"].needed < 60
    better = resilience.model_copy(update={"restart_s": found["restart"].needed})
    assert goodput(12_500, resilience=better).share == pytest.approx(0.9, abs=1e-3)
    assert found["failures"].needed < found["failures"].now


def test_nothing_to_improve_where_it_is_good_enough():
    assert all(lever.needed == lever.now for lever in levers(10, resilience=Resilience()))


def test_without_failures_nothing_is_lost_and_json_has_no_infinity():
    found = goodput(100, resilience=Resilience(failures_per_1000_node_days=0))

    assert (found.share, found.num_spares, found.mttf_s, found.checkpoint_interval_s) == (1, 0, None, None)
    assert "Infinity" not in found.model_dump_json()


@pytest.mark.parametrize(("nodes", "rate"), [(0, 1), (5, -1), (5, math.nan)])
def test_machines_that_cannot_be(nodes, rate):
    with pytest.raises(BadReliability):
        mttf_s(nodes, failures_per_1000_node_days=rate)


@pytest.mark.parametrize("wanted", [0, 1, 1.5, -0.1])
def test_a_goodput_is_a_share(wanted):
    with pytest.raises(BadReliability, match="share"):
        levers(10, resilience=Resilience(), wanted=wanted)


@given(st.floats(0.01, 400))
def test_spares_are_the_quantile_of_a_poisson_number(mean):
    count = spares(mean)

    def at_most(k):
        return sum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(k + 1))

    assert at_most(count) >= 0.99 - 1e-9
    assert count == 0 or at_most(count - 1) < 0.99 + 1e-9
