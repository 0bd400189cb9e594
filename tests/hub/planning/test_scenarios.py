"""What-if scenarios: kept, simulated in a process of their own, cancelled, deleted, and nobody else's business."""

import json
import threading
from datetime import timedelta

import pytest
import yaml
from django.db import connections
from django.utils import timezone

from fucina.client.wire_planning import ScenarioKind, ScenarioRequest, ScenarioState
from fucina.errors import ErrorBody, NotVisible
from fucina.hub.people.models import AuditRecord
from fucina.hub.planning import actions, read, work
from fucina.hub.planning.models import Scenario
from tests.hub.conftest import NOON

SMALL = {
    "name": "small",
    "days": 1,
    "warmup_days": 0,
    "replications": 2,
    "pools": [{"id": "site", "num_nodes": 8, "gpus_per_node": 4}],
    "classes": [{"name": "sme", "profile": "helios", "load": 0.5, "max_gpus": 8}],
}
TRACE = "JobID|User|Partition|Submit|ElapsedRaw|TimelimitRaw|ReqTRES\n" + "".join(
    f"{n}|ada|site|2026-11-01T10:0{n}:00|300|10|gres/gpu=4\n" for n in range(9)
)


def ask(person, **changes):
    fields = {"name": "small", "question": yaml.safe_dump(SMALL), **changes}
    trace_name = fields.pop("trace_name", "")
    return actions.save_scenario(request=ScenarioRequest(**fields), trace_name=trace_name, by=person, at=NOON)


@pytest.fixture
def person_client(client):
    """A browser in which a person is signed in; CSRF is the door's own test."""

    def inner(person):
        client.force_login(person)
        return client

    return inner


def simulate():
    """Let the worker do one, by the real clock."""
    return work.simulate_next(threading.Event(), clock=timezone.now)


@pytest.mark.slow
def test_a_scenario_is_simulated_in_a_process_of_its_own_and_keeps_its_answer(ada):
    row = ask(ada)
    done = simulate()
    assert (done.pk, done.state, done.problem) == (row.pk, ScenarioState.SUCCEEDED, None)
    assert done.result["parts"]["class sme"]["jobs"]["mean"] > 0
    assert done.result["parts"]["class sme"]["mean_wait_s"]["low"] is not None
    assert simulate() is None
    assert [a.action for a in AuditRecord.objects.filter(object_ref=row.ref).order_by("pk")] == [
        "planning.save_scenario", "planning.end_scenario",
    ]  # fmt: skip


@pytest.mark.slow
def test_recorded_jobs_take_the_place_of_classes_and_faults_are_told_without_paths(ada):
    ask(ada, trace=TRACE, trace_name="november.txt", question=yaml.safe_dump(SMALL))
    assert simulate().result["parts"]["all"]["jobs"]["mean"] == 9
    ask(ada, trace=TRACE.replace("|300|", "|many|", 1))
    done = simulate()
    assert done.state == ScenarioState.FAILED
    assert done.problem["code"] == "bad_trace"
    assert done.problem["message"].startswith("trace.txt:2: job 0: ")
    ask(ada, question="name: x\npools: 3\n")
    assert "pools: Input should be a valid" in simulate().problem["message"]


@pytest.mark.slow
def test_a_training_run_and_a_gigafactory_are_answered_too(ada):
    options = {"model": "llama-3-8b", "tokens": "1T", "system": "leonardo-booster"}
    ask(ada, kind=ScenarioKind.TRAIN, question="", options=options)
    assert simulate().result["gpu_hours"]["value"] > 10_000
    ask(ada, kind=ScenarioKind.GIGAFACTORY, question="")
    assert len(simulate().result["sitings"]) == 3


@pytest.mark.slow
def test_a_simulation_that_runs_can_be_cancelled(emptied_afterwards, transactional_db, ada):
    long = {**SMALL, "days": 3000, "replications": 100, "pools": [{"id": "site", "num_nodes": 4000}]}
    row = ask(ada, question=yaml.safe_dump(long))
    ended = []

    def work_apart():
        try:
            ended.append(simulate())
        finally:
            connections.close_all()

    worker = threading.Thread(target=work_apart)
    worker.start()
    try:
        while Scenario.objects.get(pk=row.pk).state == ScenarioState.QUEUED:
            worker.join(0.05)
        actions.cancel_scenario(scenario=row, by=ada, at=timezone.now())
    finally:
        worker.join(60)
    assert ended[0].state == ScenarioState.CANCELLED
    assert (ended[0].result, ended[0].problem) == (None, None)


