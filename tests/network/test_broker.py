"""The broker: what is better in everything never ranks lower, and what is refused is never chosen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.network.broker import (
    SENSITIVITIES,
    UNKNOWN_WAIT_S,
    Candidate,
    Part,
    Preference,
    Rating,
    Refusal,
    Request,
    earliest_start,
    explain,
    judge,
    longest_walltime_s,
    matches,
    rank,
)
from fucina.network.spec import Accelerator, Maintenance, Partition, Site
from fucina.network.status import PartitionStatus

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def candidate(
    site="alpha",
    *,
    wait_s=0.0,
    free_gpu_s=100 * 3600,
    data_share=0.0,
    sensitivity="internal",
    tflops=100.0,
    power_w=500.0,
    carbon=300.0,
    windows=(),
    trouble="",
    problem="",
    **partition,
):
    fields = {"num_nodes": 4, "num_gpus_per_node": 4, "memory_gib_per_node": 512.0, "max_walltime_s": 86400} | partition
    part = Partition(
        id="gpu",
        accelerator=Accelerator(id="a", tflops_bf16=tflops, memory_gib=64, power_w=power_w),
        carbon_g_per_kwh=carbon,
        **fields,
    )
    status = PartitionStatus(
        partition="gpu", at=NOON, num_gpus=16, num_free_gpus=8, expected_wait_s=wait_s, problem=problem
    )
    return Candidate(
        site=Site(id=site, name=site, partitions=(part,), maintenance=windows, sensitivity=sensitivity),
        partition=part,
        status=status,
        granted_gpu_s=100 * 3600,
        free_gpu_s=free_gpu_s,
        data_share=data_share,
        trouble=trouble,
    )


REQUEST = Request(num_gpus=4, walltime_s=3600, gpu_s=4 * 3600)


def window(begins, ends):
    return Maintenance(begins_at=NOON + begins * HOUR, ends_at=NOON + ends * HOUR)


@pytest.mark.parametrize(
    ("request_changes", "candidate_changes", "words"),
    [
        ({"num_gpus": 17, "num_nodes": 4}, {}, "it has 16 accelerators, 17 are asked for"),
        ({"num_gpus": 8}, {}, "a node has 4 accelerators, 8 a node are asked for: ask for 2 nodes"),
        ({"num_gpus": 4, "num_nodes": 5}, {}, "it has 4 nodes, 5 are asked for"),
        ({"walltime_s": 90000}, {}, "its longest walltime is 24 h 00 min, 25 h 00 min are asked for"),
        ({"memory_gib": 600}, {}, "a node has 512 GiB of memory, 600 are asked for"),
        ({"sensitivity": "health"}, {}, "the site may hold internal data, this is health"),
        ({"sensitivity": "secret"}, {"sensitivity": "health"}, "the site may hold health data, this is secret"),
        ({}, {"free_gpu_s": 3600}, "it needs 4.00 GPU-hours, 1.00 of the grant are left there"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_numbers(request_changes, candidate_changes, words):
    request = REQUEST.model_copy(update=request_changes)
    verdict = judge(request, candidate(**candidate_changes), at=NOON)
    assert isinstance(verdict, Refusal)
    assert verdict.reasons == (words,)


def test_every_reason_is_said_at_once():
    request = REQUEST.model_copy(update={"num_gpus": 99, "walltime_s": 10**6, "sensitivity": "health", "num_nodes": 9})
    verdict = judge(request, candidate(free_gpu_s=0), at=NOON)
    assert isinstance(verdict, Refusal)
    assert len(verdict.reasons) == 5


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"wait_s": 0}, {"wait_s": 7200}),
        ({"free_gpu_s": 90 * 3600}, {"free_gpu_s": 10 * 3600}),
        ({"data_share": 1.0}, {"data_share": 0.0}),
        ({"carbon": 20.0}, {"carbon": 600.0}),
        ({"windows": ()}, {"windows": (window(0.5, 3),)}),
        ({}, {"trouble": "its agent is silent since 11:00"}),
        ({"data_share": 0.0, "carbon": 900.0}, {"problem": "all nodes are down", "data_share": 1.0}),
    ],
)
def test_the_better_one_is_chosen_whatever_its_name(better, worse):
    for names in (("alpha", "beta"), ("beta", "alpha")):
        ranking = rank(REQUEST, [candidate(names[1], **worse), candidate(names[0], **better)], at=NOON)
        assert ranking.ranked[0].place == f"{names[0]}/gpu"


def test_the_preference_decides_between_fast_and_frugal():
    fast = candidate("fast", wait_s=0, power_w=1500.0, carbon=600.0)
    frugal = candidate("frugal", wait_s=3600, power_w=300.0, carbon=20.0)
    for preference, first in ((Preference.TIME, "fast/gpu"), (Preference.ENERGY, "frugal/gpu")):
        request = REQUEST.model_copy(update={"preference": preference})
        assert rank(request, [frugal, fast], at=NOON).ranked[0].place == first


def test_a_job_that_would_run_into_maintenance_is_told_to_wait():
    verdict = judge(REQUEST, candidate(windows=(window(0.5, 3),)), at=NOON)
    assert isinstance(verdict, Rating)
    assert verdict.starts_at == NOON + 3 * HOUR
    assert any("starts after 2026-11-20 15:00 UTC" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("windows", "walltime_s", "hours"),
    [
        ((), 3600, 0),
        ((window(1, 2),), 3600, 0),
        ((window(1, 2),), 3601, 2),
        ((window(-1, 1),), 60, 1),
        ((window(2.5, 4), window(-1, 1)), 7200, 4),
        ((window(-5, 0),), 3600, 0),
        ((window(1, 3), window(2, 5)), 7200, 5),
    ],
)
def test_the_earliest_start_goes_around_windows(windows, walltime_s, hours):
    assert earliest_start(windows, after=NOON, walltime_s=walltime_s) == NOON + hours * HOUR


def test_how_long_a_job_may_last_before_maintenance():
    assert longest_walltime_s((), at=NOON) == float("inf")
    assert longest_walltime_s((window(2, 3), window(1, 2), window(-2, -1)), at=NOON) == 3600
    assert longest_walltime_s((window(0, 1),), at=NOON) == 0


def test_an_unknown_wait_counts_as_a_long_one():
    unknown = candidate("alpha").model_copy(update={"status": None})
    shorter = candidate("beta", wait_s=UNKNOWN_WAIT_S / 2)
    assert [rating.place for rating in rank(REQUEST, [unknown, shorter], at=NOON).ranked] == ["beta/gpu", "alpha/gpu"]


@pytest.mark.parametrize(
    ("wanted", "is_it"),
    [("auto", True), ("", True), ("alpha", True), ("alpha/gpu", True), ("alph", False), ("alpha/cpu", False)],
)
def test_what_a_person_may_write_for_a_place(wanted, is_it):
    assert matches("alpha/gpu", wanted) is is_it


def test_the_choice_is_explained_in_a_sentence():
    ranking = rank(REQUEST, [candidate("alpha", data_share=1.0), candidate("beta", wait_s=7200)], at=NOON)
    assert explain(ranking, chosen="alpha/gpu").startswith("alpha/gpu, best of 2: 96.00 of 100.00 GPU-hours would be")
    assert "though alpha/gpu ranks first" in explain(ranking, chosen="beta/gpu")
    assert "the only one that fits" in explain(rank(REQUEST, [candidate()], at=NOON), chosen="alpha/gpu")


requests = st.builds(
    Request,
    num_gpus=st.integers(0, 20),
    num_nodes=st.integers(1, 5),
    walltime_s=st.integers(1, 100_000),
    gpu_s=st.integers(0, 400_000),
    memory_gib=st.floats(0, 600),
    sensitivity=st.sampled_from(SENSITIVITIES),
    preference=st.sampled_from(Preference),
)
worth = st.fixed_dictionaries(
    {
        "wait_s": st.floats(0, 1e6),
        "free_gpu_s": st.integers(0, 360_000),
        "data_share": st.floats(0, 1),
        "tflops": st.floats(1, 2000),
        "carbon": st.floats(0, 1000),
        "power_w": st.floats(1, 2000),
    }
)
windows = st.lists(
    st.tuples(st.floats(-10, 10), st.floats(0.1, 10)).map(lambda pair: window(pair[0], sum(pair))), max_size=3
).map(tuple)


@given(
    request=requests,
    one=worth,
    two=worth,
    windows=windows,
    level=st.tuples(st.sampled_from(SENSITIVITIES), st.sampled_from(SENSITIVITIES)),
)
def test_better_in_everything_never_ranks_lower(request, one, two, windows, level):
    higher = ("free_gpu_s", "data_share", "tflops")
    best = {name: max(one[name], two[name]) if name in higher else min(one[name], two[name]) for name in one}
    worst = {name: min(one[name], two[name]) if name in higher else max(one[name], two[name]) for name in one}
    levels = sorted(level, key=SENSITIVITIES.index)
    good = candidate("zeta", sensitivity=levels[1], **best)
    bad = candidate("alpha", sensitivity=levels[0], windows=windows, **worst)
    first, second = judge(request, good, at=NOON), judge(request, bad, at=NOON)
    if isinstance(first, Refusal):
        assert isinstance(second, Refusal)
        assert set(first.reasons) or not second.reasons
    elif isinstance(second, Rating):
        assert first.score >= second.score
        assert all(first.parts[part] >= second.parts[part] for part in Part)


@given(request=requests, many=st.lists(worth, min_size=1, max_size=6), windows=windows)
def test_refused_is_never_ranked_and_nothing_is_lost(request, many, windows):
    candidates = [candidate(f"s{number}", windows=windows, **one) for number, one in enumerate(many)]
    ranking = rank(request, candidates, at=NOON)
    ranked = [rating.place for rating in ranking.ranked]
    refused = [refusal.place for refusal in ranking.refused]
    assert sorted(ranked + refused) == sorted(one.place for one in candidates)
    assert all(0 <= rating.score <= 1 for rating in ranking.ranked)
    assert all(refusal.reasons for refusal in ranking.refused)
    free = {one.place: one.free_gpu_s for one in candidates}
    assert all(free[place] >= request.gpu_s for place in ranked)
    assert ranking == rank(request, reversed(candidates), at=NOON)


@given(request=requests, windows=windows)
def test_a_rated_job_never_overlaps_maintenance(request, windows):
    verdict = judge(request, candidate(windows=windows), at=NOON)
    if isinstance(verdict, Rating):
        ends_at = verdict.starts_at + timedelta(seconds=request.walltime_s)
        assert all(verdict.starts_at >= one.ends_at or ends_at <= one.begins_at for one in windows)
