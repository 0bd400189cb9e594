"""What an agent does with jobs, each thing twice."""

from datetime import timedelta

import pytest

from fucina.compute.record import ProgressLine
from fucina.compute.spec import JobState
from fucina.errors import ErrorBody, NotVisible
from fucina.hub.accounting.models import LedgerEntry, UsageRecord
from fucina.hub.compute import jobs
from fucina.hub.compute.actions import cancel_run, start_run
from fucina.hub.compute.jobs import GRACE, SILENCE, BadReport
from fucina.hub.compute.models import EventKind, Job, JobEvent
from fucina.hub.compute.read import progress, project_info, run_info
from fucina.hub.people.models import AuditRecord
from fucina.line.spec import StageName
from tests.hub.conftest import NOON, claim_one, report, run_request, stage_record, usage, work_off

LATER = NOON + GRACE + timedelta(seconds=1)


def start(agent, job, **changes):
    return jobs.mark_started(agent=agent, ref=job.ref, report=report(job, JobState.RUNNING, **changes), at=NOON)


def finish(agent, job, state=JobState.SUCCEEDED, **changes):
    return jobs.finish(
        agent=agent,
        ref=job.ref,
        report=report(job, state),
        used=usage(job, state=state),
        stage_record=None,
        at=NOON,
        **changes,
    )


def line(done, **changes):
    return ProgressLine(at=NOON, stage="prepare", done=done, total=9, unit="documents", **changes)


def beat(agent, *refs, at=NOON):
    return jobs.heartbeat(agent=agent, version="0.1.0", refs=refs, at=at)


def test_a_claimed_job_comes_with_its_files_and_again_until_it_started(run, chiara):
    job = claim_one(chiara.agent)
    assert (job.stage, job.run, job.sources[0].name) == (StageName.PREPARE, run.ref, "leggi.jsonl")
    assert job.spec.key == f"{run.ref}.prepare"
    assert claim_one(chiara.agent) == job
    assert jobs.claim(agent=chiara.agent, num_slots=0, num_gpus=0, at=NOON) == (job,)
    start(chiara.agent, job)
    assert jobs.claim(agent=chiara.agent, num_slots=9, num_gpus=9, at=NOON) == ()
    assert JobEvent.objects.filter(state=JobState.CLAIMED).count() == 1


def test_an_agent_gets_no_job_of_another_site(run, stranger):
    assert jobs.claim(agent=stranger.agent, num_slots=9, num_gpus=9, at=NOON) == ()


def test_a_job_that_needs_an_accelerator_waits_for_a_free_one(run, chiara):
    work_off(chiara.agent)
    assert jobs.claim(agent=chiara.agent, num_slots=3, num_gpus=0, at=NOON) == ()
    (job,) = jobs.claim(agent=chiara.agent, num_slots=3, num_gpus=1, at=NOON)
    assert (job.stage, job.spec.num_gpus, job.sources) == (StageName.TRAIN, 1, ())


def test_slots_and_order(run, project, ada, chiara):
    second = start_run(project=project, request=run_request(project, key="second-run"), by=ada, at=LATER)
    first = jobs.claim(agent=chiara.agent, num_slots=1, num_gpus=1, at=NOON)
    assert [job.run for job in first] == [run.ref]
    both = jobs.claim(agent=chiara.agent, num_slots=2, num_gpus=1, at=NOON)
    assert [job.run for job in both] == [run.ref, second.ref]


def test_starting_twice_is_starting_once(run, chiara):
    job = claim_one(chiara.agent)
    start(chiara.agent, job)
    start(chiara.agent, job)
    run.refresh_from_db()
    assert run.state == JobState.RUNNING
    assert JobEvent.objects.filter(job__ref=job.ref, state=JobState.RUNNING).count() == 1


def test_a_job_that_waits_in_the_executor_is_not_handed_out_again(run, chiara):
    job = claim_one(chiara.agent)
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=report(job, JobState.QUEUED, reason="Priority"), at=NOON)
    assert jobs.claim(agent=chiara.agent, num_slots=1, num_gpus=1, at=NOON) == ()
    info = run_info(run).jobs[0]
    assert (info.state, info.reason) == (JobState.CLAIMED, "Priority")


