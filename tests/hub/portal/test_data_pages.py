"""The pages of data: found by whom it is listed for, asked for, decided on; in two languages."""

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fucina.client.wire_data import DataAccessAsk, DataDecision, Policy, Sample
from fucina.hub.data import leave, publishing
from fucina.hub.data.models import AccessRequest, DataGrant
from fucina.hub.people.models import Organisation
from tests.hub.conftest import NOON
from tests.hub.data.conftest import FOR_ALL, OPEN, SECRET, TEXTS, Shelf

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert('x')</script>\"'&amp;"


@pytest.fixture
def shelf(ada, officine, tmp_path):
    (tmp_path / "shelf").mkdir()
    return Shelf(folder=tmp_path / "shelf", organisation=officine, by=ada)


@pytest.fixture
def altrove(dag):
    return Organisation.objects.get(memberships__person=dag)


class Look(HTMLParser):
    """Tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def signed_in(person):
    client = Client()
    client.force_login(person)
    return client


def main_of(response):
    return response.content.decode().split("<main", 1)[1]


def titles(response):
    return re.findall(r'<th scope="row" class="wordy"><a href="/data/[^"]+">([^<]+)</a>', main_of(response))


def ask(shelf, dag, name="fabbrica"):
    request = DataAccessAsk(organisation="Altrove AB", purpose="To train a small model.", agrees=True)
    return leave.ask(dataset=shelf.dataset(name), request=request, by=dag, at=NOON)


@pytest.fixture
def stocked(shelf):
    shelf.publish("privato", title="Private laws")
    shelf.publish("fabbrica", title="Factory laws", policy=FOR_ALL)
    shelf.publish("aperto", title="Open laws", policy=OPEN)
    return shelf


def test_each_sees_what_is_listed_for_them(stocked, ada, bruno, dag):
    assert titles(Client().get("/data")) == ["Open laws"]
    for person in (bruno, dag):
        assert titles(signed_in(person).get("/data")) == ["Open laws", "Factory laws"]
    assert len(titles(signed_in(ada).get("/data"))) == 3


def test_a_page_of_what_one_may_not_know_is_not_there(stocked, ada, bruno, dag):
    hidden, known = stocked.dataset("privato").ref, stocked.dataset("fabbrica").ref
    for client in (Client(), signed_in(bruno), signed_in(dag)):
        assert client.get(f"/data/{hidden}").status_code == 404
    assert Client().get(f"/data/{known}").status_code == 404
    for tail in ("request", "policy"):
        assert signed_in(dag).get(f"/data/{hidden}/{tail}").status_code == 404
        assert Client().get(f"/data/{known}/{tail}").status_code == 302
    assert signed_in(dag).get(f"/data/{known}/policy").status_code == 403
    assert signed_in(ada).get(f"/data/{hidden}").status_code == 200


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("words=open", ["Open laws"]),
        ("words=LAWS&access=request", ["Factory laws"]),
        ("sensitivity=public", ["Open laws"]),
        ("language=it&licence=CC-BY-4.0&quality=5&theme=JUST&words=factory", ["Factory laws"]),
        ("words=nothing", []),
        ("theme=%3Cscript%3E", []),
        ("language=%00", ["Open laws", "Factory laws"]),
        ("page=99", ["Open laws", "Factory laws"]),
    ],
)
def test_the_address_is_the_search(stocked, dag, query, expected):
    response = signed_in(dag).get(f"/data?{query}")

    assert response.status_code == 200
    assert titles(response) == expected
    assert "<script>" not in main_of(response)


@pytest.mark.parametrize("address", ["/data?words=" + "x" * 501, "/data/{ref}?version=x", "/data/{ref}?version=1e3"])
def test_what_means_nothing_is_said(stocked, address):
    assert Client().get(address.format(ref=stocked.dataset("aperto").ref)).status_code == 422


def test_a_version_that_is_not_there_is_not_found(stocked):
    assert Client().get(f"/data/{stocked.dataset('aperto').ref}?version=9").status_code == 404


def test_the_dataset_shows_evidence_and_gives_files_to_whom_it_may(stocked, ada, dag):
    ref = stocked.dataset("fabbrica").ref
    own, other = (main_of(signed_in(person).get(f"/data/{ref}")) for person in (ada, dag))

    assert "16 of 16 planted records" in own and "16 of 16 planted records" in other
    download = f'href="/api/v1/datasets/{ref}/versions/1/files/train.parquet"'
    assert download in own and download not in other
    assert f"/data/{ref}/request" in other and f"/data/{ref}/request" not in own
    assert f"/data/{ref}/policy" in own and f"/data/{ref}/policy" not in other
    assert b"".join(signed_in(ada).get(f"/api/v1/datasets/{ref}/versions/1/files/train.parquet").streaming_content)


def test_samples_of_sensitive_data_are_not_on_the_page(shelf, ada, dag):
    shelf.publish("segreto", policy=SECRET)
    ref = shelf.dataset("segreto").ref
    assert "disciplina gli orti" in main_of(signed_in(ada).get(f"/data/{ref}"))
    assert "disciplina gli orti" not in main_of(signed_in(dag).get(f"/data/{ref}"))


def test_the_whole_way_through_the_pages(stocked, ada, dag, altrove):
    ref, dag_at, ada_at = stocked.dataset("fabbrica").ref, signed_in(dag), signed_in(ada)
    form = {"organisation": altrove.ref, "purpose": "To train a small model."}
    refused = dag_at.post(f"/data/{ref}/request", form)
    assert refused.status_code == 422 and "agrees to the terms" in main_of(refused)

    assert dag_at.post(f"/data/{ref}/request", form | {"agrees": "on"}).status_code == 302
    request = AccessRequest.objects.get()
    again = dag_at.post(f"/data/{ref}/request", form | {"agrees": "on"})
    assert again.status_code == 422 and "waits for a decision" in main_of(again)
    assert f"/data/requests/{request.ref}/decide" in main_of(ada_at.get("/data/requests"))
    assert f"/data/requests/{request.ref}/decide" not in main_of(dag_at.get("/data/requests"))

    decision = {"decision": "grant", "days": "30", "reason": "For research."}
    assert dag_at.post(f"/data/requests/{request.ref}/decide", decision).status_code == 422
    assert ada_at.post(f"/data/requests/{request.ref}/decide", decision | {"days": "0"}).status_code == 422
    assert ada_at.post(f"/data/requests/{request.ref}/decide", decision).status_code == 302

    assert "train.parquet</a>" in main_of(dag_at.get(f"/data/{ref}"))
    assert dag_at.post(f"/data/requests/{request.ref}/end").status_code == 403
    assert ada_at.post(f"/data/requests/{request.ref}/end").status_code == 302
    assert DataGrant.objects.get().revoked_at
    assert "train.parquet</a>" not in main_of(dag_at.get(f"/data/{ref}"))


def test_strangers_find_no_request(stocked, bruno, dag):
    request = ask(stocked, dag)
    for tail in ("decide", "end"):
        assert signed_in(bruno).get(f"/data/requests/{request.ref}/{tail}").status_code == 404
    assert request.ref not in main_of(signed_in(bruno).get("/data/requests"))


def test_the_policy_is_changed_on_its_page(stocked, ada):
    ref, client = stocked.dataset("fabbrica").ref, signed_in(ada)
    form = {"listing": "public", "access": "open", "sensitivity": "sensitive", "terms": ""}
    refused = client.post(f"/data/{ref}/policy", form)
    assert refused.status_code == 422 and "cannot be open" in main_of(refused)
    assert client.post(f"/data/{ref}/policy", form | {"sensitivity": "public"}).status_code == 302
    assert "Factory laws" in titles(Client().get("/data"))


def test_a_withdrawn_version_has_its_tombstone(stocked, ada):
    version = stocked.publish("aperto", texts=TEXTS[:3])
    publishing.withdraw(version=version, reason="Wrong licence.", by=ada, at=NOON)
    page = main_of(Client().get(f"/data/{stocked.dataset('aperto').ref}?version=2"))
    assert "Wrong licence." in page and "train.parquet</a>" not in page


def addresses(stocked, dag):
    request = ask(stocked, dag)
    ref, own = stocked.dataset("fabbrica").ref, f"/data/requests/{request.ref}"
    return [
        ("ada", "/data"), ("ada", f"/data/{ref}"), ("ada", f"/data/{ref}/policy"), ("ada", "/data/requests"),
        ("ada", f"{own}/decide"), ("dag", f"{own}/end"), ("dag", f"/data/{ref}/request"), ("dag", "/data?words=zz"),
    ]  # fmt: skip


def test_every_page_keeps_the_rules_of_the_house(stocked, ada, dag):
    people = {"ada": ada, "dag": dag}
    for who, address in addresses(stocked, dag):
        for language in ("en", "it"):
            response = signed_in(people[who]).get(address, headers={"Accept-Language": language})
            assert response.status_code == 200, address
            look = Look(response.content.decode())
            ids = [attrs["id"] for _, attrs in look.tags if "id" in attrs]
            assert len(ids) == len(set(ids)), address
            assert [tag for tag, _ in look.tags].count("h1") == 1, address
            assert not any(tag == "style" or "style" in attrs for tag, attrs in look.tags), address
            labelled = {attrs.get("for") for tag, attrs in look.tags if tag == "label"}
            for tag, attrs in look.tags:
                if tag in {"select", "textarea"} or (tag == "input" and attrs.get("type") not in {"hidden", "submit"}):
                    assert attrs.get("id") in labelled, (address, attrs)


def test_hostile_words_stay_words(shelf, ada):
    shelf.publish("ostile", title=HOSTILE, description=HOSTILE * 2, keywords=(HOSTILE,), licences=(HOSTILE,),
                  policy=Policy(listing="public", access="request", terms=HOSTILE))  # fmt: skip
    for address in ("/data", f"/data/{shelf.dataset('ostile').ref}"):
        assert "<script>alert" not in main_of(signed_in(ada).get(address))


def num_queries(client, address):
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    return len(captured)


@pytest.mark.parametrize(
    ("address", "most"), [("/data", 6), ("/data?words=laws&language=it", 6), ("one", 9), ("/data/requests", 5)]
)
def test_a_page_costs_the_same_however_much_there_is(stocked, ada, dag, address, most):
    ask(stocked, dag)
    client = signed_in(ada)
    address = f"/data/{stocked.dataset('fabbrica').ref}" if address == "one" else address
    before = num_queries(client, address)
    for number in range(4):
        stocked.publish(f"more-{number}", title=f"More laws {number}", policy=FOR_ALL)
        stocked.publish("fabbrica", title="Factory laws", texts=TEXTS[: number % 3 + 2], at=NOON + timedelta(days=1))
        ask(stocked, dag, f"more-{number}")
    assert num_queries(client, address) == before <= most


def test_pages_of_a_search_keep_its_words(shelf, ada):
    for number in range(27):
        shelf.publish(f"set-{number}", send=False, title=f"Laws {number}")
    text = main_of(signed_in(ada).get("/data?words=laws&language=it"))
    (link,) = re.findall(r'rel="next" href="([^"]+)"', text)
    follow = signed_in(ada).get("/data" + link.replace("&amp;", "&"))
    assert len(titles(follow)) == 2


def test_a_grant_is_shown_with_its_end(stocked, ada, dag):
    leave.decide(
        request=ask(stocked, dag), decision=DataDecision(granted=True, reason="Yes.", days=3650), by=ada, at=NOON
    )
    page = main_of(signed_in(dag).get(f"/data/{stocked.dataset('fabbrica').ref}"))
    assert "may have the files until" in page and "2036" in page


def test_a_sample_is_shown_in_its_language(stocked, ada):
    assert Sample(text="x").language == ""
    assert 'lang="it">La legge' in main_of(signed_in(ada).get(f"/data/{stocked.dataset('aperto').ref}"))
