"""Letters of decisions: the same words on the page and in the PDF, in the applicant's language."""

import io

import pypdf
import pytest

from fucina.access.letter import WORDS, letter_pdf
from fucina.client.wire import DecisionRequest
from fucina.hub.access.letters import decision_letter, find_decision
from fucina.hub.access.models import Application
from fucina.hub.compute import projects
from tests.hub.conftest import NOON, application_request


@pytest.fixture
def decided(ada, officine, chiara, bruno):
    """An application in that language, decided that way."""

    def make(language, *, granted, hours=None):
        ada.language = language
        ada.save()
        row = projects.apply(request=application_request(access_mode="playground"), by=ada, at=NOON)
        request = DecisionRequest(granted=granted, gpu_hours=hours, reason="Il piano è chiaro & <breve>.\nAuguri.")
        return projects.decide(application=row, request=request, by=bruno, at=NOON)

    return make


def text_of(pdf):
    return " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages).replace("\n", " ")


def test_both_languages_say_everything():
    assert set(WORDS["en"]) == set(WORDS["it"])


@pytest.mark.parametrize(
    ("language", "granted", "words"),
    [
        ("en", True, ["4 GPU-hours were granted to the project norme-chiare", "You asked for 10", "20 November 2026"]),
        ("it", True, ["concesse 4 ore GPU", "Ne avevate chieste 10", "20 novembre 2026", "relazione finale"]),
        ("en", False, ["was not granted", "You may appeal"]),
        ("it", False, ["non è stata accolta", "potete ricorrere"]),
        ("fi", False, ["was not granted"]),
    ],
)
def test_the_pdf_and_the_page_say_the_same(decided, client, ada, language, granted, words):
    row = decided(language, granted=granted, hours=4 if granted else None)
    client.force_login(ada)
    page = client.get(f"/applications/{row.ref}/letter").content.decode()
    response = client.get(f"/applications/{row.ref}/letter.pdf")
    pdf = text_of(response.content)
    for word in [*words, "Bruno Conti", "Officine Esempio", row.ref]:
        assert word in pdf, word
        assert word in page, word
    assert "Il piano è chiaro & <breve>." in pdf and "chiaro &amp; &lt;breve&gt;.<br>Auguri." in page
    assert f'<article lang="{language if language != "fi" else "en"}"' in page


def test_a_letter_is_the_same_bytes_each_time(decided):
    row = decided("it", granted=True)
    row = Application.objects.get(pk=row.pk)
    letters = [letter_pdf(decision_letter(row, find_decision(row)), made_at=NOON) for _ in range(2)]
    assert letters[0] == letters[1]


def test_there_is_no_letter_before_the_decision_and_none_for_others(ada, officine, chiara, dag, client):
    row = projects.apply(request=application_request(access_mode="playground"), by=ada, at=NOON)
    client.force_login(ada)
    assert client.get(f"/applications/{row.ref}/letter").status_code == 404
    client.force_login(dag)
    assert client.get(f"/applications/{row.ref}/letter.pdf").status_code == 404


def test_what_a_rule_decided_says_so(project, ada, client):
    row = Application.objects.get()
    letter = decision_letter(row, find_decision(row))
    assert letter.signed == "Decided by the rule local/2026-11-20 of the access mode; no person took part."
