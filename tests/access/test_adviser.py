"""Worked cases of the adviser, written from the published access modes; the sources stand in `modes.yaml`."""

from datetime import UTC, date, datetime
from importlib.resources import files

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fucina.access.adviser import Advice, Verdict, advise
from fucina.access.intake import BadIntake, Experience, Goal, Intake, Residency, Sensitivity, Who, read_intake
from fucina.access.places import country_names, shipped_places
from fucina.access.sme import BadEnterprise
from fucina.network.catalogue import shipped_catalogue
from fucina.planning.ask import TrainingQuestion
from fucina.planning.training import plan_training

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday
SMALL_FIRM = {"year": 2025, "people": 8, "turnover_eur": 4e5, "balance_eur": 9e5}
LARGE_FIRM = {"year": 2025, "people": 900, "turnover_eur": 2e8, "balance_eur": 1e8}


def ask(**answers) -> Advice:
    base = {"who": "company", "country": "IT", "goal": "fine-tune", "experience": "practised"}
    return advise(read_intake(base | answers), now=NOON)


def route(advice: Advice, mode: str):
    return next(r for r in advice.routes if r.mode == mode)


def finding(advice: Advice, mode: str, rule: str):
    return next(f for f in route(advice, mode).findings if f.rule == rule)


def place(advice: Advice, partition: str):
    return next(p for p in advice.places if p.partition == partition)


# Units: what a site bills. 1,000 GPU-hours are so many node-hours.
@pytest.mark.parametrize(
    ("partition", "node_hours"),
    [
        ("lumi-g", 250),  # four modules a node, although the scheduler shows eight devices
        ("leonardo-booster", 250),
        ("mn5-acc", 250),
        ("meluxina-gpu", 250),
        ("karolina-gpu", 125),
        ("vega-gpu", 250),
        ("deucalion-gpu", 250),
        ("discoverer-plus", 125),
        ("jupiter-booster", 250),
        ("lisa", 125),
        ("arrhenius-gpu", 250),
    ],
)
def test_gpu_hours_become_node_hours_by_the_partition(partition, node_hours):
    found = place(ask(gpu_hours=1000), partition)

    assert (found.gpu_hours, found.node_hours) == (1000, node_hours)


def test_lumi_says_that_it_counts_modules():
    assert any("2 devices" in text for text in place(ask(gpu_hours=1000), "lumi-g").good)


# Establishment: member state, associated, or neither.
@pytest.mark.parametrize(
    ("mode", "country", "standing"),
    [
        ("fast-lane", "IT", "yes"),
        ("fast-lane", "GR", "yes"),
        ("fast-lane", "CH", "yes"),  # reported as included
        ("fast-lane", "GB", "yes"),  # reported as included
        ("fast-lane", "XK", "yes"),
        ("fast-lane", "KZ", "no"),  # reported as excluded
        ("fast-lane", "US", "no"),
        ("playground", "RU", "no"),
        ("development", "NO", "yes"),
        ("development", "TR", "yes"),
        ("development", "JP", "no"),
    ],
)
def test_the_country_of_establishment_counts(mode, country, standing):
    assert finding(ask(country=country), mode, "establishment").standing == standing


# Kinds of applicant.
@pytest.mark.parametrize(
    ("mode", "answers", "standing"),
    [
        ("playground", {"periods": [SMALL_FIRM]}, "yes"),
        ("playground", {"periods": [LARGE_FIRM]}, "yes"),  # may apply, and may have to pay
        ("playground", {}, "yes"),  # whatever its size
        ("large-scale", {"who": "university"}, "no"),
        ("fast-lane", {"who": "public-body"}, "no"),
        ("fast-lane", {"who": "person"}, "no"),
        ("ai-for-science", {"who": "university"}, "yes"),
        ("ai-for-science", {"who": "public-body"}, "yes"),
        ("ai-for-science", {"periods": [SMALL_FIRM]}, "no"),  # sent to the industrial modes
        ("ai-for-science", {"periods": [SMALL_FIRM], "eu_project": True}, "ask"),
        ("development", {"periods": [SMALL_FIRM]}, "yes"),
        ("benchmark", {"who": "research-institute"}, "yes"),
        ("extreme", {"who": "person"}, "no"),
    ],
)
def test_who_may_apply(mode, answers, standing):
    assert finding(ask(**answers), mode, "applicant").standing == standing


