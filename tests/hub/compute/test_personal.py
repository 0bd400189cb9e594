"""Time that a person brings: a site for that person's runs only."""

import pytest

from fucina.client.wire_site import PersonalSiteRequest
from fucina.errors import NotSignedIn, NotVisible
from fucina.hub.access.actions import NotAppliedFor
from fucina.hub.access.models import Application
from fucina.hub.accounting.models import Allocation, Kind
from fucina.hub.compute import jobs, projects
from fucina.hub.compute.accounts import desired_accounts
from fucina.hub.compute.actions import start_run
from fucina.hub.compute.models import LineRun
from fucina.hub.compute.personal import BadPersonalSite, LessTime, bring_site
from fucina.hub.compute.placement import NoAllocation
from fucina.hub.network.actions import NotYourSite, register_site
from fucina.hub.network.models import Agent, Site
from fucina.hub.people.actions import add_member
from fucina.hub.people.models import Person, Role
from tests.hub.conftest import (
    DOCUMENT,
    NOON,
    SETUP,
    application_request,
    run_request,
    send_blob,
    slurm_site,
    with_token,
)


def bring(project, person, *, hours=20.0, site=None):
    request = PersonalSiteRequest(site=site or slurm_site("beta"), project=project.ref, gpu_hours=hours)
    return bring_site(request=request, by=person, at=NOON)


@pytest.fixture
def eva(ada, officine):
    """A colleague of Ada's."""
    person = Person.objects.create_user("eva")
    add_member(organisation=officine, person=person, role=Role.MEMBER, by=ada, at=NOON)
    return person


def test_the_hours_are_a_grant_with_a_note(project, ada):
    answer = bring(project, ada)
    allocation = Allocation.objects.get(ref=answer.allocation)
    assert answer.site == "beta.ada"
    assert (allocation.site.owner, allocation.free_gpu_s) == (ada, 20 * 3600)
    entry = allocation.entries.get()
    assert (entry.kind, entry.note) == (Kind.GRANT, "Brought by ada: account projx at beta")
    assert Application.objects.get(access_mode__name="own").decisions.get().granted


def test_declared_again_they_are_the_same_hours_and_the_agent_is_the_same(project, ada):
    first, second, third = bring(project, ada), bring(project, ada), bring(project, ada, hours=25)
    assert first.allocation == second.allocation != third.allocation
    assert first.agent == second.agent == third.agent
    assert Allocation.objects.get(ref=third.allocation).free_gpu_s == 5 * 3600
    client = with_token(first.token)
    assert client.post("/api/v1/agent/claim", "{}", content_type="application/json").status_code == 401
    with pytest.raises(LessTime, match=r"25\.00 GPU-hours were declared"):
        bring(project, ada, hours=1)


def test_only_the_owners_runs_go_there(project, ada, eva):
    site = bring(project, ada).site
    send_blob(project, DOCUMENT, ada)
    request = run_request(project, compute={"gpu_hours": 5, "site": site})
    mine = start_run(project=project, request=request, by=ada, at=NOON)
    with pytest.raises(NoAllocation):
        start_run(
            project=project,
            request=run_request(project, key="of-eva-1", compute=request.spec.compute.model_dump()),
            by=eva,
            at=NOON,
        )
    LineRun.objects.create(
        project=project,
        allocation=mine.allocation,
        key="forged-1",
        spec=mine.spec,
        sources=[],
        state="queued",
        created_by=eva,
        created_at=NOON,
    )
    chain = jobs.claim(agent=Agent.objects.get(site__name=site), num_slots=9, num_gpus=9, chains=True, at=NOON)
    assert {job.run for job in chain} == {mine.ref}
    assert {(job.spec.account, job.spec.user) for job in chain} == {("projx", "")}


def test_a_personal_site_is_its_owners_alone(project, ada, bruno, dag):
    site = bring(project, ada).site
    assert not Site.objects.visible_to(bruno).filter(name=site).exists()
    assert Site.objects.visible_to(ada).filter(name=site).exists()
    with pytest.raises(NotVisible):
        bring(project, dag)
    with pytest.raises(NotYourSite):
        register_site(site=slurm_site(site), by=SETUP, at=NOON)


def test_its_agent_leaves_with_its_owner_and_makes_no_accounts(project, ada):
    answer = bring(project, ada)
    assert desired_accounts(Agent.objects.get(ref=answer.agent)).accounts == ()
    client = with_token(answer.token)
    body = {"data": '{"num_slots": 0, "num_gpus": 0}', "content_type": "application/json"}
    assert client.post("/api/v1/agent/claim", **body).status_code == 200
    ada.is_active = False
    ada.save()
    refused = client.post("/api/v1/agent/claim", **body)
    assert (refused.status_code, refused.json()["code"]) == (401, NotSignedIn.code)


def test_the_mode_is_declared_and_not_applied_for(ada, officine, site):
    with pytest.raises(NotAppliedFor, match="your own"):
        projects.apply(request=application_request(access_mode="own"), by=ada, at=NOON)


@pytest.mark.parametrize("described", [slurm_site("-x"), slurm_site("a" * 64), slurm_site("b", slurm={"cluster": "b"})])
def test_a_site_that_cannot_be_is_refused(project, ada, described):
    with pytest.raises(BadPersonalSite):
        bring(project, ada, site=described)
    assert not Site.objects.filter(owner=ada).exists()
