"""Whatever goes wrong, the answer has one shape, and what nobody expected says nothing about the inside."""

import inspect

import pytest
from django.test import Client

from fucina import errors
from fucina.errors import FactoryError
from fucina.hub.api import access
from fucina.hub.api.errors import STATUS, status_of
from fucina.hub.people import read as people_read
from tests.hub.api.test_doors import ROOT, error_of
from tests.hub.conftest import DOCUMENT, DOCUMENT_SHA256, application_request, as_json, run_request


def test_every_kind_of_error_has_a_status():
    kinds = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__base__ is FactoryError}
    assert kinds == set(STATUS)
    assert [status_of(kind("m")) for kind in STATUS] == [404, 403, 401, 409, 422, 503]
    assert status_of(FactoryError("m")) == 500


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/nothing", "/v2/me", "/v1/runs/", "/v1/agent"])
def test_an_unknown_route_says_so(as_ada, path):
    response = as_ada.get("/api" + path)
    assert response.status_code == 404
    error_of(response)


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "PUT", "OPTIONS"])
def test_a_wrong_method_says_so(as_ada, method):
    response = as_ada.generic(method, f"{ROOT}/runs")
    assert (response.status_code, error_of(response).code) == (405, "wrong_method")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"name": 5}',
        b'{"name": "A", "more": 1}',
        b'{"name": ""}',
        b'{"name": "A\\u0000B"}',
        b'{"name": "\\ud800"}',
        b'{"name": NaN}',
        b'{"name": "' + b"x" * 300 + b'"}',
        b"[" * 100_000,
        '{"name": "Città"}'.encode("utf-16"),
    ],
)
def test_a_body_that_cannot_be_read_is_bad_input(as_ada, text):
    response = as_ada.post(f"{ROOT}/organisations", data=text, content_type="application/json")
    assert (response.status_code, error_of(response).code) == (422, "bad_input")


def test_the_message_names_the_field(as_ada):
    body = application_request().model_dump() | {"gpu_hours": 0}
    message = error_of(as_ada.post(f"{ROOT}/applications", **as_json(body))).message
    assert message.startswith("gpu_hours: ")


def test_a_field_deep_inside_is_named(as_ada, project):
    body = run_request(project).model_dump(mode="json")
    body["spec"]["train"]["sequence_length"] = "long"
    message = error_of(as_ada.post(f"{ROOT}/runs", **as_json(body))).message
    assert message.startswith("spec.train.sequence_length: ")


def test_a_body_that_is_too_large_is_refused(as_ada, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    response = as_ada.post(f"{ROOT}/organisations", **as_json({"name": "A" * 200}))
    assert (response.status_code, error_of(response).code) == (413, "too_large")


@pytest.mark.parametrize(
    "path",
    ["/runs/%00", "/runs?project=%00", "/runs?limit=0", "/runs?limit=999", "/runs?state=asleep", "/runs?limit=x"],
)
def test_a_bad_address_is_bad_input(as_ada, path):
    response = as_ada.get(ROOT + path)
    assert (response.status_code, error_of(response).code) == (422, "bad_input")


def test_a_wrong_host_is_refused(db):
    response = Client(raise_request_exception=False).get(f"{ROOT}/health", headers={"host": "evil.example"})
    assert response.status_code == 400
    error_of(response)


def test_a_failure_says_nothing_about_the_inside(as_ada, monkeypatch, caplog):
    def broken(_person):
        raise RuntimeError("password is hunter2")

    monkeypatch.setattr(people_read, "me", broken)
    response = as_ada.get(f"{ROOT}/me")
    assert access.people_read.me is broken
    assert (response.status_code, error_of(response).code) == (500, "internal")
    assert b"hunter2" not in response.content
    assert "hunter2" in caplog.text


def test_an_upload_without_its_length_is_refused(as_ada, project):
    path = f"{ROOT}/projects/{project.ref}/blobs/{DOCUMENT_SHA256}"
    response = as_ada.generic("PUT", path, DOCUMENT, content_type="application/octet-stream", CONTENT_LENGTH="")
    assert (response.status_code, error_of(response).code) == (422, "length_missing")


def test_every_answer_forbids_what_the_hub_does_not_serve(db):
    for path in ("/api/v1/health", "/api/nothing", "/sign-in"):
        response = Client().get(path)
        assert "default-src 'self'" in response["Content-Security-Policy"]
        assert "unsafe" not in response["Content-Security-Policy"]
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["X-Frame-Options"] == "DENY"