# Amounts, each at its edge.
@pytest.mark.parametrize(
    ("mode", "answers", "standing"),
    [
        ("fast-lane", {"gpu_hours": 50_000}, "yes"),
        ("fast-lane", {"gpu_hours": 50_000.5}, "no"),
        ("large-scale", {"gpu_hours": 50_000}, "no"),
        ("large-scale", {"gpu_hours": 50_000.5}, "yes"),
        ("playground", {"gpu_hours": 1000}, "yes"),
        ("playground", {"gpu_hours": 1001}, "ask"),  # no ceiling is published
        ("development", {"gpu_hours": 4500 * 4}, "yes"),  # LUMI-G and Leonardo, four GPUs a node
        ("development", {"gpu_hours": 4500 * 4 + 1}, "no"),
        ("benchmark", {"gpu_hours": 3500 * 4, "goal": "scaling-test"}, "yes"),  # Leonardo
        ("benchmark", {"gpu_hours": 3500 * 4 + 1, "goal": "scaling-test"}, "no"),
        ("ai-for-science", {"who": "university", "gpu_hours": 20_000 * 4}, "yes"),
        ("ai-for-science", {"who": "university", "gpu_hours": 90_000 * 4}, "yes"),
        ("ai-for-science", {"who": "university", "gpu_hours": 90_000 * 4 + 1}, "no"),
        ("ai-for-science", {"who": "university", "gpu_hours": 20_000}, "ask"),  # enough if the table means GPU-hours
        ("ai-for-science", {"who": "university", "gpu_hours": 19_999}, "no"),
        ("extreme", {"gpu_hours": 160_000 * 4, "vendor": "AMD"}, "yes"),  # LUMI-G
        ("extreme", {"gpu_hours": 160_000 * 4 - 1, "vendor": "AMD"}, "no"),
    ],
)
def test_the_amount_keeps_the_bounds_of_the_mode(mode, answers, standing):
    assert finding(ask(**answers), mode, "amount").standing == standing


# By when it is decided, asked on Friday 20 November 2026.
@pytest.mark.parametrize(
    ("mode", "decided"),
    [
        ("playground", date(2026, 11, 24)),  # two working days: Monday, Tuesday
        ("fast-lane", date(2026, 11, 26)),
        ("large-scale", date(2026, 12, 14)),  # ten after the cut-off of 30 November
        ("benchmark", date(2026, 12, 22)),  # fifteen after that of 1 December
        ("ai-for-science", date(2027, 1, 21)),  # 22 after 11 December, past the year-end holidays
        ("extreme", None),  # its cut-offs are over
        ("regular", None),  # closed
    ],
)
def test_the_decision_is_expected_in_working_days(mode, decided):
    assert route(ask(who="university", gpu_hours=400), mode).decision_on == decided


# What comes out for whom.
@pytest.mark.parametrize(
    ("answers", "verdict", "mode"),
    [
        ({"country": "FR", "gpu_hours": 20_000, "periods": [SMALL_FIRM]}, Verdict.APPLY, "fast-lane"),
        ({"goal": "learn", "experience": "none", "periods": [SMALL_FIRM]}, Verdict.APPLY, "playground"),
        ({"goal": "learn", "experience": "practised"}, Verdict.APPLY, "playground"),
        ({"goal": "pretrain", "parameters": "30B", "tokens": "2T"}, Verdict.APPLY, "large-scale"),
        ({"who": "university", "goal": "scaling-test"}, Verdict.APPLY, "benchmark"),
        ({"who": "university", "goal": "learn", "months": 12}, Verdict.APPLY, "development"),
        ({"who": "university", "gpu_hours": 200_000, "months": 6}, Verdict.APPLY, "ai-for-science"),
        ({"goal": "unsure", "experience": "none", "language": "it"}, Verdict.TALK, None),
        ({"goal": "prove", "sector": "health"}, Verdict.TALK, None),
        ({"has_data": False}, Verdict.TALK, None),
        ({"goal": "tables-or-images"}, Verdict.WORKSTATION, None),
        ({"parameters": "8B", "text_gb": 0.5}, Verdict.WORKSTATION, None),
        ({"goal": "pretrain", "parameters": "100M", "tokens": "2B"}, Verdict.WORKSTATION, None),
        ({"country": "KZ", "goal": "learn"}, Verdict.NONE, None),
        ({"who": "person", "goal": "learn"}, Verdict.NONE, None),
        ({"goal": "learn", "civilian": False}, Verdict.NONE, None),
        ({"goal": "learn", "needed_by": "2026-11-20", "vendor": "AMD"}, Verdict.CHECK, "playground"),
    ],
)
def test_the_advice(answers, verdict, mode):
    found = ask(**answers)

    assert found.verdict is verdict
    assert (found.application.access_mode if found.application else None) == mode


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"goal": "unsure"}, "edih"),
        ({"goal": "prove", "sector": "Health care"}, "tef"),
        ({"goal": "prove", "sector": "toys"}, "tef-any"),
        ({"country": "CH"}, "antenna"),
        ({"country": "IT"}, "factory"),
        ({"who": "person"}, "organisation"),
        ({"has_data": False}, "data"),
        ({"periods": [LARGE_FIRM]}, "large"),
        ({"sensitivity": "special"}, "sensitive"),
        ({"country": "PT", "who": "public-body", "gpu_hours": 5_000_000}, "national"),
    ],
)
def test_whom_to_talk_to(answers, expected):
    assert expected in [help_.id for help_ in ask(**answers).first]


