"""The agent's journal survives whoever wrote it."""

import sqlite3
from datetime import UTC, datetime, timedelta

from fucina.agent.journal import Journal
from fucina.client.wire import ClaimedJob
from fucina.compute.spec import JobReport, JobSpec, JobState
from fucina.line.spec import StageName
from fucina.line.stage import StageInput

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def claimed(ref: str = "job_1") -> ClaimedJob:
    return ClaimedJob(
        ref=ref,
        run="run_1",
        stage=StageName.PREPARE,
        spec=JobSpec(key=f"{ref}.prepare", name="n", command=("fucina", "stage", "prepare", "."), walltime_s=60),
        input=StageInput(stage=StageName.PREPARE, run="run_1", recipe={}),
    )


def ended(ref: str = "job_1", state: JobState = JobState.SUCCEEDED) -> JobReport:
    return JobReport(key=f"{ref}.prepare", state=state)


def test_what_is_written_is_there_for_the_next(tmp_path):
    first = Journal(tmp_path / "journal.db")
    first.take(claimed())
    first.mark_placed("job_1")
    first.mark_told("job_1", "running")
    first.mark_lines("job_1", num_lines=3, offset=300)
    first.mark_log("job_1", offset=40)
    first.remember("serial", "7")
    second = Journal(tmp_path / "journal.db")
    [entry] = second.open_entries()
    assert (entry.job, entry.placed, entry.told) == (claimed(), True, "running")
    assert (entry.lines_sent, entry.lines_offset, entry.log_sent) == (3, 300, 40)
    assert (second.fact("serial"), second.fact("other")) == ("7", "")
    first.close()
    second.close()


def test_a_job_claimed_again_is_not_forgotten_and_a_closed_one_is_told_again(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    journal.take(claimed())
    journal.mark_placed("job_1")
    journal.mark_log("job_1", offset=40)
    journal.take(claimed())
    assert [(entry.placed, entry.log_sent) for entry in journal.open_entries()] == [(True, 40)]
    journal.keep_end("job_1", ended())
    journal.close_entry("job_1", at=NOON)
    assert journal.open_entries() == []
    journal.take(claimed())
    [entry] = journal.open_entries()
    assert (entry.placed, entry.log_sent, entry.report) == (True, 0, ended())
    journal.close()


def test_the_first_word_about_an_end_stays(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    journal.take(claimed())
    journal.keep_end("job_1", ended())
    journal.keep_end("job_1", ended(state=JobState.FAILED))
    assert journal.open_entries()[0].report == ended()
    journal.close()


def test_what_a_restored_hub_has_forgotten_is_open_again(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    for number, ref in enumerate(("job_1", "job_2", "job_3")):
        journal.take(claimed(ref))
        journal.mark_log(ref, offset=9)
        if number < 2:
            journal.keep_end(ref, ended(ref))
            journal.close_entry(ref, at=NOON + timedelta(minutes=number))
    assert journal.tell_again(since=NOON + timedelta(seconds=30)) == 1
    assert [(entry.ref, entry.log_sent) for entry in journal.open_entries()] == [("job_2", 0), ("job_3", 0)]
    journal.close()


def test_a_hub_must_ask_to_forget_without_a_break(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    journal.take(claimed())
    assert journal.asked_to_forget("job_1", at=NOON) == 0
    assert journal.asked_to_forget("job_1", at=NOON + timedelta(seconds=50)) == 50
    journal.known_again(set())
    assert journal.asked_to_forget("job_1", at=NOON + timedelta(seconds=70)) == 0
    journal.known_again({"job_1"})
    assert journal.asked_to_forget("job_1", at=NOON + timedelta(seconds=80)) == 10
    journal.close()


def test_a_journal_of_an_older_agent_goes_on(tmp_path):
    old = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    old.execute(
        "CREATE TABLE job (ref TEXT PRIMARY KEY, claimed TEXT NOT NULL, placed INTEGER NOT NULL DEFAULT 0,"
        " started_sent INTEGER NOT NULL DEFAULT 0, lines_sent INTEGER NOT NULL DEFAULT 0,"
        " lines_offset INTEGER NOT NULL DEFAULT 0, log_sent INTEGER NOT NULL DEFAULT 0,"
        " closed INTEGER NOT NULL DEFAULT 0)"
    )
    old.execute("INSERT INTO job (ref, claimed, placed) VALUES ('job_1', ?, 1)", (claimed().model_dump_json(),))
    old.close()
    journal = Journal(tmp_path / "journal.db")
    assert [(entry.ref, entry.placed, entry.told) for entry in journal.open_entries()] == [("job_1", True, "")]
    journal.close()
