"""Erase and rebuild: found in every version, buried, built anew without it; the bytes are gone."""

import pyarrow.parquet as pq
import pytest

from fucina.client.wire_data import ErasureRequest
from fucina.data.readiness import faults_of
from fucina.hub.compute.staging import stage
from fucina.hub.data import read
from fucina.hub.data.actions import register_dataset_version
from fucina.hub.data.models import DatasetVersion, Erasure
from fucina.hub.data.publishing import NotAHolder
from fucina.hub.data.storage import blob_path
from fucina.hub.people.models import AuditRecord
from fucina.hub.registry import erasure
from fucina.hub.registry.erasure import NothingSought
from tests.hub.conftest import NOON, as_json, work_off_tasks
from tests.hub.data.conftest import FOR_ALL, TEXTS


def carry_out(shelf, person, *, kind="person", sought="Mario Rossi"):
    request = ErasureRequest(kind=kind, sought=sought)
    row = erasure.ask(dataset=shelf.dataset(), request=request, by=person, at=NOON)
    return erasure.info(erasure.carry_out(row, at=NOON))


def texts_of(version):
    files = {file.path: file.sha256 for file in version.described.files_of("documents")}
    return [
        text for path in sorted(files) for text in pq.read_table(blob_path(files[path]))["text"].to_pylist()
    ]  # fmt: skip


@pytest.fixture
def versions(shelf, ada):
    shelf.publish(texts=[text for text in TEXTS if "Rossi" not in text], policy=FOR_ALL)
    shelf.publish(texts=TEXTS)
    shelf.publish(texts=[*TEXTS, "Un altro documento, senza alcun nome."])
    return shelf.dataset().versions


def test_a_person_leaves_every_version(shelf, versions, ada, django_capture_on_commit_callbacks):
    old = {version.version: version.described.files_of("documents") for version in versions.all()}
    with django_capture_on_commit_callbacks(execute=True):
        told = carry_out(shelf, ada)

    assert (told.state, told.withdrawn, told.rebuilt) == ("done", (2, 3), 4)
    assert [(f.version, f.num_documents, f.searched) for f in told.findings] == [
        (1, 0, True),
        (2, 1, True),
        (3, 1, True),
    ]
    rebuilt = DatasetVersion.objects.get(version=4)
    assert rebuilt.made_from.version == 3
    assert not any("Rossi" in text for text in texts_of(rebuilt)) and len(texts_of(rebuilt)) == 4
    assert shelf.dataset().current == rebuilt
    assert not blob_path(old[3][0].sha256).exists() and not blob_path(old[2][0].sha256).exists()
    assert all(blob_path(file.sha256).exists() for file in old[1])
    assert rebuilt.samples == []


def test_the_numbers_of_the_new_version_add_up(shelf, versions, ada):
    carry_out(shelf, ada, kind="document", sought="leggi.jsonl#2")

    rebuilt = DatasetVersion.objects.get(version=4)
    described = rebuilt.described
    assert faults_of(described) == []
    assert described.curation.drops["erased-on-request"] == 1
    assert described.curation.num_documents == 4 == rebuilt.num_documents
    assert rebuilt.num_met == 5
    assert {code: share.num_documents for code, share in described.curation.languages.items()} == {"it": 4}


def test_a_request_does_not_keep_what_it_erased(shelf, versions, ada):
    carry_out(shelf, ada)

    row = Erasure.objects.get()
    assert row.sought == "" and len(row.sought_sha256) == 64
    assert not any("Rossi" in str(record.data) for record in AuditRecord.objects.all())


@pytest.mark.parametrize(
    ("sought", "num"),
    [
        ("mario rossi", 1), ("Mario\n Rossi", 1), ("Rossi", 1), ("ross", 0), ("ario Rossi", 0), ("Mario.*Rossi", 0),
        ("orti urbani", 1), ("UN ANNO", 1), ("anno.", 1), ("(?i)rossi", 0),
    ],
)  # fmt: skip
def test_names_are_whole_words_and_never_patterns(shelf, ada, sought, num):
    shelf.publish()
    told = carry_out(shelf, ada, sought=sought)
    assert told.findings[0].num_documents == num


