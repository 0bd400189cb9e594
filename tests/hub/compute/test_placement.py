"""Where runs go and why, and how those that cannot start leave again."""

from datetime import timedelta

import pytest

from fucina.client.wire import DecisionRequest, GrantShare
from fucina.compute.spec import JobState
from fucina.errors import NotVisible
from fucina.hub.access.models import Application
from fucina.hub.accounting.actions import GrantOverspent, allocate
from fucina.hub.accounting.awards import accept_award
from fucina.hub.accounting.models import Allocation, LedgerEntry, LedgerTotal, balance
from fucina.hub.compute import jobs, projects
from fucina.hub.compute.actions import start_run
from fucina.hub.compute.failover import move_run, move_stranded_runs
from fucina.hub.compute.jobs import GRACE
from fucina.hub.compute.models import Job, Project
from fucina.hub.compute.placement import NoAllocation, NoPlace
from fucina.hub.compute.projects import BadSplit
from fucina.hub.compute.read import project_info, run_info
from fucina.hub.network.actions import register_agent, register_site
from fucina.hub.network.models import Partition
from fucina.hub.network.read import SILENCE
from fucina.hub.people.models import AuditRecord
from fucina.network.spec import Maintenance, load_network
from fucina.network.status import PartitionStatus
from tests.hub.conftest import (
    DOCUMENT,
    NOON,
    SETUP,
    application_request,
    claim_one,
    report,
    run_request,
    send_blob,
    usage,
    work_off,
)

SILENT = NOON + SILENCE + timedelta(seconds=1)


def beat(agent, *refs, at=NOON, **status):
    fields = {"partition": "cpu", "at": at, "num_gpus": 1, "num_free_gpus": 1, "expected_wait_s": 0.0} | status
    return jobs.heartbeat(
        agent=agent, version="0", refs=refs, partitions=(PartitionStatus.model_validate(fields),), at=at
    )


@pytest.fixture
def beta(db):
    """A second site with an agent."""
    spec = load_network().sites[0].model_copy(update={"id": "beta", "name": "Beta"})
    row = register_site(site=spec, by=SETUP, at=NOON + timedelta(days=1))
    return register_agent(site=row, by=SETUP, at=NOON).agent


@pytest.fixture
def both(ada, bruno, officine, chiara, beta):
    """A project with 8 GPU-hours on `local` and 12 on `beta`, split by the officer."""
    request = application_request(access_mode="playground", gpu_hours=20)
    application = projects.apply(request=request, by=ada, at=NOON)
    split = (GrantShare(place="local/cpu", gpu_hours=8), GrantShare(place="beta", gpu_hours=12))
    projects.decide(
        application=application, request=DecisionRequest(granted=True, reason="Good.", split=split), by=bruno, at=NOON
    )
    accept_award(grant=application.grant, by=ada, at=NOON)
    project = Project.objects.get()
    send_blob(project, DOCUMENT, ada)
    beat(chiara.agent)
    beat(beta)
    return project


def start(project, ada, *, at=NOON, key="first-run", gpu_hours=5.0, **compute):
    compute = {"gpu_hours": gpu_hours} | compute
    return start_run(project=project, request=run_request(project, key=key, compute=compute), by=ada, at=at)


def place(run):
    run.refresh_from_db()
    return str(run.allocation.partition)


def test_an_officer_splits_a_grant_over_two_sites(both):
    shares = {str(row.partition): row.free_gpu_s for row in Allocation.objects.select_related("partition__site")}
    assert shares == {"local/cpu": 8 * 3600, "beta/cpu": 12 * 3600}
    assert project_info(both).granted_gpu_s == 20 * 3600


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ([("local/cpu", 8), ("beta", 11)], "add up to 19.00 GPU-hours; 20.00 are granted"),
        ([("local/cpu", 10), ("local", 10)], "names a partition twice"),
        ([("local/cpu", 10), ("gamma/gpu", 10)], "no partition 'gamma/gpu'"),
        ([("local/gpu", 20)], "no partition 'local/gpu'"),
        ([("\x00", 20)], "no partition"),
    ],
)
def test_a_split_that_is_none_changes_nothing(ada, bruno, officine, chiara, beta, split, words):
    request = application_request(access_mode="playground", gpu_hours=20)
    application = projects.apply(request=request, by=ada, at=NOON)
    shares = tuple(GrantShare(place=where, gpu_hours=hours) for where, hours in split)
    with pytest.raises(BadSplit, match=words):
        projects.decide(
            application=application,
            request=DecisionRequest(granted=True, reason="Good.", split=shares),
            by=bruno,
            at=NOON,
        )
    assert Application.objects.get().state == "submitted"
    assert not Allocation.objects.exists()
    assert not LedgerEntry.objects.exists()


