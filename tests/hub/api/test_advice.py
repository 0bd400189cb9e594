"""The adviser through the API: anybody may ask, nothing is kept."""

import pytest

from fucina.access.adviser import Advice, Verdict
from fucina.hub.network.catalogue_actions import change_facts, load
from fucina.hub.people.models import AuditRecord
from fucina.network.catalogue import shipped_catalogue
from tests.hub.api.test_doors import ROOT, error_of
from tests.hub.conftest import NOON

ANSWERS = {"who": "company", "country": "FR", "goal": "fine-tune", "experience": "practised", "gpu_hours": 20000}


@pytest.mark.django_db
def test_a_stranger_gets_advice_and_leaves_no_trace(client):
    before = AuditRecord.objects.count()
    response = client.post(f"{ROOT}/advice", data=ANSWERS, content_type="application/json")

    assert response.status_code == 200
    advice = Advice.model_validate_json(response.content)
    assert advice.verdict is Verdict.APPLY
    assert advice.application is not None
    assert (advice.application.access_mode, advice.application.gpu_hours) == ("fast-lane", 20000)
    assert AuditRecord.objects.count() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({}, "bad_input"),
        (ANSWERS | {"country": "ZZ"}, "bad_input"),
        (ANSWERS | {"gpu_hours": -1}, "bad_input"),
        (ANSWERS | {"surprise": 1}, "bad_input"),
        (ANSWERS | {"founded_on": "2199-01-01"}, "bad_intake"),
        (ANSWERS | {"needed_by": "2001-01-01"}, "bad_intake"),
    ],
)
def test_answers_that_cannot_be_are_refused(client, answers, code):
    response = client.post(f"{ROOT}/advice", data=answers, content_type="application/json")

    assert (response.status_code, error_of(response).code) == (422, code)


@pytest.mark.django_db
def test_what_staff_changed_in_the_catalogue_counts_for_the_advice(client, bruno):
    load(catalogue=shipped_catalogue(), by=bruno, at=NOON)
    change_facts(kind="system", key="karolina", values={"status": "planned"}, by=bruno, at=NOON)
    response = client.post(f"{ROOT}/advice", data=ANSWERS, content_type="application/json")

    places = {place.partition: place for place in Advice.model_validate_json(response.content).places}
    assert not places["karolina-gpu"].fits
    assert places["vega-gpu"].fits
