"""The factory's log: what was signed holds, and whatever was changed in it is refused with the reason."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fucina.line.verify import verify
from fucina.trust import merkle
from fucina.trust.keys import ensure_key
from fucina.trust.transparency import (
    BadLog,
    LogEntry,
    ReleaseLog,
    check_evidence,
    check_grown,
    proof_of,
    read_evidence,
    sign_checkpoint,
)
from fucina.trust.tree import content_digest_of, sha256_of, walk
from tests.trust.synthetic import make_release

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def entry(index, *, kind="release", release="rel-other", version=None, signature=None, content="c0", **more):
    return LogEntry(
        index=index,
        kind=kind,
        release=release,
        model="mod-1",
        version=version or index + 1,
        signature=signature or f"{index:064x}",
        content=content,
        at=NOON + timedelta(hours=index),
        **more,
    )


def log_of(entries, keys):
    root = merkle.root_of([each.leaf() for each in entries])
    checkpoint = sign_checkpoint(size=len(entries), root=root, at=NOON, private_key=keys.private)
    return ReleaseLog(checkpoint=checkpoint, entries=tuple(entries))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def own(made):
    """How the log names that release."""
    digests = {path: sha256_of(made.release / path) for path in walk(made.release).sizes}
    return {"signature": digests["model.sig"], "content": content_digest_of(digests), "release": "rel-own"}


@pytest.fixture(scope="module")
def keys(made):
    return made.keys


@pytest.fixture(scope="module")
def log(own, keys):
    return log_of([entry(0), entry(1, version=2, **own), entry(2, version=1, release="rel-x")], keys)


def codes(report):
    return [finding.code for finding in report.findings]


def test_a_release_is_found_in_the_log_and_by_its_proof(made, log):
    for evidence in (log, proof_of(log, log.entries[1])):
        report = verify(made.release, public_key=made.public_key, evidence=evidence)
        assert report.ok, report.findings
        assert "Entry 1 of the factory's log" in report.notes[0]


def test_a_withdrawn_release_is_refused_with_the_reason(made, own, log, keys):
    gone = entry(3, kind="withdrawal", version=2, reason="A person's data were found in it.", **own)
    report = verify(made.release, public_key=made.public_key, evidence=log_of([*log.entries, gone], keys))
    assert codes(report) == ["withdrawn"]
    assert "A person's data were found in it." in report.findings[0].message


def test_a_replayed_old_release_is_told_from_the_newest(made, log, keys):
    report = verify(made.release, public_key=made.public_key, evidence=log_of([*log.entries, entry(3)], keys))
    assert report.ok
    assert any("newer version: v4" in note for note in report.notes)


def test_a_release_that_is_not_in_the_log_is_refused(made, log, keys):
    others = log_of([entry(0)], keys)
    assert codes(verify(made.release, public_key=made.public_key, evidence=others)) == ["not_in_log"]
    report = verify(made.release, public_key=made.public_key, evidence=proof_of(log, log.entries[0]))
    assert codes(report) == ["not_in_log"]


def test_other_content_under_the_same_signature_is_refused(made, own, keys):
    others = log_of([entry(0, **(own | {"content": "0" * 64}))], keys)
    assert codes(verify(made.release, public_key=made.public_key, evidence=others)) == ["other_content"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda log: log["entries"].pop(0), "Entry 0 of the log is missing"),
        (lambda log: log["entries"].pop(1), "Entry 1 of the log is missing"),
        (lambda log: log["entries"].pop(), "has 2 entries; the factory signed 3"),
        (lambda log: log["entries"].reverse(), "Entry 0 of the log is missing"),
        (lambda log: log["entries"][1].update(reason="nothing"), "at least one was changed"),
        (lambda log: log["checkpoint"].update(size=2), "signature does not hold"),
        (lambda log: log["checkpoint"].update(root="0" * 64), "signature does not hold"),
        (lambda log: log["checkpoint"].update(at="2027-01-01T00:00:00Z"), "signature does not hold"),
        (lambda log: log["checkpoint"].update(signature="x"), "signature does not hold"),
        (lambda log: log["checkpoint"].update(key="0" * 64), "is of key 0000"),
    ],
)
def test_a_changed_log_is_refused(log, made, tmp_path, change, said):
    content = json.loads(log.model_dump_json())
    change(content)
    path = tmp_path / "log.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadLog, match=said):
        check_evidence(read_evidence(path), public_key=made.public_key)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_changed_byte_of_a_proof_is_refused(log, made, tmp_path, data):
    good = proof_of(log, log.entries[1]).model_dump_json().encode()
    place = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 127).filter(lambda value: value != good[place]))
    path = tmp_path / "proof.json"
    path.write_bytes(good[:place] + bytes([byte]) + good[place + 1 :])
    try:
        check_evidence(found := read_evidence(path), public_key=made.public_key)
    except BadLog:
        return
    assert found == proof_of(log, log.entries[1]), "only what means the same may pass"


def test_a_log_that_was_cut_or_rewritten_is_told_from_one_that_grew(log, keys):
    before = log_of(log.entries[:2], keys)
    check_grown(log, known=before.checkpoint)
    with pytest.raises(BadLog, match="it was cut"):
        check_grown(before, known=log.checkpoint)
    other = log_of([entry(0, content="c9"), *log.entries[1:]], keys)
    with pytest.raises(BadLog, match="was rewritten"):
        check_grown(other, known=before.checkpoint)


def test_a_log_of_another_factory_is_refused(log, tmp_path):
    with pytest.raises(BadLog, match="not of the one given"):
        check_evidence(log, public_key=ensure_key(tmp_path / "other").public)


@pytest.mark.parametrize("content", [b"", b"\xff\x00\x01", b"[]", b"null", b'{"format": "fucina-log-v1"}', b"{" * 5000])
def test_what_is_no_log_is_refused_in_words(tmp_path, content):
    path = tmp_path / "log.json"
    path.write_bytes(content)
    with pytest.raises(BadLog, match="neither a log nor a proof"):
        read_evidence(path)


def test_a_log_that_is_not_there_is_refused_in_words(tmp_path):
    with pytest.raises(BadLog, match="cannot be read"):
        read_evidence(tmp_path / "none.json")
    with pytest.raises(BadLog, match="cannot be read"):
        read_evidence(tmp_path)