def test_what_is_rejected_is_not_split(ada, bruno, officine, chiara):
    application = projects.apply(request=application_request(access_mode="playground"), by=ada, at=NOON)
    request = DecisionRequest(granted=False, reason="Bad.", split=(GrantShare(place="local", gpu_hours=10),))
    with pytest.raises(BadSplit, match="rejected"):
        projects.decide(application=application, request=request, by=bruno, at=NOON)
    assert Application.objects.get().state == "submitted"


def test_a_grant_is_not_placed_twice_over(both):
    row = Allocation.objects.first()
    other = Partition.objects.create(site=row.site, name="gpu", position=1)
    with pytest.raises(GrantOverspent, match="0.00 of gra-"):
        allocate(grant=row.grant, partition=other, by=SETUP, at=NOON, gpu_s=3600)
    assert allocate(grant=row.grant, partition=row.partition, by=SETUP, at=NOON) == row


def test_the_broker_chooses_and_says_why(both, ada, chiara):
    beat(chiara.agent, expected_wait_s=7200.0)
    run = start(both, ada)
    assert place(run) == "beta/cpu"
    info = run_info(run)
    assert (info.site, info.partition, info.generation) == ("beta", "cpu", 1)
    assert info.placement.why.startswith("beta/cpu, best of 2: 7.00 of 12.00 GPU-hours would be left")
    assert [rating.place for rating in info.placement.ranking.ranked] == ["beta/cpu", "local/cpu"]
    assert all(job.allocation == run.allocation for job in run.jobs.all())
    assert {job.parsed_spec.partition for job in run.jobs.all()} == {"cpu"}


def test_a_busy_site_loses_against_an_idle_one(both, ada, beta):
    beat(beta, expected_wait_s=86400.0)
    assert place(start(both, ada)) == "local/cpu"


@pytest.mark.parametrize(("named", "other"), [("local", "beta/cpu"), ("local/cpu", "beta/cpu")])
def test_a_named_site_is_taken_even_if_another_ranks_first(both, ada, chiara, named, other):
    beat(chiara.agent, expected_wait_s=86400.0)
    run = start(both, ada, site=named)
    assert place(run) == "local/cpu"
    placement = run_info(run).placement
    assert placement.ranking.ranked[0].place == other
    assert f"named by the applicant, though {other} ranks first" in placement.why


def test_a_site_that_the_project_has_no_time_on_is_refused(both, ada):
    with pytest.raises(NoAllocation, match="site gamma"):
        start(both, ada, site="gamma")


def test_a_silent_site_is_avoided(both, ada, beta):
    beat(beta, at=SILENT)
    assert place(start(both, ada, at=SILENT)) == "beta/cpu"


def test_a_named_site_in_trouble_gives_way_to_the_fallback(both, ada, chiara):
    beat(chiara.agent, problem="all nodes are down")
    assert place(start(both, ada, site="local", fallback="beta/cpu")) == "beta/cpu"
    assert place(start(both, ada, site="local", key="second-run")) == "local/cpu"


def test_sensitive_data_goes_only_where_it_may(both, ada, chiara):
    request = run_request(
        both,
        data={"sources": [{"path": "leggi.jsonl", "licence": "CC0-1.0"}], "sensitivity": "health"},
    )
    with pytest.raises(NoPlace, match="beta/cpu: the site may hold public data, this is health"):
        start_run(project=both, request=request, by=ada, at=NOON)
    assert not Job.objects.exists()
    assert project_info(both).held_gpu_s == 0


def test_data_that_lies_somewhere_draws_the_next_run_there(both, ada, chiara):
    start(both, ada, site="local", gpu_hours=1)
    work_off(chiara.agent)
    parts = {
        rating.place: rating.parts["data"]
        for rating in run_info(start(both, ada, key="second-run", gpu_hours=1)).placement.ranking.ranked
    }
    assert parts == {"local/cpu": 1.0, "beta/cpu": 0.0}


def test_no_job_is_handed_out_that_would_run_into_maintenance(both, ada, chiara):
    run = start(both, ada, site="local")
    walltime_s = run.jobs.get(stage="prepare").walltime_s
    window = Maintenance(begins_at=NOON + timedelta(seconds=walltime_s - 1), ends_at=NOON + timedelta(days=1))
    spec = load_network().sites[0].model_copy(update={"maintenance": (window,)})
    register_site(site=spec, by=SETUP, at=NOON)
    agent = type(chiara.agent).objects.select_related("site").get(pk=chiara.agent.pk)
    assert jobs.claim(agent=agent, num_slots=9, num_gpus=9, at=NOON) == ()
    assert len(jobs.claim(agent=agent, num_slots=9, num_gpus=9, at=NOON - timedelta(seconds=1))) == 1


def holds(project):
    """Held GPU-seconds by place; every allocation balances, by its entries and by their running sums."""
    found = {}
    for row in Allocation.objects.of_project(project.organisation, project.name).select_related("partition__site"):
        assert balance(row.entries.all()) == balance(LedgerTotal.objects.filter(allocation=row))
        found[str(row.partition)] = balance(row.entries.all()).held_gpu_s
    return found


