"""Logs and files that jobs leave at the hub."""

import hashlib
import io

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fucina.errors import NotVisible
from fucina.hub.compute import artifacts, read
from fucina.hub.compute.artifacts import ArtifactsClosed, BadLogPiece, append_log, receive_artifact, source_file
from fucina.hub.compute.models import Artifact, Job
from fucina.hub.data.storage import BadPath, BadUpload
from tests.hub.conftest import DOCUMENT_SHA256, NOON, claim_one, send_blob, work_off


@pytest.fixture
def job(run, chiara):
    return Job.objects.select_related("run__project__organisation").get(ref=claim_one(chiara.agent).ref)


def put(chiara, job, path, data=b"x", **changes):
    arguments = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "num_bytes": len(data),
        "stream": io.BytesIO(data),
    } | changes
    return receive_artifact(agent=chiara.agent, job=job, path=path, at=NOON, **arguments)


def piece(job, offset, data):
    return append_log(job=job, offset=offset, stream=io.BytesIO(data), num_bytes=len(data))


def test_a_file_is_put_in_place_once(job, chiara, hub_folder):
    first = put(chiara, job, "release/model/weights.bin", b"1234")
    assert put(chiara, job, "release/model/weights.bin", b"1234") == first
    assert (hub_folder / "artifacts" / job.ref / "release/model/weights.bin").read_bytes() == b"1234"
    assert put(chiara, job, "release/model/weights.bin", b"56").num_bytes == 2
    assert Artifact.objects.count() == 1
    assert not list((hub_folder / "incoming").iterdir())


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a//b",
        "./a",
        "a/.",
        "",
        "a\\b",
        "a\x00b",
        "a\nb",
        "a/",
        "é/" * 600 + "x",
        "x" * 256,
    ],
)
def test_a_path_that_leaves_its_folder_is_refused(job, chiara, hub_folder, path):
    with pytest.raises(BadPath, match="relative path"):
        put(chiara, job, path)
    assert not Artifact.objects.exists()


def test_a_symbolic_link_is_not_followed(job, chiara, hub_folder, tmp_path):
    folder = artifacts.artifact_folder(job)
    folder.mkdir(parents=True)
    (folder / "out").symlink_to(tmp_path)
    with pytest.raises(BadPath, match="symbolic link"):
        put(chiara, job, "out/x")
    assert not (tmp_path / "x").exists()


def test_a_name_is_a_file_or_a_folder(job, chiara):
    put(chiara, job, "a")
    put(chiara, job, "b/c")
    with pytest.raises(BadPath, match="file and a folder"):
        put(chiara, job, "a/b")
    with pytest.raises(BadPath, match="file and a folder"):
        put(chiara, job, "b")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sha256": "0" * 64}, "have digest"),
        ({"sha256": "A" * 64}, "not a SHA-256"),
        ({"sha256": ""}, "not a SHA-256"),
        ({"num_bytes": 5}, "1 of 5 bytes"),
        ({"num_bytes": 2**40}, "takes up to"),
        ({"num_bytes": -1}, "takes up to"),
    ],
)
def test_bytes_that_are_not_as_announced_leave_nothing(job, chiara, hub_folder, change, words):
    with pytest.raises(BadUpload, match=words):
        put(chiara, job, "a", b"x", **change)
    assert not artifacts.artifact_folder(job).exists()
    assert not Artifact.objects.exists()


def test_after_the_end_only_what_the_record_names_still_comes(run, chiara):
    named = {"release/late.txt": hashlib.sha256(b"late").hexdigest()}
    job = work_off(chiara.agent, outputs=named)
    assert artifacts.missing_artifacts(job) == ("late.txt",)
    with pytest.raises(ArtifactsClosed):
        put(chiara, job, "late.txt", b"other")
    with pytest.raises(ArtifactsClosed):
        put(chiara, job, "more.txt", b"late")
    put(chiara, job, "late.txt", b"late")
    assert artifacts.missing_artifacts(job) == ()


def test_only_the_inputs_of_the_job_are_handed_out(job, run, project, ada, chiara):
    assert source_file(job, DOCUMENT_SHA256).read_bytes().startswith(b'{"text"')
    other = send_blob(project, b"other", ada)
    for sha256 in (other, "0" * 64, "../" * 5):
        with pytest.raises(NotVisible):
            source_file(job, sha256)
    with pytest.raises(NotVisible):
        source_file(run.jobs.get(stage="train"), DOCUMENT_SHA256)


def test_a_log_is_written_by_place(job):
    assert piece(job, 0, b"one\n") == 4
    assert piece(job, 0, b"one\n") == 4
    assert piece(job, 4, b"two\n") == 8
    assert piece(job, 2, b"e\ntwo\nthree\n") == 14
    assert read.log(job).text == "one\ntwo\nthree\n"
    assert read.log(job, offset=8).text == "three\n"
    assert read.log(job, offset=99).text == ""
    assert read.log_tail(job, num_bytes=7).text == "three\n"


def test_a_log_that_is_not_there_is_empty(job):
    assert read.log(job).text == ""
    assert read.log_tail(job).next == 0


def test_a_character_that_is_not_complete_waits(job):
    euro = "€".encode()
    piece(job, 0, b"5 " + euro[:2])
    first = read.log(job)
    assert (first.text, first.next) == ("5 ", 2)
    piece(job, 4, euro[2:])
    assert read.log(job, offset=first.next).text == "€"


def test_bytes_that_are_no_text_do_not_stop_the_reader(job):
    piece(job, 0, b"\xff\xfe binary \x00\n" + b"\xe2\x82")
    answer = read.log(job)
    assert "binary" in answer.text
    assert "\x00" not in answer.text
    assert answer.next == 12


@hypothesis_settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60), cuts=st.lists(st.integers(0, 240), max_size=6))
def test_pieces_of_a_log_join_to_the_whole(job, text, cuts, monkeypatch):
    data = text.replace("\x00", "").encode()
    read.log_path(job).unlink(missing_ok=True)
    piece(job, 0, data)
    monkeypatch.setattr(read, "LOG_PIECE_BYTES", 7)
    found, offset = "", 0
    while (answer := read.log(job, offset=offset)).next > offset:
        found, offset = found + answer.text, answer.next
    assert found.encode() == data


def test_a_log_is_kept_up_to_its_cap(job, monkeypatch):
    monkeypatch.setattr(artifacts, "MAX_LOG_BYTES", 10)
    assert piece(job, 0, b"12345678") == 8
    assert piece(job, 8, b"90abc") == 13
    assert piece(job, 13, b"def") == 16
    assert read.log(job).text.startswith("1234567890\n[The log is cut here")
    assert read.log_path(job).stat().st_size < 100


@pytest.mark.parametrize(("offset", "num_bytes"), [(-1, 1), (0, -1), (0, 2**30)])
def test_a_piece_that_cannot_be_is_refused(job, offset, num_bytes):
    with pytest.raises(BadLogPiece):
        append_log(job=job, offset=offset, stream=io.BytesIO(b""), num_bytes=num_bytes)


def test_a_piece_that_breaks_off_is_refused(job):
    with pytest.raises(BadLogPiece, match="2 of 5"):
        append_log(job=job, offset=0, stream=io.BytesIO(b"ab"), num_bytes=5)
    assert read.log(job).text == ""
