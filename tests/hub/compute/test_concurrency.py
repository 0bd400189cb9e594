"""Several at once: no job is handed out twice, no GPU-second is held or charged twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections, transaction

from fucina.compute.record import ProgressLine
from fucina.compute.spec import JobSpec, JobState
from fucina.errors import FactoryError
from fucina.hub.accounting.actions import BudgetExceeded, hold, settle
from fucina.hub.accounting.models import LedgerEntry, UsageRecord
from fucina.hub.compute import jobs
from fucina.hub.compute.actions import cancel_run, start_run
from fucina.hub.compute.models import Job, LineRun
from fucina.hub.compute.read import project_info
from fucina.hub.people.actions import LinkSpent, make_sign_in_link, redeem
from tests.hub.conftest import DOCUMENT, NOON, claim_one, report, run_request, send_blob, usage, work_off

NUM_THREADS = 6

pytestmark = pytest.mark.usefixtures("committing")


def at_once(call: Callable[[int], Any], *, num_threads: int = NUM_THREADS) -> list[Any]:
    """What each thread got, or the error that a person would see; anything else fails the test."""
    barrier = Barrier(num_threads)

    def one(number: int) -> Any:
        try:
            barrier.wait(timeout=30)
            return call(number)
        except FactoryError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(num_threads) as pool:
        return list(pool.map(one, range(num_threads)))


def spec(key: str) -> JobSpec:
    return JobSpec(key=key, name=key, command=("true",), num_gpus=1, walltime_s=3 * 3600)


def test_holds_never_exceed_the_allocation(allocation, ada):
    found = at_once(lambda number: hold(allocation=allocation, spec=spec(f"job-{number}"), by=ada, at=NOON))
    assert sum(isinstance(item, LedgerEntry) for item in found) == 3
    assert sum(isinstance(item, BudgetExceeded) for item in found) == 3
    assert allocation.free_gpu_s == 3600


def test_one_job_is_held_and_settled_once(allocation, ada):
    at_once(lambda number: hold(allocation=allocation, spec=spec("job"), by=ada, at=NOON))
    used = usage(Job(key="job", num_gpus=1))
    rows = at_once(lambda number: settle(allocation=allocation, used=used, by=ada, at=NOON))
    assert len({row.pk for row in rows}) == 1
    assert LedgerEntry.objects.count() == 4
    assert allocation.free_gpu_s == 10 * 3600 - 60


def test_the_same_key_at_once_is_one_run(project, ada):
    send_blob(project, DOCUMENT, ada)
    request = run_request(project)
    found = at_once(lambda number: start_run(project=project, request=request, by=ada, at=NOON))
    assert {item.pk for item in found} == {LineRun.objects.get().pk}
    assert project_info(project).held_gpu_s == 5 * 3600


def test_runs_at_once_never_hold_more_than_there_is(project, ada):
    send_blob(project, DOCUMENT, ada)
    requests = [run_request(project, key=f"run-number-{number}", gpu_hours=4) for number in range(NUM_THREADS)]
    found = at_once(lambda number: start_run(project=project, request=requests[number], by=ada, at=NOON))
    assert sum(isinstance(item, LineRun) for item in found) == 2
    assert sum(isinstance(item, BudgetExceeded) for item in found) == NUM_THREADS - 2
    assert Job.objects.count() == 10


def test_a_job_is_claimed_by_one_call(project, ada, chiara, site):
    send_blob(project, DOCUMENT, ada)
    for number in range(3):
        start_run(project=project, request=run_request(project, key=f"run-{number:04}", gpu_hours=1), by=ada, at=NOON)
    at_once(lambda number: jobs.claim(agent=chiara.agent, num_slots=1, num_gpus=1, at=NOON))
    claimed = Job.objects.filter(state=JobState.CLAIMED)
    assert 1 <= claimed.count() <= 3
    for job in claimed:
        assert job.events.filter(state=JobState.CLAIMED).count() == 1


def test_an_end_reported_at_once_is_one_end(run, chiara):
    work_off(chiara.agent)
    (job,) = jobs.claim(agent=chiara.agent, num_slots=1, num_gpus=1, at=NOON)

    def finish(number: int) -> Any:
        wall_s = 60.0 + number
        used = usage(job, wall_s=wall_s)
        return jobs.finish(agent=chiara.agent, ref=job.ref, report=report(job), used=used, stage_record=None, at=NOON)

    at_once(finish)
    assert UsageRecord.objects.filter(job=job.spec.key).count() == 1
    assert LedgerEntry.objects.filter(job=job.spec.key).count() == 3
    assert Job.objects.filter(state=JobState.QUEUED).get().stage == "evaluate"


def test_cancelling_while_the_job_ends_leaves_one_truth(run, chiara, ada, project):
    (job,) = jobs.claim(agent=chiara.agent, num_slots=1, num_gpus=1, at=NOON)

    def either(number: int) -> Any:
        if number % 2:
            return cancel_run(run=run, by=ada, at=NOON)
        return jobs.finish(
            agent=chiara.agent, ref=job.ref, report=report(job), used=usage(job), stage_record=None, at=NOON
        )

    at_once(either)
    jobs.heartbeat(agent=chiara.agent, version="0", refs=(), at=NOON)
    assert UsageRecord.objects.count() == 5
    assert Job.objects.get(ref=job.ref).state == JobState.SUCCEEDED
    assert LineRun.objects.get().state == JobState.CANCELLED
    assert project_info(project).held_gpu_s == 0


def test_progress_sent_at_once_is_kept_once(run, chiara):
    (job,) = jobs.claim(agent=chiara.agent, num_slots=1, num_gpus=1, at=NOON)
    lines = [ProgressLine(at=NOON, stage="prepare", done=n, total=9, unit="documents") for n in range(9)]
    at_once(lambda number: jobs.add_progress(agent=chiara.agent, ref=job.ref, first=0, lines=lines, at=NOON))
    assert Job.objects.get(ref=job.ref).events.filter(number__isnull=False).count() == 9


def test_a_link_is_redeemed_by_one(ada):
    secret = make_sign_in_link(person=ada, by=ada, at=NOON).removeprefix("/enter/")
    found = at_once(lambda number: redeem(secret=secret, at=NOON))
    assert sum(item == ada for item in found) == 1
    assert sum(isinstance(item, LinkSpent) for item in found) == NUM_THREADS - 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite only")
def test_sqlite_runs_in_wal_with_its_own_file():
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_report_does_not_wait_for_whoever_starts_another_run(allocation, project, ada, chiara):
    """A job that is updated twice has its references checked at the commit: with locks on them, that was a deadlock."""
    send_blob(project, DOCUMENT, ada)
    start_run(project=project, request=run_request(project), by=ada, at=NOON)
    job = claim_one(chiara.agent)

    def started() -> str:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
            told = report(job, state=JobState.RUNNING)
            return jobs.mark_started(agent=chiara.agent, ref=job.ref, report=told, at=NOON).state
        finally:
            connections.close_all()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        start_run(project=project, request=run_request(project, key="the-second-run"), by=ada, at=NOON)
        assert pool.submit(started).result(timeout=60) == JobState.RUNNING