def test_a_queued_run_leaves_a_silent_site_for_its_fallback(both, ada, beta, chiara):
    run = start(both, ada, site="local", fallback="beta")
    before = set(run.jobs.values_list("ref", "key"))
    assert move_stranded_runs(at=NOON) == 0
    beat(beta, at=SILENT)
    assert move_stranded_runs(at=SILENT) == 1
    assert place(run) == "beta/cpu"
    assert run.generation == 2
    after = set(run.jobs.values_list("ref", "key"))
    assert not {part for pair in before for part in pair} & {part for pair in after for part in pair}
    assert holds(both) == {"local/cpu": 0, "beta/cpu": 5 * 3600}
    assert jobs.claim(agent=chiara.agent, num_slots=9, num_gpus=9, at=SILENT) == ()
    claimed = claim_one(beta, at=SILENT)
    assert (claimed.generation, claimed.spec.key) == (2, f"{run.ref}.prepare.g2")
    events = Job.objects.get(ref=claimed.ref).events.filter(reason__contains="silent since 2026-11-20 12:00 UTC")
    assert events.count() == 1
    assert AuditRecord.objects.filter(action="compute.move_run", object_ref=run.ref).count() == 1
    assert move_stranded_runs(at=SILENT) == 0


def test_the_old_agent_is_told_to_end_what_it_had_and_cannot_touch_it(both, ada, beta, chiara):
    run = start(both, ada, site="local", fallback="beta")
    old = claim_one(chiara.agent)
    waiting = report(old, JobState.CLAIMED, started_at=None, native_id="17", pending_reason="Priority")
    jobs.mark_started(agent=chiara.agent, ref=old.ref, report=waiting, at=NOON)
    beat(beta, at=SILENT)
    assert move_stranded_runs(at=SILENT) == 1
    work_off(beta)
    assert beat(chiara.agent, old.ref, at=SILENT).forget == (old.ref,)
    with pytest.raises(NotVisible, match="that you may see"):
        jobs.finish(agent=chiara.agent, ref=old.ref, report=report(old), used=usage(old), stage_record=None, at=SILENT)
    run.refresh_from_db()
    assert run.state == JobState.RUNNING
    assert holds(both) == {"local/cpu": 0, "beta/cpu": 5 * 3600}


def test_a_partition_that_is_down_or_in_maintenance_is_left_too(both, ada, beta, chiara):
    run = start(both, ada, site="local", fallback="beta")
    beat(chiara.agent, problem="all nodes are down")
    assert move_stranded_runs(at=NOON) == 1
    assert place(run) == "beta/cpu"
    beat(chiara.agent)
    other = start(both, ada, site="local", fallback="beta", key="second-run", gpu_hours=2)
    assert place(other) == "local/cpu"
    window = Maintenance(begins_at=NOON, ends_at=NOON + timedelta(days=1))
    register_site(site=load_network().sites[0].model_copy(update={"maintenance": (window,)}), by=SETUP, at=NOON)
    assert move_stranded_runs(at=NOON + GRACE) == 1
    assert place(other) == "beta/cpu"


def test_a_run_that_has_started_stays(both, ada, beta, chiara):
    run = start(both, ada, site="local", fallback="beta")
    job = claim_one(chiara.agent)
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=report(job, JobState.RUNNING), at=NOON)
    beat(beta, at=SILENT)
    assert move_stranded_runs(at=SILENT) == 0
    assert move_run(run.ref, at=SILENT) is None
    assert (place(run), run.generation) == ("local/cpu", 1)


def test_a_pinned_run_without_fallback_stays_and_an_unpinned_one_goes_to_the_next_best(both, ada, beta, chiara):
    pinned = start(both, ada, site="local", gpu_hours=1)
    beat(beta, expected_wait_s=86400.0)
    free = start(both, ada, key="second-run", gpu_hours=1)
    assert place(free) == "local/cpu"
    beat(beta, at=SILENT)
    assert move_stranded_runs(at=SILENT) == 1
    assert (place(pinned), place(free)) == ("local/cpu", "beta/cpu")


def test_a_run_stays_where_the_fallback_has_too_little_left(both, ada, beta, chiara):
    start(both, ada, site="beta", gpu_hours=10)
    run = start(both, ada, site="local", fallback="beta", key="second-run")
    beat(beta, at=SILENT)
    assert move_stranded_runs(at=SILENT) == 0
    assert place(run) == "local/cpu"
    assert holds(both) == {"local/cpu": 5 * 3600, "beta/cpu": 10 * 3600}


def test_statuses_of_partitions_that_are_not_there_change_nothing(chiara):
    beat(chiara.agent, partition="nosuch")
    assert not Partition.objects.filter(status__isnull=False).exists()
    beat(chiara.agent, num_waiting_jobs=3)
    assert Partition.objects.get().parsed_status.num_waiting_jobs == 3
