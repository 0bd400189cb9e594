"""Asking for data, deciding, and how long it lasts."""

from datetime import timedelta

import pytest

from fucina.client.wire_data import DataAccessAsk, DataDecision
from fucina.errors import NotVisible
from fucina.hub.data import leave, read
from fucina.hub.data.leave import (
    AlreadyAsked,
    AlreadyDecidedOn,
    NotOnRequest,
    OwnRequest,
    TermsNotAgreed,
    may_have,
)
from fucina.hub.data.models import DataGrant
from fucina.hub.data.publishing import NotAHolder
from fucina.hub.people.actions import add_member
from fucina.hub.people.models import Person, Role
from tests.hub.conftest import NOON, as_json, as_person
from tests.hub.data.conftest import FOR_ALL, OPEN

WISH = {"organisation": "Altrove AB", "purpose": "To train a small model on laws.", "agrees": True}
YES = DataDecision(granted=True, reason="For research.", days=30)
NO = DataDecision(granted=False, reason="Not this time.")


@pytest.fixture
def dataset(shelf):
    shelf.publish(policy=FOR_ALL)
    return shelf.dataset()


@pytest.fixture
def asked(dataset, dag):
    return leave.ask(dataset=dataset, request=DataAccessAsk.model_validate(WISH), by=dag, at=NOON)


def test_a_grant_opens_the_bytes_until_its_last_moment(dataset, asked, ada, dag):
    assert not may_have(dataset, dag, at=NOON)
    leave.decide(request=asked, decision=YES, by=ada, at=NOON)

    end = NOON + timedelta(days=30)
    assert may_have(dataset, dag, at=NOON)
    assert may_have(dataset, dag, at=end - timedelta(microseconds=1))
    assert not may_have(dataset, dag, at=end)
    assert not may_have(dataset, dag, at=NOON - timedelta(seconds=1))


def test_a_revoked_grant_opens_nothing(dataset, asked, ada, dag):
    leave.decide(request=asked, decision=YES, by=ada, at=NOON)
    leave.revoke(request=asked, by=ada, at=NOON + timedelta(days=1))

    assert not may_have(dataset, dag, at=NOON + timedelta(days=2))
    with pytest.raises(AlreadyDecidedOn):
        leave.revoke(request=asked, by=ada, at=NOON)


def test_a_rejected_request_opens_nothing_and_one_may_ask_again(dataset, asked, ada, dag):
    leave.decide(request=asked, decision=NO, by=ada, at=NOON)
    assert not may_have(dataset, dag, at=NOON)
    assert not DataGrant.objects.exists()
    assert leave.ask(dataset=dataset, request=DataAccessAsk.model_validate(WISH), by=dag, at=NOON).state == "submitted"


def test_a_decision_is_final(asked, ada):
    leave.decide(request=asked, decision=NO, by=ada, at=NOON)
    with pytest.raises(AlreadyDecidedOn):
        leave.decide(request=asked, decision=YES, by=ada, at=NOON)


def test_one_asks_once(dataset, asked, ada, dag):
    with pytest.raises(AlreadyAsked, match="waits"):
        leave.ask(dataset=dataset, request=DataAccessAsk.model_validate(WISH), by=dag, at=NOON)
    leave.decide(request=asked, decision=YES, by=ada, at=NOON)
    with pytest.raises(AlreadyAsked, match="has leave until 2026-12-20"):
        leave.ask(dataset=dataset, request=DataAccessAsk.model_validate(WISH), by=dag, at=NOON)
    after = NOON + timedelta(days=31)
    assert leave.ask(dataset=dataset, request=DataAccessAsk.model_validate(WISH), by=dag, at=after).ref


def test_terms_are_agreed_to(dataset, dag, asked):
    assert asked.terms == "For research only."
    request = DataAccessAsk.model_validate(WISH | {"agrees": False})
    with pytest.raises(TermsNotAgreed):
        leave.ask(dataset=dataset, request=request, by=dag, at=NOON)


