"""Every job of a site exactly once, whatever happens in between."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fucina.accounting import importer
from fucina.accounting.importer import Importer, in_accounts, started_by_the_hub
from fucina.accounting.sacct_command import LocalSacct, SacctFailed
from fucina.accounting.usage import UsageReceipt
from fucina.errors import BadInput, Unavailable
from fucina.network.spec import SlurmSite
from tests.accounting.slurmdb import SITE, Row, SlurmDb

T0 = 1_795_000_000
HOUR = 3600


def at(epoch_s):
    return datetime.fromtimestamp(epoch_s, tz=UTC)


class Books:
    """A hub that keeps of each job the newest record, as the real one does."""

    def __init__(self):
        self.records = {}
        self.aliases = {}
        self.num_calls = 0
        self.fails = set()
        self.chokes_on = set()

    def send(self, records):
        known_until = max((record.measured_at for record in self.records.values()), default=None)
        self.num_calls += bool(records)
        if records and self.num_calls in self.fails:
            raise Unavailable("The hub is away.")
        if any(record.job_key in self.chokes_on for record in records):
            raise BadInput("user: String should have at most 200 characters.")
        for record in records:
            names = [record.job_key, *record.same_as]
            key = next((self.aliases[name] for name in names if name in self.aliases), record.job_key)
            self.aliases |= dict.fromkeys(names, key)
            if key not in self.records or record.rank > self.records[key].rank:
                self.records[key] = record
        return UsageReceipt(num_placed=len(records), known_until=known_until)

    @property
    def gpu_s(self):
        return sum(record.gpu_s for record in self.records.values())


@pytest.fixture
def db():
    return SlurmDb()


@pytest.fixture
def books():
    return Books()


@pytest.fixture
def start(tmp_path, db, books):
    return partial(Importer, site=SITE, source=db, state=tmp_path / "usage.db", send=books.send, since=at(T0))


def step(importer, db, now):
    db.now = now
    return importer.step(now=at(now))


def test_a_job_is_sent_once(start, db, books):
    db.rows = [Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120, comment="fucina:run-1.train")]
    one = start()
    assert step(one, db, T0 + HOUR).num_sent == 1
    assert step(one, db, T0 + HOUR + 60).num_sent == 0
    (record,) = books.records.values()
    assert (record.job_key, record.state, record.gpu_s, record.num_gpus) == ("run-1.train", "succeeded", 400, 4)
    assert (record.account, record.user, record.partition, record.num_attempts) == ("projx", "alice", "gpu", 1)
    assert record.started_at == at(T0 + 20) and record.ended_at == at(T0 + 120)
    assert record.same_as == (f"slurm.alpha.7.{T0 + 10}",)


def test_a_job_of_others_is_known_by_cluster_id_and_submission(start, db, books):
    """Ids begin again after a reset of the database: two jobs, two records."""
    db.rows = [
        Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120),
        Row(job_id=7, submit=T0 + 9000, start=T0 + 9000, end=T0 + 9100, user="bob"),
    ]
    step(start(), db, T0 + 4 * HOUR)
    assert set(books.records) == {f"slurm.alpha.7.{T0 + 10}", f"slurm.alpha.7.{T0 + 9000}"}


def test_a_requeued_job_is_one_record_sent_after_its_last_run(start, db, books):
    one = start()
    db.rows = [
        Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120, state="NODE_FAIL"),
        Row(job_id=7, submit=T0 + 120, start=T0 + 240, end=T0 + 7440),
    ]
    for minute in range(3, 124):
        step(one, db, T0 + 60 * minute)
        assert not books.records
    step(one, db, T0 + 7500)
    (record,) = books.records.values()
    assert (record.gpu_s, record.num_attempts, record.wall_s) == (4 * 7300, 2, 7300)
    assert [(span.gpu_s, span.state) for span in record.spans()] == [(400, "NODE_FAIL"), (28800, "COMPLETED")]
    assert record.lost_gpu_s() == 400
    assert len(books.aliases) == 2


def test_a_job_that_was_held_long_before_it_ran_again_is_one(start, db, books):
    db.rows = [
        Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120, state="REQUEUED"),
        Row(job_id=7, submit=T0 + 5 * HOUR, start=T0 + 5 * HOUR, end=T0 + 5 * HOUR + 50),
    ]
    step(start(), db, T0 + 6 * HOUR)
    assert [(record.gpu_s, record.num_attempts) for record in books.records.values()] == [(600, 2)]


def test_a_failed_node_ends_a_job_that_slurm_does_not_start_again(start, db, books):
    db.rows = [Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120, state="NODE_FAIL")]
    one = start()
    assert step(one, db, T0 + 300).num_waiting == 1
    assert not books.records
    assert step(one, db, T0 + 120 + importer.SETTLE_S).num_sent == 1
    assert books.gpu_s == 400


def test_a_job_that_the_queue_still_has_is_not_over_whatever_its_row_says(start, db, books):
    """Slurm 22.05 starts a job again under a row that reads REQUEUED and has an end."""
    row = Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120, state="REQUEUED", comment="fucina:run-1.train")
    db.rows = [row, Row(job_id=8, submit=T0 + 10, start=T0 + 20, end=T0 + 30)]
    asked, alive = [], {7}

    def queue(job_ids):
        asked.append(list(job_ids))
        if not alive:
            raise Unavailable("slurmctld does not answer")
        return alive

    one = start(queue=queue)
    assert step(one, db, T0 + 120 + 30).num_waiting == 1
    assert asked == []
    for more in (importer.SETTLE_BY_QUEUE_S, importer.SETTLE_S, HOUR):
        assert step(one, db, T0 + 120 + more).num_waiting == 1
    alive.clear()
    assert step(one, db, T0 + 2 * HOUR).num_waiting == 1
    assert asked == [[7]] * 4
    assert list(books.records) == ["slurm.alpha.8.1795000010"]
    db.rows[0] = replace(row, end=T0 + 3 * HOUR, state="COMPLETED")
    assert step(one, db, T0 + 3 * HOUR + 5).num_waiting == 0
    assert books.records["run-1.train"].gpu_s == 4 * (3 * HOUR - 20)


def test_a_task_whose_beginning_slurmdbd_has_not_heard_of_is_not_taken_for_its_array(start, db, books):
    """Slurm 22.05 makes a row of a short task from its end; partition, resources and task number come later."""
    whole = Row(job_id=12, label="12_3", submit=T0, start=T0 + 1, end=T0 + 11, comment="fucina:sweep")
    db.rows = [replace(whole, label="12", partition="", tres="")]
    one = start()
    assert step(one, db, T0 + 60).num_waiting == 1
    db.rows = [whole]
    step(one, db, T0 + 120)
    assert {key: record.gpu_s for key, record in books.records.items()} == {"sweep.t3": 40}


def test_a_row_that_never_becomes_whole_is_told_in_the_end(start, db, books):
    db.rows = [Row(job_id=12, submit=T0, start=T0 + 1, end=T0 + 11, partition="", tres="", comment="fucina:k")]
    one = start(queue=lambda job_ids: ())
    assert step(one, db, T0 + 11 + importer.HALF_TOLD_S - 1).num_waiting == 1
    step(one, db, T0 + 11 + importer.HALF_TOLD_S)
    assert {key: record.gpu_s for key, record in books.records.items()} == {"k": 0}


def test_what_the_queue_does_not_have_any_more_is_over_soon(start, db, books):
    db.rows = [Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120, state="NODE_FAIL")]
    assert step(start(queue=lambda job_ids: ()), db, T0 + 120 + importer.SETTLE_BY_QUEUE_S).num_sent == 1
    assert books.gpu_s == 400


def test_a_lost_run_that_an_operator_closes_is_nobodys_who_got_its_id(start, db, books):
    """`sacctmgr show runawayjobs` ends a run as of its beginning, hours ago."""
    lost = Row(job_id=7, submit=T0 + 10, start=T0 + 20)
    ours = Row(job_id=7, submit=T0 + 50, start=T0 + 60, end=T0 + 160, comment="fucina:run-1.train")
    db.rows = [lost, ours]
    one = start()
    step(one, db, T0 + 200)
    assert set(books.records) == {"run-1.train"}
    step(one, db, T0 + HOUR)
    db.rows[0] = replace(lost, end=T0 + 20)
    step(one, db, T0 + HOUR + importer.GLANCE_EVERY_S)
    assert {key: record.gpu_s for key, record in books.records.items()} == {
        "run-1.train": 400,
        "slurm.alpha.7.1795000010": 0,
    }


def test_a_job_without_a_key_that_got_the_id_of_ours_is_another(start, db, books):
    db.rows = [
        Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120, comment="fucina:run-1.train"),
        Row(job_id=7, submit=T0 + 150, start=T0 + 160, end=T0 + 170),
    ]
    step(start(), db, T0 + 300)
    assert {key: record.gpu_s for key, record in books.records.items()} == {
        "run-1.train": 400,
        "slurm.alpha.7.1795000150": 40,
    }


def test_a_finished_job_that_runs_again_is_sent_again_with_more(start, db, books):
    db.rows = [Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120)]
    one = start()
    step(one, db, T0 + 200)
    assert books.gpu_s == 400
    db.rows.append(Row(job_id=7, submit=T0 + 250, start=T0 + 300, end=T0 + 400))
    step(one, db, T0 + HOUR)
    assert (books.gpu_s, len(books.records)) == (800, 1)


def test_a_row_that_slurmdbd_hears_of_days_later_is_found(start, db, books):
    db.rows = [Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120, heard_at=T0 + 3 * 86400)]
    one = start()
    for hour in range(1, 90):
        step(one, db, T0 + hour * HOUR)
    assert books.gpu_s == 400


def test_an_earlier_run_that_comes_late_does_not_make_two_records(start, db, books):
    db.rows = [
        Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120, state="REQUEUED", heard_at=T0 + 5 * HOUR),
        Row(job_id=7, submit=T0 + 120, start=T0 + 240, end=T0 + 340),
    ]
    one = start()
    step(one, db, T0 + HOUR)
    assert books.gpu_s == 400
    step(one, db, T0 + 9 * HOUR)
    assert (books.gpu_s, len(books.records)) == (800, 1)


def test_each_task_of_an_array_and_each_component_has_its_record(start, db, books):
    db.rows = [
        Row(job_id=13, label="12_0", submit=T0, start=T0 + 1, end=T0 + 11, comment="fucina:sweep"),
        Row(job_id=12, label="12_1", submit=T0, start=T0 + 1, end=T0 + 21, comment="fucina:sweep"),
        Row(job_id=20, label="20+0", submit=T0, start=T0 + 1, end=T0 + 31, comment="fucina:het"),
        Row(job_id=21, label="20+1", submit=T0, start=T0 + 1, end=T0 + 31, comment="fucina:het"),
    ]
    step(start(), db, T0 + HOUR)
    assert {key: record.gpu_s for key, record in books.records.items()} == {
        "sweep.t0": 40,
        "sweep.t1": 80,
        "het": 120,
        "het.h1": 120,
    }


def test_a_job_in_an_unknown_partition_waits_and_says_so(start, db, books):
    db.rows = [
        Row(job_id=7, submit=T0, start=T0 + 20, end=T0 + 120, partition="new"),
        Row(job_id=8, submit=T0, start=T0 + 20, end=T0 + 120),
    ]
    done = step(start(), db, T0 + HOUR)
    assert (done.num_sent, done.num_waiting) == (1, 1)
    assert "partition 'new'" in done.problems[0]
    described = SITE.model_copy(
        update={"partitions": (*SITE.partitions, SITE.partitions[0].model_copy(update={"id": "new"}))}
    )
    step(start(site=described), db, T0 + HOUR + 60)
    assert books.gpu_s == 800


def test_what_is_not_the_hubs_business_is_not_sent(start, db, books):
    db.rows = [
        Row(job_id=7, submit=T0, start=T0 + 20, end=T0 + 120, account="physics"),
        Row(job_id=8, submit=T0, start=T0 + 20, end=T0 + 120, account="projx"),
        Row(job_id=9, submit=T0, start=T0 + 20, end=T0 + 120, account="physics", comment="fucina:run-1.train"),
    ]
    step(start(wanted=in_accounts(lambda: frozenset({"projx"}))), db, T0 + HOUR)
    assert set(books.records) == {f"slurm.alpha.8.{T0}"}


def test_a_personal_agent_sends_what_the_hub_started(start, db, books):
    db.rows = [
        Row(job_id=8, submit=T0, start=T0 + 20, end=T0 + 120),
        Row(job_id=9, submit=T0, start=T0 + 20, end=T0 + 120, comment="fucina:run-1.train"),
    ]
    step(start(wanted=started_by_the_hub, all_users=False), db, T0 + HOUR)
    assert set(books.records) == {"run-1.train"}
    assert all("--allusers" not in call for call in db.calls)


def test_a_personal_agent_waits_for_a_run_whose_comment_is_not_written_yet(start, db, books):
    run = {"job_id": 7, "comment": "fucina:run-1.train"}
    db.rows = [
        Row(**run, submit=T0 + 10, start=T0 + 20, end=T0 + 120, state="NODE_FAIL"),
        Row(**run, submit=T0 + 120, start=T0 + 240, end=T0 + 7440),
        Row(job_id=8, submit=T0 + 120, start=T0 + 240, end=T0 + 250),
    ]
    one = start(wanted=started_by_the_hub)
    for minute in (3, 13, 23, 120):
        step(one, db, T0 + 60 * minute)
        assert not books.records
    step(one, db, T0 + 7500)
    assert {key: record.num_attempts for key, record in books.records.items()} == {"run-1.train": 2}


def test_a_requeued_job_that_is_cancelled_while_it_waits_keeps_its_key(start, db, books):
    db.rows = [
        Row(job_id=7, submit=T0 + 10, start=T0 + 20, end=T0 + 120, state="REQUEUED", comment="fucina:run-1.train"),
        Row(job_id=7, submit=T0 + 120, end=T0 + 200, state="CANCELLED by 0", tres="", elapsed=0),
    ]
    step(start(), db, T0 + 300)
    assert {key: (record.gpu_s, record.state) for key, record in books.records.items()} == {
        "run-1.train": (400, "cancelled")
    }


def test_a_hub_restored_from_a_backup_hears_again_what_it_lost(start, db, books):
    one = start()
    for number in range(20):
        db.rows.append(Row(job_id=number + 1, submit=T0, start=T0 + number * 100 + 1, end=T0 + number * 100 + 51))
        step(one, db, T0 + number * 100 + 60)
        if number == 9:
            backup = dict(books.records)
    assert len(books.records) == 20
    books.records = dict(backup)
    done = step(one, db, T0 + 2100)
    assert done.num_sent_again == 10
    assert (len(books.records), books.gpu_s) == (20, 20 * 200)
    books.records = {}
    step(one, db, T0 + 2200)
    assert len(books.records) == 20


def test_a_record_that_the_hub_cannot_read_stops_no_other(start, db, books):
    db.rows = [Row(job_id=n, submit=T0, start=T0 + 1, end=T0 + 11) for n in range(1, 40)]
    books.chokes_on = {f"slurm.alpha.17.{T0}"}
    one = start()
    done = step(one, db, T0 + HOUR)
    assert len(books.records) == 38
    assert [refused.job_key for refused in done.refused] == [f"slurm.alpha.17.{T0}"]
    assert one.state.num_aside() == 1
    num_calls = books.num_calls
    step(one, db, T0 + HOUR + 60)
    assert books.num_calls == num_calls


def test_a_clock_set_back_loses_nothing(start, db, books):
    one = start()
    step(one, db, T0 + 10 * HOUR)
    db.rows = [Row(job_id=7, submit=T0, start=T0 + 8 * HOUR, end=T0 + 8 * HOUR + 100)]
    step(one, db, T0 + 8 * HOUR + 120)
    assert books.gpu_s == 400


def test_sacct_that_fails_changes_nothing(start, db, books):
    def broken(options):
        yield from list(db(options))[:1]
        raise SacctFailed("sacct ended with 1")

    db.rows = [Row(job_id=n, submit=T0, start=T0 + 1, end=T0 + 11) for n in (1, 2)]
    one = start(source=broken)
    with pytest.raises(SacctFailed):
        step(one, db, T0 + HOUR)
    one.close()
    assert not books.records
    step(start(), db, T0 + HOUR)
    assert len(books.records) == 2


@pytest.mark.parametrize("script", ["exit 3", "echo nonsense; echo slurmdbd away >&2; exit 1"])
def test_the_command_that_fails_says_what_sacct_said(tmp_path, script):
    program = tmp_path / "sacct"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(SacctFailed, match=r"ended with 3: no message|slurmdbd away"):
        list(LocalSacct(SlurmSite(cluster="alpha", bin=tmp_path))([]))
    with pytest.raises(SacctFailed, match="cannot be started"):
        list(LocalSacct(SlurmSite(cluster="alpha", bin=tmp_path / "nowhere"))([]))


class Killed(BaseException):
    """As good as SIGKILL: nothing is caught, nothing is tidied up."""


def history(rng):
    """Jobs of two days: arrays, requeues, node failures, cancellations, ids that begin again, late rows."""
    rows, truth = [], {}
    for number in range(rng.randint(1, 25)):
        job_id = number % 11 + 1
        user = f"user{number // 11}"
        submit = T0 + number * 7000 + rng.randint(0, 5)
        gpus = rng.choice([0, 1, 4])
        first, total, num_runs = submit, 0, rng.choice([1, 1, 1, 2, 3])
        for run in range(num_runs):
            start = submit + rng.randint(0, 300)
            end = start + rng.randint(0, 500)
            last = run == num_runs - 1
            state = (
                rng.choice(["COMPLETED", "FAILED", "CANCELLED by 7", "TIMEOUT", "NODE_FAIL"]) if last else "REQUEUED"
            )
            tres = f"cpu=8,gres/gpu:h200={gpus},gres/gpu={gpus},node=1" if gpus else "cpu=8,node=1"
            late = rng.choice([0, 0, 0, 400, 2 * 86400])
            rows.append(
                Row(
                    job_id=job_id,
                    submit=submit,
                    start=start,
                    end=end,
                    state=state,
                    user=user,
                    tres=tres,
                    heard_at=end + late if late else 0,
                )
            )
            total += gpus * (end - start)
            submit = end + 1
        truth[job_id, first] = total
    return rows, truth


@settings(deadline=None, max_examples=60)
@given(rng=st.randoms(use_true_random=True))
def test_whatever_happens_every_job_ends_with_its_true_figure(tmp_path_factory, rng):
    """Kills at any statement, a hub away, windows of any length, rows in any order of arrival."""
    rows, truth = history(rng)
    db, books = SlurmDb(rows), Books()
    books.fails = {rng.randint(1, 10) for _ in range(2)}
    path = tmp_path_factory.mktemp("import") / "usage.db"
    make = partial(Importer, site=SITE, source=db, state=path, since=at(T0))
    now, end = T0, max(row.end for row in rows) + 4 * 86400
    while now < end:
        now += rng.choice([60, 1000, 20_000, 90_000])
        fuse = rng.choice([None, rng.randint(1, 12)])
        calls = iter(range(1, 10**6))

        def blow(calls=calls, fuse=fuse):
            if next(calls) == fuse:
                raise Killed

        def send(records, blow=blow):
            blow()
            receipt = books.send(records)
            blow()
            return receipt

        def source(options, blow=blow):
            blow()
            yield from db(options)
            blow()

        one = make(send=send, source=source)
        try:
            step(one, db, now)
        except (Killed, Unavailable):
            pass
        finally:
            one.close()
    books.fails = set()
    for more in (1, 2, 3):
        one = make(send=books.send)
        step(one, db, now + more * 7 * HOUR)
        one.close()
    assert books.gpu_s == sum(truth.values())
    assert len(books.records) == len(truth)
