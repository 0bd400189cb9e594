"""What every executor must do: one suite, run against each of them by a subclass with a fixture `bench`."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from fucina.compute.executor import Executor, JobConflict, NoSuchJob
from fucina.compute.spec import JobReport, JobSpec, JobState

NASTY = "a 'quoted' \"word\" $(id) `id` $HOME \\ * ? ; & | < > # ! ~ \n#SBATCH --time=1\nà€😀\t--"
PYTHON = "/usr/bin/python3"


@dataclass(kw_only=True)
class Bench:
    """One executor with a folder that its jobs may write to."""

    executor: Executor
    folder: Path
    reopen: Callable[[], Executor]
    """The same executor for a new process: nothing but what is on disk."""
    fields: dict = field(default_factory=dict)
    """What a spec needs beside the usual."""
    prefix: str = field(default_factory=lambda: uuid4().hex[:8])
    """A key is one job for ever, also in the memory of a cluster that served earlier tests."""

    def key(self, name: str = "a.job") -> str:
        return f"{self.prefix}.{name}"

    def spec(self, *command: str, key: str = "a.job", **changes: object) -> JobSpec:
        values = {"key": self.key(key), "name": "a job", "walltime_s": 60, "working_directory": str(self.folder)}
        return JobSpec(command=command, **(values | self.fields | changes))

    def run(self, *command: str, **changes: object) -> JobSpec:
        spec = self.spec(*command, **changes)
        self.executor.submit(spec)
        return spec

    def until(self, wanted: Callable[[JobReport], bool], *, key: str = "a.job") -> JobReport:
        """Poll until the report is as wanted; two minutes are the end of patience."""
        tick = threading.Event()
        for _ in range(1200):
            report = self.executor.poll([self.key(key)])[self.key(key)]
            if wanted(report):
                return report
            tick.wait(0.1)
        raise AssertionError(f"never came: {report}")

    def final(self, key: str = "a.job") -> JobReport:
        return self.until(lambda report: report.is_final, key=key)

    def running(self, key: str = "a.job") -> JobReport:
        return self.until(lambda report: report.state is JobState.RUNNING, key=key)

    def log(self, key: str = "a.job") -> str:
        return self.executor.read_log(self.key(key), offset=0, max_bytes=1 << 20).decode()


class ExecutorSuite:
    """Subclassed once an executor."""

    def test_a_job_that_works(self, bench):
        bench.run("sh", "-c", "echo ciao; echo trouble >&2")
        report = bench.final()
        assert (report.state, report.exit_code, report.num_attempts) == (JobState.SUCCEEDED, 0, 1)
        assert report.started_at <= report.ended_at
        assert bench.log() == "ciao\ntrouble\n"

    def test_processor_time_is_counted(self, bench):
        bench.run(PYTHON, "-c", "import time\nwhile time.process_time() < 1.2: pass")
        report = bench.final()
        assert report.state is JobState.SUCCEEDED
        assert 1.0 <= report.cpu_s < 5.0
        assert report.wall_s >= 1.0

    def test_a_failure_keeps_its_exit_code(self, bench):
        bench.run("sh", "-c", "exit 7")
        report = bench.final()
        assert (report.state, report.exit_code, report.num_attempts) == (JobState.FAILED, 7, 1)
        assert report.reason

    def test_one_key_is_one_job(self, bench):
        spec = bench.run("sh", "-c", "echo x >> count")
        bench.executor.submit(spec)
        assert bench.final().state is JobState.SUCCEEDED
        bench.executor.submit(spec)
        again = bench.reopen()
        again.submit(spec)
        assert again.poll([spec.key])[spec.key].state is JobState.SUCCEEDED
        bench.run("true", key="later")
        bench.final("later")
        assert (bench.folder / "count").read_text() == "x\n"

    def test_one_key_for_two_jobs_is_refused(self, bench):
        bench.run("true")
        with pytest.raises(JobConflict):
            bench.run("false")
        assert bench.final().state is JobState.SUCCEEDED

    def test_words_arrive_as_they_were_given(self, bench):
        code = "import json,os,sys; print(json.dumps([sys.argv[1:], os.environ['NASTY']]))"
        bench.run(PYTHON, "-c", code, NASTY, "", environment={"NASTY": NASTY})
        assert bench.final().state is JobState.SUCCEEDED
        text = bench.log()
        assert json.loads(text) == [[NASTY, ""], NASTY]

    def test_the_callers_secrets_stay_with_it(self, bench, monkeypatch):
        monkeypatch.setenv("FUCINA_TOKEN", "fuc_secret")
        bench.run("env", environment={"GIVEN": "yes"})
        bench.final()
        printed = bench.log()
        assert "fuc_secret" not in printed
        assert "GIVEN=yes" in printed

    def test_the_job_starts_in_its_folder(self, bench):
        bench.run("pwd")
        bench.final()
        assert bench.log().strip() == str(bench.folder)

    def test_a_log_is_read_piece_by_piece(self, bench):
        bench.run("sh", "-c", "printf 0123456789")
        bench.final()
        read = bench.executor.read_log
        assert [read(bench.key(), offset=n, max_bytes=4) for n in (0, 4, 8, 10, 99)] == [
            b"0123",
            b"4567",
            b"89",
            b"",
            b"",
        ]

    def test_a_running_job_is_cancelled_and_stays_so(self, bench):
        bench.run("sleep", "1000")
        assert bench.running().num_attempts == 1
        bench.executor.cancel(bench.key())
        report = bench.final()
        assert report.state is JobState.CANCELLED
        bench.executor.cancel(bench.key())
        assert bench.final() == report

    def test_a_job_that_has_ended_is_not_cancelled(self, bench):
        bench.run("true")
        report = bench.final()
        bench.executor.cancel(bench.key())
        assert bench.final() == report

    def test_an_unknown_job_is_unknown_not_finished(self, bench):
        assert bench.executor.poll(["never"])["never"].state is JobState.UNKNOWN
        with pytest.raises(NoSuchJob):
            bench.executor.cancel("never")

    def test_many_jobs_are_told_apart(self, bench):
        keys = [f"job-{n}" for n in range(6)]
        for n, key in enumerate(keys):
            bench.run("sh", "-c", f"exit {n}", key=key)
        reports = [bench.final(key) for key in keys]
        assert [report.exit_code for report in reports] == list(range(6))
        assert set(bench.executor.poll(map(bench.key, keys))) == set(map(bench.key, keys))

    def test_a_job_that_asks_for_it_is_started_again(self, bench):
        bench.run("sh", "-c", "echo x >> count; test $(wc -l < count) = 2 || exit 75")
        report = bench.final()
        assert (report.state, report.num_attempts) == (JobState.SUCCEEDED, 2)
        assert (bench.folder / "count").read_text() == "x\nx\n"

    def test_a_missing_folder_fails_the_job(self, bench):
        bench.run("true", working_directory=str(bench.folder / "gone"))
        report = bench.final()
        assert report.state is JobState.FAILED
        assert report.reason

    def test_a_command_that_does_not_exist_fails_the_job(self, bench):
        bench.run("/no/such/program")
        report = bench.final()
        assert (report.state, report.exit_code) == (JobState.FAILED, 127)

    def test_a_final_job_can_be_forgotten(self, bench):
        bench.run("true")
        bench.final()
        bench.executor.forget(bench.key())
        assert bench.executor.poll([bench.key()])[bench.key()].state is JobState.UNKNOWN
