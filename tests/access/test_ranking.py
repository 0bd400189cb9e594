"""Awards under what is free: every limit kept, every refusal explained, never worse than going down the list."""

from functools import partial
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fucina.access import apart, ranking
from fucina.access.awards import choose, greedy
from fucina.access.entries import Entry, Room, points_of
from fucina.access.ranking import BadRanking, Outcome

rank = partial(ranking.rank, choose=choose)

HOUR = 3600
PARTITIONS = ("alpha", "beta", "gamma")

asks = st.dictionaries(st.sampled_from(PARTITIONS), st.integers(1, 60).map(lambda hours: hours * HOUR + 1), min_size=1)


@st.composite
def entries(draw, max_size=7):
    rows = draw(
        st.lists(st.tuples(st.integers(0, 6), st.lists(asks, min_size=1, max_size=2), st.booleans()), max_size=max_size)
    )
    return [
        Entry(
            ref=f"app-{i}",
            points=points * 2500,
            asks=tuple(alternatives),
            order=f"{i:03}",
            below=("impact",) if below else (),
        )
        for i, (points, alternatives, below) in enumerate(rows)
    ]


capacities = st.fixed_dictionaries({name: st.integers(0, 100).map(lambda hours: hours * HOUR) for name in PARTITIONS})


def entry(ref, points, hours, *, on="alpha", below=()):
    return Entry(ref=ref, points=points, asks=({on: hours * HOUR},), order=ref, below=below)


def best_by_trying_all(rows, limits):
    able = [row for row in rows if not row.below]
    best = 0
    for picks in product(*[range(len(row.asks) + 1) for row in able]):
        room, value = Room(limits), 0
        for row, pick in zip(able, picks, strict=True):
            if pick:
                room.take(row.asks[pick - 1])
                value += row.value
        if all(room.left(name) >= 0 for name in room.taken):
            best = max(best, value)
    return best


@given(rows=entries(), capacity=capacities, overbooking=st.sampled_from([0.5, 1.0, 1.25]))
@settings(max_examples=60, deadline=None)
def test_the_best_choice_within_every_limit(rows, capacity, overbooking):
    found = rank(rows, capacity, overbooking=overbooking)
    by_ref = {row.ref: row for row in rows}
    limits = {use.partition: use.limit_gpu_s for use in found.uses}
    room = Room({name: int(amount * overbooking) for name, amount in capacity.items()})
    value = 0
    for standing in found.standings:
        if standing.outcome is Outcome.AWARDED:
            assert standing.gpu_s in [dict(asked) for asked in by_ref[standing.ref].asks]
            assert not by_ref[standing.ref].below
            room.take(standing.gpu_s)
            value += by_ref[standing.ref].value
    assert all(room.left(name) >= 0 for name in PARTITIONS)
    assert {use.partition: use.awarded_gpu_s for use in found.uses} == {name: room.taken[name] for name in limits}
    assert value == best_by_trying_all(rows, room.limits)
    assert found.points >= found.greedy_points
    assert found.bound >= found.points


@given(rows=entries(), capacity=capacities)
@settings(max_examples=60, deadline=None)
def test_every_refusal_has_its_true_reason(rows, capacity):
    found = rank(rows, capacity)
    by_ref = {row.ref: row for row in rows}
    room = Room(capacity)
    for standing in found.standings:
        room.take(standing.gpu_s)
    awarded = {s.ref for s in found.standings if s.outcome is Outcome.AWARDED}
    assert [s.rank for s in found.standings] == list(range(1, len(rows) + 1))
    for standing in found.standings:
        row = by_ref[standing.ref]
        assert (standing.outcome is Outcome.BELOW) == bool(row.below)
        if standing.outcome is Outcome.NO_ROOM:
            assert standing.short_gpu_s
            assert {*standing.ahead, *standing.instead} <= awarded
            more = Room({name: capacity[name] + standing.short_gpu_s.get(name, 0) for name in capacity}, room.taken)
            assert any(more.fits(asked) for asked in row.asks)
            assert not any(room.fits(asked) for asked in row.asks)


@given(rows=entries(), capacity=capacities)
@settings(max_examples=40, deadline=None)
def test_nobody_with_as_many_points_and_a_smaller_wish_is_passed_over(rows, capacity):
    found = choose(rows, capacity)
    for lost in (row for row in rows if row.ref not in found.awards and not row.below):
        for won in (row for row in rows if row.ref in found.awards):
            had = found.awards[won.ref].gpu_s
            smaller = any(all(had.get(name, 0) >= amount for name, amount in asked.items()) for asked in lost.asks)
            assert not (smaller and lost.place < won.place)


@given(rows=entries(), capacity=capacities, data=st.data())
@settings(max_examples=30, deadline=None)
def test_the_order_in_which_applications_are_given_does_not_matter(rows, capacity, data):
    assert rank(data.draw(st.permutations(rows)), capacity) == rank(rows, capacity)