@pytest.mark.parametrize("partition", ["leonardo-booster", "lumi-g"])
def test_training_costs_six_n_d_at_the_pace_that_the_planner_gives(partition):
    found = ask(goal="pretrain", parameters="7B", tokens="140B")

    assert found.need.flops == pytest.approx(6 * 7e9 * 140e9 * 1.3)
    question = TrainingQuestion(
        model="fucina-7b", num_tokens=140 * 10**9, system=partition, num_devices=64, sequence=4096, stack="eager",
        fsdp_only=False, resilience={"failures_per_1000_node_days": 0},
    )  # fmt: skip
    assert place(found, partition).gpu_hours == pytest.approx(1.3 * plan_training(question).gpu_hours.value, rel=0.15)


def test_where_the_planner_has_no_figure_the_stated_share_counts():
    found = ask(goal="use", parameters="7B", tokens="140B")

    flops = 2 * 7e9 * 140e9 * 1.3
    assert place(found, "leonardo-booster").gpu_hours == pytest.approx(flops / (312e12 * 0.35) / 3600)
    assert place(found, "lumi-g").gpu_hours == pytest.approx(flops / (383e12 * 0.25) / 3600)


@pytest.mark.parametrize(
    ("answers", "partition", "fits"),
    [
        ({"vendor": "NVIDIA"}, "lumi-g", False),
        ({"vendor": "AMD"}, "leonardo-booster", False),
        ({"memory_gb": 64}, "lumi-g", True),  # a device is half a module of 128 GB
        ({"memory_gb": 65}, "lumi-g", False),
        ({"memory_gb": 80}, "meluxina-gpu", False),
        ({"residency": "own-country"}, "jupiter-booster", False),
        ({"residency": "own-country"}, "leonardo-booster", True),
        ({}, "lisa", False),  # being installed
        ({"gpu_hours": 32 * 3 * 730 + 1}, "discoverer-plus", False),  # more than the whole machine in three months
        ({"gpu_hours": 32 * 3 * 730}, "discoverer-plus", True),
        ({"parameters": "100B", "goal": "pretrain"}, "discoverer-plus", False),  # 1.6 TB hold, the time does not
    ],
)
def test_which_machine_fits(answers, partition, fits):
    assert place(ask(**answers), partition).fits is fits


def test_special_data_put_the_machine_with_such_services_ahead_in_its_country():
    found = ask(gpu_hours=1000, sensitivity="special", residency="own-country")

    assert found.places[0].partition == "leonardo-booster"
    assert any("sensitive data" in text for text in found.places[0].good)


def test_every_rule_names_its_sources():
    assert all(f.sources for r in ask(gpu_hours=1000).routes for f in r.findings)


def test_a_linked_giant_makes_a_small_firm_large_and_the_time_may_cost():
    giant = {"name": "Gruppo", "share": 0.8, "periods": [LARGE_FIRM]}
    found = ask(gpu_hours=1000, periods=[SMALL_FIRM], relations=[giant])

    assert found.size is not None
    assert not found.size.is_sme
    assert "buy" in route(found, "fast-lane").cost


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"country": "ZZ"}, "there is no country"),
        ({"country": "Italy"}, "country"),
        ({"founded_on": "2027-01-01"}, "after today"),
        ({"needed_by": "2020-01-01"}, "is over"),
        ({"who": "university", "periods": [SMALL_FIRM]}, "are a company's"),
        ({"who": "person", "public_share": 0.5}, "are a company's"),
        ({"relations": [{"name": "A", "share": 0.3, "periods": [SMALL_FIRM]}]}, "own figures"),
        ({"tokens": "1B", "text_gb": 4}, "give one"),
        ({"goal": "unsure", "parameters": "8B"}, "no language model"),
        ({"has_data": False, "tokens": "1B"}, "no data yet"),
        ({"periods": [SMALL_FIRM | {"people": -1}]}, "periods.0.people"),
        ({"gpu_hours": 0}, "gpu_hours"),
        ({"gpu_hours": float("nan")}, "gpu_hours"),
        ({"parameters": "many"}, "not a count"),
        ({"goal": "world domination"}, "goal"),
        ({"surprise": 1}, "surprise"),
        ({"project": "../etc"}, "project"),
    ],
)
def test_answers_that_cannot_be_are_refused_in_words(answers, said):
    with pytest.raises(BadIntake, match=said):
        ask(**answers)


