"""The agent's journal survives whoever wrote it."""

from fucina.agent.journal import Journal
from fucina.client.wire import ClaimedJob
from fucina.compute.spec import JobSpec
from fucina.line.spec import StageName
from fucina.line.stage import StageInput


def claimed(ref: str = "job_1") -> ClaimedJob:
    return ClaimedJob(
        ref=ref,
        run="run_1",
        stage=StageName.PREPARE,
        spec=JobSpec(key=f"{ref}.prepare", name="n", command=("fucina", "stage", "prepare", "."), walltime_s=60),
        input=StageInput(stage=StageName.PREPARE, run="run_1", recipe={}),
    )


def test_what_is_written_is_there_for_the_next(tmp_path):
    first = Journal(tmp_path / "journal.db")
    first.take(claimed())
    first.mark_placed("job_1")
    first.mark_lines("job_1", num_lines=3, offset=300)
    first.mark_log("job_1", offset=40)
    second = Journal(tmp_path / "journal.db")
    [entry] = second.open_entries()
    assert (entry.job, entry.placed, entry.started_sent) == (claimed(), True, False)
    assert (entry.lines_sent, entry.lines_offset, entry.log_sent) == (3, 300, 40)
    first.close()
    second.close()


def test_a_job_claimed_again_is_not_forgotten_and_a_closed_one_is_gone(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    journal.take(claimed())
    journal.mark_placed("job_1")
    journal.take(claimed())
    assert [entry.placed for entry in journal.open_entries()] == [True]
    journal.close_entry("job_1")
    assert journal.open_entries() == []
    journal.take(claimed())
    assert [entry.ref for entry in journal.open_entries()] == ["job_1"]
    journal.close()
