"""The catalogue of data: published once, found by words and facets, seen by whom it may."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from fucina.client.wire_data import DataWish, Policy, PublishRequest, Sample
from fucina.data.description import FileInfo
from fucina.errors import NotVisible
from fucina.hub.compute.models import ProjectFile
from fucina.hub.compute.staging import stage
from fucina.hub.data import publishing, read
from fucina.hub.data.catalogue import search
from fucina.hub.data.full_text import plain_words
from fucina.hub.data.models import Dataset, DatasetVersion, Withdrawal
from fucina.hub.data.publishing import AlreadyWithdrawn, BadDescription, NotAHolder, SampleNotMasked
from fucina.hub.people.actions import create_organisation
from fucina.hub.people.append_only import AppendOnlyViolated
from fucina.hub.people.models import AuditRecord
from tests.hub.conftest import NOON, as_json
from tests.hub.data.conftest import FOR_ALL, OPEN, SECRET, TEXTS

API = "/api/v1/datasets"


def names(wish, person):
    return [row.name for row in search(DataWish.model_validate(wish), person=person).rows]


def counts(wish, person, kind):
    facets = search(DataWish.model_validate(wish), person=person).facets
    return {facet.value: facet.num_datasets for facet in facets if facet.kind == kind}


def test_what_is_published_twice_is_one_version(shelf):
    first = shelf.publish()

    assert shelf.publish().pk == first.pk
    assert shelf.publish(description="Other words about the same forty files.").version == 2
    assert shelf.publish(texts=TEXTS[:3]).version == 3
    assert shelf.dataset().current.version == 3
    assert AuditRecord.objects.filter(action="data.register_version").count() == 3


def test_the_badge_has_its_evidence(shelf):
    version = shelf.publish()
    assert {mark.criterion.value: mark.met for mark in version.parsed_marks} == dict.fromkeys(
        ("documented", "licensed", "deduplicated", "redacted", "validated"), True
    )

    unsent = shelf.publish("altri-dati", send=False)
    assert [mark.evidence for mark in unsent.parsed_marks if not mark.met] == [
        "0 of 2 files were received and compared with their digest."
    ]


def test_a_version_is_never_changed(shelf):
    version = shelf.publish()
    version.licence = "other"
    with pytest.raises(AppendOnlyViolated):
        version.save()
    for statement in ("UPDATE data_datasetversion SET licence = 'x'", "DELETE FROM data_datasetversion"):
        with pytest.raises(DatabaseError, match="only grows"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_only_members_publish(shelf, bruno, dag):
    told, _ = shelf.tables(texts=TEXTS, name="leggi-chiare")
    request = PublishRequest(organisation=shelf.organisation.ref, description=told)
    with pytest.raises(NotVisible):
        publishing.publish(request=request, by=dag, at=NOON)
    with pytest.raises(NotAHolder):
        publishing.publish(request=request, by=bruno, at=NOON)
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ((FileInfo(path="../x", sha256="1" * 64, num_bytes=1),), "relative path"),
        ((FileInfo(path="x", sha256="1" * 64, num_bytes=1),) * 2, "twice"),
    ],
)
def test_files_with_bad_names_are_refused(shelf, files, words):
    with pytest.raises(Exception, match=words):
        shelf.publish(files=files)
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    "text", ["Scrivi a mario@example.org.", "IBAN IT60 X054 2811 1010 0000 0123 456", "4111 1111 1111 1111"]
)
def test_a_sample_that_is_not_masked_is_refused(shelf, ada, text):
    told, _ = shelf.tables(texts=TEXTS, name="leggi-chiare")
    request = PublishRequest(
        organisation=shelf.organisation.ref, description=told, samples=(Sample(text="fine"), Sample(text=text))
    )
    with pytest.raises(SampleNotMasked, match="Sample 2"):
        publishing.publish(request=request, by=ada, at=NOON)


def test_sensitive_data_are_never_open(shelf):
    with pytest.raises(BadDescription, match="cannot be open"):
        shelf.publish(policy=Policy(listing="public", access="open", sensitivity="sensitive"))


def test_a_dataset_is_seen_by_whom_it_is_listed_for(shelf, ada, bruno, dag):
    shelf.publish("privato")
    shelf.publish("fabbrica", policy=FOR_ALL)
    shelf.publish("aperto", policy=OPEN)

    assert sorted(names({}, ada)) == ["aperto", "fabbrica", "privato"]
    assert sorted(names({}, dag)) == sorted(names({}, bruno)) == ["aperto", "fabbrica"]
    assert names({}, None) == ["aperto"]


def test_words_find_in_every_script_and_without_accents(shelf, ada):
    shelf.publish("caffe", title="Caffè e società", description="Ordinamento dei caffè dell'università di Łódź.")
    shelf.publish("nomoi", title="Νόμοι της Κρήτης", description="Νομοθεσία για τους ελαιώνες της Κρήτης, 2024.")

    assert names({"words": "CAFFE"}, ada) == ["caffe"]
    assert names({"words": "universi"}, ada) == ["caffe"]
    assert names({"words": "νομοθεσια ελαιων"}, ada) == ["nomoi"]
    assert names({"words": "caffè Κρήτης"}, ada) == []
    assert sorted(names({"words": "officine"}, ada)) == ["caffe", "nomoi"]


@pytest.mark.parametrize(
    "words", ["'", '"', "a:*", "x OR y", "NEAR(", "&|!()", "-- ;", "1e5", "c++", "%", "*", "words:x", "\\", "'':*"]
)
def test_no_words_break_the_search(shelf, ada, words):
    shelf.publish()
    expected = [] if plain_words(words) not in ([], ["c"]) else ["leggi-chiare"]
    assert names({"words": words}, ada) == expected


def test_the_best_match_comes_first(shelf, ada):
    shelf.publish("uno", title="Water law of rivers", at=NOON)
    shelf.publish("due", title="Something else", description="In passing, water is named once here and no more.")

    found = names({"words": "water"}, ada)
    assert set(found) == {"uno", "due"}
    assert names({"words": "water rivers"}, ada) == ["uno"]


def test_facets_count_what_the_asker_may_see(shelf, ada, dag):
    shelf.publish("uno", policy=FOR_ALL, licences=("MIT",))
    shelf.publish("due", policy=OPEN, themes=())
    shelf.publish("tre")

    assert counts({}, ada, "licence") == {"CC-BY-4.0": 2, "MIT": 1}
    assert counts({}, dag, "licence") == {"CC-BY-4.0": 1, "MIT": 1}
    assert counts({}, ada, "language") == {"en": 3, "it": 3}
    assert counts({}, dag, "access") == {"open": 1, "request": 1}
    assert counts({"licence": "MIT"}, ada, "theme") == {"GOVE": 1, "JUST": 1}
    assert names({"licence": "MIT", "language": "it", "quality": "5", "size": "up-to-10-mb"}, ada) == ["uno"]
    assert names({"licence": "MIT", "sensitivity": "public"}, ada) == []
    assert names({"theme": "nothing"}, ada) == []


def test_a_facet_follows_the_policy_and_the_newest_version(shelf, ada, dag):
    shelf.publish(policy=FOR_ALL, licences=("MIT",))
    shelf.publish(licences=("CC0-1.0",), at=NOON + timedelta(days=1))
    assert counts({}, ada, "licence") == {"CC0-1.0": 1}

    publishing.change_policy(dataset=shelf.dataset(), policy=Policy(), by=ada, at=NOON)

    assert names({}, dag) == []
    assert counts({}, ada, "access") == {"closed": 1}


def test_only_owners_change_the_policy(shelf, dag, bruno):
    shelf.publish(policy=FOR_ALL)
    for person in (dag, bruno):
        with pytest.raises(NotAHolder):
            publishing.change_policy(dataset=shelf.dataset(), policy=OPEN, by=person, at=NOON)
    assert shelf.dataset().access == "request"


def test_what_is_withdrawn_is_told_and_not_given(shelf, ada, as_ada):
    shelf.publish(policy=OPEN)
    second = shelf.publish(texts=TEXTS[:3])

    publishing.withdraw(version=second, reason="Wrong licence.", by=ada, at=NOON)

    assert shelf.dataset().current.version == 1
    shown = read.detail(read.find_dataset(shelf.dataset().ref, person=ada), person=ada, at=NOON, number=2)
    assert shown.version.withdrawn_because == "Wrong licence."
    assert (shown.may_have, shown.held, shown.samples) == (False, (), ())
    address = f"{API}/{shelf.dataset().ref}/versions/2/files/train.parquet"
    assert as_ada.get(address).json()["code"] == "version_withdrawn"
    with pytest.raises(AlreadyWithdrawn):
        publishing.withdraw(version=second, reason="Again.", by=ada, at=NOON)
    publishing.withdraw(version=DatasetVersion.objects.get(version=1), reason="All of it.", by=ada, at=NOON)
    assert names({}, ada) == []
    assert Withdrawal.objects.count() == 2


def test_samples_of_sensitive_data_are_for_the_entitled(shelf, ada, dag):
    shelf.publish(policy=SECRET)
    dataset = shelf.dataset()

    own = read.detail(read.find_dataset(dataset.ref, person=ada), person=ada, at=NOON)
    other = read.detail(read.find_dataset(dataset.ref, person=dag), person=dag, at=NOON)

    assert len(own.samples) == 1 and not own.samples_hidden
    assert other.samples == () and other.samples_hidden


def test_the_api_shows_and_hides(shelf, as_ada, as_bruno, as_dag):
    shelf.publish("privato")
    shelf.publish("fabbrica", policy=FOR_ALL)
    secret, known = shelf.dataset("privato").ref, shelf.dataset("fabbrica").ref

    found = as_dag.get(API, {"words": "leggi"}).json()
    assert found["num_datasets"] == len(found["datasets"]) == 0
    assert as_dag.get(API, {"words": "laws"}).json()["num_datasets"] == 1
    for path in (
        "", "/diff?before=1&after=1", "/versions/1/croissant", "/versions/1/files/train.parquet"
    ):  # fmt: skip
        assert as_dag.get(f"{API}/{secret}{path}").status_code == 404
        answer = as_ada.get(f"{API}/{secret}{path}")
        assert answer.status_code == 200 and (not answer.streaming or b"".join(answer.streaming_content))
        assert as_bruno.get(f"{API}/{secret}{path}").status_code == 404
    assert as_dag.get(f"{API}/{known}/versions/1/files/train.parquet").json()["code"] == "no_leave"
    for path, body in (
        ("/policy", OPEN), ("/versions/1/withdraw", {"reason": "Mine now"}), ("/versions/1/stage", {"project": "x"}),
        ("/erasures", {"kind": "person", "sought": "Mario Rossi"}),
    ):  # fmt: skip
        assert as_dag.post(f"{API}/{secret}{path}", **as_json(body)).status_code == 404
        assert as_dag.post(f"{API}/{known}{path}", **as_json(body)).status_code in {403, 404}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("?limit=0", 422), ("?limit=101", 422), ("?offset=-1", 422), ("?words=" + "x" * 501, 422),
        ("/dat-nothing", 404), ("/%00", 422), ("?language=%00", 422), ("?limit=x", 422),
    ],
)  # fmt: skip
def test_bad_questions_are_refused(as_ada, path, status):
    assert as_ada.get(f"{API}{path}").status_code == status


@pytest.mark.parametrize("number", ["0", "-1", "99", "99999999999999999999"])
def test_a_version_that_is_not_there_is_not_found(shelf, as_ada, number):
    shelf.publish()
    assert as_ada.get(f"{API}/{shelf.dataset().ref}?version={number}").status_code in {404, 422}


def test_a_file_is_sent_published_and_downloaded_over_the_api(shelf, as_ada, officine):
    told, files = shelf.tables(texts=TEXTS, name="per-api")
    query = {"organisation": officine.name, "name": "per-api", "sha256s": list(files)}
    assert as_ada.post(f"{API}/files/missing", **as_json(query)).json()["missing"] == list(files)
    for sha256, path in files.items():
        address = f"{API}/files/{officine.ref}/per-api/{sha256}"
        sent = as_ada.put(address, data=path.read_bytes(), content_type="application/octet-stream")
        assert sent.status_code == 204
    assert as_ada.post(f"{API}/files/missing", **as_json(query)).json()["missing"] == []

    body = PublishRequest(organisation=officine.name, description=told)
    shown = as_ada.post(API, **as_json(body)).json()

    assert shown["held"] == ["train.parquet", "validation.parquet"]
    address = f"{API}/{shown['summary']['ref']}/versions/1/files/train.parquet"
    whole = b"".join(as_ada.get(address).streaming_content)
    rest = b"".join(as_ada.get(address, headers={"Range": "bytes=10-"}).streaming_content)
    assert whole[10:] == rest and whole[:4] == b"PAR1"
    assert AuditRecord.objects.filter(action="data.download").count() == 1


def test_a_name_that_is_none_is_refused(as_ada, officine):
    sent = as_ada.put(f"{API}/files/{officine.ref}/Not_A_Name/{'1' * 64}", data=b"x", content_type="text/plain")
    assert (sent.status_code, sent.json()["code"]) == (422, "bad_description")


def test_a_version_is_staged_into_a_project(shelf, project, ada):
    version = shelf.publish()
    version = read.find_version(read.find_dataset(version.dataset.ref, person=ada), 1)

    for _ in range(2):
        staged = stage(version=version, project=project, by=ada, at=NOON)

    assert ProjectFile.objects.filter(project=project).count() == 2
    assert staged.paths[0] == f"data/{version.dataset.ref}/v1/train.parquet"


def test_two_versions_are_compared(shelf, as_ada):
    shelf.publish()
    shelf.publish(texts=TEXTS[:2] + TEXTS[3:])

    found = as_ada.get(f"{API}/{shelf.dataset().ref}/diff?before=1&after=2").json()

    assert ["documents", 4, 3] in found["numbers"] and ["language: en", 1, 0] in found["numbers"]
    drifts = {drift["of"]: drift["verdict"] for drift in found["drift"]}
    assert drifts["languages"] == "large" and drifts["licences"] == "stable"


def test_a_search_costs_the_same_however_much_is_found(shelf, as_ada):
    shelf.publish("first")
    queries = []
    for number in range(3):
        as_ada.get(f"{API}?words=laws&language=it")
        with CaptureQueriesContext(connection) as captured:
            assert as_ada.get(f"{API}?words=laws&language=it").json()["num_datasets"] == 1 + number
        queries.append(len(captured))
        shelf.publish(f"more-{number}")
    assert len(set(queries)) == 1 and queries[0] <= 4


def test_a_member_of_several_organisations_finds_a_dataset_once(shelf, ada):
    create_organisation(name="Seconda", country="IT", by=ada, at=NOON)
    shelf.publish(policy=OPEN)
    assert names({}, ada) == ["leggi-chiare"]