def test_one_that_waits_is_cancelled_at_once_and_one_that_is_over_is_deleted(ada):
    row = ask(ada, trace=TRACE)
    with pytest.raises(actions.ScenarioLives, match="is queued"):
        actions.delete_scenario(scenario=row, by=ada, at=NOON)
    assert actions.cancel_scenario(scenario=row, by=ada, at=NOON).state == ScenarioState.CANCELLED
    assert simulate() is None
    with pytest.raises(actions.ScenarioIsOver, match="is over: cancelled"):
        actions.cancel_scenario(scenario=row, by=ada, at=NOON)
    actions.delete_scenario(scenario=row, by=ada, at=NOON)
    assert not Scenario.objects.exists()


def test_one_whose_worker_was_lost_is_taken_up_again_and_the_lost_one_is_not_heard(ada):
    row = ask(ada)
    first = actions.take_next(silent_since=NOON, at=NOON)
    assert first.pk == row.pk
    assert actions.take_next(silent_since=NOON, at=NOON + timedelta(seconds=5)) is None
    later = NOON + timedelta(minutes=5)
    second = actions.take_next(silent_since=later - timedelta(minutes=1), at=later)
    assert second.pk == row.pk
    assert not actions.tell_progress(scenario=first, done=1, total=2, at=later)
    assert actions.tell_progress(scenario=second, done=1, total=2, at=later)
    assert actions.end_scenario(scenario=first, result={}, problem=None, by=work.RULE, at=later) is None
    assert actions.end_scenario(scenario=second, result={}, problem=None, by=work.RULE, at=later).is_over


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"question": "trace: /etc/passwd\npools: []\n"}, "names a trace"),
        ({"question": "[1, 2]"}, "no YAML mapping"),
        ({"question": "a: [1"}, "no YAML"),
        ({"question": "", "trace": TRACE}, "needs a scenario"),
        ({"options": {"save": "x"}}, "no option 'save'"),
        ({"options": {"class": "--save=/tmp/x"}}, "cannot be given"),
        ({"options": {"class": "../x"}}, "cannot be given"),
        ({"kind": "train", "question": ""}, "needs model, tokens, system"),
        ({"name": " \n "}, "name is empty"),
    ],
)
def test_what_the_hub_does_not_take_is_said(ada, changes, told):
    with pytest.raises(actions.BadQuestion, match=told):
        ask(ada, **changes)
    assert not Scenario.objects.exists()


def test_a_trace_is_the_one_that_was_sent_and_never_a_file_of_the_hub(ada):
    row = ask(ada, question=yaml.safe_dump({**SMALL, "trace": "/etc/passwd"}), trace=TRACE)
    assert yaml.safe_load(row.question)["trace"] == "trace.txt"
    assert actions.trace_file(row.ref).read_text() == TRACE


def test_a_person_may_have_so_many_waiting(ada):
    for _ in range(actions.MAX_WAITING):
        ask(ada)
    with pytest.raises(actions.TooManyScenarios, match="wait or run already"):
        ask(ada)
    assert ask(ada, result={"parts": {}}).state == ScenarioState.SUCCEEDED


def test_a_scenario_is_its_owners_alone(ada, dag):
    row = ask(ada)
    assert [info.ref for info in read.scenarios(ada)] == [row.ref]
    assert read.scenarios(dag) == []
    with pytest.raises(NotVisible):
        read.find_scenario(row.ref, person=dag)


def test_nothing_of_the_hubs_secrets_reaches_a_simulation(ada, tmp_path, monkeypatch):
    monkeypatch.setenv("FUCINA_SECRET_KEY", "forge")
    assert not any(name.startswith("FUCINA") for name in work.PASSED_ON)
    words = work.command_of(ask(ada, options={"class": "sme"}), tmp_path)
    assert words[2:8] == ["fucina.cli", "plan", "cluster", "--format", "json", "--class=sme"]


def test_an_end_without_an_answer_is_told_in_words(tmp_path):
    (tmp_path / "out").write_text("")
    (tmp_path / "err").write_text("Killed\n")
    result, problem = work.answer_of(tmp_path, -9)
    assert (result, problem.code) == (None, "simulation_failed")
    body = ErrorBody(code="bad_scenario", message="no pool", hint="give one")
    (tmp_path / "err").write_text("warning\n" + body.model_dump_json() + "\n")
    assert work.answer_of(tmp_path, 1) == (None, body)


def test_the_api_keeps_lists_and_drops(ada, person_client):
    client = person_client(ada)
    sent = {"name": "kept", "kind": "cluster", "result": {"parts": {}}}
    made = client.post("/api/v1/scenarios", json.dumps(sent), content_type="application/json")
    assert made.status_code == 200, made.content
    ref = made.json()["ref"]
    assert client.get("/api/v1/scenarios").json()[0]["state"] == "succeeded"
    assert client.get(f"/api/v1/scenarios/{ref}").json()["result"] == {"parts": {}}
    assert client.post(f"/api/v1/scenarios/{ref}/cancel").status_code == 409
    assert client.delete(f"/api/v1/scenarios/{ref}").status_code == 204
    assert client.get(f"/api/v1/scenarios/{ref}").status_code == 404
