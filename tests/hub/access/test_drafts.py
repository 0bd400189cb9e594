"""Drafts, attachments and co-applicants: nothing lost, nothing wrong taken in."""

import zlib

import pytest
from django.test import Client

from fucina.access.attachment_kinds import MAX_BYTES, AttachmentTooLarge, BadAttachment
from fucina.access.modes import shipped_modes
from fucina.access.moves import MoveName, WrongMove
from fucina.access.questions import UnknownQuestion, questions_for, shipped_questions
from fucina.client.wire_access import DraftFields
from fucina.hub.access.attachments import attach, attachment_path, find_attachment, remove_attachment
from fucina.hub.access.calls import modes_on_offer
from fucina.hub.access.drafts import ClosedMode, Incomplete, missing_of, save_draft, start_draft
from fucina.hub.access.invitations import AlreadyIn, NoSuchPerson, NotInvited, answer_invitation, invite
from fucina.hub.access.models import Application, Attachment
from fucina.hub.access.moving import ApplicationChanged, NotAMember, move_application
from fucina.hub.compute import projects
from fucina.hub.people.models import AuditRecord
from tests.hub.conftest import NOON

ANSWERS = {
    "summary": "A model that explains regulations to small firms in plain words.",
    "team": "Ada Ferri and two engineers.",
    "method": "Fine-tuning of a model of 7 billion parameters.",
    "estimate": "6 N D over a third of the peak of an A100.",
    "job_gpus": 8, "data_sources": "Normattiva, under IODL 2.0.", "personal_data": False, "civilian": True,
    "ai_act": "limited", "ethics_risks": "Wrong advice; every answer cites its article.",
}  # fmt: skip
FULL = DraftFields(
    project="norme-chiare", purpose="Drafts plain-language summaries", sector="law", gpu_hours=500, answers=ANSWERS
)
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"


@pytest.fixture
def start(ada, officine):
    def make(fields=None, mode="fast-lane", by=ada, organisation=officine):
        return start_draft(
            organisation=organisation,
            mode_id=mode,
            fields=fields or DraftFields(),
            modes=modes_on_offer(),
            by=by,
            at=NOON,
        )

    return make


def save(draft, by, version=None, **fields):
    version = Application.objects.get(pk=draft.pk).version if version is None else version
    return save_draft(application=draft, fields=FULL.model_copy(update=fields), by=by, at=NOON, version=version)


def test_every_mode_that_is_on_offer_has_questions_for_its_sets():
    sets = shipped_questions().sets
    for mode in shipped_modes().modes:
        assert set(mode.questions) <= set(sets)
        ids = [question.id for question in questions_for(mode)]
        assert len(ids) == len(set(ids))
    for questions in sets.values():
        for question in questions:
            assert {"en", "it"} <= set(question.text)


def test_an_empty_draft_is_kept_and_says_what_is_missing(start, ada):
    draft = start()
    gaps = {gap.field for gap in missing_of(draft)}
    assert gaps == {"project", "purpose", "gpu_hours", *ANSWERS}
    with pytest.raises(Incomplete, match="13 answers are missing: project"):
        projects.submit(application=draft, by=ada, at=NOON)
    assert Application.objects.get().state == "draft"


def test_a_complete_draft_is_submitted_and_granted(start, ada, bruno, chiara):
    draft = save(start(), ada)
    assert missing_of(draft) == ()
    row = projects.submit(application=draft, by=ada, at=NOON, version=draft.version)
    assert (row.state, row.submitted_by, row.findings.filter(passed=True).count()) == ("submitted", ada, 2)


@pytest.mark.parametrize(
    ("change", "gap"),
    [
        ({"civilian": False}, ("civilian", "must", "yes")),
        ({"ai_act": "none"}, ("ai_act", "choice", "minimal, limited, high, general-purpose, unsure")),
        ({"job_gpus": -3}, ("job_gpus", "range", "1 to 100000")),
        ({"job_gpus": "many"}, ("job_gpus", "kind", "a number")),
        ({"summary": "short"}, ("summary", "short", "40")),
        ({"personal_data": True}, ("personal_data_basis", "empty", "")),
        ({"method": "   "}, ("method", "empty", "")),
    ],
)
def test_what_is_answered_badly_is_named(start, ada, change, gap):
    draft = save(start(), ada, answers={**ANSWERS, **change})
    assert missing_of(draft) == (gap,)


def test_a_draft_takes_over_what_was_answered_before(start, ada):
    start(FULL)
    second = start(DraftFields(project="second"), mode="playground")
    assert second.answers["summary"] == ANSWERS["summary"]
    assert "job_gpus" not in second.answers
    assert (second.sector, second.project) == ("law", "second")


def test_two_who_edit_at_once_lose_nothing(start, ada):
    draft = start()
    save(draft, ada, version=0, purpose="What the first one wrote")
    with pytest.raises(ApplicationChanged, match="you saw version 0, now it is 1"):
        save(draft, ada, version=0, purpose="What the second one wrote")
    assert Application.objects.get().purpose == "What the first one wrote"
    assert save(draft, ada, version=1, purpose="What the first one wrote").version == 1
    assert AuditRecord.objects.filter(action="access.save_draft").count() == 1


