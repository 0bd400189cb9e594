"""Applying, deciding, registering an organisation: the good way and every bad input."""

import pytest

from fucina.hub.access.models import Application
from fucina.hub.people.actions import create_organisation
from fucina.hub.people.models import Organisation
from tests.hub.conftest import NOON

LONG = "x" * 5000


def text_of(response):
    return response.content.decode()


def answers(world, **changes):
    """A good application."""
    good = {
        "organisation": world.organisation.ref,
        "project": "sintesi",
        "purpose": "Summaries of public acts for citizens",
        "sector": "public administration",
        "access_mode": "local",
        "gpu_hours": "2.5",
    }
    return good | changes


def test_an_application_that_passes_every_rule_opens_its_project_at_once(world, as_):
    client = as_(world.ada)
    response = client.post("/applications/new", answers(world), follow=True)
    page = text_of(response)
    assert "Granted" in page and "2.5 GPU-hours granted" in page
    assert "2.5 GPU-hours asked for; local grants a project up to 1000." in page
    project = response.context["page"].project_ref
    page = text_of(client.get(f"/projects/{project}"))
    assert "Summaries of public acts for citizens" in page and "2.50" in page


def test_an_application_beyond_a_rule_waits_for_an_officer(world, as_):
    page = text_of(as_(world.ada).post("/applications/new", answers(world, gpu_hours="2000"), follow=True))
    assert "Not passed" in page and "An access officer decides." in page


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("organisation", "", "This field is required."),
        ("organisation", "org-nothing", "Choose one of your organisations."),
        ("organisation", "\x00", "Choose one of your organisations."),
        ("project", "", "Enter a name for the project."),
        ("project", "Norme Chiare", "Use small letters, digits and hyphens only"),
        ("project", "-x", "Use small letters, digits and hyphens only"),
        ("project", "a" * 64, "63"),
        ("project", "../../etc", "Use small letters, digits and hyphens only"),
        ("project", "naïve", "Use small letters, digits and hyphens only"),
        ("purpose", "", "Say what the model is for."),
        ("purpose", "short", "at least ten characters"),
        ("purpose", "          x         ", "at least ten characters"),
        ("purpose", LONG, "4000"),
        ("purpose", "a purpose with \x00 in it", "Null characters are not allowed."),
        ("sector", LONG, "200"),
        ("access_mode", "bribery", "Choose one of the access modes."),
        ("gpu_hours", "", "Enter how many GPU-hours you need."),
        ("gpu_hours", "many", "Enter a number."),
        ("gpu_hours", "0", "Ask for more than zero."),
        ("gpu_hours", "-5", "Ask for more than zero."),
        ("gpu_hours", "nan", "Enter a number."),
        ("gpu_hours", "inf", "Enter a number."),
        ("gpu_hours", "1e999", "Enter a number."),
        ("gpu_hours", "99999999", "Ask for at most ten million."),
    ],
)
def test_a_bad_answer_is_refused_in_words_beside_its_field(world, as_, field, value, words):
    before = Application.objects.count()
    response = as_(world.ada).post("/applications/new", answers(world, **{field: value}))
    assert response.status_code == 422
    page = text_of(response)
    assert words in page
    assert 'class="field wrong"' in page and 'aria-invalid="true"' in page and f'href="#id_{field}"' in page
    assert page.count("<title>Error:") == 1
    assert Application.objects.count() == before


def test_what_was_typed_is_still_there_after_a_mistake(world, as_):
    page = text_of(as_(world.ada).post("/applications/new", answers(world, gpu_hours="many")))
    assert 'value="sintesi"' in page and "Summaries of public acts" in page and 'value="many"' in page


def test_nobody_applies_for_an_organisation_of_others(world, as_):
    response = as_(world.dag).post("/applications/new", answers(world))
    assert response.status_code == 422
    assert "Choose one of your organisations." in text_of(response)


def test_a_second_application_for_one_project_is_refused_with_its_hint(world, as_):
    client = as_(world.ada)
    again = answers(world, gpu_hours="2000")
    client.post("/applications/new", again)
    response = client.post("/applications/new", again)
    assert response.status_code == 422
    assert "Wait for the decision, or withdraw it and apply again." in text_of(response)


def test_a_decimal_comma_is_a_number_in_italian(world, as_):
    client = as_(world.ada)
    client.post("/language", {"language": "it", "next": "/"})
    response = client.post("/applications/new", answers(world, gpu_hours="2,5"), follow=True)
    assert "2,5 ore-GPU assegnate" in text_of(response)


