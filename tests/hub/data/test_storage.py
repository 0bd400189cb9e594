"""Bytes that projects send."""

import io
import os
from datetime import timedelta

import pytest

from fucina.hub.data.actions import missing_blobs, receive_blob, register_dataset_version, tree_sha256
from fucina.hub.data.models import Blob, Dataset
from fucina.hub.data.storage import BadUpload, blob_path, drop_broken_uploads
from tests.hub.conftest import DOCUMENT, DOCUMENT_SHA256, NOON, send_blob


def ask(project, *sha256s):
    return missing_blobs(organisation=project.organisation, project=project.name, sha256s=sha256s)


def test_a_file_is_sent_once(project, ada, hub_folder):
    assert ask(project, DOCUMENT_SHA256, "0" * 64, DOCUMENT_SHA256) == (DOCUMENT_SHA256, "0" * 64)
    send_blob(project, DOCUMENT, ada)
    send_blob(project, DOCUMENT, ada)
    assert ask(project, DOCUMENT_SHA256, "0" * 64) == ("0" * 64,)
    assert Blob.objects.count() == 1
    assert blob_path(DOCUMENT_SHA256).read_bytes() == DOCUMENT
    assert blob_path(DOCUMENT_SHA256).parent == hub_folder / "blobs" / DOCUMENT_SHA256[:2]


def test_what_another_project_sent_is_not_known_here(project, ada, dag):
    send_blob(project, DOCUMENT, ada)
    altrove = dag.memberships.get().organisation
    assert missing_blobs(organisation=altrove, project=project.name, sha256s=[DOCUMENT_SHA256]) == (DOCUMENT_SHA256,)


def test_a_file_whose_bytes_are_gone_can_be_sent_again(project, ada):
    send_blob(project, DOCUMENT, ada)
    blob_path(DOCUMENT_SHA256).unlink()
    send_blob(project, DOCUMENT, ada)
    assert blob_path(DOCUMENT_SHA256).read_bytes() == DOCUMENT


@pytest.mark.parametrize(
    ("sha256", "num_bytes", "words"),
    [
        ("0" * 64, len(DOCUMENT), "have digest"),
        (DOCUMENT_SHA256, len(DOCUMENT) + 1, "bytes arrived"),
        (DOCUMENT_SHA256, len(DOCUMENT) - 1, "have digest"),
        ("../../etc/passwd", 1, "not a SHA-256"),
        (DOCUMENT_SHA256.upper(), len(DOCUMENT), "not a SHA-256"),
        (DOCUMENT_SHA256, 2**60, "takes up to"),
    ],
)
def test_a_mismatch_is_refused_and_leaves_nothing(project, ada, hub_folder, sha256, num_bytes, words):
    with pytest.raises(BadUpload, match=words):
        receive_blob(
            organisation=project.organisation,
            project=project.name,
            sha256=sha256,
            num_bytes=num_bytes,
            stream=io.BytesIO(DOCUMENT),
            by=ada,
            at=NOON,
        )
    assert not Blob.objects.exists()
    assert not [path for path in hub_folder.rglob("*") if path.is_file()]


def test_an_empty_file_is_a_file(project, ada):
    sha256 = send_blob(project, b"", ada)
    assert blob_path(sha256).read_bytes() == b""


def test_a_list_with_something_else_than_digests_is_refused(project):
    with pytest.raises(BadUpload):
        ask(project, DOCUMENT_SHA256, "x")


def test_a_long_list_is_answered(project):
    wanted = [f"{number:064x}" for number in range(5000)]
    assert ask(project, *wanted) == tuple(wanted)


def test_versions_of_a_dataset_count_up_and_a_run_has_one(officine, ada):
    def enter(run):
        return register_dataset_version(
            organisation=officine,
            project="norme-chiare",
            run=run,
            sha256="0" * 64,
            card={},
            licence="CC0-1.0",
            by=ada,
            at=NOON,
        ).version

    assert [enter("run-1"), enter("run-2"), enter("run-1")] == [1, 2, 1]
    assert Dataset.objects.visible_to(ada).count() == 1


def test_a_tree_digest_depends_on_names_and_bytes():
    one = tree_sha256({"a": "1" * 64, "b": "2" * 64})
    assert one == tree_sha256({"b": "2" * 64, "a": "1" * 64})
    assert one != tree_sha256({"a": "2" * 64, "b": "1" * 64})


def test_what_a_killed_upload_left_goes_after_a_day(hub_folder):
    incoming = hub_folder / "incoming"
    incoming.mkdir(parents=True)
    for name, age in (("old", timedelta(days=2)), ("new", timedelta(hours=1))):
        (incoming / name).write_bytes(b"half")
        os.utime(incoming / name, times=((NOON - age).timestamp(),) * 2)
    assert drop_broken_uploads(at=NOON) == 1
    assert [path.name for path in incoming.iterdir()] == ["new"]
