"""A release is registered when its bundle is complete and verifies; otherwise the run says why."""

import hashlib
import io
import shutil
from pathlib import Path

import pytest
from django.core.management import call_command
from django_tasks_db.management.commands import db_worker
from django_tasks_db.models import DBTaskResult

from fucina.compute.spec import JobState
from fucina.hub.compute import jobs
from fucina.hub.compute.actions import start_run
from fucina.hub.compute.artifacts import artifact_folder
from fucina.hub.compute.read import project_info, run_info
from fucina.hub.data.models import DatasetVersion
from fucina.hub.people.models import AuditRecord
from fucina.hub.registry.models import Model, Release
from fucina.hub.registry.read import find_release, release_file, release_info, releases
from fucina.hub.trust import registration
from fucina.hub.trust.models import Dossier, Evaluation
from fucina.hub.trust.read import dossier, evaluation
from tests.hub.conftest import NOON, claim_one, report, run_request, stage_record, usage, work_off, work_off_tasks
from tests.trust.synthetic import make_release


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("released"))


@pytest.fixture
def factory_key(released, settings):
    """The hub verifies with the key that signed."""
    folder = settings.FACTORY.key_folder
    folder.mkdir(parents=True)
    shutil.copy(released.keys.public, settings.FACTORY.public_key)
    return settings.FACTORY.public_key


def files_of(release: Path) -> dict[str, bytes]:
    return {path.relative_to(release).as_posix(): path.read_bytes() for path in release.rglob("*") if path.is_file()}


def outputs_of(files: dict[str, bytes]) -> dict[str, str]:
    return {f"release/{path}": hashlib.sha256(data).hexdigest() for path, data in files.items()}


def send(chiara, ref, path, data):
    registration.receive_artifact(
        agent=chiara.agent,
        ref=ref,
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        num_bytes=len(data),
        stream=io.BytesIO(data),
        at=NOON,
    )


def release_stage(chiara, files, *, leave_out=()):
    """Work off the first four stages, then send the bundle and finish the fifth."""
    for number in range(4):
        work_off(chiara.agent, outputs={f"shard-{number}": "1" * 64})
    job = claim_one(chiara.agent)
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=report(job, JobState.RUNNING), at=NOON)
    for path, data in files.items():
        if path not in leave_out:
            send(chiara, job.ref, path, data)
    registration.finish(
        agent=chiara.agent,
        ref=job.ref,
        report=report(job),
        used=usage(job),
        stage_record=stage_record(job, outputs_of(files)),
        at=NOON,
    )
    return job


@pytest.fixture
def worker():
    return work_off_tasks


def test_a_complete_release_is_registered_by_the_worker(run, project, chiara, ada, dag, released, factory_key, worker):
    files = files_of(released.release)
    release_stage(chiara, files)
    run.refresh_from_db()
    assert run.state == JobState.RUNNING
    assert not Release.objects.exists()
    worker()
    run.refresh_from_db()
    release = Release.objects.get()
    assert (run.state, run.release) == (JobState.SUCCEEDED, release.ref)
    info = release_info(find_release(release.ref, person=ada))
    assert (info.model, info.version, info.run, info.verified) == ("norme-chiare", 1, run.ref, True)
    assert {file.path: file.num_bytes for file in info.files} == {path: len(data) for path, data in files.items()}
    assert info.num_open_questions == dossier(release).num_open == Dossier.objects.get().num_open > 0
    assert evaluation(release).passed
    assert (
        evaluation(release).model_dump_json()
        == evaluation(release).model_validate_json(files["evaluation/results.json"]).model_dump_json()
    )
    version = DatasetVersion.objects.get()
    assert (version.licence, version.run, release.dataset_version) == ("CC-BY-4.0", run.ref, version)
    assert release_file(release, "README.md").read_bytes() == files["README.md"]
    assert releases(dag) == []
    assert run_info(run).release == release.ref


def test_registering_again_changes_nothing(run, chiara, released, factory_key, worker):
    release_stage(chiara, files_of(released.release))
    first = registration.register(run=run, at=NOON)
    audit = AuditRecord.objects.count()
    assert registration.register(run=run, at=NOON) == first
    assert registration.resume_registrations() == 0
    worker()
    assert (
        Release.objects.count() == Evaluation.objects.count() == Dossier.objects.count() == Model.objects.count() == 1
    )
    assert AuditRecord.objects.count() == audit


def test_a_killed_worker_is_made_up_for(committing, run, chiara, released, factory_key, monkeypatch):
    monkeypatch.setattr(db_worker.Worker, "configure_signals", lambda self: None)
    release_stage(chiara, files_of(released.release))
    DBTaskResult.objects.update(status="RUNNING")
    call_command("db_worker", batch=True, verbosity=0, startup_delay=False, reload=False)
    assert Release.objects.get().run == run


@pytest.mark.parametrize("path", ["model/model.safetensors", "evaluation/results.json", "model.sig"])
def test_a_changed_byte_is_refused_and_the_run_says_so(run, project, chiara, released, factory_key, worker, path):
    files = files_of(released.release)
    files[path] = files[path][:-2] + bytes([files[path][-2] ^ 1]) + files[path][-1:]
    release_stage(chiara, files)
    worker()
    run.refresh_from_db()
    info = run_info(run)
    assert (info.state, info.release) == (JobState.FAILED, "")
    assert info.jobs[4].error_code == "bundle_refused"
    assert path in info.jobs[4].reason
    assert not Release.objects.exists()
    assert not DatasetVersion.objects.exists()
    assert project_info(project).held_gpu_s == 0
    assert registration.register(run=run, at=NOON) is None


def test_another_key_is_refused(run, chiara, released, factory_key, worker, tmp_path):
    other = make_release(tmp_path / "other")
    shutil.copy(other.keys.public, factory_key)
    release_stage(chiara, files_of(released.release))
    worker()
    assert run_info(type(run).objects.get()).jobs[4].error_code == "bundle_refused"


def test_a_factory_without_a_key_registers_nothing(run, chiara, released, worker):
    release_stage(chiara, files_of(released.release))
    worker()
    info = run_info(type(run).objects.get())
    assert info.state == JobState.FAILED
    assert "key" in info.jobs[4].reason


def test_files_that_did_not_arrive_are_named(run, chiara, released, factory_key, worker):
    release_stage(chiara, files_of(released.release), leave_out=("README.md",))
    worker()
    info = run_info(type(run).objects.get())
    assert info.jobs[4].error_code == "bundle_incomplete"
    assert "README.md" in info.jobs[4].reason


def test_a_failure_of_the_hub_ends_the_run_and_is_kept(run, chiara, released, factory_key, worker, monkeypatch, caplog):
    def broken(**_arguments):
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(registration, "register", broken)
    release_stage(chiara, files_of(released.release))
    worker()
    info = run_info(type(run).objects.get())
    assert (info.state, info.jobs[4].error_code) == (JobState.FAILED, "registration_failed")
    assert "disk on fire" in caplog.text


def test_a_second_release_is_the_next_version(run, project, ada, chiara, released, factory_key, worker):
    release_stage(chiara, files_of(released.release))
    registration.register(run=run, at=NOON)
    second = start_run(project=project, request=run_request(project, key="second-run", gpu_hours=4), by=ada, at=NOON)
    release_stage(chiara, files_of(released.release))
    assert registration.register(run=second, at=NOON).version == 2
    assert artifact_folder(second.jobs.get(stage="release")).is_dir()
    assert [info.version for info in releases(ada)] == [2, 1]
