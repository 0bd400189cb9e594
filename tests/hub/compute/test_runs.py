"""Line runs: planned, held, queued, or refused with nothing left behind."""

import pytest

from fucina.compute.spec import JobState
from fucina.hub.accounting.actions import BudgetExceeded
from fucina.hub.accounting.models import LedgerEntry, UsageRecord, balance
from fucina.hub.compute import projects
from fucina.hub.compute.actions import (
    BadSources,
    KeyTaken,
    MissingSources,
    RunEnded,
    WrongProject,
    cancel_run,
    start_run,
)
from fucina.hub.compute.models import Job, LineRun
from fucina.hub.compute.placement import NoAllocation
from fucina.hub.compute.read import project_info, run_info
from fucina.hub.people.models import AuditRecord
from fucina.line.plan import BudgetTooSmall
from fucina.line.spec import STAGES
from tests.hub.conftest import DOCUMENT, NOON, application_request, run_request, send_blob, work_off

HELD_GPU_S = 5 * 3600
"""All that the project file allows."""


def states(run):
    return [job.state for job in run.jobs.order_by("position")]


def nothing_was_created(project):
    return not LineRun.objects.exists() and not Job.objects.exists() and project_info(project).held_gpu_s == 0


def test_a_run_holds_the_time_of_all_five_jobs_and_queues_the_first(run, project):
    assert [job.stage for job in run.jobs.order_by("position")] == [str(stage) for stage in STAGES]
    assert states(run) == ["queued", "blocked", "blocked", "blocked", "blocked"]
    info = project_info(project)
    assert (info.held_gpu_s, info.free_gpu_s, info.used_gpu_s) == (HELD_GPU_S, 10 * 3600 - HELD_GPU_S, 0)


def test_the_same_key_is_the_same_run(run, project, ada):
    again = start_run(project=project, request=run_request(project), by=ada, at=NOON)
    assert again.pk == run.pk
    assert Job.objects.count() == 5
    assert project_info(project).held_gpu_s == HELD_GPU_S


def test_the_same_key_with_another_content_is_refused(run, project, ada):
    with pytest.raises(KeyTaken, match=run.ref):
        start_run(project=project, request=run_request(project, seed=7), by=ada, at=NOON)


def test_a_run_over_the_allocation_is_refused_with_both_numbers(run, project, ada):
    with pytest.raises(BudgetExceeded, match=r"needs 6\.00 GPU-hours; alc-\w+ has 5\.00 left"):
        start_run(project=project, request=run_request(project, key="second-run", gpu_hours=6), by=ada, at=NOON)
    assert LineRun.objects.get() == run


def test_a_project_file_with_too_small_a_budget_creates_nothing(project, ada):
    send_blob(project, DOCUMENT, ada)
    with pytest.raises(BudgetTooSmall):
        start_run(project=project, request=run_request(project, gpu_hours=0.0003), by=ada, at=NOON)
    assert nothing_was_created(project)


def test_sources_that_were_not_sent_are_named(project, ada):
    with pytest.raises(MissingSources, match="1 of 1 source files were not sent .* 'leggi.jsonl'"):
        start_run(project=project, request=run_request(project), by=ada, at=NOON)
    assert nothing_was_created(project)


@pytest.mark.parametrize("name", ["../leggi.jsonl", "/etc/passwd", "a//b", "", "a\nb", "a\\b", "x" * 300])
def test_a_source_with_a_name_that_leaves_its_folder_is_refused(project, ada, name):
    send_blob(project, DOCUMENT, ada)
    request = run_request(project)
    source = request.sources[0].model_copy(update={"name": name})
    with pytest.raises(Exception, match="relative path"):
        start_run(project=project, request=request.model_copy(update={"sources": (source,)}), by=ada, at=NOON)
    assert nothing_was_created(project)


