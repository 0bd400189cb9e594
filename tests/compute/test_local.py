"""The local executor against real processes."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fucina.compute import shepherd
from fucina.compute.executor import JobConflict, NoSuchJob
from fucina.compute.local import LocalExecutor
from fucina.compute.spec import JobReport, JobSpec, JobState


@pytest.fixture
def executor(tmp_path):
    made = LocalExecutor(tmp_path / "jobs")
    yield made
    for folder in (tmp_path / "jobs").iterdir():
        made.cancel(folder.name)
        until(made, folder.name, lambda report: report.is_final)


def job(tmp_path: Path, *command: str, **changes: object) -> JobSpec:
    values = {"key": "a.job", "name": "a job", "walltime_s": 60, "working_directory": str(tmp_path)} | changes
    return JobSpec(command=command, **values)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def until(executor: LocalExecutor, key: str, wanted) -> JobReport:
    """Poll until the report is as wanted; a minute is the end of patience."""
    tick = threading.Event()
    for _ in range(3000):
        report = executor.poll([key])[key]
        if wanted(report):
            return report
        tick.wait(0.02)
    raise AssertionError(f"never came: {report}")


def final(executor: LocalExecutor, key: str = "a.job") -> JobReport:
    return until(executor, key, lambda report: report.is_final)


def running_pid(executor: LocalExecutor, key: str = "a.job") -> int:
    until(executor, key, lambda report: report.state is JobState.RUNNING)
    return shepherd.read_json(executor.folder(key) / "state.json")["pid"]


def test_a_job_that_works_is_measured(executor, tmp_path):
    executor.submit(job(tmp_path, *python("x = bytearray(50_000_000); sum(range(5_000_000)); print('ciao')")))

    report = final(executor)

    assert report.state is JobState.SUCCEEDED
    assert (report.exit_code, report.num_attempts) == (0, 1)
    assert report.max_rss_bytes > 50_000_000
    assert report.cpu_s > 0 and report.wall_s > 0
    assert executor.log("a.job").read_text() == "ciao\n"


def test_submitting_twice_with_one_key_runs_once(executor, tmp_path):
    spec = job(tmp_path, *python("open('count', 'a').write('x')"))
    executor.submit(spec)
    executor.submit(spec)
    final(executor)
    executor.submit(spec)
    LocalExecutor(tmp_path / "jobs").submit(spec)

    final(executor)
    assert (tmp_path / "count").read_text() == "x"


def test_one_key_for_two_jobs_is_refused(executor, tmp_path):
    executor.submit(job(tmp_path, *python("pass")))
    with pytest.raises(JobConflict):
        executor.submit(job(tmp_path, *python("print(1)")))


def test_a_failure_keeps_its_exit_code(executor, tmp_path):
    executor.submit(job(tmp_path, *python("raise SystemExit(7)")))
    report = final(executor)
    assert (report.state, report.exit_code, report.num_attempts) == (JobState.FAILED, 7, 1)


@pytest.mark.parametrize("command", ["/no/such/program", "."])
def test_a_command_that_cannot_start_says_so(executor, tmp_path, command):
    executor.submit(job(tmp_path, command))
    report = final(executor)
    assert report.state is JobState.FAILED
    assert "cannot be started" in report.reason


def test_a_missing_working_directory_says_so(executor, tmp_path):
    executor.submit(job(tmp_path, "true", working_directory=str(tmp_path / "gone")))
    assert "No such file" in final(executor).reason


def test_walltime_ends_a_job_and_its_children(executor, tmp_path):
    code = "import subprocess, sys; c = subprocess.Popen(['sleep', '1000']); print(c.pid, flush=True); c.wait()"
    executor.submit(job(tmp_path, *python(code), walltime_s=1))
    report = final(executor)
    assert report.state is JobState.TIMED_OUT
    assert "walltime of 1 s" in report.reason
    child = int(executor.log("a.job").read_text())
    assert shepherd.start_time(child) == 0


def test_cancel_ends_a_job_and_keeps_a_final_one(executor, tmp_path):
    executor.submit(job(tmp_path, "sleep", "1000"))
    running_pid(executor)
    executor.cancel("a.job")
    assert final(executor).state is JobState.CANCELLED
    executor.cancel("a.job")
    assert final(executor).state is JobState.CANCELLED


@pytest.mark.parametrize("key", ["unknown", "..", "."])
def test_an_unknown_job_cannot_be_cancelled(executor, key):
    with pytest.raises(NoSuchJob):
        executor.cancel(key)


def test_an_unknown_job_is_unknown_not_finished(executor):
    assert executor.poll(["never"])["never"].state is JobState.UNKNOWN


def test_a_killed_job_is_started_again(executor, tmp_path):
    code = "import os, time\nopen('n', 'a').write('x')\nif os.path.getsize('n') < 2: time.sleep(1000)"
    executor.submit(job(tmp_path, *python(code)))
    until(executor, "a.job", lambda _: (tmp_path / "n").exists() and (tmp_path / "n").read_text())
    os.kill(running_pid(executor), signal.SIGKILL)
    report = final(executor)
    assert (report.state, report.num_attempts) == (JobState.SUCCEEDED, 2)


def test_a_job_that_is_always_killed_fails_in_the_end(executor, tmp_path):
    executor.submit(job(tmp_path, *python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")))
    report = final(executor)
    assert report.state is JobState.FAILED
    assert report.num_attempts == shepherd.MAX_ATTEMPTS
    assert "signal 9" in report.reason


def test_a_killed_shepherd_is_replaced_and_its_job_ended_first(executor, tmp_path):
    code = "import os, time\nopen('n', 'a').write('x')\nif os.path.getsize('n') < 2: time.sleep(1000)"
    executor.submit(job(tmp_path, *python(code)))
    until(executor, "a.job", lambda _: (tmp_path / "n").exists() and (tmp_path / "n").read_text())
    pid = running_pid(executor)
    before = shepherd.read_json(executor.folder("a.job") / "state.json")
    os.kill(before["shepherd"], signal.SIGKILL)
    report = final(executor)
    assert (report.state, report.num_attempts) == (JobState.SUCCEEDED, 2)
    assert shepherd.start_time(pid) == 0
    assert report.wall_s > 0


def test_a_new_caller_finds_what_the_old_one_left(executor, tmp_path):
    script = f"""
