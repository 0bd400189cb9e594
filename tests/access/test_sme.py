"""Worked cases of Recommendation 2003/361/EC."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fucina.access.sme import BadEnterprise, Enterprise, Period, Relation, SmeClass, class_of, classify

TODAY = date(2026, 11, 20)
MICRO, SMALL, MEDIUM, LARGE = SmeClass


def period(people=20.0, turnover=5e6, balance=5e6, year=2025) -> Period:
    return Period(year=year, people=people, turnover_eur=turnover, balance_eur=balance)


def holder(share: float, *figures: float, **more) -> Relation:
    people, turnover, balance = figures
    return Relation(name="Altra", share=share, periods=(period(people, turnover, balance),), **more)


def find(**facts) -> SmeClass:
    return classify(Enterprise(**({"periods": (period(),)} | facts)), today=TODAY).sme_class


@pytest.mark.parametrize(
    ("people", "turnover", "balance", "expected"),
    [
        (9.9, 2e6, 9e9, MICRO),
        (9, 9e9, 2e6, MICRO),
        (10, 2e6, 2e6, SMALL),  # ten people are no micro enterprise
        (9, 2.01e6, 2.01e6, SMALL),
        (49.5, 10e6, 9e9, SMALL),
        (50, 10e6, 10e6, MEDIUM),
        (49, 10.1e6, 10.1e6, MEDIUM),
        (249.9, 50e6, 9e9, MEDIUM),
        (249, 9e9, 43e6, MEDIUM),
        (250, 1, 1, LARGE),
        (249, 50.1e6, 43.1e6, LARGE),  # both money ceilings are crossed
        (249, 50.1e6, 43e6, MEDIUM),  # one of the two is enough
        (0, 0, 0, MICRO),
    ],
)
def test_the_ceilings(people, turnover, balance, expected):
    assert class_of(period(people, turnover, balance)) is expected


@pytest.mark.parametrize(
    ("relation", "expected"),
    [
        (holder(0.249, 1000, 1e9, 1e9), SMALL),  # below a quarter: autonomous
        (holder(0.25, 100, 10e6, 10e6), SMALL),  # 20 + 25 people, 5 + 2.5 million
        (holder(0.25, 200, 10e6, 10e6), MEDIUM),  # 20 + 50 people
        (holder(0.5, 600, 1e6, 1e6), LARGE),  # 20 + 300: half is still a partner
        (holder(0.5, 400, 1e6, 1e6), MEDIUM),  # 20 + 200
        (holder(0.51, 229, 1e6, 1e6), MEDIUM),  # linked: 20 + 229 = 249
        (holder(0.51, 230, 1e6, 1e6), LARGE),  # linked: 250
        (holder(1.0, 1, 60e6, 60e6), LARGE),  # the parent's money
        (holder(0.1, 300, 1e6, 1e6, dominant=True), LARGE),  # control without votes
        (holder(0.49, 5000, 1e9, 1e9, is_exempt_investor=True), SMALL),  # a venture capital firm
        (holder(0.51, 5000, 1e9, 1e9, is_exempt_investor=True), LARGE),  # above half it counts like any other
    ],
)
def test_partner_and_linked_enterprises(relation, expected):
    assert find(relations=(relation,)) is expected


def test_several_relations_add_up():
    relations = (holder(0.3, 100, 1e6, 1e6), holder(0.6, 40, 1e6, 1e6))
    assert find(relations=relations) is MEDIUM  # 20 + 30 + 40 = 90


@pytest.mark.parametrize(("share", "expected"), [(0.0, SMALL), (0.249, SMALL), (0.25, LARGE), (1.0, LARGE)])
def test_a_public_body_that_controls_a_quarter(share, expected):
    assert find(public_share=share) is expected


@pytest.mark.parametrize(
    ("people", "earlier", "expected"),
    [
        ([100, 260], None, MEDIUM),  # crossed once
        ([100, 260, 270], None, LARGE),  # crossed twice running
        ([100, 260, 100, 260], None, MEDIUM),  # never twice running
        ([260, 100], None, LARGE),  # below once
        ([260, 100, 100], None, MEDIUM),
        ([260], MEDIUM, MEDIUM),  # was medium before; one period does not change it
        ([260, 260], MEDIUM, LARGE),
        ([5, 60, 300], None, MEDIUM),  # two periods above micro, the lower of them medium
        ([60], None, MEDIUM),  # a new enterprise has its first period only
    ],
)
def test_a_class_changes_after_two_periods(people, earlier, expected):
    first = 2026 - len(people)
    periods = tuple(period(count, 1e6, 1e6, year=first + number) for number, count in enumerate(people))
    assert find(periods=periods, earlier_class=earlier) is expected


def test_the_reasons_say_how_it_came_about():
    facts = Enterprise(
        periods=(period(100, 5e6, 5e6, 2024), period(260, 5e6, 5e6, 2025)), relations=(holder(0.3, 10, 1e6, 1e6),)
    )
    found = classify(facts, today=TODAY)
    text = " ".join(found.reasons)
    assert "Altra is a partner with 30.0%" in text
    assert "263 annual work units" in text
    assert "two consecutive periods, so it stays medium" in text
    assert "2003/361/EC" in found.source


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"founded_on": date(2027, 1, 1)}, "after today"),
        ({"periods": (period(year=2027),)}, "newest accounting period is 2027"),
        ({"founded_on": date(2025, 5, 1), "periods": (period(year=2020),)}, "founded in 2025"),
    ],
)
def test_facts_that_cannot_be(facts, said):
    with pytest.raises(BadEnterprise, match=said):
        find(**facts)


@pytest.mark.parametrize(
    "facts",
    [
        {"periods": ()},
        {"periods": (period(year=2025), period(year=2024))},
        {"periods": (period(year=2025), period(year=2025))},
        {"public_share": 1.1},
        {"public_share": -0.1},
        {"mystery": 1},
    ],
)
def test_facts_that_no_form_lets_through(facts):
    with pytest.raises(ValidationError):
        Enterprise(**({"periods": (period(),)} | facts))


@pytest.mark.parametrize("changes", [{"people": -1}, {"turnover_eur": -5}, {"balance_eur": float("nan")}, {"year": 3}])
def test_figures_that_no_period_has(changes):
    with pytest.raises(ValidationError):
        Period(**(period().model_dump() | changes))


FIGURES = st.tuples(st.floats(0, 1000), st.floats(0, 1e8), st.floats(0, 1e8))


@given(FIGURES, FIGURES, st.floats(0, 1))
def test_another_enterprise_never_makes_one_smaller(own, theirs, share):
    alone = find(periods=(period(*own),))
    together = find(periods=(period(*own),), relations=(holder(share, *theirs),))
    assert list(SmeClass).index(together) >= list(SmeClass).index(alone)
