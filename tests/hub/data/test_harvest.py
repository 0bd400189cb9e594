"""What other catalogues harvest: public datasets only, in pages, told once while nothing changes."""

import json

import pytest
import rdflib
from django.test import Client
from rdflib.namespace import DCAT, RDF

from fucina.client.wire_data import Policy
from fucina.hub.data import harvest, publishing
from tests.hub.conftest import NOON
from tests.hub.data.conftest import FOR_ALL, OPEN

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ADDRESS = "/api/v1/dcat"


def datasets(response, form="json-ld"):
    graph = rdflib.Graph().parse(data=response.content.decode(), format=form)
    return sorted(str(graph.value(node, rdflib.DCTERMS.identifier)) for node in graph.subjects(RDF.type, DCAT.Dataset))


@pytest.fixture
def listed(shelf):
    shelf.publish("privato")
    shelf.publish("fabbrica", policy=FOR_ALL)
    shelf.publish("aperto", policy=OPEN)
    return shelf.dataset("aperto").ref


@pytest.mark.django_db
def test_an_empty_catalogue_is_a_catalogue():
    answer = Client().get(ADDRESS)
    assert answer.status_code == 200 and datasets(answer) == []
    assert json.loads(answer.content)["@graph"][-1]["hydra:totalItems"] == 0


@pytest.mark.parametrize(
    ("accept", "query", "kind", "form"),
    [
        ("", "", "application/ld+json", "json-ld"),
        ("text/html, text/turtle;q=0.8", "", "text/turtle", "turtle"),
        ("application/rdf+xml", "", "application/rdf+xml", "xml"),
        ("text/turtle", "?form=jsonld", "application/ld+json", "json-ld"),
        ("", "?form=ttl", "text/turtle", "turtle"),
    ],
)
def test_everybody_harvests_what_is_public_in_every_form(listed, accept, query, kind, form):
    answer = Client().get(ADDRESS + query, headers={"Accept": accept} if accept else {})

    assert answer.headers["Content-Type"].startswith(kind)
    assert datasets(answer, form) == [listed]


def test_nothing_is_sent_twice_while_nothing_changes(listed, shelf, ada):
    first = Client().get(ADDRESS)
    again = Client().get(ADDRESS, headers={"If-None-Match": f'W/"x", {first.headers["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert Client().get(f"{ADDRESS}?form=ttl", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200

    shelf.publish("aperto", title="Another title")
    changed = Client().get(ADDRESS, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200

    publishing.change_policy(dataset=shelf.dataset("aperto"), policy=Policy(), by=ada, at=NOON)
    gone = Client().get(ADDRESS, headers={"If-None-Match": changed.headers["ETag"]})
    assert gone.status_code == 200 and datasets(gone) == []


def test_pages_lead_to_each_other(shelf, monkeypatch):
    monkeypatch.setattr(harvest, "PAGE_ROWS", 2)
    for number in range(5):
        shelf.publish(f"set-{number}", policy=OPEN)
    found, address, num_pages = [], ADDRESS, 0
    while address:
        answer = Client().get(address)
        found += datasets(answer)
        paging = json.loads(answer.content)["@graph"][-1]
        address = paging.get("hydra:nextPage", "").partition("8642")[2]
        num_pages += 1
    assert num_pages == 3 and len(set(found)) == len(found) == 5


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "status"), [("?page=0", 404), ("?page=2", 404), ("?page=x", 422), ("?form=csv", 422), ("?page=-1", 404)]
)
def test_what_is_not_there_is_said(query, status):
    assert Client().get(ADDRESS + query).status_code == status


def test_a_page_costs_the_same_however_long(shelf, django_assert_num_queries):
    for number in range(4):
        shelf.publish(f"set-{number}", policy=OPEN)
    with django_assert_num_queries(2):
        Client().get(ADDRESS)