def test_what_is_open_or_ones_own_is_not_asked_for(shelf, dataset, ada, dag):
    own = DataAccessAsk.model_validate(WISH | {"organisation": "Officine Esempio"})
    with pytest.raises(NotOnRequest, match="not given"):
        leave.ask(dataset=dataset, request=own, by=ada, at=NOON)
    shelf.publish("aperto", policy=OPEN)
    with pytest.raises(NotOnRequest):
        leave.ask(dataset=shelf.dataset("aperto"), request=DataAccessAsk.model_validate(WISH), by=dag, at=NOON)


def test_only_an_owner_of_the_data_decides(asked, ada, bruno, dag, officine):
    eva = Person.objects.create_user("eva")
    add_member(organisation=officine, person=eva, role=Role.MEMBER, by=ada, at=NOON)
    for person in (bruno, dag, eva):
        with pytest.raises(NotAHolder):
            leave.decide(request=asked, decision=YES, by=person, at=NOON)


def test_nobody_decides_for_both_sides(asked, ada, dag, altrove):
    add_member(organisation=altrove, person=ada, role=Role.MEMBER, by=dag, at=NOON)
    with pytest.raises(OwnRequest):
        leave.decide(request=asked, decision=YES, by=ada, at=NOON)
    (told,) = read.request_infos(read.visible_requests(ada), person=ada)
    assert not told.may_decide


def test_one_asks_only_for_ones_own_organisation(dataset, dag, bruno):
    with pytest.raises(NotVisible):
        leave.ask(
            dataset=dataset,
            request=DataAccessAsk.model_validate(WISH | {"organisation": "Officine Esempio"}),
            by=dag,
            at=NOON,
        )
    with pytest.raises(NotAHolder):
        leave.ask(dataset=dataset, request=DataAccessAsk.model_validate(WISH), by=bruno, at=NOON)


def test_a_request_that_waits_is_taken_back_by_who_asked(asked, ada, dag):
    with pytest.raises(NotVisible):
        leave.take_back(request=asked, by=ada, at=NOON)
    assert leave.take_back(request=asked, by=dag, at=NOON).state == "withdrawn"


def test_the_whole_way_over_the_api(dataset, shelf, as_ada, as_dag, as_bruno):
    files = f"/api/v1/datasets/{dataset.ref}/versions/1/files/train.parquet"
    assert as_dag.get(files).status_code == 403
    asked = as_dag.post(f"/api/v1/datasets/{dataset.ref}/requests", **as_json(WISH)).json()
    assert [row["ref"] for row in as_ada.get("/api/v1/data-requests").json()] == [asked["ref"]]
    assert as_bruno.get("/api/v1/data-requests").json() == []
    assert as_bruno.post(f"/api/v1/data-requests/{asked['ref']}/decide", **as_json(YES)).status_code == 404
    assert as_dag.post(f"/api/v1/data-requests/{asked['ref']}/decide", **as_json(YES)).status_code == 403

    decided = as_ada.post(f"/api/v1/data-requests/{asked['ref']}/decide", **as_json(YES)).json()

    assert (decided["state"], bool(decided["grant"])) == ("granted", True)
    assert b"".join(as_dag.get(files).streaming_content)[:4] == b"PAR1"
    shown = as_dag.get(f"/api/v1/datasets/{dataset.ref}").json()
    assert shown["may_have"] and shown["leave_ends_at"] == decided["expires_at"]
    assert as_ada.post(f"/api/v1/data-requests/{asked['ref']}/revoke").json()["revoked_at"]
    assert as_dag.get(files).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        WISH | {"purpose": "short"},
        WISH | {"days": 3},
        {"organisation": "Altrove AB"},
        WISH | {"purpose": "x" * 4001},
        "not json",
        WISH | {"organisation": "a\u0000b"},
    ],
)
def test_bad_requests_are_refused(dataset, as_dag, body):
    assert as_dag.post(f"/api/v1/datasets/{dataset.ref}/requests", **as_json(body)).status_code == 422


def test_a_grant_keeps_a_dataset_in_sight(dataset, asked, ada, dag):
    leave.decide(request=asked, decision=YES, by=ada, at=NOON)
    dataset.listing = "private"
    dataset.save()
    assert read.find_dataset(dataset.ref, person=dag) == dataset
    other = Person.objects.create_user("eva")
    assert as_person(other).get(f"/api/v1/datasets/{dataset.ref}").status_code == 404
