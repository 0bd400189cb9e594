"""Kill -9 of anything at any moment: the same release content, one usage record a job, a balanced ledger."""

import os
import signal

import pytest

from fucina.compute.spec import JobState
from fucina.line.spec import STAGES
from fucina.line.verify import verify
from tests.line.factory import Factory, tiny_project, wait_for

pytestmark = [pytest.mark.line, pytest.mark.slow]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return tiny_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def factory(home):
    made = Factory(home)
    made.up()
    yield made
    made.down()


@pytest.fixture(scope="module")
def undisturbed(home, project):
    """Content digest of a run that nobody disturbs."""
    factory = Factory(home)
    factory.up()
    try:
        assert factory.cli("apply", str(project), "--hours", "10").returncode == 0
        return digest_of(factory, factory.start_run(project))
    finally:
        factory.down()


def digest_of(factory: Factory, ref: str) -> str:
    """Content digest of the run's release, after every promise about the run was checked."""
    run = factory.wait(ref)
    assert run.state is JobState.SUCCEEDED, [(str(job.stage), str(job.state), job.reason) for job in run.jobs]
    with factory.hub() as hub:
        release = hub.release(run.release)
        entries = hub.ledger(run.project)
        project = hub.project(run.project)
    for job in run.jobs:
        mine = [entry for entry in entries if entry.job == f"{ref}.{job.stage}"]
        held = -sum(entry.gpu_s for entry in mine if entry.kind == "hold")
        assert held == job.num_gpus * job.walltime_s
        assert sum(entry.gpu_s for entry in mine) == -(job.gpu_s or 0), "hold and settlement leave what was used"
        assert job.gpu_s is not None, "one usage record a job"
        assert job.gpu_s >= job.num_gpus
    assert project.held_gpu_s == 0
    assert project.free_gpu_s == entries[-1].balance_gpu_s == sum(entry.gpu_s for entry in entries)
    report = verify(
        factory.home / "site" / "runs" / ref / "release" / "out" / "release",
        public_key=factory.home / "keys" / "factory.pub",
    )
    assert report.ok, report.findings
    assert report.content_digest == release.content_digest
    return release.content_digest


def kill(pid: int) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


def test_kill_every_stage_once(factory, project, undisturbed):
    ref = factory.start_run(project)
    for stage in STAGES:
        wait_for(lambda stage=stage: factory.stage_pid(ref, stage) > 0)
        if stage == "train":
            wait_for(lambda: factory.num_progress_lines(ref, "train") > 0)
        kill(factory.stage_pid(ref, stage))
    assert digest_of(factory, ref) == undisturbed


@pytest.mark.parametrize("name", ["agent", "hub", "worker"])
def test_kill_a_part_of_the_factory_in_every_stage(factory, project, undisturbed, name):
    ref = factory.start_run(project)
    for stage in STAGES:
        wait_for(lambda stage=stage: factory.stage_pid(ref, stage) > 0)
        wait_for(lambda: factory.part(name) > 0)
        kill(factory.part(name))
    assert digest_of(factory, ref) == undisturbed


def test_kill_everything_and_start_again(factory, project, undisturbed):
    ref = factory.start_run(project)
    wait_for(lambda: factory.num_progress_lines(ref, "train") > 0)
    victims = [factory.part(name) for name in ("hub", "worker", "agent")]
    kill(factory.stage_pid(ref, "train"))
    factory.down(signal.SIGKILL)
    for pid in victims:
        wait_for(lambda pid=pid: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110 - a process, not a file
    factory.up()
    assert digest_of(factory, ref) == undisturbed


def test_ctrl_c_saves_the_state_and_the_next_start_goes_on(factory, project, undisturbed):
    ref = factory.start_run(project)
    wait_for(lambda: factory.num_progress_lines(ref, "train") > 0)
    factory.down(signal.SIGINT)
    assert factory.stage_pid(ref, "train") == 0
    factory.up()
    assert digest_of(factory, ref) == undisturbed
