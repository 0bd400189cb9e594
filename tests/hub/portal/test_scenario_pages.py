"""The pages of what-if scenarios: asked, shown while it runs, answered with charts, and several side by side."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

from fucina.client.wire_planning import ScenarioRequest
from fucina.hub.planning.actions import save_scenario, take_next, tell_progress, trace_file
from fucina.hub.planning.models import Scenario
from fucina.hub.portal.bars import Value, bar_chart, words
from fucina.hub.portal.scenario_figures import charts, figures_of, rows
from tests.hub.conftest import NOON


def estimate(mean, half):
    return {"mean": mean, "low": mean - half, "high": mean + half}


def result(wait_s, half_s, used=0.7):
    """An answer as `fucina plan cluster --format json` prints it."""
    return {
        "scenario": {"name": "site"},
        "parts": {
            "all": {"utilisation": estimate(used, 0.01), "jobs": estimate(900, 0)},
            "class sme": {
                "p95_wait_s": estimate(wait_s, half_s),
                "mean_wait_s": {"mean": 60, "low": None, "high": None},
            },
            "class large": {"p95_wait_s": estimate(wait_s * 3, half_s)},
        },
    }


def scenarios_of(person):
    """Two that are answered and one that waits."""

    def save(name, answer):
        return save_scenario(request=ScenarioRequest(name=name, result=answer), by=person, at=NOON)

    return save("As it is", result(3600, 60)), save("Twice as large", result(600, 60, 0.4)), save("Waiting", None)


def text_of(response):
    return response.content.decode()


@pytest.fixture
def ada(as_, world):
    return as_(world.ada)


def test_a_question_is_asked_with_recorded_jobs_and_waits(ada, world):
    trace = SimpleUploadedFile("november.swf", b"; SWF\n")
    question = "name: x\npools: [{id: site, num_nodes: 2}]\n"
    sent = {"name": "Recorded", "kind": "cluster", "question": question, "trace": trace, "model": "ignored here"}
    response = ada.post("/scenarios/new", sent)
    row = Scenario.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/scenarios/{row.ref}")
    assert (row.person, row.trace_name, row.options) == (world.ada, "november.swf", {})
    assert trace_file(row.ref).read_text() == "; SWF\n"
    page = text_of(ada.get(f"/scenarios/{row.ref}"))
    assert "Waits for the worker" in page and 'hx-trigger="every 2s"' in page


def test_what_is_missing_or_wrong_is_said_on_the_form(ada):
    response = ada.post("/scenarios/new", {"name": "", "kind": "cluster"})
    assert response.status_code == 422
    assert "Give the scenario a name." in text_of(response)
    response = ada.post("/scenarios/new", {"name": "x", "kind": "train", "model": "llama-3-8b"})
    assert response.status_code == 422
    assert "needs tokens, system" in text_of(response)
    response = ada.post("/scenarios/new", {"name": "x", "kind": "cluster", "question": "a: [1"})
    assert "The question is no YAML" in text_of(response)
    assert not Scenario.objects.exists()


def test_progress_is_shown_and_the_page_rests_when_it_is_over(ada, world):
    one, _other, waiting = scenarios_of(world.ada)
    tell_progress(scenario=take_next(silent_since=NOON, at=NOON), done=250, total=1000, at=NOON)
    page = text_of(ada.get(f"/scenarios/{waiting.ref}"))
    assert 'value="250" max="1000"' in page and "250 of 1,000 jobs" in page
    assert "hx-trigger" not in text_of(ada.get(f"/scenarios/{one.ref}"))


def test_an_answer_has_charts_each_with_a_table_and_words(ada, world):
    one, *_ = scenarios_of(world.ada)
    page = text_of(ada.get(f"/scenarios/{one.ref}"))
    assert page.count('class="chart bars"') == page.count('role="img"') == page.count('class="table-view"') == 3
    assert "Class sme: As it is 60 ± 1. Class large: As it is 180 ± 1." in page


def test_scenarios_stand_side_by_side_with_what_is_beyond_chance(ada, world):
    one, other, waiting = scenarios_of(world.ada)
    page = text_of(ada.get(f"/scenarios/compare?ref={one.ref}&ref={other.ref}"))
    assert re.search(r"Class sme.*?60 ± 1.*?10 ± 1.*?-50.*?yes", page, re.DOTALL)
    assert "As it is 60 ± 1; Twice as large 10 ± 1" in page
    refused = ada.get(f"/scenarios/compare?ref={one.ref}")
    assert refused.status_code == 422
    assert "Choose two to four" in text_of(refused)


def test_cancelling_and_deleting_ask_first(ada, world):
    one, _other, waiting = scenarios_of(world.ada)
    assert ada.post(f"/scenarios/{waiting.ref}/cancel").status_code == 302
    assert Scenario.objects.get(pk=waiting.pk).state == "cancelled"
    assert "Delete this scenario?" in text_of(ada.get(f"/scenarios/{one.ref}/delete"))
    assert ada.post(f"/scenarios/{one.ref}/delete").status_code == 302
    assert not Scenario.objects.filter(pk=one.pk).exists()


def test_bars_keep_within_the_plot_and_unknown_is_a_dash():
    chart = bar_chart(
        chart_id="c", title="t", names=("a", "b"), groups={"g": (Value(5, 4, 10), None), "h": (Value(0), Value(2.5))}
    )
    assert [bar.width for group in chart.groups for bar in group.bars] == ["50.00%", "0%", "0.00%", "25.00%"]
    assert chart.groups[0].bars[0].whisker == ("40.00%", "100.00%")
    assert chart.rows == (("g", "5 ± 3", "—"), ("h", "0", "2.5"))
    assert words(Value(1234.5)) == "1,230"


@pytest.mark.parametrize(
    "strange", [None, [], {"parts": 3}, {"parts": {"all": {"jobs": "many"}}}, {"sitings": [1]}, {}]
)
def test_an_answer_of_an_unknown_shape_has_no_numbers(strange):
    assert figures_of(strange) == {}
    assert charts(("a",), (figures_of(strange),)) == ()


def test_a_training_run_a_size_and_a_siting_are_numbers_too():
    train = figures_of({"gpu_hours": {"low": 1, "value": 2, "high": 3}, "num_devices": 64, "layout": {"mfu": 0.4}})
    assert train["all", "gpu_hours"] == Value(2.0, 1.0, 3.0)
    assert train["all", "mfu"] == Value(0.4)
    assert figures_of({"job_class": "sme", "num_gpus": 512, "p95_wait_s": 30})["class sme", "num_gpus"] == Value(512)
    assert figures_of({"sitings": [{"aim": "least cost", "cost_eur": 2e9}]})["aim least cost", "cost_eur"].mean == 2e9
    with translation.override("it"):
        assert rows((train,))[0].part == "Tutto"