import os, signal
from pathlib import Path
from fucina.compute.local import LocalExecutor
from fucina.compute.spec import JobSpec
command = ("sh", "-c", "read x < go")
spec = JobSpec(key="a.job", name="a", command=command, walltime_s=60, working_directory={str(tmp_path)!r})
LocalExecutor(Path({str(tmp_path / "jobs")!r})).submit(spec)
os.kill(os.getpid(), signal.SIGKILL)
"""
    os.mkfifo(tmp_path / "go")
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    running_pid(executor)
    (tmp_path / "go").write_text("on\n")
    assert final(executor).state is JobState.SUCCEEDED


def test_suspended_jobs_save_their_state_and_go_on(executor, tmp_path):
    code = (
        "import signal, sys, os, time\n"
        "if os.path.exists('saved'): sys.exit(0)\n"
        "def save(*_): open('saved', 'w').write('x'); sys.exit(75)\n"
        "signal.signal(signal.SIGTERM, save)\nopen('ready', 'w').close()\ntime.sleep(1000)"
    )
    executor.submit(job(tmp_path, *python(code)))
    until(executor, "a.job", lambda _: (tmp_path / "ready").exists())
    executor.suspend()
    report = executor.poll(["a.job"])["a.job"]
    assert (report.state, report.reason) == (JobState.CLAIMED, "suspended")
    assert (tmp_path / "saved").exists()

    LocalExecutor(tmp_path / "jobs").resume()
    assert final(executor).state is JobState.SUCCEEDED


def test_a_job_does_not_see_the_callers_secrets(executor, tmp_path, monkeypatch):
    monkeypatch.setenv("FUCINA_TOKEN", "fuc_secret")
    executor.submit(job(tmp_path, "env", environment={"GIVEN": "yes"}))
    final(executor)
    printed = executor.log("a.job").read_text()
    assert "fuc_secret" not in printed
    assert "GIVEN=yes" in printed


def test_a_final_job_can_be_forgotten(executor, tmp_path):
    executor.submit(job(tmp_path, "true"))
    final(executor)
    executor.forget("a.job")
    assert executor.poll(["a.job"])["a.job"].state is JobState.UNKNOWN
