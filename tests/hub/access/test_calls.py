"""Officers put modes and calls on offer; running applications keep theirs."""

from importlib import import_module

import pytest
import yaml
from django.apps import apps
from django.test import Client

from fucina.access.call_file import read_call, write_call
from fucina.access.modes import BadMode, Mode, shipped_modes
from fucina.hub.access.actions import keep_mode
from fucina.hub.access.calls import modes_on_offer, save_modes
from fucina.hub.access.models import AccessMode, Application
from fucina.hub.access.moving import NotAnOfficer
from fucina.hub.compute import projects
from fucina.hub.people.models import AuditRecord
from tests.hub.conftest import NOON, application_request

MODES = shipped_modes()
PLAYGROUND = MODES.mode("playground", day=NOON.date())


def yaml_of(**changes):
    return yaml.safe_dump(yaml.safe_load(write_call(PLAYGROUND)) | changes)


@pytest.mark.parametrize("mode", MODES.modes, ids=lambda mode: f"{mode.id}-{mode.valid_from}")
def test_what_is_shown_to_an_officer_reads_back_as_the_same_mode(mode):
    assert read_call(write_call(mode), known=MODES).modes == (mode,)


def test_a_change_counts_for_who_applies_next(ada, officine, chiara, bruno):
    first = projects.apply(request=application_request(access_mode="playground"), by=ada, at=NOON)
    save_modes(text=yaml_of(working_days=7), by=bruno, at=NOON)
    request = application_request(access_mode="playground", project="second")
    second = projects.apply(request=request, by=ada, at=NOON)
    days = {row.project: row.access_mode.wire["working_days"] for row in Application.objects.all()}
    assert days == {first.project: 2, second.project: 7}
    assert modes_on_offer().mode("playground", day=NOON.date()).working_days == 7
    record = AuditRecord.objects.get(action="access.save_mode")
    assert (record.who, record.data) == ("bruno", {"mode": "playground", "valid_from": "2026-10-10"})


def test_a_call_with_its_own_source_and_countries(bruno, db):
    text = yaml.safe_dump(
        {
            "sources": {"ministry": {"title": "Decree 7"}},
            "countries": {"twins": {"source": "ministry", "codes": ["IT", "SM"]}},
            "modes": [
                {
                    "id": "twin-call", "name": {"en": "Twin call"}, "valid_from": "2026-12-01",
                    "countries": "twins", "sources": ["ministry"],
                }
            ],
        }
    )  # fmt: skip
    save_modes(text=text, by=bruno, at=NOON)
    modes = modes_on_offer()
    assert modes.mode("twin-call", day=NOON.date().replace(month=12, day=1)).countries == "twins"
    assert modes.countries["twins"].codes == ("IT", "SM")
    assert "twin-call" not in modes.on(NOON.date())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"eligible": []}, "no kind of applicant is eligible"),
        ({"bounds": {"at_least": 9, "at_most": 3}}, "no amount lies within its bounds"),
        ({"bounds_by_partition": {"nowhere": {"at_most": 3}}}, "none of its partitions exists"),
        ({"opening": "cut-offs", "cut_offs": ["2026-01-01"]}, "all its cut-offs are over"),
        ({"valid_until": "2026-10-11"}, "over before it begins"),
        ({"countries": "atlantis"}, "country list 'atlantis'"),
        ({"sources": ["rumour"]}, "source 'rumour'"),
        ({"path": ["decision", "admin-check"]}, "out of order"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_mode_in_which_nobody_could_apply_is_refused_with_the_reason(bruno, changes, reason):
    with pytest.raises(BadMode, match=reason):
        save_modes(text=yaml_of(**changes), by=bruno, at=NOON)
    assert not AccessMode.objects.exists()


@pytest.mark.parametrize(
    "text",
    ["", "a: [", "- 1", "7", "modes: []", "modes: 3", "sources: 3\nmodes: []", "modes: []\nmore: 1", "[" * 5000]
    + ["&a [*a]", "&a {id: *a}", "id: [1"],
)
def test_what_is_no_mode_is_refused_in_words(bruno, text):
    with pytest.raises(BadMode) as caught:
        save_modes(text=text, by=bruno, at=NOON)
    assert caught.value.hint


def test_only_officers_change_modes(ada):
    with pytest.raises(NotAnOfficer):
        save_modes(text=yaml_of(), by=ada, at=NOON)


def test_of_two_bad_modes_none_is_saved(bruno):
    good, bad = yaml.safe_load(yaml_of(working_days=9)), yaml.safe_load(yaml_of(id="other", eligible=[]))
    with pytest.raises(BadMode, match="other"):
        save_modes(text=yaml.safe_dump({"modes": [good, bad]}), by=bruno, at=NOON)
    assert not AccessMode.objects.exists()


def test_modes_of_older_hubs_are_read_again(db):
    migration = import_module("fucina.hub.access.migrations.0004_fill_ways")
    old = {
        "id": "fast-lane", "name": {"en": "Fast Lane"}, "valid_from": "2025-01-01", "decision": "manual",
        "max_gpu_hours": 50000.0, "site": "", "countries": "eu", "sources": ["limes-notes"],
    }  # fmt: skip
    for name, wire in (("fast-lane", old), ("empty", {}), ("own", {"decision": "brought"})):
        AccessMode.objects.create(name=name, valid_from="2025-01-01", wire=wire)
    current = keep_mode(PLAYGROUND)
    migration.fill(apps, None)
    modes = {row.name: Mode.model_validate(row.wire) for row in AccessMode.objects.all()}
    assert modes["fast-lane"].max_gpu_hours == 50000
    assert modes["own"].path == ("decision",)
    assert modes["playground"] == PLAYGROUND == Mode.model_validate(current.wire)


def test_pages_of_calls(ada, bruno, client: Client):
    client.force_login(ada)
    assert "Playground" in client.get("/calls").content.decode()
    assert client.get("/calls/new").status_code == 403
    client.force_login(bruno)
    shown = client.get("/calls/playground/edit")
    assert "id: playground" in shown.content.decode()
    refused = client.post("/calls/playground/edit", {"text": yaml_of(eligible=[])})
    assert refused.status_code == 422
    assert "no kind of applicant is eligible" in refused.content.decode()
    assert "valid_from" in refused.content.decode()
    assert client.post("/calls/new", {"text": yaml_of(id="summer-call")}).status_code == 302
    assert "summer-call" in client.get("/calls").content.decode()
    assert client.get("/calls/nothing/edit").status_code == 404
