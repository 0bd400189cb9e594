"""The whole way with `fucina` alone: advice, draft, officer, grant, acceptance, and the audit trail."""

import json

import pytest
import yaml
from django.db import connection
from typer.testing import CliRunner

from fucina.cli.main import app
from fucina.hub.network.actions import register_site
from fucina.hub.people.actions import create_organisation, issue_token
from fucina.hub.people.append_only import create_triggers, drop_triggers
from fucina.hub.people.models import Person, Scope
from fucina.network.spec import load_network
from tests.hub.conftest import APPEND_ONLY, NOON, SETUP

ANSWERS = {
    "summary": "A model that explains regulations to small firms.",
    "team": "Ada Ferri and two engineers.",
    "method": "Fine-tuning of a model of 7 billion parameters.",
    "estimate": "6 N D over a third of the peak of an A100.",
    "job_gpus": 8,
    "data_sources": "Normattiva, under IODL 2.0.",
    "personal_data": False,
    "civilian": True,
    "ai_act": "limited",
    "ethics_risks": "Wrong advice; every answer cites its article.",
}


@pytest.fixture(scope="module")
def without_triggers(django_db_setup, django_db_blocker):
    """Tables that only grow can be emptied between these tests, which really commit."""
    for change in (drop_triggers, create_triggers):
        with django_db_blocker.unblock(), connection.schema_editor() as editor:
            for table in APPEND_ONLY:
                change(editor, table)
        connection.close()
        if change is drop_triggers:
            yield


@pytest.fixture
def become(without_triggers, transactional_db, live_server, monkeypatch, settings):
    """Take on somebody's token."""
    monkeypatch.setenv("FUCINA_HUB_URL", live_server.url)
    people = {name: Person.objects.create_user(name, is_staff=name == "bruno") for name in ("ada", "bruno", "dag")}
    create_organisation(name="Officine Esempio", country="IT", by=people["ada"], at=NOON)
    register_site(site=load_network().sites[0], by=SETUP, at=NOON)

    def inner(name):
        issued = issue_token(name="test", scope=Scope.PERSON, person=people[name], by=SETUP, at=NOON)
        monkeypatch.setenv("FUCINA_TOKEN", issued.secret)

    return inner


def fucina(*words, fails=False):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert (result.exit_code != 0) is fails, (words, result.output, result.stderr, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def read(*words):
    return json.loads(fucina(*words, "--format", "json").stdout)


def test_the_whole_way_of_a_fast_lane_application(become, tmp_path):
    become("ada")
    ref = read("access", "draft", "fast-lane", "--organisation", "Officine Esempio")["ref"]
    file = tmp_path / "answers.yaml"
    file.write_text(fucina("access", "questions", ref).stdout)
    fields = yaml.safe_load(file.read_text())
    assert set(fields["answers"]) == {*ANSWERS, "storage_tb", "personal_data_basis"}
    assert "13 answers are missing" in fucina("access", "submit", ref, fails=True).stderr
    fields |= {"project": "norme", "purpose": "Drafts plain-language summaries", "gpu_hours": 300, "answers": ANSWERS}
    file.write_text(yaml.safe_dump(fields))
    assert read("access", "save", ref, file)["missing"] == []
    assert "you saw version 0, now it is 1" in fucina("access", "save", ref, file, fails=True).stderr
    plan = tmp_path / "plan.pdf"
    plan.write_bytes(b"%PDF-1.7\n<< /Type /Catalog >>\n%%EOF\n")
    assert read("access", "attach", ref, plan)["media_type"] == "application/pdf"
    plan.write_bytes(b"#!/bin/sh\n")
    assert "none of the kinds" in fucina("access", "attach", ref, plan, fails=True).stderr
    fucina("access", "invite", ref, "dag")
    become("dag")
    fucina("access", "answer", ref, "--accept")
    become("ada")
    assert "submitted" in fucina("access", "submit", ref).stdout

    become("bruno")
    assert "you may: return, checked, reject" in fucina("access", "show", ref).stdout
    assert "needs a reason" in fucina("access", "move", ref, "return", fails=True).stderr
    fucina("access", "move", ref, "checked")
    fucina("decide", ref, "--grant", "--hours", "200", "--reason", "A clear plan.")

    become("ada")
    assert "not accepted yet" in fucina("access", "grant", ref).stdout
    assert read("access", "accept", ref)["needs_acceptance"] is False
    letter = tmp_path / "letter.pdf"
    fucina("access", "letter", ref, "--pdf", letter)
    assert letter.read_bytes().startswith(b"%PDF-")
    asked = read("access", "change", ref, "supplement", "--hours", "50", "--to", "local", "--reason", "More data.")
    become("bruno")
    fucina("access", "decide-change", asked["ref"], "--agree", "--answer", "There is room.")
    assert read("access", "changes")[0]["state"] == "agreed"
    assert "is not little" in fucina("access", "claw-back", ref, "--hours", "1", "--reason", "Rest.", fails=True).stderr
    assert read("access", "grant", ref)["granted_gpu_hours"] == 250
    report = tmp_path / "report.txt"
    report.write_text("The model explains regulations in words that people use.")
    assert "You do not belong" in fucina("access", "report", ref, report, fails=True).stderr
    become("ada")
    assert read("access", "report", ref, report)["report"]["granted_gpu_hours"] == 250


def test_modes_and_the_audit_trail(become, tmp_path):
    become("bruno")
    file = tmp_path / "mode.yaml"
    file.write_text(fucina("access", "mode", "show", "playground").stdout)
    assert "playground is on offer" in fucina("access", "mode", "add", file).stdout
    file.write_text(file.read_text().replace("working_days: 2", "working_days: 2\neligible: []\n"))
    assert "playground" in fucina("access", "mode", "list").stdout
    file.write_text("id: [")
    assert "no YAML" in fucina("access", "mode", "add", file, fails=True).stderr
    assert "cannot be read" in fucina("access", "mode", "add", tmp_path / "none", fails=True).stderr
    report = read("audit", "verify")
    assert report["is_whole"] and report["num_sealed"] > 3 and report["num_waiting"] == 0
    fucina("audit", "verify", "--expect", report["head"])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE people_auditrecord SET who = 'nobody' WHERE action = 'access.save_mode'")
    changed = fucina("audit", "verify", fails=True)
    assert "was changed or stood elsewhere" in changed.stdout
    become("ada")
    assert "Only staff" in fucina("audit", "verify", fails=True).stderr