def test_an_officer_decides_from_the_desk(world, as_):
    waiting = world.ask("waiting", hours=250.0, mode="playground")
    client = as_(world.bruno)
    assert f"/applications/{waiting.ref}/decide" in text_of(client.get("/desk"))
    response = client.post(
        f"/applications/{waiting.ref}/decide",
        {"decision": "grant", "gpu_hours": "100", "reason": "Good use for the public"},
        follow=True,
    )
    page = text_of(response)
    assert "100 GPU-hours granted" in page and "Good use for the public" in page and "bruno" in page
    assert "Nothing waits" in text_of(client.get("/desk"))
    assert "/projects/" in text_of(as_(world.ada).get(f"/applications/{waiting.ref}"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"decision": ""}, "Choose whether to grant or to reject."),
        ({"decision": "maybe"}, "maybe"),
        ({"reason": ""}, "Give the reason."),
        ({"reason": "no"}, "Give the reason in words."),
        ({"gpu_hours": "-1"}, "Grant more than zero."),
        ({"gpu_hours": "some"}, "Enter a number."),
        ({"gpu_hours": "300"}, "300.00 GPU-hours is more than the 250.00 that were asked for."),
    ],
)
def test_a_bad_decision_is_refused_in_words(world, as_, changes, words):
    waiting = world.ask("waiting", hours=250.0, mode="playground")
    good = {"decision": "grant", "gpu_hours": "", "reason": "Good use for the public"}
    response = as_(world.bruno).post(f"/applications/{waiting.ref}/decide", good | changes)
    assert response.status_code == 422
    assert words in text_of(response)
    waiting.refresh_from_db()
    assert waiting.state == "submitted"


def test_a_decision_is_final(world, as_):
    client = as_(world.bruno)
    address = f"/applications/{world.application.ref}/decide"
    assert client.get(address).status_code == 302
    response = client.post(address, {"decision": "reject", "gpu_hours": "", "reason": "On second thoughts"})
    assert response.status_code == 422
    assert "cannot become rejected" in text_of(response)


def test_an_officer_does_not_decide_on_their_own_organisation(world, as_):
    waiting = world.ask("waiting", hours=250.0, mode="playground")
    world.organisation.memberships.create(person=world.bruno)
    client = as_(world.bruno)
    assert "Your own organisation: another officer decides" in text_of(client.get("/desk"))
    address = f"/applications/{waiting.ref}"
    assert client.get(f"{address}/decide").status_code == 302
    assert "You may not decide on this application" in text_of(client.get(address))
    good = {"decision": "grant", "gpu_hours": "", "reason": "Good use for the public"}
    response = client.post(f"{address}/decide", good)
    assert response.status_code == 403
    assert "its applications are decided by others" in text_of(response)
    waiting.refresh_from_db()
    assert waiting.state == "submitted"


def test_an_applicant_does_not_decide(world, as_):
    waiting = world.ask("waiting", hours=250.0, mode="playground")
    client = as_(world.ada)
    address = f"/applications/{waiting.ref}/decide"
    assert client.get(address).status_code == 302
    assert client.post(address, {}).status_code == 302
    good = {"decision": "grant", "gpu_hours": "", "reason": "Good use for the public"}
    assert client.post(address, good).status_code == 403
    waiting.refresh_from_db()
    assert waiting.state == "submitted"


def test_an_application_is_withdrawn_after_asking_once_more(world, as_):
    waiting = world.ask("waiting", hours=250.0, mode="playground")
    client = as_(world.ada)
    address = f"/applications/{waiting.ref}"
    assert f"{address}/withdraw" in text_of(client.get(address))
    assert "Withdraw this application?" in text_of(client.get(f"{address}/withdraw"))
    assert "Withdrawn" in text_of(client.post(f"{address}/withdraw", follow=True))
    assert client.get(f"{address}/withdraw").status_code == 302
    assert client.post(f"{address}/withdraw").status_code == 409


def test_a_new_organisation_belongs_to_who_registers_it(world, as_):
    client = as_(world.dag)
    response = client.post("/organisations/new", {"name": "Terza Srl", "country": "it"}, follow=True)
    assert "Terza Srl is registered. You can apply now." in text_of(response)
    organisation = Organisation.objects.get(name="Terza Srl")
    assert organisation.country == "IT"
    assert organisation.memberships.get().person == world.dag


@pytest.mark.parametrize(
    ("name", "country", "words"),
    [
        ("", "IT", "Enter the name of the organisation."),
        ("   ", "IT", "Enter the name of the organisation."),
        ("x" * 201, "IT", "200"),
        ("Quarta", "ITA", "Write the country in two letters."),
        ("Quarta", "1!", "Write the country in two letters."),
        ("Quarta", "ßß", "Write the country in two letters."),
        ("officine ESEMPIO", "IT", "There is an organisation called"),
        ("Quarta\u202e", "IT", "characters that cannot be shown"),
    ],
)
def test_a_bad_organisation_is_refused_in_words(world, as_, name, country, words):
    response = as_(world.dag).post("/organisations/new", {"name": name, "country": country})
    assert response.status_code == 422
    assert words in text_of(response)


def test_who_has_no_organisation_is_sent_to_register_one(world, as_):
    world.dag.memberships.all().delete()
    client = as_(world.dag)
    assert "First, your organisation" in text_of(client.get("/applications/new"))
    assert "Register your organisation" in text_of(client.get("/"))


def test_the_applications_list_of_an_officer_shows_their_own_only(world, as_):
    client = as_(world.bruno)
    assert "norme-chiare" not in text_of(client.get("/applications"))
    create_organisation(name="Bruno e figli", country="IT", by=world.bruno, at=NOON)
    assert "No applications yet" in text_of(client.get("/applications"))
