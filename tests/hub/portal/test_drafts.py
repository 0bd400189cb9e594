"""Writing an application in the portal, with and without JavaScript, alone and with others."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from fucina.access.attachment_kinds import MAX_BYTES
from fucina.hub.access.models import Application
from fucina.hub.people.models import AuditRecord, Person
from tests.hub.access.test_drafts import ANSWERS, PDF

NEW = {"project": "fast", "purpose": "Drafts plain-language summaries", "sector": "law", "gpu_hours": "500"}


def text_of(response):
    return response.content.decode()


@pytest.fixture
def draft(world, as_):
    """A draft in the Fast Lane that Ada began on the page."""
    form = {**NEW, "organisation": world.organisation.ref, "access_mode": "fast-lane"}
    response = as_(world.ada).post("/applications/new", form)
    row = Application.objects.get(project="fast")
    assert response["Location"] == f"/applications/{row.ref}/draft"
    return row


def filled(row, **changes):
    row.refresh_from_db()
    yes_no = {True: "yes", False: "no"}
    given = {f"q_{k}": yes_no.get(v, v) if isinstance(v, bool) else v for k, v in ANSWERS.items()}
    return {**NEW, **given, "version": row.version, **changes}


def test_a_draft_is_saved_with_the_button_and_submitted_when_complete(draft, world, as_):
    client, address = as_(world.ada), f"/applications/{draft.ref}/draft"
    page = text_of(client.get(address))
    assert page.count("<h1") == 1 and "Which data, from where" in page
    response = client.post(address, {**NEW, "version": 0, "submit": "1"})
    assert response.status_code == 422
    assert "Who does the work?: Not answered yet." in text_of(response)
    saved = client.post(address, filled(draft, save="1"), follow=True)
    assert "The draft is saved." in text_of(saved)
    client.post(address, filled(draft, submit="1"))
    draft.refresh_from_db()
    assert draft.state == "submitted"
    assert client.get(address).status_code == 302
    shown = text_of(client.get(f"/applications/{draft.ref}"))
    assert "Ada Ferri and two engineers." in shown and "Submitted" in shown


def test_typing_saves_without_leaving_the_page(draft, world, as_):
    response = as_(world.ada).post(
        f"/applications/{draft.ref}/draft", filled(draft, q_team="Only me, for now"), headers={"HX-Request": "true"}
    )
    assert response.status_code == 200
    assert re.search(r'id="draft-version"><input type="hidden" name="version" value="1"', text_of(response))
    draft.refresh_from_db()
    assert draft.answers["team"] == "Only me, for now"


def test_who_was_slower_keeps_what_they_typed_and_sees_what_stands(draft, world, as_):
    client, address = as_(world.ada), f"/applications/{draft.ref}/draft"
    client.post(address, filled(draft, purpose="What the first one wrote"))
    response = client.post(address, filled(draft, version=0, purpose="What the second one wrote"))
    page = text_of(response)
    assert response.status_code == 409
    assert "What the first one wrote" in page and "What the second one wrote" in page
    assert "Somebody else has changed the application" in page
    assert re.search(r'name="version" value="1"', page)
    draft.refresh_from_db()
    assert draft.purpose == "What the first one wrote"


@pytest.mark.parametrize(
    ("field", "value"), [("project", "Not A Name"), ("gpu_hours", "many"), ("gpu_hours", "-1"), ("q_job_gpus", "x")]
)
def test_what_cannot_be_kept_is_said_and_stays_in_the_form(draft, world, as_, field, value):
    response = as_(world.ada).post(f"/applications/{draft.ref}/draft", filled(draft, **{field: value}))
    assert response.status_code == 422
    assert value in text_of(response) and "aria-invalid" in text_of(response)


def test_files_and_people(draft, world, as_):
    client, address = as_(world.ada), f"/applications/{draft.ref}"
    client.post(f"{address}/files", {"file": SimpleUploadedFile("plan.pdf", PDF, "text/html")})
    attachment = draft.attachments.get()
    response = client.get(f"{address}/files/{attachment.ref}")
    assert (response.content, response["Content-Type"]) == (PDF, "application/octet-stream")
    assert response["Content-Disposition"] == 'attachment; filename="plan.pdf"'
    big = client.post(f"{address}/files", {"file": SimpleUploadedFile("big.pdf", b"%PDF-" + b"0" * MAX_BYTES)})
    assert big.status_code == 422 and "an attachment may have 20 MiB" in text_of(big)
    script = client.post(f"{address}/files", {"file": SimpleUploadedFile("plan.pdf", b"#!/bin/sh")})
    assert script.status_code == 422
    client.post(f"{address}/co-applicants", {"username": "dag"})
    assert as_(world.dag).get(f"{address}/draft").status_code == 403
    assert "You are invited" in text_of(client.get(address))
    client.post(f"{address}/invitation", {"answer": "accept"})
    assert client.get(f"{address}/draft").status_code == 200
    client.post(f"{address}/files/{attachment.ref}/remove")
    assert not draft.attachments.filter(removed_at=None).exists()


def test_an_officer_moves_it_and_every_look_is_on_record(draft, world, as_):
    client, address = as_(world.ada), f"/applications/{draft.ref}"
    client.post(f"{address}/draft", filled(draft, submit="1"))
    client = as_(world.bruno)
    page = text_of(client.get(address))
    assert "Administrative check passed" in page and f"{address}/move/return" in page
    empty = client.post(f"{address}/move/return", {"version": 2, "reason": ""})
    assert empty.status_code == 422
    stale = client.post(f"{address}/move/return", {"version": 1, "reason": "Name the licence."})
    assert stale.status_code == 409 and "Name the licence." in text_of(stale)
    client.post(f"{address}/move/return", {"version": 2, "reason": "Name the licence."})
    draft.refresh_from_db()
    assert draft.state == "returned"
    assert "Name the licence." in text_of(as_(world.ada).get(address))
    assert AuditRecord.objects.filter(action="access.view", who="bruno").count() == 1


def test_others_find_nothing(draft, world, as_):
    client = as_(world.dag)
    for place in ("", "/draft", "/move/withdraw", "/files/att-x"):
        assert client.get(f"/applications/{draft.ref}{place}").status_code == 404
    client = as_(world.bruno)
    assert client.get(f"/applications/{draft.ref}").status_code == 404


def test_an_application_asks_as_many_queries_with_much_as_with_little(draft, world, as_, django_assert_max_num_queries):
    client, address = as_(world.ada), f"/applications/{draft.ref}"
    for number in range(8):
        client.post(f"{address}/files", {"file": SimpleUploadedFile(f"n{number}.txt", f"Note {number}".encode())})
        Person.objects.create_user(f"guest{number}")
        client.post(f"{address}/co-applicants", {"username": f"guest{number}"})
    for page in (address, f"{address}/draft"):
        with django_assert_max_num_queries(22):
            assert client.get(page).status_code == 200
