"""What the board reads: trade-offs, the reference run, and rounded figures."""

from datetime import UTC, datetime

import pytest

from fucina.planning.models import UnknownModel
from fucina.planning.simulate.report import report_data
from fucina.planning.simulate.siting import Reference, load_question, plan

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def found():
    return plan(load_question())


def test_each_choice_says_how_long_the_reference_run_takes(found):
    assert [run.aim for run in found.runs] == [siting.aim for siting in found.sitings]
    for run, siting in zip(found.runs, found.sitings, strict=True):
        assert run.num_devices == max(holding.count for holding in siting.holdings)
        assert run.days.low < run.days.value < run.days.high
        assert 0.2 < run.mfu < 0.6


def test_a_reference_that_cannot_be_trained_there_says_why():
    question = load_question().model_copy(update={"num_accelerators": 16, "power_cap_mw": 100.0})
    small = plan(question)

    assert all(run.days is None and "fits nowhere" in run.why_not for run in small.runs)
    assert all(row[2] == "—" for row in report_data(small, NOON)["runs"])


def test_an_unknown_reference_is_named():
    with pytest.raises(UnknownModel, match="no-such"):
        plan(load_question().model_copy(update={"reference": Reference(model="no-such")}))


def test_dearer_choices_are_weighed_against_the_cheapest(found):
    cheapest = min(found.sitings, key=lambda siting: siting.cost_eur)
    others = [siting for siting in found.sitings if siting is not cheapest]
    lines = report_data(found, NOON)["weighed"]

    assert len(lines) == len(others)
    for line, other in zip(lines, others, strict=True):
        assert f"{(other.cost_eur - cheapest.cost_eur) / 1e9:.2f} billion EUR" in line
        assert ("for each tonne saved" in line) == (other.carbon_t < cheapest.carbon_t)


def test_levers_are_rounded_and_compared(found):
    rows = {row[0]: row for row in report_data(found, NOON)["levers"]}

    assert rows["Time from an interruption to the next step, s"][1:3] == ["600", "43"]
    assert rows["Time that a checkpoint holds the job up, s"][2:] == ["not enough alone", ""]
    assert all(len(row[2]) <= len("not enough alone") for row in rows.values())
