"""The pages of people's own jobs, and the split of a grant."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fucina.compute.spec import JobReport, JobState
from fucina.hub.accounting.models import Allocation
from fucina.hub.compute import jobs
from fucina.hub.compute.models import Artifact
from fucina.hub.network.actions import register_site
from fucina.hub.people.actions import add_member
from fucina.hub.people.models import Person, Role
from fucina.network.spec import load_network
from tests.hub.conftest import NOON, SETUP


def text_of(response):
    return response.content.decode()


def claimed(world, job, **changes):
    """The agent has the job and says how it is."""
    (one,) = jobs.claim(agent=world.agent, num_slots=1, num_gpus=1, at=NOON)
    assert one.ref == job.ref
    fields = {"key": one.spec.key, "state": JobState.CLAIMED, "native_id": "77"} | changes
    jobs.mark_started(agent=world.agent, ref=job.ref, report=JobReport.model_validate(fields), at=NOON)


def test_a_waiting_job_says_why_and_when_it_may_start(world, as_):
    job = world.submit()
    client = as_(world.ada)
    page = text_of(client.get(f"/jobs/{job.ref}"))
    assert "Why it waits" in page and "Nothing new starts at This machine" not in page
    assert 'hx-trigger="every 2s"' in page and "echo ciao" in page
    claimed(world, job, reason="Jobs of higher priority are ahead.", starts_at=NOON + timedelta(hours=1))
    page = text_of(client.get(f"/jobs/{job.ref}"))
    for words in ("Its site has it as 77 and says: Jobs of higher priority are ahead.", "Expected start:", "13:00"):
        assert words in page, words


def test_a_job_that_runs_or_has_ended_does_not_wait(world, as_):
    job = world.submit()
    claimed(world, job, state=JobState.RUNNING, started_at=NOON, num_attempts=1)
    client = as_(world.ada)
    assert "Why it waits" not in text_of(client.get(f"/jobs/{job.ref}"))
    job.refresh_from_db()
    world.write_log(job, "ciao\n")
    Artifact.objects.create(job=job, path="out.txt", sha256="0" * 64, num_bytes=1234, received_at=NOON)
    world.end_stage(job, state=JobState.FAILED)
    page = text_of(client.get(f"/jobs/{job.ref}"))
    for words in ("Failed", "ciao", f"/api/v1/jobs/{job.ref}/files/out.txt", "It ended without saying why."):
        assert words in page, words
    assert "hx-trigger" not in page and "Cancel the job" not in page


def test_a_job_is_cancelled_after_a_question(world, as_):
    job = world.submit()
    client = as_(world.ada)
    assert "Cancel this job?" in text_of(client.get(f"/jobs/{job.ref}/cancel"))
    job.refresh_from_db()
    assert job.job_state is JobState.QUEUED
    assert client.post(f"/jobs/{job.ref}/cancel").status_code == 302
    job.refresh_from_db()
    assert job.job_state is JobState.CANCELLED
    assert client.get(f"/jobs/{job.ref}/cancel").status_code == 302


def test_a_stage_is_shown_with_its_run_and_not_cancelled_alone(world, as_):
    run = world.begin()
    stage = run.jobs.get(stage="prepare")
    client = as_(world.ada)
    assert client.get(f"/jobs/{stage.ref}")["Location"] == f"/runs/{run.ref}?stage=prepare"
    response = client.post(f"/jobs/{stage.ref}/cancel")
    assert response.status_code == 409 and "fucina cancel" in text_of(response)


def test_the_list_has_ones_own_jobs_only_and_costs_the_same_however_long(world, as_):
    eva = Person.objects.create_user("eva", name="Eva")
    add_member(organisation=world.organisation, person=eva, role=Role.MEMBER, by=world.ada, at=NOON)
    world.begin()
    job = world.submit()
    page = text_of(as_(world.ada).get("/jobs"))
    assert page.count('class="quiet small below mono">job-') == 1 and job.ref in page
    assert job.ref not in text_of(as_(eva).get("/jobs"))
    assert as_(eva).get(f"/jobs/{job.ref}").status_code == 200, "a colleague sees it by its address"

    def num_queries():
        client = as_(world.ada)
        client.get("/jobs")
        with CaptureQueriesContext(connection) as captured:
            client.get("/jobs")
        return len(captured)

    short = num_queries()
    for number in range(4):
        world.submit(key=f"more-jobs-{number}")
    assert num_queries() == short <= 5


def test_the_pages_speak_italian(world, as_):
    job = world.submit()
    client = as_(world.ada)
    client.post("/language", {"language": "it", "next": "/jobs"})
    assert "I tuoi lavori" in text_of(client.get("/jobs"))
    assert "Perché attende" in text_of(client.get(f"/jobs/{job.ref}"))


@pytest.fixture
def beta(world):
    return register_site(site=load_network().sites[0].model_copy(update={"id": "beta"}), by=SETUP, at=NOON)


def decide(client, application, split, *, decision="grant", hours="250"):
    body = {"decision": decision, "gpu_hours": hours, "reason": "It fits.", "split": split}
    return client.post(f"/applications/{application.ref}/decide", body)


def test_an_officer_splits_a_grant_over_systems(world, beta, as_):
    application = world.ask("waiting", hours=250.0, mode="playground")
    client = as_(world.bruno)
    assert "beta/cpu" in text_of(client.get(f"/applications/{application.ref}/decide"))
    assert decide(client, application, "local/cpu 100\r\n\r\n beta/cpu  150 ").status_code == 302
    found = Allocation.objects.filter(grant__application=application).order_by("site__name")
    assert [(str(a.partition), a.free_gpu_s // 3600) for a in found] == [("beta/cpu", 150), ("local/cpu", 100)]


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ("local/cpu", "Line 1 is no part"),
        ("local/cpu 100\nbeta/cpu x", "Line 2 is no part"),
        ("local/cpu -1", "Line 1 is no part"),
        ("local/cpu nan", "Line 1 is no part"),
        ("local/cpu 100", "The parts add up to 100.00 GPU-hours; 250.00 are granted."),
        ("local/cpu 100\nlocal/cpu 150", "names a partition twice"),
        ("local/cpu 100\ngamma/x 150", "There is no partition"),
    ],
)
def test_a_split_that_cannot_be_says_why_and_grants_nothing(world, beta, as_, split, said):
    application = world.ask("waiting", hours=250.0, mode="playground")
    response = decide(as_(world.bruno), application, split)
    assert response.status_code == 422 and said in text_of(response)
    application.refresh_from_db()
    assert application.state == "submitted"
    assert not Allocation.objects.filter(grant__application=application).exists()


def test_what_is_rejected_is_not_split(world, beta, as_):
    application = world.ask("waiting", hours=250.0, mode="playground")
    response = decide(as_(world.bruno), application, "local/cpu 250", decision="reject")
    assert response.status_code == 422 and "What is rejected cannot be split." in text_of(response)