def test_two_sources_of_one_name_are_refused(project, ada):
    send_blob(project, DOCUMENT, ada)
    request = run_request(project)
    with pytest.raises(BadSources, match="leggi.jsonl"):
        start_run(project=project, request=request.model_copy(update={"sources": request.sources * 2}), by=ada, at=NOON)


@pytest.mark.parametrize("change", [{"name": "other"}, {"organisation": "Altrove AB"}])
def test_a_project_file_of_another_project_is_refused(project, ada, change):
    with pytest.raises(WrongProject, match="norme-chiare"):
        start_run(project=project, request=run_request(project, **change), by=ada, at=NOON)


def test_the_organisation_may_be_written_in_another_case(project, ada):
    send_blob(project, DOCUMENT, ada)
    assert start_run(project=project, request=run_request(project, organisation="officine  ESEMPIO"), by=ada, at=NOON)


def test_a_site_without_time_is_refused(project, ada, stranger):
    send_blob(project, DOCUMENT, ada)
    request = run_request(project, compute={"site": "elsewhere", "gpu_hours": 1})
    with pytest.raises(NoAllocation, match="elsewhere"):
        start_run(project=project, request=request, by=ada, at=NOON)


def test_a_run_takes_the_allocation_with_the_most_time_left(run, project, ada):
    projects.apply(request=application_request(gpu_hours=20), by=ada, at=NOON)
    second = start_run(project=project, request=run_request(project, key="second-run", gpu_hours=15), by=ada, at=NOON)
    assert second.allocation != run.allocation
    assert balance(second.allocation.entries.all()).free_gpu_s == 5 * 3600


def test_cancelling_a_waiting_run_settles_everything(run, project, ada):
    cancelled = cancel_run(run=run, by=ada, at=NOON)
    assert cancelled.state == JobState.CANCELLED
    assert states(run) == ["cancelled"] * 5
    assert UsageRecord.objects.count() == 5
    info = project_info(project)
    assert (info.held_gpu_s, info.used_gpu_s, info.free_gpu_s) == (0, 0, 10 * 3600)
    assert cancel_run(run=run, by=ada, at=NOON).state == JobState.CANCELLED
    assert UsageRecord.objects.count() == 5


def test_a_run_that_ended_is_not_cancelled(run, chiara, ada):
    work_off(chiara.agent, state=JobState.FAILED)
    with pytest.raises(RunEnded, match=run.ref):
        cancel_run(run=run, by=ada, at=NOON)


def test_a_run_whose_jobs_all_succeeded_runs_until_its_release_is_registered(run, chiara, project, ada):
    for _ in STAGES:
        work_off(chiara.agent)
    run.refresh_from_db()
    assert run.state == JobState.RUNNING
    assert run.ended_at is None
    info = project_info(project)
    assert (info.held_gpu_s, info.used_gpu_s) == (0, 120)
    with pytest.raises(RunEnded):
        cancel_run(run=run, by=ada, at=NOON)


def test_a_failed_stage_cancels_the_rest_and_says_why(run, chiara, project):
    work_off(chiara.agent)
    work_off(chiara.agent, state=JobState.TIMED_OUT, wall_s=30)
    run.refresh_from_db()
    assert run.state == JobState.TIMED_OUT
    assert states(run) == ["succeeded", "timed_out", "cancelled", "cancelled", "cancelled"]
    info = run_info(run)
    assert info.jobs[2].reason == "Stage train was ended by its walltime."
    assert info.jobs[2].wall_s is None
    assert info.jobs[1].gpu_s == 30
    assert UsageRecord.objects.count() == 5
    assert project_info(project).free_gpu_s == 10 * 3600 - 30


def test_every_hold_is_in_the_audit_trail(run, ada):
    held = LedgerEntry.objects.filter(kind="hold").count()
    assert held == 2
    assert AuditRecord.objects.filter(action="accounting.hold", person=ada).count() == held
    assert AuditRecord.objects.filter(action="compute.start_run", object_ref=run.ref).count() == 1