def test_others_neither_save_nor_ask_what_the_mode_does_not(start, ada, dag, bruno):
    draft = start()
    for person in (dag, bruno):
        with pytest.raises(NotAMember):
            save(draft, person)
    with pytest.raises(UnknownQuestion, match="fast-lane has no question 'innovation'"):
        save(draft, ada, answers={"innovation": "x"})
    with pytest.raises(UnknownQuestion, match="characters"):
        save(draft, ada, answers={"team": "x" * 10_000})


def test_what_was_submitted_is_changed_only_after_it_was_returned(start, ada, bruno, chiara):
    draft = projects.submit(application=save(start(), ada), by=ada, at=NOON)
    with pytest.raises(WrongMove, match="The application is submitted"):
        save(draft, ada)
    move_application(application=draft, name=MoveName.RETURN, by=bruno, at=NOON, reason="Name the licence.")
    again = save(draft, ada, sector="justice", gpu_hours=None)
    assert (again.state, again.gpu_s) == ("returned", 1_800_000)
    assert projects.submit(application=again, by=ada, at=NOON).state == "submitted"


def test_a_closed_mode_takes_nothing_and_the_draft_stays(start, ada):
    answers = {
        **ANSWERS,
        "state_of_art": "x" * 50,
        "publication": "Open, on Zenodo.",
        "milestones": "x" * 30,
        "risks": "x" * 20,
    }
    draft = start(FULL.model_copy(update={"answers": answers}), mode="regular")
    with pytest.raises(ClosedMode, match="regular"):
        projects.submit(application=draft, by=ada, at=NOON)
    assert Application.objects.get().state == "draft"


def add(draft, by, name="plan.pdf", content=PDF):
    return attach(application=draft, name=name, content=content, by=by, at=NOON)


def test_a_file_is_kept_once_under_its_digest_and_taken_out(start, ada):
    draft = start()
    added = add(draft, ada)
    assert add(draft, ada, name="again.pdf") == added
    assert attachment_path(added).read_bytes() == PDF
    assert (added.media_type, added.num_bytes) == ("application/pdf", len(PDF))
    remove_attachment(application=draft, ref=added.ref, by=ada, at=NOON)
    assert not Attachment.objects.filter(removed_at=None).exists()
    assert AuditRecord.objects.filter(action__in=["access.attach", "access.remove_attachment"]).count() == 2


PACKED = b"%PDF-1.7\n1 0 obj\n<< /Type /ObjStm /Filter /FlateDecode >>\nstream\n" + zlib.compress(
    b"<< /S /JavaScript >>"
)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("plan.pdf", b"#!/bin/sh\nrm -rf ~\n", "none of the kinds"),
        ("plan.pdf", b"just text", "looks like text/plain"),
        (
            "plan.pdf",
            PDF.replace(b"/Catalog", b"/Catalog /OpenAction << /S /JavaScript /JS (x) >>"),
            "/JS, /JavaScript",
        ),
        ("plan.pdf", PDF.replace(b"/Catalog", b"/Catalog /S /J#61vaScript"), "/JavaScript"),
        ("plan.pdf", PDF.replace(b"/Catalog", b"/Catalog /S/Launch/F(x)"), "/Launch"),
        ("plan.pdf", PACKED + b"\nendstream\nendobj\n%%EOF\n", "/JavaScript"),
        ("plan.pdf", PDF.replace(b"trailer <<", b"trailer << /Encrypt 5 0 R"), "encrypted"),
        ("plan.pdf", PDF[:-7], "does not end"),
        ("plan.txt", b"<!doctype html><script>1</script>", "none of the kinds"),
        ("plan.txt", b"hello <script src=x>", "none of the kinds"),
        ("plan.svg", b"<svg onload='x'/>", "none of the kinds"),
        ("plan.exe", b"MZ\x90\x00", "none of the kinds"),
        ("plan.txt", PDF, "looks like application/pdf"),
        ("plan.txt", b"", "empty"),
        ("../..", b"text", "no name"),
        (".profile", b"text", "no name"),
        ('a".txt', b"text", "no name"),
        ("a\u202etxt.pdf", PDF, "no name"),
    ],
)
def test_a_file_that_could_run_or_is_not_what_it_says_is_refused(start, ada, name, content, reason):
    with pytest.raises(BadAttachment, match=reason) as caught:
        add(start(), ada, name=name, content=content)
    assert caught.value.hint
    assert not Attachment.objects.exists()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("C:\\plans\\Piano è.PDF", PDF, "application/pdf"),
        ("graph.png", b"\x89PNG\r\n\x1a\n0000", "image/png"),
        ("photo.jpeg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("table.csv", "città;ore\nRoma;3\n".encode(), "text/plain"),
    ],
)
def test_good_files_are_taken(start, ada, name, content, kind):
    added = add(start(), ada, name=name, content=content)
    assert (added.media_type, "\\" in added.name) == (kind, False)


