"""The catalogue in the hub: taken in, changed here, taken in again."""

import json

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fucina.hub.network.catalogue_actions import (
    BadFact,
    CatalogueChanged,
    NotCatalogueStaff,
    change_facts,
    ensure_catalogue,
    load,
)
from fucina.hub.network.catalogue_models import CatalogueEdition, CatalogueEntry
from fucina.hub.network.catalogue_read import UnknownRecord, standing
from fucina.hub.people.models import AuditRecord, Person
from fucina.network.catalogue import BadCatalogue, Catalogue, shipped_catalogue
from tests.hub.conftest import NOON, SETUP

pytestmark = pytest.mark.django_db


@pytest.fixture
def officer():
    return Person.objects.create_user("chiara", is_staff=True)


@pytest.fixture
def loaded():
    return load(catalogue=shipped_catalogue(), by=SETUP, at=NOON)


def newer(**changes):
    """The next edition of the catalogue; `changes` go into IT4LIA."""
    data = shipped_catalogue().model_dump(mode="json")
    data["version"] = "2027-01-01"
    next(row for row in data["factories"] if row["id"] == "it4lia").update(changes)
    return Catalogue.model_validate(data)


def test_without_a_load_the_shipped_catalogue_stands():
    assert standing().catalogue == shipped_catalogue()
    assert standing().stamp == ""


def test_a_load_takes_everything_in_as_it_was(loaded):
    assert standing().catalogue == shipped_catalogue()
    assert (loaded.num_added, loaded.num_changed, loaded.num_withdrawn) == (CatalogueEntry.objects.count(), 0, 0)
    assert AuditRecord.objects.filter(action="network.load_catalogue").count() == 1


def test_the_same_again_changes_nothing(loaded):
    again = load(catalogue=shipped_catalogue(), by=SETUP, at=NOON)

    assert (again.num_added, again.num_changed, again.num_withdrawn) == (0, 0, 0)


def test_a_start_takes_in_only_what_is_newer(loaded):
    assert ensure_catalogue(catalogue=shipped_catalogue(), by=SETUP, at=NOON) is None
    assert ensure_catalogue(catalogue=newer(), by=SETUP, at=NOON).version == "2027-01-01"
    assert ensure_catalogue(catalogue=shipped_catalogue(), by=SETUP, at=NOON) is None


def test_a_change_here_wins_over_the_file_and_over_the_next(loaded, officer):
    change_facts(kind="factory", key="it4lia", values={"lead": "CINECA and friends"}, by=officer, at=NOON)
    again = load(catalogue=newer(lead="Somebody else", city="Casalecchio"), by=SETUP, at=NOON)

    row = standing().factory("it4lia")
    assert (row.lead, row.city) == ("CINECA and friends", "Casalecchio")
    assert (again.num_changed, again.num_edits) == (1, 1)
    (edit,) = standing().edits_of("factory", "it4lia")
    assert (edit.field, edit.shipped, edit.by) == ("lead", "Somebody else", "chiara")


def test_what_is_as_shipped_again_is_no_change(loaded, officer):
    for lead in ("Somebody", "CINECA"):
        change_facts(kind="factory", key="it4lia", values={"lead": lead}, by=officer, at=NOON)

    assert standing().edits_of("factory", "it4lia") == ()
    assert AuditRecord.objects.filter(action="network.change_facts").count() == 2


def test_nothing_changed_is_nothing_recorded(loaded, officer):
    change_facts(kind="factory", key="it4lia", values={"lead": "CINECA"}, by=officer, at=NOON)

    assert not AuditRecord.objects.filter(action="network.change_facts").exists()


def test_a_record_that_the_next_file_lacks_is_kept_with_its_edits(loaded, officer):
    change_facts(kind="programme", key="ncc", values={"name": "Competence centres"}, by=officer, at=NOON)
    data = shipped_catalogue().model_dump(mode="json")
    data["programmes"] = [row for row in data["programmes"] if row["id"] != "ncc"]
    done = load(catalogue=Catalogue.model_validate(data), by=SETUP, at=NOON)

    assert done.num_withdrawn == 1
    with pytest.raises(UnknownRecord):
        standing().find("programme", "ncc")
    load(catalogue=shipped_catalogue(), by=SETUP, at=NOON)
    assert standing().find("programme", "ncc").name == "Competence centres"


def test_a_file_that_does_not_go_with_an_edit_is_refused_whole(loaded, officer):
    change_facts(kind="factory", key="mimer", values={"existing_systems": ["vega"]}, by=officer, at=NOON)
    data = shipped_catalogue().model_dump(mode="json")
    data["systems"] = [row for row in data["systems"] if row["id"] != "vega"]
    for row in data["factories"]:
        row["existing_systems"] = [one for one in row["existing_systems"] if one != "vega"]

    with pytest.raises(BadCatalogue, match="'vega'"):
        load(catalogue=Catalogue.model_validate(data), by=SETUP, at=NOON)
    assert CatalogueEdition.objects.count() == 1
    assert standing().system("vega").name == "Vega"