def test_nothing_found_changes_nothing(shelf, versions, ada):
    told = carry_out(shelf, ada, sought="Nobody Here")
    assert (told.withdrawn, told.rebuilt) == ((), None)
    assert versions.count() == 3


def test_what_cannot_be_searched_is_said(shelf, ada, officine):
    shelf.publish(send=False)
    register_dataset_version(
        organisation=officine, project="leggi-chiare", run="run-1", sha256="0" * 64, card={}, licence="MIT", by=ada,
        at=NOON,
    )  # fmt: skip
    told = carry_out(shelf, ada)
    assert [finding.searched for finding in told.findings] == [False, False]
    assert told.withdrawn == ()


def test_where_it_was_staged_is_told_and_those_bytes_stay(
    shelf, versions, project, ada, django_capture_on_commit_callbacks
):
    version = read.find_version(shelf.dataset(), 3)
    stage(version=version, project=project, by=ada, at=NOON)

    with django_capture_on_commit_callbacks(execute=True):
        told = carry_out(shelf, ada)

    assert told.findings[2].projects == (project.ref,)
    assert blob_path(version.described.files_of("documents")[0].sha256).exists()


def test_done_twice_it_is_done_once(shelf, versions, ada):
    carry_out(shelf, ada)
    row = Erasure.objects.get()
    erasure.carry_out(row, at=NOON)
    assert versions.count() == 4


def test_only_owners_ask_and_see(shelf, versions, ada, bruno, dag, as_dag, as_ada, as_bruno):
    request = ErasureRequest(kind="person", sought="Mario Rossi")
    for person in (bruno, dag):
        with pytest.raises(NotAHolder):
            erasure.ask(dataset=shelf.dataset(), request=request, by=person, at=NOON)
    made = as_ada.post(f"/api/v1/datasets/{shelf.dataset().ref}/erasures", **as_json(request)).json()
    assert as_ada.get(f"/api/v1/erasures/{made['ref']}").json()["state"] == "open"
    for other in (as_dag, as_bruno):
        assert other.get(f"/api/v1/erasures/{made['ref']}").status_code == 404


@pytest.mark.parametrize("sought", ["   ", "...", "-?!", "  a "])
def test_what_would_hit_anything_is_refused(shelf, versions, ada, sought):
    with pytest.raises(NothingSought):
        erasure.ask(
            dataset=shelf.dataset(), request=ErasureRequest(kind="person", sought=sought), by=ada, at=NOON
        )  # fmt: skip


@pytest.mark.usefixtures("committing")
def test_the_worker_does_it_and_a_killed_one_is_made_up_for(shelf, ada):
    shelf.publish()
    erasure.ask(
        dataset=shelf.dataset(), request=ErasureRequest(kind="person", sought="Mario Rossi"), by=ada, at=NOON
    )  # fmt: skip
    assert work_off_tasks() == 1
    assert erasure.info(Erasure.objects.get()).rebuilt == 2
    assert erasure.resume_erasures() == 0


@pytest.mark.usefixtures("committing")
def test_a_table_that_is_none_fails_with_words(shelf, ada):
    shelf.publish()
    file = shelf.dataset().current.described.files_of("documents")[0]
    blob_path(file.sha256).write_bytes(b"not a table")
    erasure.ask(
        dataset=shelf.dataset(), request=ErasureRequest(kind="person", sought="Mario Rossi"), by=ada, at=NOON
    )  # fmt: skip
    work_off_tasks()
    told = erasure.info(Erasure.objects.get())
    assert (told.state, told.problem.code) == ("failed", "bad_table")
    assert shelf.dataset().current.version == 1
