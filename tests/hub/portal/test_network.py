"""The pages of the network: public, filtered by their address, each fact with its source."""

import re
from html.parser import HTMLParser

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fucina.hub.network.catalogue_actions import change_facts, load
from fucina.hub.network.catalogue_read import standing
from fucina.hub.people.models import Person
from fucina.hub.portal.network_map import network_map, place
from fucina.network.catalogue import KINDS, shipped_catalogue
from tests.hub.conftest import NOON, SETUP

pytestmark = pytest.mark.django_db
LISTS = ("/network", "/network/systems", "/network/services", "/network/programmes")


@pytest.fixture(autouse=True)
def loaded():
    load(catalogue=shipped_catalogue(), by=SETUP, at=NOON)


@pytest.fixture
def officer():
    return Person.objects.create_user("chiara", is_staff=True)


def signed_in(person):
    client = Client()
    client.force_login(person)
    return client


def addresses():
    found = list(LISTS)
    for kind, (many, _) in KINDS.items():
        found += [f"/network/{kind}/{row.id}" for row in getattr(shipped_catalogue(), many)]
    return found


class Look(HTMLParser):
    """Tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def main_of(response):
    return response.content.decode().split("<main", 1)[1]


def factories_in(response):
    """Ids of the factories in the table, in order."""
    rows = re.findall(r'<th scope="row"><a href="/network/factory/([^"]+)"', main_of(response))
    return rows


def test_nobody_and_dag_see_every_page_in_both_languages():
    for client in (Client(), signed_in(Person.objects.create_user("dag"))):
        for language in ("en", "it"):
            for address in addresses():
                response = client.get(address, headers={"Accept-Language": language})
                assert response.status_code == 200, address
                assert "/edit" not in main_of(response)


def test_every_page_keeps_the_rules_of_the_house():
    for address in addresses():
        look = Look(Client().get(address).content.decode())
        ids = [attrs["id"] for _, attrs in look.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), address
        assert [tag for tag, _ in look.tags].count("h1") == 1, address
        assert not any(tag == "style" or "style" in attrs for tag, attrs in look.tags), address
        for tag, attrs in look.tags:
            if attrs.get("href", "").startswith("http"):
                assert tag == "a" and "noreferrer" in attrs["rel"], address
            if attrs.get("href", "").startswith("#"):
                assert attrs["href"][1:] in ids, (address, attrs["href"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("country=SI", ["it4lia", "slaif"]),
        ("country=si", ["it4lia", "slaif"]),
        ("service=quantum", ["it4lia", "piast"]),
        ("language=el", ["pharos"]),
        ("accelerator=AMD+Instinct+MI250X", ["lumi-aif"]),
        ("status=deploying", ["pharos"]),
        ("sector=gaming", ["mimer"]),
        ("country=IT&sector=gaming", []),
    ],
)
def test_the_address_is_the_filter(query, expected):
    response = Client().get(f"/network?{query}")

    assert factories_in(response) == expected
    pins = re.findall(r'<a href="/network/factory/([^"]+)" class="pin', main_of(response))
    assert sorted(pins) == sorted(expected)
    chosen = [attrs for tag, attrs in Look(main_of(response)).tags if tag == "option" and "selected" in attrs]
    assert len(chosen) == query.count("=")


@pytest.mark.parametrize("query", ["country=XX", "sector=%3Cscript%3E", "status=soon", "kind=gift", "country=%00"])
def test_a_filter_that_means_nothing_is_said(query):
    response = Client().get(f"/network?{query}")

    assert response.status_code == 422
    assert "<script>" not in main_of(response)


@pytest.mark.parametrize("address", ["/network/factory/atlantis", "/network/ghost/it4lia", "/network/factory/it4lia/x"])
def test_what_is_not_there_is_not_found(address):
    assert Client().get(address).status_code == 404


def test_each_fact_has_its_sources_and_unknown_is_a_dash():
    text = main_of(Client().get("/network/system/mimer-system"))

    linpack = re.search(r"<dt>Linpack, PFlop/s</dt><dd>(.*?)</dd>", text, re.S).group(1)
    assert linpack.strip().startswith("—") and "#source-" not in linpack
    vendor = re.search(r"<dt>Maker</dt><dd>(.*?)</dd>", text, re.S).group(1)
    assert "Bull" in vendor and 'href="#source-1"' in vendor
    assert "10 Oct 2026" in text


def test_general_knowledge_does_not_borrow_a_source():
    text = main_of(Client().get("/network/system/karolina"))

    scheduler = re.search(r"<dt>Scheduler</dt><dd>(.*?)</dd>", text, re.S).group(1)
    assert "general knowledge" in scheduler and "#source-" not in scheduler


def test_a_staff_edit_is_kept_and_shown_as_such(officer):
    client = signed_in(officer)
    address = "/network/factory/it4lia"
    page = client.get(f"{address}/edit").content.decode()
    stamp = re.search(r'name="stamp" value="([^"]+)"', page).group(1)
    row = standing().factory("it4lia")
    form = {"stamp": stamp, "name": row.name, "lead": "<b>Nobody</b>", "partners": "One\nTwo\n"}
    before = client.get(f"{address}/edit").context["page"].form
    data = {name: before[name].value() or "" for name in before.fields} | form
    response = client.post(f"{address}/edit", data)

    assert response.status_code == 302
    text = main_of(Client().get(address))
    assert "&lt;b&gt;Nobody&lt;/b&gt;" in text and "changed here by chiara" in text and "CINECA" in text
    assert {edit.field for edit in standing().edits_of("factory", "it4lia")} == {"lead", "partners"}
    again = client.post(f"{address}/edit", data | {"lead": "Late"})
    assert again.status_code == 422 and "changed meanwhile" in again.content.decode()
    assert standing().factory("it4lia").lead == "<b>Nobody</b>"


def test_a_wrong_value_is_said_and_nothing_is_changed(officer):
    client = signed_in(officer)
    address = "/network/system/lumi/edit"
    form = client.get(address).context["page"].form
    data = {name: form[name].value() or "" for name in form.fields} | {"rmax_pflops": "much", "vendor": "Nobody"}
    response = client.post(address, data)

    assert response.status_code == 422
    assert "rmax_pflops" in response.content.decode() and "much" in response.content.decode()
    assert standing().system("lumi").vendor == "HPE"


def test_a_form_sent_back_unchanged_changes_nothing(officer):
    client = signed_in(officer)
    for address in (
        "/network/system/jupiter/edit",
        "/network/programme/wave-dec-2024/edit",
        "/network/factory/gaia/edit",
    ):
        form = client.get(address).context["page"].form
        data = {name: form[name].value() or "" for name in form.fields}
        assert client.post(address, data).status_code == 302
    assert standing().edition.num_edits == 0


def test_only_staff_edit():
    address = "/network/factory/it4lia/edit"

    assert Client().get(address).status_code == 302
    assert signed_in(Person.objects.create_user("dag")).get(address).status_code == 403
    assert signed_in(Person.objects.get(username="dag")).post(address, {"lead": "Dag"}).status_code == 403
    assert standing().edition.num_edits == 0


@pytest.mark.parametrize("address", [*LISTS, "/network/factory/it4lia"])
def test_a_page_costs_one_query(address, officer):
    for number in range(2):
        Client().get(address)
        with CaptureQueriesContext(connection) as captured:
            Client().get(address)
        assert len(captured) == 1
        change_facts(kind="factory", key="it4lia", values={"lead": f"L{number}"}, by=officer, at=NOON)


def test_places_lie_where_they_are():
    catalogue = shipped_catalogue()
    drawn = network_map(catalogue, catalogue.factories)

    assert len(drawn.pins) == 19
    assert all(0 < pin.x < drawn.width and 0 < pin.y < drawn.height for pin in drawn.pins)
    by_id = {pin.factory.id: pin for pin in drawn.pins}
    assert by_id["lumi-aif"].y < by_id["mimer"].y < by_id["it4lia"].y
    assert by_id["1healthai"].x < by_id["bsc-aif"].x < by_id["it4lia"].x < by_id["brainpp"].x
    countries = {one.code: one.path for one in drawn.outlines}
    for pin in drawn.pins:
        assert _inside(pin.x, pin.y, countries[pin.factory.country]), pin.factory.id
    assert place(52, 10)[0] == pytest.approx(2620 * drawn.width / 5370, rel=1e-3)


def _inside(x, y, path):
    """Even-odd rule over the rings of a path."""
    inside = False
    for ring in path.split("Z"):
        points = [tuple(map(float, pair.split())) for pair in ring.removeprefix("M").split("L") if pair]
        for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
            if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                inside = not inside
    return inside