@given(rows=entries(), capacity=capacities, share=st.sampled_from([0.3, 0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_awards_in_part_keep_limits_and_the_smallest_share(rows, capacity, share):
    found = rank(rows, capacity, smallest_share=share)
    by_ref = {row.ref: row for row in rows}
    room = Room(capacity)
    for standing in found.standings:
        room.take(standing.gpu_s)
        if standing.outcome is Outcome.PARTLY:
            fitting = [
                asked
                for asked in by_ref[standing.ref].asks
                if all(share * amount <= standing.gpu_s.get(name, 0) <= amount for name, amount in asked.items())
            ]
            assert fitting
    assert all(room.left(name) >= 0 for name in PARTITIONS)
    assert found.points >= found.greedy_points - 1e-6


def test_two_that_fit_together_win_over_one_that_is_better_alone():
    rows = [entry("one", 14000, 100), entry("two", 12000, 50), entry("three", 11000, 50)]
    found = rank(rows, {"alpha": 100 * HOUR})
    by_ref = {standing.ref: standing for standing in found.standings}
    assert (found.points, found.greedy_points) == (23000, 14000)
    assert by_ref["one"].outcome is Outcome.NO_ROOM
    assert by_ref["one"].ahead == ()
    assert by_ref["one"].instead == ("two", "three")
    assert by_ref["one"].short_gpu_s == {"alpha": 100 * HOUR}


def test_equal_points_go_by_submission():
    rows = [entry("a-later", 12000, 50), entry("b-sooner", 12000, 50)]
    rows = [Entry(ref=r.ref, points=r.points, asks=r.asks, order=o) for r, o in zip(rows, ("2", "1"), strict=True)]
    found = rank(rows, {"alpha": 60 * HOUR})
    assert [(s.ref, s.outcome) for s in found.standings] == [
        ("b-sooner", Outcome.AWARDED),
        ("a-later", Outcome.NO_ROOM),
    ]
    assert found.standings[1].short_gpu_s == {"alpha": 40 * HOUR}


def test_overbooking_is_seen():
    found = rank([entry("a", 12000, 60), entry("b", 11000, 60)], {"alpha": 100 * HOUR}, overbooking=1.2)
    (use,) = found.uses
    assert (use.awarded_gpu_s, use.limit_gpu_s, use.over_gpu_s) == (120 * HOUR, 120 * HOUR, 20 * HOUR)


def test_an_award_in_part_says_what_is_missing():
    found = rank([entry("a", 12000, 60), entry("b", 11000, 80)], {"alpha": 100 * HOUR}, smallest_share=0.5)
    part = found.standings[1]
    assert (part.outcome, part.gpu_s) == (Outcome.PARTLY, {"alpha": 40 * HOUR})
    assert part.short_gpu_s == {"alpha": 40 * HOUR}
    assert part.ahead == ("a",)


def test_below_a_threshold_gets_nothing_even_where_all_is_free():
    found = rank([entry("a", 14000, 1, below=("impact",))], {"alpha": 100 * HOUR})
    assert (found.standings[0].outcome, found.standings[0].below) == (Outcome.BELOW, ("impact",))
    assert found.points == 0


def test_a_partition_that_nobody_offers_has_no_room():
    found = rank([entry("a", 14000, 1, on="delta")], {"alpha": HOUR})
    assert found.standings[0].outcome is Outcome.NO_ROOM
    assert found.standings[0].short_gpu_s == {"delta": HOUR}


def test_greedy_goes_down_the_list():
    rows = [entry("one", 14000, 100), entry("two", 12000, 50)]
    awards = greedy(rows, {"alpha": 100 * HOUR}, smallest_share=None)
    assert points_of(awards, {row.ref: row for row in rows}) == 14000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"overbooking": 0}, "overbooking of 0"),
        ({"overbooking": 4}, "overbooking of 4"),
        ({"overbooking": float("nan")}, "overbooking of nan"),
        ({"smallest_share": 0}, "smallest share of 0"),
        ({"capacity_gpu_s": {"alpha": -1}}, "alpha has a negative capacity"),
        ({"entries": [entry("a", 1, 1), entry("a", 2, 1)]}, "a is there twice"),
        ({"entries": [entry("a", -1, 1)]}, "negative points"),
    ],
)
def test_what_cannot_be_ranked_is_refused(change, said):
    asked = {"entries": [entry("a", 1, 1)], "capacity_gpu_s": {"alpha": 1}} | change
    with pytest.raises(BadRanking, match=said):
        rank(asked.pop("entries"), asked.pop("capacity_gpu_s"), **asked)


def test_the_solver_in_a_process_of_its_own_says_the_same():
    rows = [entry("a", 12000, 60), entry("b", 11000, 60), entry("c", 9000, 30)]
    capacity = {"alpha": 100 * HOUR}
    assert ranking.rank(rows, capacity, choose=apart.choose) == rank(rows, capacity)


def test_a_solver_that_fails_is_said(monkeypatch):
    monkeypatch.setattr(apart.sys, "executable", "/bin/false")
    with pytest.raises(apart.SolverFailed):
        apart.choose([], {}, smallest_share=None)