def test_another_agent_cannot_touch_the_job(run, chiara, stranger):
    job = claim_one(chiara.agent)
    for call in (
        lambda: start(stranger.agent, job),
        lambda: finish(stranger.agent, job),
        lambda: jobs.add_progress(agent=stranger.agent, ref=job.ref, first=0, lines=[line(1)], at=NOON),
    ):
        with pytest.raises(NotVisible, match=job.ref):
            call()


def test_progress_lines_that_are_known_are_skipped(run, chiara):
    job = claim_one(chiara.agent)
    lines = [line(number) for number in range(6)]

    def add(first, count):
        return jobs.add_progress(
            agent=chiara.agent, ref=job.ref, first=first, lines=lines[first : first + count], at=NOON
        )

    assert add(0, 3) == 3
    assert add(0, 3) == 3
    assert add(1, 4) == 5
    assert add(0, 6) == 6
    row = Job.objects.get(ref=job.ref)
    assert progress(row).lines == tuple(lines)
    assert progress(row, after=4).lines == tuple(lines[4:])
    assert progress(row, after=6).next == 6
    assert run_info(run).jobs[0].progress == lines[-1]


def test_a_loss_that_is_not_a_number_is_left_out(run, chiara):
    job = claim_one(chiara.agent)
    values = {"loss": float("nan"), "rate": float("inf"), "tokens_per_s": 5.0}
    jobs.add_progress(agent=chiara.agent, ref=job.ref, first=0, lines=[line(1, values=values)], at=NOON)
    assert progress(Job.objects.get(ref=job.ref)).lines[0].values == {"tokens_per_s": 5.0}


def test_however_often_the_end_is_reported_it_counts_once(run, chiara, project):
    work_off(chiara.agent)
    job = claim_one(chiara.agent)
    start(chiara.agent, job)
    finish(chiara.agent, job)
    entries = LedgerEntry.objects.count()
    finish(chiara.agent, job)
    finish(chiara.agent, job, state=JobState.FAILED)
    jobs.finish(
        agent=chiara.agent,
        ref=job.ref,
        report=report(job),
        used=usage(job, wall_s=5000),
        stage_record=stage_record(job, {}),
        at=LATER,
    )
    assert LedgerEntry.objects.count() == entries
    assert UsageRecord.objects.filter(job=job.spec.key).count() == 1
    assert project_info(project).used_gpu_s == 60
    assert Job.objects.get(ref=job.ref).job_state is JobState.SUCCEEDED
    assert AuditRecord.objects.filter(action="compute.finish", object_ref=job.ref).count() == 1


def test_a_job_may_end_before_it_was_reported_started(run, chiara):
    job = claim_one(chiara.agent)
    error = ErrorBody(code="digest_mismatch", message="A file changed on its way.", hint="Send it again.")
    jobs.finish(
        agent=chiara.agent,
        ref=job.ref,
        report=report(job, JobState.FAILED, error=error),
        used=usage(job, wall_s=0, num_attempts=0, started_at=None),
        stage_record=None,
        at=NOON,
    )
    run.refresh_from_db()
    info = run_info(run)
    assert info.state == JobState.FAILED
    assert (info.jobs[0].reason, info.jobs[0].error_code, info.jobs[0].error_hint) == (
        "A file changed on its way.",
        "digest_mismatch",
        "Send it again.",
    )


def test_a_late_start_changes_nothing_after_the_end(run, chiara):
    job = work_off(chiara.agent)
    start(chiara.agent, job)
    assert Job.objects.get(pk=job.pk).job_state is JobState.SUCCEEDED


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.UNKNOWN, JobState.QUEUED])
def test_an_end_that_is_none_is_refused(run, chiara, state):
    job = claim_one(chiara.agent)
    with pytest.raises(BadReport, match=str(state)):
        finish(chiara.agent, job, state=state)
    assert not UsageRecord.objects.exists()


def test_a_usage_record_of_another_job_is_refused(run, chiara):
    job = claim_one(chiara.agent)
    with pytest.raises(BadReport, match=r"\.train"):
        jobs.finish(
            agent=chiara.agent,
            ref=job.ref,
            report=report(job),
            used=usage(run.jobs.get(stage="train")),
            stage_record=None,
            at=NOON,
        )


