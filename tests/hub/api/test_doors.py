"""Every route, tried by everybody who must not pass it; a route that the table below lacks fails the first test."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from fucina.access.call_file import write_call
from fucina.access.intake import Goal, Intake, Who
from fucina.access.modes import shipped_modes
from fucina.client.wire import (
    BlobQuery,
    ClaimRequest,
    DecisionRequest,
    FinishedRequest,
    HeartbeatRequest,
    OrganisationRequest,
    ProgressRequest,
    ReleaseFile,
    ReleaseWithdrawal,
    StartedRequest,
)
from fucina.client.wire_access import (
    ChangeDecision,
    ChangeRequest,
    ClawBackRequest,
    DraftSave,
    DraftStart,
    InvitationAnswer,
    InvitationRequest,
    ModesText,
    MoveRequest,
    ReportRequest,
)
from fucina.client.wire_accounting import AccountRequest, RefundDecision, RefundRequest, UsageRequest
from fucina.client.wire_data import (
    DataAccessAsk,
    DataDecision,
    DatasetFilesQuery,
    ErasureRequest,
    Policy,
    PublishRequest,
    StageRequest,
    WithdrawRequest,
)
from fucina.client.wire_jobs import JobRequest
from fucina.client.wire_network import FactEdit
from fucina.client.wire_planning import ScenarioRequest
from fucina.client.wire_review import (
    CaseRequest,
    RankingRequest,
    ReasonRequest,
    ReviewerRequest,
    ReviewRequest,
    TieRequest,
)
from fucina.client.wire_site import DrainRequest, PersonalSiteRequest, SiteRequest, UserRequest
from fucina.compute.record import ProgressLine
from fucina.compute.spec import JobState
from fucina.errors import ErrorBody
from fucina.hub.access.models import Application
from fucina.hub.accounting.models import RefundProposal
from fucina.hub.compute.models import Artifact, Job, LineRun, Project, ProjectFile
from fucina.hub.data.actions import register_dataset_version
from fucina.hub.data.models import AccessRequest, Erasure
from fucina.hub.people.models import Membership, Organisation
from fucina.hub.planning.actions import save_scenario
from fucina.hub.registry.actions import register_release
from fucina.network.catalogue import shipped_catalogue
from fucina.network.spec import load_network
from tests.data.described import described
from tests.hub.conftest import (
    DOCUMENT,
    DOCUMENT_SHA256,
    NOON,
    application_request,
    as_json,
    as_person,
    claim_one,
    report,
    run_request,
    usage,
    with_token,
)

ROOT = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is Ada's, and what the agent has."""

    application: str
    project: str
    run: str
    release: str
    job: str
    allocation: str
    refund: str
    dataset: str
    data_request: str
    erasure: str
    scenario: str
    change: str = "chg-000000000000"
    review: str = "rvw-none"
    ranking: str = "rnk-none"

    def with_unknown(self) -> "World":
        """The same with references that nothing has."""
        kinds = {name: getattr(self, name) for name in self.__slots__}
        return World(**{name: ref[:4] + "0" * 12 for name, ref in kinds.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How to call a route with what is Ada's, and what becomes of it."""

    door: str = "person"
    """`open`, `person` or `agent`."""
    call: Callable[[World], dict[str, Any]] = field(default=lambda world: {})
    """Keyword arguments of the test client."""
    ok: int = 200
    dag: int = 404
    """Status that someone else gets; 200 where everybody sees only their own."""


def raw(data: bytes) -> dict[str, Any]:
    return {"data": data, "content_type": "application/octet-stream"}


def line() -> ProgressLine:
    return ProgressLine(at=NOON, stage="prepare", done=1, total=2, unit="documents")


def job_of(world: World) -> Job:
    """The job, or any other when the reference is unknown: the body must be valid either way."""
    return Job.objects.filter(ref=world.job).first() or Job.objects.order_by("pk")[0]


def started(world: World) -> dict[str, Any]:
    return as_json(StartedRequest(report=report(job_of(world), JobState.RUNNING)))


def finished(world: World) -> dict[str, Any]:
    return as_json(FinishedRequest(report=report(job_of(world)), usage=usage(job_of(world))))


def project_of(world: World) -> Project:
    row = Project.objects.get()
    row.ref = world.project
    return row


def job_request(world: World) -> dict[str, Any]:
    return as_json(JobRequest(project=world.project, key="my-first-job", command=("true",), walltime_s=60))


def shipped_catalogue_body() -> dict[str, Any]:
    return as_json(shipped_catalogue())


DECISION = DecisionRequest(granted=False, reason="Too early.")
REVIEW = ReviewRequest(scores={}, reasons={}, version=0)
REFUND = RefundRequest(job="slurm.alpha.1.1", gpu_s=5, reason="Node failed.")
DATA_FILES = DatasetFilesQuery(organisation="Officine Esempio", name="local", sha256s=("0" * 64,))
DATA_ASK = DataAccessAsk(organisation="Officine Esempio", purpose="To train a small model.")
CATALOGUE = (
    "",
    "/factories",
    "/factories/it4lia",
    "/antennas",
    "/systems",
    "/systems/jupiter",
    "/services",
    "/programmes",
)
AGENT_LIST: dict[str, Any] = {"door": "agent", "dag": 200}
PLAYGROUND = write_call(shipped_modes().mode("playground", day=NOON.date()))
ROUTES: dict[str, Route] = {
    "GET /health": Route(door="open", dag=200),
    "GET /factory-key": Route(door="open", dag=200),
    "GET /release-log": Route(door="open", ok=503, dag=503),
    "POST /advice": Route(
        door="open", dag=200, call=lambda world: as_json(Intake(who=Who.COMPANY, country="IT", goal=Goal.LEARN))
    ),
    "GET /me": Route(dag=200),
    "GET /organisations": Route(dag=200),
    "POST /organisations": Route(dag=200, call=lambda world: as_json(OrganisationRequest(name="Nuova Officina"))),
    "POST /drafts": Route(
        call=lambda world: as_json(DraftStart(organisation="Officine Esempio", access_mode="fast-lane"))
    ),
    "GET /applications/{application}/grant": Route(),
    "POST /applications/{application}/acceptance": Route(),
    "POST /applications/{application}/changes": Route(
        ok=422, call=lambda world: as_json(ChangeRequest(kind="extension", reason="Late data."))
    ),
    "GET /changes": Route(dag=200),
    "POST /changes/{change}/decision": Route(
        ok=404, call=lambda world: as_json(ChangeDecision(agreed=True, answer="As agreed."))
    ),
    "POST /applications/{application}/claw-back": Route(
        ok=403, call=lambda world: as_json(ClawBackRequest(gpu_hours=1, reason="Not used."))
    ),
    "POST /applications/{application}/report": Route(
        ok=422, call=lambda world: as_json(ReportRequest(results="Done."))
    ),
    "GET /applications/{application}/detail": Route(),
    "GET /applications/{application}/letter.pdf": Route(),
    "PUT /applications/{application}/draft": Route(ok=409, call=lambda world: as_json(DraftSave(version=0))),
    "POST /applications/{application}/submission": Route(ok=409),
    "POST /applications/{application}/moves": Route(ok=409, call=lambda world: as_json(MoveRequest(move="withdraw"))),
    "POST /applications/{application}/co-applicants": Route(
        ok=409, call=lambda world: as_json(InvitationRequest(username="dag"))
    ),
    "POST /applications/{application}/invitation": Route(
        ok=404, call=lambda world: as_json(InvitationAnswer(accept=True))
    ),
    "PUT /applications/{application}/attachments/plan.pdf": Route(ok=409, call=lambda world: raw(b"%PDF-1.7 %%EOF")),
    "GET /applications/{application}/attachments/plan.pdf": Route(ok=404),
    "DELETE /applications/{application}/attachments/plan.pdf": Route(ok=404),
    "GET /access-modes": Route(door="open", dag=200),
    "GET /access-modes/playground": Route(door="open", dag=200),
    "POST /access-modes": Route(ok=403, dag=403, call=lambda world: as_json(ModesText(text=PLAYGROUND))),
    "GET /audit/verification": Route(ok=403, dag=403),
    "GET /reviewers": Route(ok=403, dag=403),
    "POST /reviewers": Route(
        ok=403, dag=403, call=lambda world: as_json(ReviewerRequest(username="ada", expertise={"energy": 1}))
    ),
    "POST /reviewers/ada/ties": Route(ok=404, call=lambda world: as_json(TieRequest(organisation="Officine Esempio"))),
    "POST /applications/{application}/case": Route(ok=403, call=lambda world: as_json(CaseRequest(topics=("energy",)))),
    "POST /reviews/of/large-scale/assignment": Route(ok=403, dag=403),
    "GET /reviews": Route(dag=200),
    "GET /reviews/{review}": Route(ok=404),
    "POST /reviews/{review}/draft": Route(ok=404, call=lambda world: as_json(REVIEW)),
    "POST /reviews/{review}/submission": Route(ok=404, call=lambda world: as_json(REVIEW)),
    "POST /reviews/{review}/refusal": Route(ok=404, call=lambda world: as_json(ReasonRequest(reason="No time."))),
    "POST /reviews/{review}/reopening": Route(ok=404, call=lambda world: as_json(ReasonRequest(reason="Mistake."))),
    "GET /late": Route(ok=403, dag=403),
    "GET /rankings": Route(dag=200),
    "POST /rankings": Route(
        ok=403, dag=403, call=lambda world: as_json(RankingRequest(mode="large-scale", capacity={"local/default": 1}))
    ),
    "GET /rankings/{ranking}": Route(ok=404),
    "POST /rankings/{ranking}/confirmation": Route(ok=404),
    "GET /applications": Route(dag=200),
    "POST /applications": Route(call=lambda world: as_json(application_request())),
    "GET /applications/{application}": Route(),
    "POST /applications/{application}/decision": Route(ok=403, call=lambda world: as_json(DECISION)),
    "GET /projects": Route(dag=200),
    "GET /projects/{project}": Route(),
    "GET /projects/{project}/ledger": Route(),
    "GET /projects/{project}/statement?month=2026-11": Route(),
    "GET /projects/{project}/statement.csv?month=2026-11": Route(),
    "GET /projects/{project}/statement.pdf?month=2026-11": Route(),
    "GET /projects/{project}/forecast": Route(),
    "GET /projects/{project}/allocations": Route(),
    "GET /refunds": Route(dag=200),
    "POST /refunds/{refund}/decision": Route(ok=403, call=lambda world: as_json(RefundDecision(granted=True))),
    "POST /allocations/{allocation}/refund": Route(ok=403, call=lambda world: as_json(REFUND)),
    "POST /allocations/{allocation}/expire": Route(ok=403),
    "POST /allocations/{allocation}/account": Route(
        ok=403, call=lambda world: as_json(AccountRequest(slurm_account="projx"))
    ),
    "GET /sites/local/usage?month=2026-11": Route(ok=403, dag=403),
    "POST /projects/{project}/blobs/missing": Route(call=lambda world: as_json(BlobQuery(sha256s=("0" * 64,)))),
    f"PUT /projects/{{project}}/blobs/{DOCUMENT_SHA256}": Route(ok=204, call=lambda world: raw(DOCUMENT)),
    "GET /projects/{project}/files": Route(),
    "GET /projects/{project}/files/README.md": Route(),
    "PUT /projects/{project}/files/README.md": Route(
        ok=204, call=lambda world: raw(DOCUMENT) | {"headers": {"X-Sha256": DOCUMENT_SHA256}}
    ),
    "GET /systems": Route(dag=200),
    "POST /jobs": Route(call=job_request),
    "POST /jobs/check": Route(call=job_request),
    "GET /jobs": Route(dag=200),
    "GET /jobs/{job}": Route(),
    "GET /jobs/{job}/log": Route(),
    "GET /jobs/{job}/why": Route(),
    "GET /jobs/{job}/files": Route(),
    "GET /jobs/{job}/files/README.md": Route(),
    "POST /jobs/{job}/cancel": Route(ok=409),
    "POST /runs": Route(call=lambda world: as_json(run_request(project_of(world)))),
    "GET /runs": Route(dag=200),
    "GET /runs/{run}": Route(),
    "POST /runs/{run}/cancel": Route(),
    "GET /runs/{run}/jobs/prepare/log": Route(),
    "GET /runs/{run}/jobs/prepare/progress": Route(),
    "GET /releases": Route(dag=200),
    "GET /releases/{release}": Route(),
    "GET /releases/{release}/files/README.md": Route(),
    "GET /releases/{release}/archive": Route(),
    "GET /releases/{release}/proof": Route(ok=503),
    "POST /releases/{release}/withdraw": Route(call=lambda world: as_json(ReleaseWithdrawal(reason="Too old."))),
    "GET /dcat": Route(door="open", dag=200),
    "GET /datasets": Route(dag=200),
    "POST /datasets": Route(
        call=lambda world: as_json(PublishRequest(organisation="Officine Esempio", description=described()))
    ),
    "POST /datasets/files/missing": Route(call=lambda world: as_json(DATA_FILES)),
    f"PUT /datasets/files/Officine%20Esempio/local/{DOCUMENT_SHA256}": Route(ok=204, call=lambda world: raw(DOCUMENT)),
    "GET /datasets/{dataset}": Route(),
    "POST /datasets/{dataset}/policy": Route(call=lambda world: as_json(Policy())),
    "GET /datasets/{dataset}/diff?before=1&after=1": Route(ok=409),
    "GET /datasets/{dataset}/versions/1/croissant": Route(),
    "GET /datasets/{dataset}/versions/1/files/README.md": Route(ok=404),
    "POST /datasets/{dataset}/versions/1/stage": Route(
        ok=404, call=lambda world: as_json(StageRequest(project=world.project))
    ),
    "POST /datasets/{dataset}/versions/1/withdraw": Route(
        call=lambda world: as_json(WithdrawRequest(reason="Too old."))
    ),
    "POST /datasets/{dataset}/requests": Route(ok=409, call=lambda world: as_json(DATA_ASK)),
    "POST /datasets/{dataset}/erasures": Route(
        call=lambda world: as_json(ErasureRequest(kind="person", sought="Mario Rossi"))
    ),
    "GET /data-requests": Route(dag=200),
    "POST /data-requests/{data_request}/decide": Route(
        call=lambda world: as_json(DataDecision(granted=True, reason="Yes."))
    ),
    "POST /data-requests/{data_request}/take-back": Route(ok=404),
    "POST /data-requests/{data_request}/revoke": Route(ok=409),
    "GET /erasures/{erasure}": Route(),
    "GET /scenarios": Route(dag=200),
    "POST /scenarios": Route(dag=200, call=lambda world: as_json(ScenarioRequest(name="What if", result={}))),
    "GET /scenarios/{scenario}": Route(),
    "POST /scenarios/{scenario}/cancel": Route(ok=409),
    "DELETE /scenarios/{scenario}": Route(ok=204),
    "POST /sites": Route(ok=403, dag=403, call=lambda world: as_json(SiteRequest(site=load_network().sites[0]))),
    "POST /sites/personal": Route(
        call=lambda world: as_json(
            PersonalSiteRequest(site=load_network().sites[0], project=world.project, gpu_hours=1)
        )
    ),
    "GET /sites/local/users": Route(ok=403, dag=403),
    "POST /sites/local/users": Route(
        ok=403, dag=403, call=lambda world: as_json(UserRequest(person="ada", unix_user="ada"))
    ),
    "POST /sites/local/drain": Route(ok=403, dag=403, call=lambda world: as_json(DrainRequest(drain=True))),
    **{f"GET /network{what}": Route(door="open", dag=200) for what in CATALOGUE},
    "POST /network/catalogue": Route(ok=403, dag=403, call=lambda world: shipped_catalogue_body()),
    "POST /network/factory/it4lia/facts": Route(
        ok=403, dag=403, call=lambda world: as_json(FactEdit(field="city", value="Bologna"))
    ),
    "GET /agent/accounts": Route(**AGENT_LIST),
    "POST /agent/claim": Route(**AGENT_LIST, call=lambda world: as_json(ClaimRequest(num_slots=1, num_gpus=1))),
    "POST /agent/heartbeat": Route(**AGENT_LIST, call=lambda world: as_json(HeartbeatRequest(version="0"))),
    "POST /agent/usage": Route(**AGENT_LIST, call=lambda world: as_json(UsageRequest(records=()))),
    "GET /agent/usage?month=2026-11": Route(door="agent", dag=200),
    "POST /agent/jobs/{job}/started": Route(door="agent", ok=204, call=started),
    "POST /agent/jobs/{job}/progress": Route(
        door="agent", ok=204, call=lambda world: as_json(ProgressRequest(first=0, lines=(line(),)))
    ),
    "POST /agent/jobs/{job}/finished": Route(door="agent", ok=204, call=finished),
    "PUT /agent/jobs/{job}/log?offset=0": Route(door="agent", ok=204, call=lambda world: raw(b"one\n")),
    f"GET /agent/jobs/{{job}}/blobs/{DOCUMENT_SHA256}": Route(door="agent"),
    "PUT /agent/jobs/{job}/artifacts/out/a.txt": Route(
        door="agent",
        ok=204,
        call=lambda world: raw(b"a") | {"headers": {"X-Sha256": hashlib.sha256(b"a").hexdigest()}},
    ),
}
"""Every route; a path names what it is about by `{application}`, `{project}` and so on."""

NOT_BRUNOS = {
    "GET /reviews/{review}",
    "POST /reviews/{review}/draft",
    "POST /reviews/{review}/submission",
    "POST /reviews/{review}/refusal",
    "POST /reviews/{review}/reopening",
    "GET /rankings/{ranking}",
    "POST /rankings/{ranking}/confirmation",
    "POST /reviewers/ada/ties",
    "POST /applications/{application}/claw-back",
    "POST /changes/{change}/decision",
    "POST /applications/{application}/invitation",
    "GET /applications/{application}/attachments/plan.pdf",
    "DELETE /applications/{application}/attachments/plan.pdf",
}
"""Routes about what is not there, whoever asks."""

HIDDEN = ("project", "run", "release", "job", "dataset", "data_request", "erasure", "scenario")
"""What an officer does not see."""

TAKING_A_PROJECT = {"POST /runs", "POST /jobs", "POST /jobs/check", "POST /sites/personal"}
"""Routes that name a project in their body."""

SCHEMA_PATHS = {
    "mode_id": ["playground"],
    "mode": ["large-scale"],
    "username": ["ada"],
    "attachment": ["plan.pdf"],
    "kind}/{key": ("factory/it4lia",),
    "key": ("it4lia", "jupiter"),
    "ref": (
        "application",
        "project",
        "run",
        "release",
        "job",
        "allocation",
        "refund",
        "dataset",
        "data_request",
        "erasure",
        "scenario",
        "change",
        "review",
        "ranking",
    ),
    "organisation": ("Officine%20Esempio",),
    "name": ("local",),
    "stage": ("prepare",),
    "sha256": (DOCUMENT_SHA256,),
    "path": ("README.md", "out/a.txt"),
    "version": ("1",),
}


def schema_key(route: str) -> str:
    """A key of the table as the OpenAPI schema writes it."""
    method, path = route.split("?")[0].split(" ")
    for name, values in SCHEMA_PATHS.items():
        for value in values:
            path = path.replace(
                "{" + value + "}" if name == "ref" else "/" + value, "{ref}" if name == "ref" else "/{" + name + "}"
            )
    return f"{method} {path}"


@pytest.fixture
def world(run, project, ada, chiara, hub_folder, settings) -> World:
    settings.FACTORY.key_folder.mkdir(parents=True)
    settings.FACTORY.public_key.write_text("-----BEGIN PUBLIC KEY-----\n")
    job = claim_one(chiara.agent)
    row = Job.objects.get(ref=job.ref)
    Artifact.objects.create(job=row, path="README.md", sha256="0" * 64, num_bytes=5, received_at=NOON)
    file = hub_folder / "artifacts" / row.ref / "README.md"
    file.parent.mkdir(parents=True)
    file.write_text("Card.")
    file.with_name("model.sig").write_text("{}")
    version = register_dataset_version(
        organisation=project.organisation,
        project=project.name,
        run=run.ref,
        sha256="0" * 64,
        card={},
        licence="CC0-1.0",
        by=ada,
        at=NOON,
    )
    ProjectFile.objects.create(
        project=project, path="README.md", sha256=DOCUMENT_SHA256, num_bytes=len(DOCUMENT), sent_by=ada, sent_at=NOON
    )
    before = LineRun.objects.get()
    release = register_release(
        run=run,
        job=row,
        dataset_version=version,
        files=[ReleaseFile(path=name, num_bytes=5, sha256="0" * 64) for name in ("README.md", "model.sig")],
        content_digest="0" * 64,
        num_open_questions=3,
        by=ada,
        at=NOON,
    )
    LineRun.objects.update(state=before.state, ended_at=None)
    application = Application.objects.get()
    refund = RefundProposal.objects.create(
        allocation=run.allocation, job="slurm.alpha.1.1", gpu_s=5, reason="NODE_FAIL", proposed_at=NOON
    )
    others = Organisation.objects.create(name="Terza Parte", created_at=NOON)
    request = AccessRequest.objects.create(
        dataset=version.dataset, organisation=others, asked_by=ada, purpose="To train.", asked_at=NOON
    )
    erasure = Erasure.objects.create(
        dataset=version.dataset, kind="document", sought_sha256="0" * 64, asked_by=ada, asked_at=NOON
    )
    scenario = save_scenario(request=ScenarioRequest(name="What if", result={}), by=ada, at=NOON)
    return World(
        application=application.ref,
        project=project.ref,
        run=run.ref,
        release=release.ref,
        job=row.ref,
        allocation=run.allocation.ref,
        refund=refund.ref,
        dataset=version.dataset.ref,
        data_request=request.ref,
        erasure=erasure.ref,
        scenario=scenario.ref,
    )


def send(client: Client, route: str, world: World, **changes: Any) -> HttpResponse:
    method, path = route.split(" ")
    names = {name: getattr(world, name) for name in world.__slots__}
    arguments = ROUTES[route].call(world) if route in ROUTES else {}
    response = client.generic(method, ROOT + path.format(**names), **(arguments | changes))
    if not response.streaming:
        return response
    return HttpResponse(b"".join(response), status=response.status_code, content_type=response["Content-Type"])


def error_of(response: HttpResponse) -> ErrorBody:
    """The body, which must have the one shape."""
    assert response["Content-Type"] == "application/json"
    assert set(response.json()) == {"code", "message", "hint"}
    body = ErrorBody.model_validate_json(response.content)
    assert body.message
    assert body.hint
    return body


def through(door: str) -> list[str]:
    return [route for route, about in ROUTES.items() if about.door == door]


def test_the_table_has_every_route_of_the_schema(db):
    schema = Client().get(f"{ROOT}/openapi.json").json()
    listed = {
        f"{method.upper()} {path.removeprefix(ROOT)}" for path, methods in schema["paths"].items() for method in methods
    }
    assert {schema_key(route) for route in ROUTES} == listed


@pytest.mark.parametrize("route", ROUTES)
def test_who_may_gets_through(route, world, as_ada, as_chiara):
    client = {"open": Client(), "person": as_ada, "agent": as_chiara}[ROUTES[route].door]
    response = send(client, route, world)
    assert response.status_code == ROUTES[route].ok, response.content
    if response.status_code >= 400:
        error_of(response)


@pytest.mark.parametrize("secret", ["", "fuc_nonsense", "nonsense"])
def test_nobody_gets_through_without_a_token(world, secret):
    client = with_token(secret) if secret else Client()
    for route in through("person") + through("agent"):
        response = send(client, route, world)
        assert (route, response.status_code, error_of(response).code) == (route, 401, "not_signed_in")
        assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("door", ["person", "agent"])
def test_nobody_gets_through_the_other_door(door, world, as_ada, as_chiara):
    for route in through(door):
        response = send(as_chiara if door == "person" else as_ada, route, world)
        assert (route, response.status_code, error_of(response).code) == (route, 403, "wrong_token_kind")


def test_dag_cannot_tell_what_is_adas_from_what_does_not_exist(world, as_dag, officine):
    unknown = world.with_unknown()
    for route in through("person"):
        response = send(as_dag, route, world)
        assert (route, response.status_code) == (route, ROUTES[route].dag)
        text = response.content.decode()
        if response.status_code == 404:
            other = send(as_dag, route, unknown).content.decode()
            for name in world.__slots__:
                text = text.replace(getattr(world, name), name)
                other = other.replace(getattr(unknown, name), name)
            assert text == other
            assert error_of(response).code == "not_found"
        else:
            assert "Officine" not in text
            assert not any(getattr(world, name) in text for name in world.__slots__)
    assert (Application.objects.count(), LineRun.objects.count()) == (1, 1)
    assert LineRun.objects.get().state == "claimed"


def test_another_sites_agent_cannot_tell_either(world, stranger):
    client = with_token(stranger.secret)
    unknown = world.with_unknown()
    for route in through("agent"):
        if "{job}" in route:
            response, other = send(client, route, world), send(client, route, unknown)
            assert (route, response.status_code, other.status_code) == (route, 404, 404)
            assert response.content.decode().replace(world.job, "") == other.content.decode().replace(unknown.job, "")


def test_another_sites_agent_gets_no_job(world, stranger):
    client = with_token(stranger.secret)
    body = as_json(HeartbeatRequest(version="0", jobs=(world.job,)))
    assert send(client, "POST /agent/claim", world).json() == {"jobs": []}
    assert send(client, "POST /agent/heartbeat", world, **body).json()["forget"] == [world.job]


def test_an_officer_sees_applications_and_nothing_of_the_project(world, as_bruno):
    for route in through("person"):
        response = send(as_bruno, route, world)
        if any("{" + name + "}" in route for name in HIDDEN) or route in TAKING_A_PROJECT:
            assert (route, response.status_code) == (route, 404)
        else:
            assert response.status_code in {200, 403, 409} or route in NOT_BRUNOS
            assert world.project not in response.content.decode(errors="replace")


@pytest.mark.parametrize("route", through("agent"))
def test_an_agent_may_say_everything_twice(route, world, as_chiara):
    first = send(as_chiara, route, world)
    second = send(as_chiara, route, world)
    assert (first.status_code, first.content) == (second.status_code, second.content)


@pytest.fixture
def in_browser(ada) -> Client:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(ada)
    return client


def test_a_browser_reads_with_its_session_and_writes_with_its_csrf_token(in_browser, world):
    assert send(in_browser, "GET /me", world).json()["username"] == "ada"
    refused = send(in_browser, "POST /organisations", world)
    assert (refused.status_code, error_of(refused).code) == (403, "csrf_failed")
    secret = in_browser.get("/sign-in").wsgi_request.META.get("CSRF_COOKIE") or "a" * 32
    in_browser.cookies["csrftoken"] = secret
    accepted = send(in_browser, "POST /organisations", world, headers={"X-CSRFToken": secret})
    assert accepted.status_code == 200


def test_a_bad_token_is_not_made_good_by_a_session(in_browser, world):
    response = send(in_browser, "GET /me", world, headers={"Authorization": "Bearer fuc_nonsense"})
    assert response.status_code == 401


def test_someone_who_may_not_sign_in_any_more_is_out(ada, world):
    client = as_person(ada)
    session = Client()
    session.force_login(ada)
    ada.is_active = False
    ada.save()
    assert send(client, "GET /me", world).status_code == 401
    assert send(session, "GET /me", world).status_code == 401


def test_who_leaves_an_organisation_sees_nothing_of_it(as_ada, world):
    Membership.objects.all().delete()
    for route in ("GET /projects/{project}", "GET /runs/{run}", "GET /releases/{release}/files/README.md"):
        assert send(as_ada, route, world).status_code == 404
