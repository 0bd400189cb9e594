"""Coming in by password and by link, going out, and the language."""

import pytest
from django.utils import timezone

from fucina.hub.people.actions import make_sign_in_link
from tests.hub.conftest import SETUP

PASSWORD = "forge-and-anvil-1492"


def text_of(response):
    return response.content.decode()


def test_the_right_password_opens_the_page_that_was_asked_for(world, client):
    asked = client.get("/runs?page=2")
    response = client.post(asked["Location"], {"username": "ada", "password": PASSWORD, "next": "/runs?page=2"})
    assert response["Location"] == "/runs?page=2"
    assert "Ada Ferri" in text_of(client.get("/"))


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [
        ("ada", "wrong", "The user name or the password is wrong."),
        ("nobody", PASSWORD, "The user name or the password is wrong."),
        ("ADA", PASSWORD, "The user name or the password is wrong."),
        ("", "", "Enter your user name."),
        ("ada", "", "Enter your password."),
        ("ada\x00", PASSWORD, "Null characters are not allowed."),
        ("a" * 5000, PASSWORD, "150"),
    ],
)
def test_a_wrong_password_is_refused_in_words(world, client, name, password, words):
    response = client.post("/sign-in", {"username": name, "password": password})
    assert response.status_code == 422
    assert words in text_of(response)
    assert client.get("/").status_code == 302


def test_who_may_not_sign_in_is_told_the_same_as_a_stranger(world, client):
    world.ada.is_active = False
    world.ada.save()
    response = client.post("/sign-in", {"username": "ada", "password": PASSWORD})
    assert response.status_code == 422 and "The user name or the password is wrong." in text_of(response)


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example/", "javascript:alert(1)", "/\\evil.example"])
def test_signing_in_leads_nowhere_else(world, client, place):
    response = client.post("/sign-in", {"username": "ada", "password": PASSWORD, "next": place})
    assert response["Location"] == "/"


def test_signing_out_needs_its_form(world, as_):
    client = as_(world.ada)
    assert client.get("/sign-out").status_code == 405
    assert client.post("/sign-out")["Location"] == "/sign-in"
    assert client.get("/").status_code == 302


def test_a_link_signs_in_once_and_looking_at_it_does_not_spend_it(world, client):
    link = make_sign_in_link(person=world.ada, by=SETUP, at=timezone.now())
    for _ in range(2):
        assert client.get(link).status_code == 200
        assert client.get("/").status_code == 302
    assert client.post(link)["Location"] == "/"
    assert "Ada Ferri" in text_of(client.get("/"))
    client.post("/sign-out")
    again = client.post(link)
    assert again.status_code == 403
    assert "This link was used already" in text_of(again) and "fucina up" in text_of(again)
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("secret", ["x", "%00", "x" * 4000, "..%2f", "<script>"])
def test_a_link_that_never_was_opens_nothing(world, client, secret):
    response = client.post(f"/enter/{secret}")
    assert response.status_code in {403, 404}
    assert client.get("/").status_code == 302


def test_the_language_is_chosen_and_stays(world, as_):
    client = as_(world.ada)
    assert "What do you want to do?" in text_of(client.get("/"))
    response = client.post("/language", {"language": "it", "next": "/runs"})
    assert response["Location"] == "/runs"
    page = text_of(client.get("/"))
    assert '<html lang="it">' in page and "Che cosa vuoi fare?" in page
    assert client.post("/language", {"language": "it", "next": "//evil.example"})["Location"] == "/"
    client.post("/language", {"language": "xx", "next": "/"})
    assert "Che cosa vuoi fare?" in text_of(client.get("/"))
    assert client.get("/language").status_code == 405


def test_a_person_is_spoken_to_in_their_language(world, client):
    world.ada.language = "it"
    world.ada.save()
    client.post("/sign-in", {"username": "ada", "password": PASSWORD})
    assert "Che cosa vuoi fare?" in text_of(client.get("/"))


def test_the_browser_s_language_counts_before_signing_in(db, client):
    assert "Accedi" in text_of(client.get("/sign-in", headers={"accept-language": "it-CH, it;q=0.9"}))
    assert "Sign in" in text_of(client.get("/sign-in", headers={"accept-language": "fi"}))
