"""`fucina network` against a hub that answers over HTTP, and as shipped."""

import json

import pytest
import yaml
from django.db import connection
from typer.testing import CliRunner

from fucina.cli.main import app
from fucina.client.hub import Hub
from fucina.client.wire_network import FactEdit
from fucina.hub.network.catalogue_actions import load
from fucina.hub.people.actions import issue_token
from fucina.hub.people.append_only import create_triggers, drop_triggers
from fucina.hub.people.models import Person, Scope
from fucina.network.catalogue import shipped_catalogue
from tests.hub.conftest import APPEND_ONLY, NOON, SETUP

LISTS = ("factories", "antennas", "systems", "services", "programmes")


@pytest.fixture(scope="module")
def without_triggers(django_db_setup, django_db_blocker):
    """Tables that only grow can be emptied between these tests, which really commit."""
    for change in (drop_triggers, create_triggers):
        with django_db_blocker.unblock(), connection.schema_editor() as editor:
            for table in APPEND_ONLY:
                change(editor, table)
        if change is drop_triggers:
            yield


@pytest.fixture
def hub(without_triggers, transactional_db, live_server, monkeypatch):
    """A hub with the catalogue; `become` says whose token the commands have."""
    load(catalogue=shipped_catalogue(), by=SETUP, at=NOON)
    monkeypatch.setenv("FUCINA_HUB_URL", live_server.url)

    def become(username, *, is_staff=False):
        person = Person.objects.create_user(username, is_staff=is_staff)
        issued = issue_token(name="test", scope=Scope.PERSON, person=person, by=SETUP, at=NOON)
        monkeypatch.setenv("FUCINA_TOKEN", issued.secret)
        opened.append(Hub(live_server.url, issued.secret))
        return opened[-1]

    opened = []
    yield become
    for one in opened:
        one.close()


def run(*words):
    return CliRunner().invoke(app, ["network", *words])


def ids(result):
    assert result.exit_code == 0, result.output
    return [row["record"]["id"] for row in json.loads(result.stdout)]


@pytest.mark.parametrize("name", LISTS)
def test_what_is_shipped_needs_no_hub(name, monkeypatch):
    monkeypatch.setenv("FUCINA_HUB_URL", "http://127.0.0.1:9")
    result = run(name, "--shipped", "--format", "json")

    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)) == len(getattr(shipped_catalogue(), name))
    assert run(name, "--shipped").exit_code == 0


def test_hub_and_shipped_list_the_same(hub):
    hub("dag")
    for name in LISTS:
        from_hub, shipped = (run(name, *more, "--format", "json") for more in ((), ("--shipped",)))
        assert json.loads(from_hub.stdout) == json.loads(shipped.stdout), name
    assert ids(run("factories", "--country", "si", "--format", "json")) == ["it4lia", "slaif"]
    assert ids(run("systems", "--accelerator", "gh200", "--status", "deploying", "--format", "json")) == ["daedalus"]


@pytest.mark.parametrize("more", [(), ("--shipped",)])
def test_what_is_not_there_is_said(hub, more):
    hub("dag")
    unknown, filtered = run("factory", "atlantis", *more), run("factories", "--country", "XX", *more)

    assert unknown.exit_code == 4 and "atlantis" in unknown.output
    assert filtered.exit_code == 2 and "Traceback" not in filtered.output


def test_a_factory_is_shown_with_what_was_changed_here(hub):
    officer = hub("chiara", is_staff=True)
    officer.change_network_fact("factory", "it4lia", FactEdit(field="lead", value="Somebody"))
    shown = run("factory", "it4lia")

    assert shown.exit_code == 0
    assert "Somebody" in shown.output and "changed here" in shown.output
    assert "it4lia*" in run("factories", "--country", "IT").output.replace(" ", "")


def test_staff_take_a_file_in_and_nobody_else(hub, tmp_path):
    data = shipped_catalogue().model_dump(mode="json") | {"version": "2027-01-01"}
    data["factories"][0]["city"] = "Oulu"
    file = tmp_path / "next.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")

    hub("dag")
    assert run("load", str(file)).exit_code == 3
    hub("chiara", is_staff=True)
    done = json.loads(run("load", str(file), "--format", "json").stdout)
    assert (done["version"], done["num_changed"]) == ("2027-01-01", 1)
    file.write_text("factories: [", encoding="utf-8")
    assert run("load", str(file)).exit_code == 2
    assert run("load", str(tmp_path / "none.yaml")).exit_code == 2
