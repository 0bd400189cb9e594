"""A whole run handed out at once, and what becomes of its later stages."""

from datetime import timedelta

import pytest

from fucina.compute.spec import JobState
from fucina.hub.accounting.models import balance
from fucina.hub.compute import jobs
from fucina.hub.compute.actions import start_run
from fucina.hub.compute.models import Job
from fucina.hub.network.actions import map_user, set_draining
from fucina.line.spec import STAGES
from tests.hub.conftest import NOON, report, run_request, usage

LATER = NOON + timedelta(minutes=5)


def claim(agent, **changes):
    arguments = {"agent": agent, "num_slots": 10, "num_gpus": 100, "chains": True, "at": NOON} | changes
    return jobs.claim(**arguments)


def end(agent, job, state=JobState.SUCCEEDED):
    return jobs.finish(
        agent=agent, ref=job.ref, report=report(job, state), used=usage(job, state=state), stage_record=None, at=LATER
    )


def states(run):
    return [JobState(state) for state in run.jobs.order_by("position").values_list("state", flat=True)]


def test_a_chain_is_the_whole_run_and_counts_as_one(run, project, ada, chiara):
    second = start_run(project=project, request=run_request(project, key="second-run"), by=ada, at=LATER)
    chain = claim(chiara.agent, num_slots=1)
    assert [(job.run, job.stage) for job in chain] == [(run.ref, stage) for stage in STAGES]
    assert [job.spec.depends_on for job in chain[1:]] == [(job.spec.key,) for job in chain[:-1]]
    assert states(run) == [JobState.CLAIMED] * 5
    assert [job.run for job in claim(chiara.agent, num_slots=6)] == [run.ref] * 5 + [second.ref] * 5


def test_without_chains_a_run_comes_stage_by_stage(run, chiara):
    assert [job.stage for job in claim(chiara.agent, chains=False)] == ["prepare"]
    assert states(run)[1] is JobState.BLOCKED


def test_a_stage_that_failed_has_the_agent_cancel_the_rest(run, chiara, allocation):
    chain = claim(chiara.agent)
    end(chiara.agent, chain[0])
    end(chiara.agent, chain[1], JobState.FAILED)
    refs = [job.ref for job in chain[2:]]
    answer = jobs.heartbeat(agent=chiara.agent, version="0", refs=refs, at=LATER)
    assert sorted(answer.cancel) == sorted(refs)
    for job in chain[2:]:
        end(chiara.agent, job, JobState.CANCELLED)
    run.refresh_from_db()
    assert run.state == JobState.FAILED
    assert balance(allocation.entries.all()).held_gpu_s == 0


def test_ends_that_arrive_in_any_order_come_to_the_same(run, chiara):
    chain = claim(chiara.agent)
    for job in reversed(chain):
        end(chiara.agent, job)
    assert states(run) == [JobState.SUCCEEDED] * 5


def test_a_site_that_drains_hands_out_only_what_it_handed_out(run, project, ada, bruno, chiara):
    chain = claim(chiara.agent)
    start_run(project=project, request=run_request(project, key="second-run"), by=ada, at=LATER)
    set_draining(site=chiara.agent.site, drain=True, by=bruno, at=NOON)
    chiara.agent.refresh_from_db()
    assert {job.ref for job in claim(chiara.agent)} == {job.ref for job in chain}
    assert jobs.heartbeat(agent=chiara.agent, version="0", refs=[], at=NOON).drain
    set_draining(site=chiara.agent.site, drain=False, by=bruno, at=NOON)
    chiara.agent.refresh_from_db()
    assert len(claim(chiara.agent)) == 10


@pytest.fixture
def on_slurm(site):
    site.executor = "slurm"
    site.save()


def test_a_slurm_site_takes_only_jobs_whose_person_has_a_user_there(on_slurm, run, site, chiara, bruno):
    chiara.agent.refresh_from_db()
    assert claim(chiara.agent) == ()
    map_user(site=site, username="ada", unix_user="alice", by=bruno, at=NOON)
    chain = claim(chiara.agent)
    assert {(job.spec.user, job.spec.partition) for job in chain} == {("alice", "cpu")}
    assert {job.spec.account for job in chain} == {run.allocation.ref}
    assert Job.objects.get(ref=chain[0].ref).parsed_spec.user == ""
