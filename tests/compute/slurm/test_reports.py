"""What queue and accounting mean together, in the cases that are hard to bring about."""

import sqlite3
from pathlib import Path

import pytest

from fucina.compute.slurm.identity import SKEW_S, holders, is_anothers, is_of
from fucina.compute.slurm.intents import Intent, Intents
from fucina.compute.slurm.reports import ended_report, left_over, live_report, num_tasks
from fucina.compute.slurm.sacct import AccountingRow
from fucina.compute.slurm.squeue import QueueRow
from fucina.compute.spec import JobSpec, JobState

NOW = 1_795_000_000


def spec(**changes: object) -> JobSpec:
    return JobSpec(**({"key": "k", "name": "n", "command": ("true",), "walltime_s": 60} | changes))


def ran(state: str, begin: int, lasted: int, *, job_id: int = 7, exit_cell: str = "0:0", **changes: object):
    times = {"submit_at": NOW, "start_at": NOW + begin, "end_at": NOW + begin + lasted, "elapsed_s": lasted}
    return AccountingRow(**({"job_id": job_id, "base_id": 7, "state": state, "exit_cell": exit_cell} | times | changes))


def queued(state: str, **changes: object) -> QueueRow:
    return QueueRow(**({"job_id": 7, "base_id": 7, "state": state, "submit_at": NOW, "start_at": NOW} | changes))


def test_attempts_and_times_add_up_over_requeues():
    rows = [
        ran("NODE_FAIL", 0, 100),
        ran("PREEMPTED", 200, 50, submit_at=NOW + 150),
        ran("COMPLETED", 400, 25, submit_at=NOW + 300),
        ran("CANCELLED", 0, 100, step="batch", cpu_s=90.0, max_rss_bytes=5),
        ran("COMPLETED", 400, 25, step="batch", cpu_s=20.0, max_rss_bytes=9),
    ]
    report = ended_report(spec(), rows, alone=False)
    assert (report.state, report.num_attempts, report.wall_s) == (JobState.SUCCEEDED, 3, 175.0)
    assert (report.cpu_s, report.max_rss_bytes) == (110.0, 9)
    assert (report.started_at.timestamp(), report.ended_at.timestamp()) == (NOW, NOW + 425)