def test_a_usage_record_without_finite_numbers_is_refused(run, chiara):
    job = claim_one(chiara.agent)
    with pytest.raises(BadReport, match="finite"):
        jobs.finish(
            agent=chiara.agent,
            ref=job.ref,
            report=report(job),
            used=usage(job, energy_j=float("inf")),
            stage_record=None,
            at=NOON,
        )


def test_cancelling_a_running_job_goes_through_its_agent(run, chiara, ada):
    job = claim_one(chiara.agent)
    start(chiara.agent, job)
    assert cancel_run(run=run, by=ada, at=NOON).state == JobState.RUNNING
    assert beat(chiara.agent, job.ref).cancel == (job.ref,)
    finish(chiara.agent, job, state=JobState.CANCELLED)
    run.refresh_from_db()
    assert run.state == JobState.CANCELLED
    assert beat(chiara.agent, job.ref).forget == (job.ref,)
    assert UsageRecord.objects.count() == 5


def test_a_cancelled_job_that_the_agent_never_got_is_ended_by_the_hub(run, chiara, ada):
    claim_one(chiara.agent)
    cancel_run(run=run, by=ada, at=NOON)
    assert jobs.claim(agent=chiara.agent, num_slots=1, num_gpus=1, at=NOON) == ()
    beat(chiara.agent, at=NOON)
    assert run.jobs.first().job_state is JobState.CLAIMED
    beat(chiara.agent, at=LATER)
    run.refresh_from_db()
    assert run.state == JobState.CANCELLED


def test_a_job_that_the_agent_lost_is_handed_out_again_under_its_key(run, chiara):
    job = claim_one(chiara.agent)
    start(chiara.agent, job)
    beat(chiara.agent, at=NOON)
    assert Job.objects.get(ref=job.ref).job_state is JobState.RUNNING
    beat(chiara.agent, at=LATER)
    assert claim_one(chiara.agent, at=LATER) == job
    assert AuditRecord.objects.filter(action="compute.requeue", object_ref=job.ref).count() == 1


def test_a_heartbeat_names_what_the_hub_does_not_know(run, chiara, stranger):
    job = claim_one(chiara.agent)
    assert beat(chiara.agent, job.ref, "job-unknown", "\x00").forget == ("\x00", "job-unknown")
    assert beat(stranger.agent, job.ref).forget == (job.ref,)
    chiara.agent.refresh_from_db()
    assert chiara.agent.last_seen_at == NOON


def test_jobs_of_a_silent_agent_are_unknown_until_it_is_back(run, chiara):
    job = claim_one(chiara.agent)
    start(chiara.agent, job)
    beat(chiara.agent, job.ref)
    assert jobs.mark_silent(at=NOON + SILENCE) == 0
    assert jobs.mark_silent(at=NOON + SILENCE + timedelta(seconds=1)) == 1
    run.refresh_from_db()
    assert run.state == JobState.UNKNOWN
    assert "2026-11-20 12:00" in run_info(run).jobs[0].reason
    beat(chiara.agent, job.ref, at=NOON + SILENCE + timedelta(seconds=2))
    run.refresh_from_db()
    assert run.state == JobState.RUNNING


def test_what_the_agent_cannot_find_stays_unknown_until_it_says_more(run, chiara):
    job = claim_one(chiara.agent)
    start(chiara.agent, job)
    lost = report(job, JobState.UNKNOWN, reason="Neither queue nor accounting knows it.")
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=lost, at=NOON)
    later = NOON + SILENCE + timedelta(seconds=1)
    for at in (NOON, later):
        beat(chiara.agent, job.ref, at=at)
        assert Job.objects.get(ref=job.ref).state == JobState.UNKNOWN
    start(chiara.agent, job)
    assert jobs.mark_silent(at=later + SILENCE + timedelta(seconds=1)) == 1
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=lost, at=later)
    beat(chiara.agent, job.ref, at=later)
    assert Job.objects.get(ref=job.ref).state == JobState.UNKNOWN


def test_every_state_is_written_down(run, chiara):
    work_off(chiara.agent)
    events = JobEvent.objects.filter(job__run=run, job__stage="prepare", kind=EventKind.STATE).order_by("pk")
    assert [event.state for event in events] == ["queued", "claimed", "running", "succeeded"]
