"""Agent and hub after one of them has lost its memory: nothing runs twice, nothing is charged twice."""

from datetime import timedelta

import pytest

from fucina.compute.spec import JobState
from fucina.hub.accounting.models import Kind, LedgerEntry
from fucina.hub.compute import jobs
from fucina.hub.compute.actions import cancel_run
from fucina.hub.compute.models import Job
from tests.hub.conftest import NOON, claim_one, report, usage

LATER = NOON + timedelta(hours=1)


def beat(agent, *refs, serial=0, at=NOON):
    agent.refresh_from_db()
    return jobs.heartbeat(agent=agent, version="0", refs=refs, serial=serial, at=at)


def test_serials_grow_and_a_lost_answer_is_no_restore(run, chiara):
    first = beat(chiara.agent)
    lost = beat(chiara.agent, serial=first.serial)
    again = beat(chiara.agent, serial=first.serial)
    assert first.serial < lost.serial == again.serial
    assert again.restored_at is None


def test_an_older_hub_says_so_until_the_agent_has_heard(run, chiara):
    beat(chiara.agent, at=NOON)
    told = beat(chiara.agent, serial=500, at=LATER)
    assert (told.restored_at, told.serial) == (NOON, 501)
    repeated = beat(chiara.agent, serial=500, at=LATER)
    assert (repeated.restored_at, repeated.serial) == (NOON, 501)
    heard = beat(chiara.agent, serial=501, at=LATER)
    assert (heard.restored_at, heard.serial) == (None, 502)


def test_an_agent_that_was_never_heard_is_told_from_the_start(run, chiara):
    told = beat(chiara.agent, serial=7, at=LATER)
    assert told.restored_at == chiara.agent.token.created_at


@pytest.mark.parametrize("position", [0, 1])
def test_a_job_that_the_hub_believes_to_wait_is_its_agents(run, chiara, position):
    row = run.jobs.get(position=position)
    answer = beat(chiara.agent, row.ref)
    assert answer.forget == ()
    row.refresh_from_db()
    assert (row.state, row.agent, row.accepted_at) == (JobState.CLAIMED, chiara.agent, NOON)
    assert row.ref not in {job.ref for job in jobs.claim(agent=chiara.agent, num_slots=9, num_gpus=9, at=NOON)}


def test_a_job_of_another_site_is_forgotten_and_left_alone(run, stranger):
    row = run.jobs.get(position=0)
    assert beat(stranger.agent, row.ref, "job-000000000000").forget == ("job-000000000000", row.ref)
    row.refresh_from_db()
    assert (row.state, row.agent) == (JobState.QUEUED, None)


def test_an_end_told_to_the_old_hub_and_the_restored_one_is_charged_once(run, chiara):
    job = claim_one(chiara.agent)
    train = run.jobs.get(position=1)
    for _ in range(2):
        for row in (Job.objects.get(ref=job.ref), train):
            beat(chiara.agent, row.ref)
            jobs.finish(
                agent=chiara.agent, ref=row.ref, report=report(row), used=usage(row), stage_record=None, at=LATER
            )
    assert LedgerEntry.objects.filter(kind=Kind.USE).count() == 1


def test_an_agent_that_lost_its_journal_gets_everything_again(run, chiara, ada):
    chain = jobs.claim(agent=chiara.agent, num_slots=9, num_gpus=9, chains=True, at=NOON)
    for job in chain[:3]:
        jobs.mark_started(agent=chiara.agent, ref=job.ref, report=report(job, JobState.RUNNING), at=NOON)
    cancel_run(run=run, by=ada, at=NOON)
    assert jobs.claim(agent=chiara.agent, num_slots=9, num_gpus=9, at=NOON) == ()
    again = jobs.claim(agent=chiara.agent, num_slots=0, num_gpus=0, recover=True, at=NOON)
    assert [job.spec for job in again] == [job.spec for job in chain]