@pytest.mark.parametrize(
    "values",
    [
        {"id": "other"},
        {"colour": "red"},
        {"lat": "north"},
        {"country": "XX"},
        {"systems": ["ghost"]},
        {"services_status": "soon"},
        {"name": ""},
        {"name": None},
        {"sectors": "health"},
    ],
)
def test_a_value_that_a_field_cannot_have_is_refused(loaded, officer, values):
    with pytest.raises(BadFact):
        change_facts(kind="factory", key="it4lia", values=values, by=officer, at=NOON)
    assert standing().catalogue == shipped_catalogue()


@pytest.mark.parametrize(("kind", "key"), [("factory", "atlantis"), ("ghost", "it4lia"), ("", "")])
def test_what_is_not_there_is_not_changed(loaded, officer, kind, key):
    with pytest.raises(UnknownRecord):
        change_facts(kind=kind, key=key, values={"name": "x"}, by=officer, at=NOON)


def test_two_officers_at_once_do_not_undo_each_other(loaded, officer):
    stamp = standing().stamp
    change_facts(kind="factory", key="it4lia", values={"lead": "A"}, by=officer, at=NOON, stamp=stamp)

    with pytest.raises(CatalogueChanged):
        change_facts(kind="factory", key="it4lia", values={"lead": "B"}, by=officer, at=NOON, stamp=stamp)
    assert standing().factory("it4lia").lead == "A"


def test_only_staff_write(loaded):
    dag = Person.objects.create_user("dag")

    with pytest.raises(NotCatalogueStaff):
        change_facts(kind="factory", key="it4lia", values={"lead": "Dag"}, by=dag, at=NOON)
    with pytest.raises(NotCatalogueStaff):
        load(catalogue=newer(), by=dag, at=NOON)


def test_reading_costs_one_query(loaded):
    standing()
    with CaptureQueriesContext(connection) as captured:
        standing()
    assert len(captured) == 1


def test_the_command_takes_a_file_or_what_is_shipped(tmp_path, capsys):
    call_command("load_catalogue")
    file = tmp_path / "next.yaml"
    file.write_text(yaml.safe_dump(newer(city="Imola").model_dump(mode="json")), encoding="utf-8")
    call_command("load_catalogue", str(file))

    assert "2027-01-01: 0 new, 1 changed" in capsys.readouterr().out
    assert standing().factory("it4lia").city == "Imola"
    file.write_text("factories: 3", encoding="utf-8")
    with pytest.raises(CommandError):
        call_command("load_catalogue", str(file))


def test_everybody_may_read_the_catalogue():
    client = Client()

    def ids(path):
        return [row["record"]["id"] for row in client.get(f"/api/v1/network/{path}").json()]

    assert len(ids("factories")) == 19
    assert ids("factories?country=SI") == ["it4lia", "slaif"]
    assert ids("factories?service=quantum") == ["it4lia", "piast"]
    assert ids("factories?language=el") == ["pharos"]
    assert ids("factories?accelerator=mi250x") == ["lumi-aif"]
    assert ids("systems?accelerator=GH200&status=operational") == ["jupiter", "arrhenius", "helios"]
    assert "hearts" in ids("antennas?country=CH")
    assert set(ids("programmes?kind=gigafactory")) == {"gigafactories", "gigafactory-law", "gigafactory-call"}
    offers = client.get("/api/v1/network/services?service=sandbox").json()
    assert offers[0]["factories"] == ["l-aif", "brainpp"]
    assert client.get("/api/v1/network").json()["version"] == shipped_catalogue().version
    assert client.get("/api/v1/network/factories/it4lia").json()["record"]["city"] == "Bologna"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("factories/atlantis", 404),
        ("systems/atlantis", 404),
        ("factories?country=XX", 422),
        ("factories?sector=alchemy", 422),
        ("factories?status=soon", 422),
        ("programmes?kind=gift", 422),
    ],
)
def test_what_the_catalogue_does_not_have_is_said(path, status):
    answer = Client().get(f"/api/v1/network/{path}")

    assert answer.status_code == status
    assert answer.json()["hint"]


def test_only_staff_change_it_through_the_api(officer):
    load(catalogue=shipped_catalogue(), by=SETUP, at=NOON)
    address = "/api/v1/network/factory/it4lia/facts"

    def change(client, **body):
        return client.post(address, json.dumps(body), content_type="application/json")

    client = Client()
    assert change(client, field="lead", value="x").status_code == 401
    client.force_login(Person.objects.create_user("dag"))
    assert change(client, field="lead", value="x").status_code == 403
    client.force_login(officer)
    assert change(client, field="lead", value="x").status_code == 200
    assert standing().factory("it4lia").lead == "x"
    assert change(client, field="lead", value=3).status_code == 422
    assert change(client, field="lead", back_to_shipped=True).status_code == 200
    assert standing().factory("it4lia").lead == "CINECA"
