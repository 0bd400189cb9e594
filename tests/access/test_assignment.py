"""Reviewers for applications: conflicts, languages and availability hold, the load is shared, greedy never wins."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fucina.access import apart
from fucina.access.assignment import assign, assign_greedily
from fucina.access.referees import BadPool, Paper, Referee

TOPICS = ("energy", "health", "language", "robotics")

papers = st.lists(
    st.builds(
        dict,
        topics=st.frozensets(st.sampled_from(TOPICS), min_size=1, max_size=3),
        language=st.sampled_from(["en", "it"]),
        num_reviews=st.integers(0, 3),
    ),
    max_size=8,
)
referees = st.lists(
    st.builds(
        dict,
        expertise=st.dictionaries(st.sampled_from(TOPICS), st.integers(0, 3)),
        languages=st.frozensets(st.sampled_from(["en", "it"]), min_size=1),
        free=st.integers(0, 4),
    ),
    max_size=6,
)


def paper(ref, *topics, language="en", num_reviews=1):
    return Paper(ref=ref, topics=frozenset(topics), language=language, num_reviews=num_reviews)


def referee(ref, *, free=5, languages=("en",), **expertise):
    return Referee(ref=ref, expertise=expertise, languages=frozenset(languages), free=free)


@given(papers, referees, st.data())
@settings(max_examples=80, deadline=None)
def test_every_rule_holds_and_no_review_is_left_out_that_could_be_written(many, pool, data):
    todo = [Paper(ref=f"app-{i}", **row) for i, row in enumerate(many)]
    crowd = [Referee(ref=f"rev-{i}", **row) for i, row in enumerate(pool)]
    pairs = [(p.ref, r.ref) for p in todo for r in crowd]
    conflicts = data.draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    found = assign(todo, crowd, conflicts)
    by_paper, by_referee = {p.ref: p for p in todo}, {r.ref: r for r in crowd}
    assert not set(found.pairs) & conflicts
    assert len(set(found.pairs)) == len(found.pairs)
    for ref in by_paper:
        assert sum(pair[0] == ref for pair in found.pairs) <= by_paper[ref].num_reviews
    for ref in by_referee:
        assert sum(pair[1] == ref for pair in found.pairs) <= by_referee[ref].free
    assert all(by_referee[who].fit(by_paper[what]) > 0 for what, who in found.pairs)
    missing = sum(p.num_reviews for p in todo) - len(found.pairs)
    assert missing == sum(shortage.missing for shortage in found.shortages)
    assert len(found.pairs) >= len(assign_greedily(todo, crowd, conflicts).pairs)


def test_expertise_decides_where_the_load_does_not():
    found = assign(
        [paper("app-1", "energy"), paper("app-2", "health")],
        [referee("rev-1", energy=3, health=1), referee("rev-2", energy=1, health=3)],
        set(),
    )
    assert found.pairs == (("app-1", "rev-1"), ("app-2", "rev-2"))
    assert found.fit == 2.0


def test_the_load_is_shared_where_expertise_is_equal():
    todo = [paper(f"app-{i:02}", "energy", num_reviews=3) for i in range(20)]
    crowd = [referee(f"rev-{i}", energy=2, free=20) for i in range(6)]
    assert set(assign(todo, crowd, set()).loads.values()) == {10}
    assert max(assign_greedily(todo, crowd, set()).loads.values()) == 20


def test_a_conflict_is_never_assigned_and_a_shortage_says_so():
    found = assign([paper("app-1", "energy", num_reviews=2)], [referee("rev-1", energy=3)], {("app-1", "rev-1")})
    assert found.pairs == ()
    (shortage,) = found.shortages
    assert (shortage.missing, shortage.able, shortage.in_conflict) == (2, 1, 1)


def test_who_does_not_read_the_language_does_not_review():
    found = assign([paper("app-1", "energy", language="it")], [referee("rev-1", energy=3)], set())
    assert found.shortages[0].able == 0


def test_taking_the_best_first_can_leave_another_without():
    todo = [paper("app-1", "energy"), paper("app-2", "energy")]
    crowd = [referee("rev-1", energy=3, free=1), referee("rev-2", energy=1, free=1)]
    found = assign(todo, crowd, {("app-2", "rev-2")})
    assert found.pairs == (("app-1", "rev-2"), ("app-2", "rev-1"))
    assert len(assign_greedily(todo, crowd, {("app-2", "rev-2")}).pairs) == 1


@pytest.mark.parametrize(
    ("todo", "crowd", "said"),
    [
        ([paper("a", "energy"), paper("a", "energy")], [], "application a is there twice"),
        ([], [referee("r"), referee("r")], "reviewer r is there twice"),
        ([paper("a", "energy", num_reviews=-1)], [], "needs -1 reviews"),
        ([], [referee("r", energy=4)], "expertise in energy of 4"),
        ([], [referee("r", free=-1)], "-1 free"),
    ],
)
def test_what_cannot_be_assigned_is_refused(todo, crowd, said):
    with pytest.raises(BadPool, match=said):
        assign(todo, crowd, set())


def test_nothing_to_do_is_done():
    assert assign([], [], set()).pairs == ()
    assert assign([paper("a", "energy")], [], set()).shortages[0].missing == 1


def test_the_solver_in_a_process_of_its_own_says_the_same():
    todo = [paper("app-1", "energy", num_reviews=2), paper("app-2", "health")]
    crowd = [referee("rev-1", energy=3), referee("rev-2", energy=1, health=2)]
    conflicts = {("app-1", "rev-1")}
    assert apart.assign(todo, crowd, conflicts) == assign(todo, crowd, conflicts)