def test_a_file_of_200_mb_is_refused_before_it_is_sent(start, ada, as_ada):
    draft = start()
    with pytest.raises(AttachmentTooLarge, match=r"20\.0 MiB; an attachment may have 20 MiB"):
        add(draft, ada, content=PDF + b"0" * MAX_BYTES)
    response = as_ada.put(
        f"/api/v1/applications/{draft.ref}/attachments/big.pdf", b"", "application/octet-stream",
        CONTENT_LENGTH=str(200 * 10**6),
    )  # fmt: skip
    assert (response.status_code, response.json()["code"]) == (422, "attachment_too_large")
    assert "190.7 MiB" in response.json()["message"]


def test_a_file_is_given_out_as_a_download_only_and_staff_who_look_are_on_record(
    start, ada, bruno, as_ada, as_bruno, as_dag
):
    draft = start(FULL)
    added = add(draft, ada, name="note.txt", content=b"& so on")
    address = f"/api/v1/applications/{draft.ref}/attachments/{added.ref}"
    response = as_ada.get(address)
    assert b"".join(response.streaming_content) == b"& so on"
    assert response["Content-Disposition"].startswith("attachment")
    assert (response["X-Content-Type-Options"], response["Content-Type"]) == ("nosniff", "application/octet-stream")
    assert as_bruno.get(address).status_code == as_dag.get(address).status_code == 404
    projects.submit(application=draft, by=ada, at=NOON)
    assert not AuditRecord.objects.filter(action="access.view").exists()
    assert b"".join(as_bruno.get(address).streaming_content) == b"& so on"
    assert as_bruno.get(f"/api/v1/applications/{draft.ref}/detail").status_code == 200
    views = AuditRecord.objects.filter(action="access.view").order_by("pk")
    assert [(row.who, row.object_ref, row.data["what"]) for row in views] == [
        ("bruno", draft.ref, f"attachment {added.ref}"), ("bruno", draft.ref, "detail"),
    ]  # fmt: skip


def test_a_co_applicant_sees_writes_and_leaves(start, ada, dag):
    draft = start(FULL)
    invite(application=draft, username="dag", by=ada, at=NOON)
    assert [gap.wanted for gap in missing_of(draft)] == ["dag"]
    with pytest.raises(NotAMember):
        save(draft, dag, sector="x")
    with pytest.raises(AlreadyIn):
        invite(application=draft, username="dag", by=ada, at=NOON)
    answer_invitation(application=draft, accept=True, by=dag, at=NOON)
    assert missing_of(draft) == ()
    assert save(draft, dag, sector="written by Dag").sector == "written by Dag"
    answer_invitation(application=draft, accept=False, by=dag, at=NOON)
    assert not Application.objects.visible_to(dag).exists()
    with pytest.raises(NotInvited):
        answer_invitation(application=draft, accept=True, by=dag, at=NOON)
    invite(application=draft, username="dag", by=ada, at=NOON)
    assert Application.objects.visible_to(dag).count() == 1


@pytest.mark.parametrize("name", ["nobody", "a\x00b", "ada"])
def test_who_is_not_there_or_applies_already_is_not_invited(start, ada, name):
    with pytest.raises(AlreadyIn if name == "ada" else NoSuchPerson):
        invite(application=start(), username=name, by=ada, at=NOON)


def test_attachments_of_others_are_not_found(start, ada, dag):
    draft, other = start(), start(DraftFields(project="other"))
    added = add(draft, ada)
    with pytest.raises(Exception, match="There is no attachment"):
        find_attachment(other, added.ref)
    with pytest.raises(NotAMember):
        add(draft, dag)


def test_the_whole_way_through_the_api(as_ada: Client, officine, as_bruno, bruno, chiara):
    root = "/api/v1"
    body = {"organisation": "Officine Esempio", "access_mode": "fast-lane"}
    made = as_ada.post(f"{root}/drafts", body, "application/json").json()
    assert made["missing"][0] == {"field": "project", "code": "empty", "wanted": ""}
    fields = {**FULL.model_dump(), "version": made["version"]}
    address = f"{root}/applications/{made['ref']}"
    saved = as_ada.put(f"{address}/draft", fields, "application/json").json()
    assert (saved["missing"], saved["version"]) == ([], 1)
    stale = as_ada.put(f"{address}/draft", {**fields, "sector": "x"}, "application/json")
    assert (stale.status_code, stale.json()["code"]) == (409, "application_changed")
    assert as_bruno.get(f"{address}/detail").status_code == 404
    assert as_ada.post(f"{address}/submission").json()["state"] == "submitted"
    for move in ("checked", "assessed"):
        response = as_bruno.post(f"{address}/moves", {"move": move}, "application/json")
    assert response.json()["state"] == "deciding"
    refused = as_bruno.post(f"{address}/moves", {"move": "grant", "reason": "Good."}, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_move")
    decided = as_bruno.post(f"{address}/decision", {"granted": True, "reason": "Good."}, "application/json")
    assert decided.json()["granted_gpu_hours"] == 500
    timeline = as_ada.get(f"{address}/detail").json()["events"]
    assert [event["move"] for event in timeline] == ["submit", "checked", "assessed", "grant"]