def test_figures_before_the_foundation_are_refused():
    with pytest.raises(BadEnterprise, match="founded in"):
        ask(founded_on="2026-02-01", periods=[SMALL_FIRM])


ANYBODY = st.builds(
    Intake,
    who=st.sampled_from(Who),
    country=st.sampled_from(sorted(country_names())),
    goal=st.sampled_from([goal for goal in Goal if goal not in (Goal.UNSURE, Goal.CLASSIC)]),
    language=st.sampled_from(["en", "it"]),
    parameters=st.none() | st.integers(1, 10**13),
    tokens=st.none() | st.integers(1, 10**15),
    gpu_hours=st.none() | st.floats(0.01, 1e9),
    experience=st.sampled_from(Experience),
    sensitivity=st.sampled_from(Sensitivity),
    residency=st.sampled_from(Residency),
    vendor=st.sampled_from(["any", "NVIDIA", "AMD"]),
    memory_gb=st.none() | st.floats(0.1, 500),
    months=st.none() | st.integers(1, 60),
    civilian=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(ANYBODY)
def test_whoever_asks_gets_an_answer_that_agrees_with_itself(intake):
    found = advise(intake, now=NOON)

    assert Advice.model_validate_json(found.model_dump_json()) == found
    order = ["yes", "ask", "no"]
    standings = [order.index(r.standing) for r in found.routes]
    assert standings == sorted(standings)
    for known in found.routes:
        assert known.standing == max((f.standing for f in known.findings), key=order.index)
    if found.application is not None:
        chosen = next(p for p in found.places if p.partition == found.application.partition)
        assert chosen.fits
        assert chosen.gpu_hours is not None
        assert found.application.gpu_hours >= chosen.gpu_hours
        assert found.routes[0].standing != "no"
        assert found.verdict in (Verdict.APPLY, Verdict.CHECK)
    for known_place in found.places:
        if known_place.gpu_hours is not None and known_place.node_hours is not None:
            assert known_place.node_hours * known_place.gpus_per_node == pytest.approx(known_place.gpu_hours)


@settings(max_examples=60, deadline=None)
@given(st.integers(10**9, 10**12), st.integers(10**9, 10**13))
def test_more_tokens_never_cost_less(parameters, tokens):
    less = ask(goal="pretrain", parameters=parameters, tokens=tokens)
    more = ask(goal="pretrain", parameters=parameters, tokens=2 * tokens)

    for partition in shipped_places().partitions:
        if partition.accelerator:
            before, after = place(less, partition.id).gpu_hours, place(more, partition.id).gpu_hours
            assert after == pytest.approx(2 * before)


def test_machines_and_help_are_those_of_the_catalogue_and_stand_nowhere_else():
    catalogue, places = shipped_catalogue(), shipped_places()
    sheet = yaml.safe_load(files("fucina.access").joinpath("places.yaml").read_text(encoding="utf-8"))
    assert len(places.partitions) == len(sheet["partitions"]) == 11
    facts = {"country", "vendor", "nodes", "gpus_per_node", "devices_per_gpu", "status"}
    assert not any(facts & offered.keys() for offered in sheet["partitions"])
    assert {antenna.name for antenna in places.antennas} == {antenna.name for antenna in catalogue.antennas}
    assert {factory.name for factory in places.factories} == {factory.name for factory in catalogue.factories}
    billed = {p.id: (p.gpus_per_node, p.devices_per_gpu) for p in places.partitions}
    assert billed["lumi-g"] == (4, 2)
    assert billed["meluxina-gpu"] == billed["leonardo-booster"] == (4, 1)
    assert billed["karolina-gpu"] == (8, 1)