@pytest.mark.parametrize("state", ["NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "FAILED"])
def test_an_end_that_may_be_no_end_is_not_believed_while_the_queue_is_silent(state):
    rows = [ran(state, 0, 100, exit_cell="1:0")]
    assert ended_report(spec(), rows, alone=True) is None
    assert ended_report(spec(requeue=False), rows, alone=True).state is JobState.FAILED
    assert ended_report(spec(), rows, alone=False).state is JobState.FAILED


@pytest.mark.parametrize("submit_at", [NOW, NOW + 150])
def test_accounting_that_knows_only_the_failed_run_before_is_waited_for(submit_at):
    """The second run of a job may be over in the queue before slurmdbd has heard of it."""
    rows, last = [ran("NODE_FAIL", 0, 100)], queued("COMPLETED", submit_at=submit_at, num_restarts=1)
    assert ended_report(spec(), rows, [last], alone=False) is None
    rows.append(ran("COMPLETED", 200, 5, submit_at=submit_at))
    assert ended_report(spec(), rows, [last], alone=False).state is JobState.SUCCEEDED
    assert ended_report(spec(), rows[:1], [queued("NODE_FAIL")], alone=False).state is JobState.FAILED


def test_a_run_that_was_put_back_is_no_end():
    assert ended_report(spec(), [ran("REQUEUED", 0, 10)], alone=False) is None
    assert ended_report(spec(), [], alone=False) is None


def test_a_failed_node_is_no_end_while_the_queue_knows_of_a_later_run():
    """Accounting may hear of that run only when its database is back."""
    failed, queue = ran("NODE_FAIL", 0, 10), [queued("COMPLETED", submit_at=NOW + 11)]
    assert ended_report(spec(), [failed], queue, alone=False) is None
    again = ran("COMPLETED", 30, 2, submit_at=NOW + 11)
    assert ended_report(spec(), [failed, again], queue, alone=False).state is JobState.SUCCEEDED
    assert ended_report(spec(), [failed], [queued("NODE_FAIL")], alone=False).state is JobState.FAILED
    tasks = [ran("COMPLETED", 0, 10, tasks=(0,)), ran("NODE_FAIL", 0, 10, job_id=8, tasks=(1,))]
    later = [queued("COMPLETED", task=0), queued("COMPLETED", task=1, submit_at=NOW + 11)]
    assert ended_report(spec(array="0-1"), tasks, later, alone=False) is None


def test_an_array_has_ended_when_each_task_has():
    rows = [ran("COMPLETED", 0, 10, job_id=7 + task, tasks=(task,)) for task in range(3)]
    array = spec(array="0-3")
    assert num_tasks(array) == 4
    assert ended_report(array, rows, alone=False) is None
    folded = [*rows, ran("CANCELLED", 0, 0, tasks=(3,))]
    assert ended_report(array, folded, alone=False).state is JobState.CANCELLED
    assert ended_report(array, [ran("COMPLETED", 0, 1)], alone=False) is None


def test_a_lost_run_that_an_operator_closed_has_not_succeeded():
    closed = ran("COMPLETED", 10, 0)
    step = ran("COMPLETED", 10, 0, step="batch")
    assert ended_report(spec(), [closed, step], alone=False) is None
    before = ran("FAILED", 0, 5, step="batch", cpu_s=4.0)
    assert ended_report(spec(), [closed, step, before], alone=False) is None
    short = ran("COMPLETED", 10, 0, step="batch", cpu_s=0.004)
    assert ended_report(spec(), [closed, short], alone=False).state is JobState.SUCCEEDED
    told = ran("COMPLETED", 10, 0, comment="fucina:k")
    assert ended_report(spec(), [told], alone=False).state is JobState.SUCCEEDED


def test_of_a_lost_array_only_what_has_not_ended_is_left():
    rows = [
        ran("COMPLETED", 0, 10, tasks=(0,)),
        ran("FAILED", 0, 10, job_id=8, tasks=(4,)),
        ran("RUNNING", 0, 0, job_id=9, tasks=(2,), end_at=None),
        ran("COMPLETED", 0, 0, job_id=10, tasks=(6,)),
        ran("PENDING", 0, 0, job_id=11, tasks=(8,), end_at=None, start_at=None),
    ]
    assert left_over(spec(array="0-8:2%3"), rows).array == "2,6,8%3"
    assert left_over(spec(array="0,4"), rows).array == "0,4"
    assert left_over(spec(), rows) == spec()


def test_a_job_cancelled_before_it_started_was_never_attempted():
    for row in (ran("CANCELLED by 1001", 5, 0), ran("CANCELLED", 0, 0, start_at=None)):
        report = ended_report(spec(), [row], alone=False)
        assert (report.state, report.num_attempts, report.wall_s) == (JobState.CANCELLED, 0, 0.0)


def test_a_state_that_nobody_knows_is_unknown():
    report = live_report("k", [queued("QUANTUM")], now=NOW)
    assert report.state is JobState.UNKNOWN
    assert "QUANTUM" in report.reason
    assert ended_report(spec(), [ran("QUANTUM", 0, 1)], alone=False) is None


def test_one_running_task_makes_the_array_run():
    rows = [
        queued("PENDING", start_at=None, reason="JobArrayTaskLimit"),
        queued("RUNNING", job_id=8),
        queued("COMPLETED"),
    ]
    report = live_report("k", rows, now=NOW + 30)
    assert (report.state, report.wall_s, report.native_id) == (JobState.RUNNING, 30.0, "7")


def test_a_job_back_in_the_queue_has_been_attempted():
    rows = [queued("PENDING", num_restarts=2, reason="BeginTime")]
    assert live_report("k", rows, now=NOW).num_attempts == 2
    assert live_report("k", [queued("RUNNING", num_restarts=2)], now=NOW).num_attempts == 3


def intent(tmp_path: Path, **changes: object) -> Intent:
    intents = Intents(tmp_path / "slurm.db")
    intents.write_down(spec(), log="/x", at=NOW)
    intents.mark_submitted("k", job_id=7, **changes)
    found = intents.get("k")
    intents.close()
    return found


def test_rows_of_another_job_with_our_id_are_not_ours(tmp_path):
    ours = intent(tmp_path, submit_at=NOW)
    assert is_of(ran("COMPLETED", 0, 1, comment="fucina:k"), ours)
    assert is_of(ran("COMPLETED", 0, 1, comment="fucina:k", submit_at=NOW + 500), ours)
    assert is_of(ran("COMPLETED", 0, 1), ours)
    assert not is_of(ran("COMPLETED", 0, 1, comment="fucina:other"), ours)
    assert not is_of(ran("COMPLETED", 0, 1, submit_at=NOW + 500), ours)
    assert not is_of(ran("COMPLETED", 0, 1, submit_at=NOW - 86400), ours)
    assert not is_of(ran("COMPLETED", 0, 1, submit_at=NOW - 86400, step="batch"), ours)


def test_a_lost_array_keeps_the_names_under_which_tasks_have_ended(tmp_path):
    intents = Intents(tmp_path / "slurm.db")
    intents.write_down(spec(array="0-1"), log="/x", at=NOW)
    intents.mark_submitted("k", job_id=7, submit_at=NOW)
    intents.begin_again(intents.get("k"), at=NOW + 300)
    doubtful = intents.get("k")
    assert (doubtful.job_id, doubtful.names) == (None, ((7, NOW),))
    assert is_of(ran("COMPLETED", 0, 1, tasks=(0,), submit_at=NOW), doubtful)
    intents.mark_submitted("k", job_id=9, submit_at=NOW + 301)
    again = intents.get("k")
    assert again.names == ((7, NOW), (9, NOW + 301))
    assert not is_of(ran("COMPLETED", 0, 1, tasks=(0,), submit_at=NOW + 301), again)
    intents.begin_again(again, at=NOW + 600)
    intents.take_back(again)
    assert intents.get("k") == again
    intents.close()


def test_a_journal_of_an_older_agent_is_read(tmp_path):
    path = tmp_path / "slurm.db"
    intents = Intents(path)
    intents.write_down(spec(), log="/x", at=NOW)
    intents.close()
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE job DROP COLUMN earlier")
    reopened = Intents(path)
    assert reopened.get("k").earlier == ()
    reopened.close()


def test_an_id_that_the_queue_gives_to_another_says_nothing_of_ours(tmp_path):
    """The controller lost our job before anybody saw it in the queue, and gave its id to a job without a key."""
    ours, theirs = intent(tmp_path), ran("COMPLETED", 0, 1, submit_at=NOW + 4)
    assert is_of(theirs, ours)
    assert is_anothers(theirs, ours.key, holders([queued("COMPLETED", submit_at=NOW + 4)]))
    assert not is_anothers(theirs, ours.key, holders([queued("COMPLETED", submit_at=NOW + 4, comment="fucina:k")]))
    assert not is_anothers(theirs, ours.key, holders([queued("COMPLETED", submit_at=NOW + 9)]))
    told = ran("COMPLETED", 0, 1, submit_at=NOW + 4, comment="fucina:k")
    assert not is_anothers(told, ours.key, holders([queued("COMPLETED", submit_at=NOW + 4)]))


def test_before_its_submit_time_is_known_clocks_may_differ_a_little(tmp_path):
    ours = intent(tmp_path)
    assert is_of(ran("COMPLETED", 0, 1, submit_at=NOW - 5), ours)
    assert not is_of(ran("COMPLETED", 0, 1, submit_at=NOW - SKEW_S - 1), ours)
