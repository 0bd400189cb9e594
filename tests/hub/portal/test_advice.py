"""The adviser's pages: open to everybody, the address is the state, and an application takes the answers over."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.hub.portal.test_pages import Look, text_of

ANSWERS = {
    "who": "company",
    "country": "IT",
    "goal": "fine-tune",
    "has_data": "yes",
    "sensitivity": "internal",
    "residency": "europe",
    "experience": "practised",
    "people": "60",
    "turnover_eur": "9000000",
    "balance_eur": "9000000",
    "gpu_hours": "20000",
    "project": "norme-chiare",
    "purpose": "Drafts plain summaries of rules",
}


def address(**more):
    return "/advice?" + urlencode({name: value for name, value in (ANSWERS | more).items() if value is not None})


def links(response, start):
    found = [attrs["href"] for tag, attrs in Look(text_of(response)).tags if tag == "a" and "href" in attrs]
    return [link for link in found if link.startswith(start)]


@pytest.mark.django_db
def test_a_stranger_sees_questions_and_then_advice(client):
    asked = client.get("/advice")
    told = client.get(address())

    assert (asked.status_code, told.status_code) == (200, 200)
    assert 'name="goal"' in text_of(asked)
    for words in ("Apply in Fast Lane Access", "JUPITER Booster", "20,000", "5,000", "2,500", "Medium", "IT4LIA"):
        assert words in text_of(told)


@pytest.mark.django_db
def test_the_pages_keep_the_rules_of_the_house(client):
    for place in ("/advice", address(), address() + "&change=1", address(country="ZZ")):
        response = client.get(place)
        assert "unsafe" not in response["Content-Security-Policy"]
        look = Look(text_of(response))
        ids = [attrs["id"] for _, attrs in look.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), place
        assert [tag for tag, _ in look.tags].count("h1") == 1
        assert not any("style" in attrs or tag == "style" for tag, attrs in look.tags)
        main = Look(text_of(response).split("<main", 1)[1])
        primary = [a for t, a in main.tags if a.get("class") == "button" or (t == "button" and "class" not in a)]
        assert len(primary) <= 1, place


@pytest.mark.django_db
def test_the_italian_page_advises_in_italian(client):
    response = client.get(address(), headers={"accept-language": "it"})

    text = text_of(response)
    assert "Fai domanda in Corsia rapida" in text
    assert "20.000" in text
    assert "Media impresa" in text
    assert 'lang="it"' in text


def test_the_application_takes_the_answers_over(world, as_):
    client = as_(world.ada)
    link = links(client.get(address()), "/applications/new?")[0]

    assert parse_qs(urlsplit(link).query)["access_mode"] == ["fast-lane"]
    form = client.get(link)
    assert form.status_code == 200
    text = text_of(form)
    assert 'value="norme-chiare"' in text
    assert "Drafts plain summaries of rules" in text
    assert '<option value="fast-lane" selected' in text
    assert 'value="20000' in text or 'value="20,000' in text


def test_a_stranger_signs_in_first_and_keeps_the_answers(world, client):
    link = links(client.get(address()), "/applications/new?")[0]
    response = client.get(link)

    assert response.status_code == 302
    assert "access_mode%3Dfast-lane" in response["Location"]


@pytest.mark.django_db
def test_answers_can_be_changed(client):
    change = links(
        client.get(address(owner_share="30", owner_people="9", owner_turnover="1", owner_balance="1")), "/advice?"
    )
    again = text_of(client.get(change[0]))

    assert '<option value="IT" selected' in again
    assert 'value="norme-chiare"' in again
    assert 'name="owner_share" value="30"' in again


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"country": "ZZ"}, "Choose one of the list"),
        ({"country": None}, "Choose one"),
        ({"goal": "world domination"}, "Choose one of the list"),
        ({"people": "-5"}, "cannot be negative"),
        ({"people": "many"}, "Enter a number"),
        ({"people": "nan"}, "Enter a number"),
        ({"turnover_eur": None}, "leave all three empty"),
        ({"owner_share": "40"}, "leave all three empty"),
        ({"owner_share": "400"}, "Too large"),
        ({"founded_on": "2199-01-01"}, "after today"),
        ({"founded_on": "yesterday"}, "Enter a date"),
        ({"needed_by": "2001-01-01"}, "which is over"),
        ({"parameters": "huge"}, "8B or 700M"),
        ({"who": "university"}, "company"),
        ({"has_data": "no", "text_gb": "4"}, "no data yet"),
        ({"project": "../etc"}, "Use small letters"),
    ],
)
def test_answers_that_cannot_be_are_asked_again(client, more, said):
    response = client.get(address(**more))

    assert response.status_code == 422
    assert said in text_of(response)
    assert 'name="goal"' in text_of(response)


@pytest.mark.django_db
def test_hostile_answers_are_shown_and_not_obeyed(client):
    hostile = "<script>alert(1)</script>"
    for place in (address(purpose=hostile, sector=hostile), address(purpose=hostile, country="ZZ")):
        assert "<script>alert" not in text_of(client.get(place))


def test_a_link_cannot_break_the_application_form(world, as_):
    client = as_(world.ada)
    for query in ("gpu_hours=nan", "gpu_hours=x", "access_mode=none&project=%00", "gpu_hours=1e999"):
        assert client.get(f"/applications/new?{query}").status_code == 200
