"""The log of releases in the hub: every release enters it once, nothing in it changes, and it verifies offline."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, connections, transaction

from fucina.errors import NotAllowed
from fucina.hub.compute.actions import start_run
from fucina.hub.data.actions import register_dataset_version
from fucina.hub.data.models import DatasetVersion
from fucina.hub.people.append_only import AppendOnlyViolated
from fucina.hub.people.models import AuditRecord
from fucina.hub.registry import log
from fucina.hub.registry.actions import AlreadyWithdrawn, BadReason, withdraw_release
from fucina.hub.registry.models import LogLeaf, Model, Release
from fucina.trust.keys import ensure_key
from fucina.trust.transparency import BadLog, EntryKind, ReleaseLog, check_evidence, check_grown, read_evidence
from tests.hub.conftest import DOCUMENT, NOON, run_request, send_blob

SIGNED = [{"path": "model.sig", "num_bytes": 1, "sha256": "5" * 64}]


@pytest.fixture
def key(settings):
    return ensure_key(settings.FACTORY.key_folder).public


@pytest.fixture
def enter(project, ada):
    """Releases as rows, without their files."""

    send_blob(project, DOCUMENT, ada)

    def enter(number):
        run = start_run(
            project=project, request=run_request(project, key=f"the-run-{number}", gpu_hours=0.1), by=ada, at=NOON
        )
        model, _ = Model.objects.get_or_create(project=project, defaults={"name": "m", "created_at": NOON})
        dataset = DatasetVersion.objects.first() or _dataset(project, ada)
        release = Release.objects.create(
            model=model,
            version=number,
            run=run,
            job=run.jobs.get(stage="release"),
            dataset_version=dataset,
            files=[SIGNED[0] | {"sha256": f"{number:064x}"}],
            verified=True,
            content_digest=f"c{number}",
            num_open_questions=0,
            created_at=NOON,
        )
        log.append(release, EntryKind.RELEASE, at=NOON + timedelta(minutes=number))
        return release

    return enter


def _dataset(project, ada):
    return register_dataset_version(
        organisation=project.organisation,
        project="m",
        run="run-x",
        sha256="d" * 64,
        card={},
        licence="CC0-1.0",
        by=ada,
        at=NOON,
    )


def test_the_log_verifies_and_only_grows(enter, key, ada, client, tmp_path):
    first, second = enter(1), enter(2)
    path = tmp_path / "log.json"
    path.write_bytes(client.get("/api/v1/release-log").content)
    earlier = read_evidence(path)
    check_evidence(earlier, public_key=key)
    assert [(entry.kind, entry.release) for entry in earlier.entries] == [
        ("release", first.ref),
        ("release", second.ref),
    ]
    withdraw_release(release=first, reason="A source was not lawful.", by=ada, at=NOON + timedelta(days=1))
    now = ReleaseLog.model_validate_json(client.get("/api/v1/release-log").content)
    check_evidence(now, public_key=key)
    check_grown(now, known=earlier.checkpoint)
    assert now.entries[-1].kind is EntryKind.WITHDRAWAL
    assert "Officine" not in now.model_dump_json()
    with pytest.raises(BadLog, match="it was cut"):
        check_grown(earlier, known=now.checkpoint)


def test_an_entry_is_never_changed(enter, key):
    enter(1)
    leaf = LogLeaf.objects.get()
    leaf.encoded = "{}"
    with pytest.raises(AppendOnlyViolated):
        leaf.save()
    with pytest.raises(AppendOnlyViolated):
        leaf.delete()
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE registry_logleaf SET encoded = '{}'")


def test_who_withdraws_and_how(enter, key, ada, bruno, dag, as_ada, as_bruno, as_dag):
    release = enter(1)
    door = f"/api/v1/releases/{release.ref}/withdraw"
    say = {"content_type": "application/json", "data": json.dumps({"reason": "  It tells\n a person's name. "})}
    for client in (as_bruno, as_dag):
        assert client.post(door, **say).status_code == 404
    with pytest.raises(NotAllowed):
        withdraw_release(release=release, reason="no", by=bruno, at=NOON)
    for reason in ("", "  \n", "a\x00b", "x" * 501):
        with pytest.raises(BadReason):
            withdraw_release(release=release, reason=reason, by=ada, at=NOON)
    answer = as_ada.post(door, **say)
    assert (answer.status_code, answer.json()["withdrawn_why"]) == (200, "It tells a person's name.")
    assert AuditRecord.objects.filter(action="registry.withdraw_release", object_ref=release.ref).count() == 1
    with pytest.raises(AlreadyWithdrawn):
        withdraw_release(release=release, reason="again", by=ada, at=NOON)
    assert LogLeaf.objects.count() == 2
    assert "It tells a person" in as_ada.get(f"/api/v1/releases/{release.ref}").json()["withdrawn_why"]


def test_the_proof_of_a_release_is_for_those_who_see_it(enter, key, as_ada, as_dag, tmp_path):
    release, _ = enter(1), enter(2)
    path = tmp_path / "proof.json"
    path.write_bytes(as_ada.get(f"/api/v1/releases/{release.ref}/proof").content)
    proof = read_evidence(path)
    check_evidence(proof, public_key=key)
    assert (proof.entry.release, proof.checkpoint.size) == (release.ref, 2)
    assert as_dag.get(f"/api/v1/releases/{release.ref}/proof").status_code == 404


def test_a_hub_without_a_key_says_so(enter, client):
    enter(1)
    answer = client.get("/api/v1/release-log")
    assert answer.status_code == 503
    assert "cannot sign its log" in answer.json()["message"]


def test_entries_that_are_added_at_once_stand_in_one_order(committing, enter, key, client):
    releases = [enter(number) for number in range(1, 4)]
    start = threading.Barrier(len(releases))
    failed = []

    def add(release):
        try:
            start.wait()
            log.append(release, EntryKind.WITHDRAWAL, at=NOON, reason="together")
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=add, args=(release,)) for release in releases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    check_evidence(ReleaseLog.model_validate_json(client.get("/api/v1/release-log").content), public_key=key)
    assert LogLeaf.objects.count() == 6
