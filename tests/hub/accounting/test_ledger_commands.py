"""`fucina ledger` against a hub that answers over HTTP."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from django.db import connection
from typer.testing import CliRunner

from fucina.accounting.importer import Importer
from fucina.agent.door import AgentDoor
from fucina.cli.main import app
from fucina.client.wire_accounting import UsageRequest
from fucina.hub.access.models import Grant
from fucina.hub.accounting.actions import set_slurm_account
from fucina.hub.accounting.models import Allocation
from fucina.hub.compute import projects
from fucina.hub.compute.models import Project
from fucina.hub.network.actions import register_agent, register_site
from fucina.hub.people.actions import create_organisation, issue_token
from fucina.hub.people.append_only import create_triggers, drop_triggers
from fucina.hub.people.models import Person, Scope
from tests.accounting.slurmdb import SITE, Row, SlurmDb
from tests.hub.conftest import APPEND_ONLY, NOON, SETUP, application_request

T0 = int(NOON.timestamp())
LOCAL = SITE.model_copy(update={"id": "local"})


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
def factory(without_triggers, transactional_db, live_server, monkeypatch, tmp_path, settings):
    """A Slurm site whose accounting an agent has imported, and what a member of staff has at hand."""
    ada = Person.objects.create_user("ada")
    bruno = Person.objects.create_user("bruno", is_staff=True)
    create_organisation(name="Officine Esempio", country="IT", by=ada, at=NOON)
    agent = register_agent(site=register_site(site=LOCAL, by=SETUP, at=NOON), by=SETUP, at=NOON)
    projects.apply(request=application_request(), by=ada, at=NOON)
    set_slurm_account(allocation=Allocation.objects.get(), account="projx", by=SETUP, at=NOON)
    monkeypatch.setenv("FUCINA_HUB_URL", live_server.url)
    (tmp_path / "site.yaml").write_text(
        yaml.safe_dump({"valid_from": "2026-11-01", "sites": [LOCAL.model_dump(mode="json")]})
    )
    (tmp_path / "agent.token").write_text(agent.secret)

    def become(person):
        issued = issue_token(name="test", scope=Scope.PERSON, person=person, by=SETUP, at=NOON)
        monkeypatch.setenv("FUCINA_TOKEN", issued.secret)

    become(bruno)
    db = SlurmDb([Row(job_id=n, submit=T0, start=T0 + n, end=T0 + n + 100) for n in range(1, 6)])
    db.now = T0 + 3600
    with AgentDoor(live_server.url, agent.secret) as door:
        one = Importer(
            site=LOCAL,
            source=db,
            state=tmp_path / "usage.db",
            send=lambda records: door.usage(UsageRequest(records=records)),
            since=NOON - timedelta(days=1),
        )
        assert one.step(now=datetime.fromtimestamp(db.now, tz=UTC)).num_sent == 5
        assert one.step(now=datetime.fromtimestamp(db.now + 60, tz=UTC)).num_sent == 0
        one.close()
    return {"db": db, "folder": tmp_path, "become": become, "ada": ada}


def fucina(*words, code=0):
    done = CliRunner().invoke(app, ["ledger", *map(str, words)])
    assert done.exit_code == code, done.output
    return done.output


def reconcile(factory, rows, *, code, more=()):
    dump = factory["folder"] / "dump"
    dump.write_bytes(b"".join(row.line() for row in rows))
    words = ("local", "--month", "2026-11", "--sacct", dump, "--site-file", factory["folder"] / "site.yaml")
    return fucina("reconcile", *words, *more, code=code)


def test_equal_books_reconcile(factory):
    said = reconcile(factory, factory["db"].rows, code=0)
    assert "hub 5 jobs and 2,000 GPU-seconds, Slurm 5 jobs and 2,000 GPU-seconds" in said
    assert "No difference." in said


def test_every_difference_is_printed_and_fails(factory):
    rows = [*factory["db"].rows[1:], Row(job_id=9, submit=T0, start=T0, end=T0 + 50)]
    said = json.loads(reconcile(factory, rows, code=1, more=("--format", "json")))
    assert [(one["native_id"], one["cause"]) for one in said["differences"]] == [
        ("9", "late-row"),
        ("1", "only-in-hub"),
    ]
    agent = ("--agent-token", factory["folder"] / "agent.token")
    assert "only-in-hub" in reconcile(factory, rows, code=1, more=agent)


def test_reconcile_says_what_it_lacks(factory):
    folder = factory["folder"]
    site = ("local", "--month", "2026-11", "--site-file", folder / "site.yaml")
    (folder / "other").write_text("JobID|State\n1|COMPLETED\n")
    assert "SLURM_TIME_FORMAT=%s sacct" in " ".join(
        fucina("reconcile", *site, "--sacct", folder / "other", code=2).split()
    )
    assert "cannot be read" in fucina("reconcile", *site, "--sacct", folder / "none", code=2)
    assert "no month" in fucina("reconcile", "local", "--month", "11/2026", "--site-file", folder / "site.yaml", code=2)
    assert "described are: local" in fucina("reconcile", "x", *site[1:], code=2)
    assert "cannot be read" in fucina("reconcile", *site, "--agent-token", folder / "none", code=2)
    factory["become"](factory["ada"])
    assert "Only staff" in fucina("reconcile", *site, code=3)


def test_a_statement_is_printed_and_kept(factory):
    factory["become"](factory["ada"])
    ref, folder = Project.objects.get().ref, factory["folder"]
    kept = ("--csv", folder / "month.csv", "--pdf", folder / "month.pdf")
    said = fucina("statement", ref, "--month", "2026-11", *kept)
    assert "5 jobs used 0.56 GPU-hours" in said
    assert (folder / "month.csv").read_text().count("COMPLETED") == 5
    assert (folder / "month.pdf").read_bytes().startswith(b"%PDF-")
    assert "no month" in fucina("statement", ref, "--month", "2026", code=2)
    nowhere = folder / "none" / "x.csv"
    assert "cannot be written" in fucina("statement", ref, "--month", "2026-11", "--csv", nowhere, code=2)
    assert fucina("statement", "prj-000000000000", "--month", "2026-11", code=4)
    assert "GPU-hours left" in fucina("forecast", ref)
    assert "Refunds" in fucina("refunds")


def test_usage_is_exported(factory):
    target = factory["folder"] / "out"
    fucina("export", "local", target, "--month", "2026-11", "--as", "xdmod")
    assert len(target.read_text().splitlines()) == 5
    egi = ("--gocdb-name", "FUCINA", "--submit-host", "alpha", "--service-level", "10")
    fucina("export", "local", target, "--month", "2026-11", "--as", "egi", *egi)
    assert target.read_text().count("%%") == 5
    assert "--service-level" in fucina("export", "local", target, "--month", "2026-11", "--as", "egi", code=2)
    assert "xdmod and egi" in fucina("export", "local", target, "--month", "2026-11", "--as", "csv", code=2)
    assert "no month" in fucina("export", "local", target, "--month", "x", "--as", "xdmod", code=2)
    assert "cannot be written" in fucina("export", "local", target / "a", "--month", "2026-11", "--as", "xdmod", code=2)
    assert Grant.objects.count() == 1
