"""The cast: Ada applies and owns, Bruno is an access officer, Chiara runs the site's agent, Dag may see nothing."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult
from pytest_django import DjangoDbBlocker

from fucina.accounting.usage import UsageRecord
from fucina.client.wire import ApplicationRequest, ClaimedJob, RunRequest, RunSource
from fucina.compute.record import StageRecord
from fucina.compute.spec import JobReport, JobState
from fucina.hub.access.models import Application
from fucina.hub.accounting.models import Allocation
from fucina.hub.compute import actions, jobs, projects
from fucina.hub.compute.models import Job, LineRun, Project
from fucina.hub.data.actions import receive_blob
from fucina.hub.network.actions import register_agent, register_site
from fucina.hub.network.models import Agent, Site
from fucina.hub.people.actions import Rule, create_organisation, issue_token
from fucina.hub.people.append_only import create_triggers, drop_triggers
from fucina.hub.people.models import Organisation, Person, Scope
from fucina.hub.trust import registration
from fucina.line.spec import ProjectSpec
from fucina.network import spec
from fucina.network.spec import load_network

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SETUP = Rule("tests")
DOCUMENT = b'{"text": "C\'era una volta."}\n'
DOCUMENT_SHA256 = hashlib.sha256(DOCUMENT).hexdigest()


@pytest.fixture(autouse=True)
def hub_folder(tmp_path: Path, settings: Any) -> Path:
    """Each test has its own files; the database is rolled back, files are not."""
    settings.FACTORY = settings.FACTORY.model_copy(update={"home": tmp_path / "home"})
    return tmp_path / "home" / "hub"


@pytest.fixture
def ada(db: None) -> Person:
    return Person.objects.create_user("ada", name="Ada Ferri")


@pytest.fixture
def bruno(db: None) -> Person:
    return Person.objects.create_user("bruno", name="Bruno Conti", is_staff=True)


@pytest.fixture
def dag(db: None) -> Person:
    """Owns an organisation of his own, so that he is refused for what is others' and not for being nobody."""
    person = Person.objects.create_user("dag", name="Dag Holm")
    create_organisation(name="Altrove AB", country="SE", by=person, at=NOON)
    return person


@pytest.fixture
def officine(ada: Person) -> Organisation:
    return create_organisation(name="Officine Esempio", country="IT", by=ada, at=NOON)


@pytest.fixture
def site(db: None) -> Site:
    return register_site(site=load_network().sites[0], by=SETUP, at=NOON)


def slurm_site(site_id: str = "alpha", **changes: Any) -> spec.Site:
    """A Slurm site like the test clusters."""
    slurm = spec.SlurmSite(cluster=site_id, account="projx")
    partition = load_network().sites[0].partitions[0].model_copy(update={"id": "gpu", "num_nodes": 4})
    return spec.Site.model_validate(
        {"id": site_id, "name": site_id, "executor": "slurm", "slurm": slurm, "partitions": (partition,)} | changes
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chiara:
    """The agent of the site and its token."""

    agent: Agent
    secret: str


@pytest.fixture
def chiara(site: Site) -> Chiara:
    issued = register_agent(site=site, by=SETUP, at=NOON)
    return Chiara(agent=issued.agent, secret=issued.secret)


@pytest.fixture
def stranger(db: None) -> Chiara:
    """An agent of another site."""
    other = load_network().sites[0].model_copy(update={"id": "elsewhere", "name": "Elsewhere"})
    issued = register_agent(site=register_site(site=other, by=SETUP, at=NOON + timedelta(days=1)), by=SETUP, at=NOON)
    return Chiara(agent=issued.agent, secret=issued.secret)


def with_token(secret: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)


def as_person(person: Person) -> Client:
    issued = issue_token(name="test", scope=Scope.PERSON, person=person, by=SETUP, at=NOON)
    return with_token(issued.secret)


@pytest.fixture
def as_ada(ada: Person) -> Client:
    return as_person(ada)


@pytest.fixture
def as_bruno(bruno: Person) -> Client:
    return as_person(bruno)


@pytest.fixture
def as_dag(dag: Person) -> Client:
    return as_person(dag)


@pytest.fixture
def as_chiara(chiara: Chiara) -> Client:
    return with_token(chiara.secret)


def application_request(**changes: Any) -> ApplicationRequest:
    fields = {
        "organisation": "Officine Esempio",
        "project": "norme-chiare",
        "purpose": "Drafts plain-language summaries of regulations",
        "gpu_hours": 10,
    }
    return ApplicationRequest.model_validate(fields | changes)


@pytest.fixture
def project(ada: Person, officine: Organisation, chiara: Chiara) -> Project:
    """Has 10 GPU-hours on the site."""
    application: Application = projects.apply(request=application_request(), by=ada, at=NOON)
    return Project.objects.get(organisation=application.organisation, name=application.project)


@pytest.fixture
def allocation(project: Project) -> Allocation:
    return Allocation.objects.of_project(project.organisation, project.name).get()


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int, /) -> bytes:
        piece, self._data = self._data[:size], self._data[size:]
        return piece


def send_blob(project: Project, data: bytes, by: Person) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    receive_blob(
        organisation=project.organisation,
        project=project.name,
        sha256=sha256,
        num_bytes=len(data),
        stream=_Bytes(data),
        by=by,
        at=NOON,
    )
    return sha256


def run_request(project: Project, *, key: str = "first-run", gpu_hours: float = 5.0, **changes: Any) -> RunRequest:
    spec = {
        "name": project.name,
        "organisation": project.organisation.name,
        "purpose": "Drafts plain-language summaries of regulations",
        "data": {"sources": [{"path": "leggi.jsonl", "licence": "CC-BY-4.0"}]},
        "train": {"size": "1M", "tokens": 1_000_000},
        "compute": {"gpu_hours": gpu_hours},
    }
    return RunRequest(
        project=project.ref,
        spec=ProjectSpec.model_validate(spec | changes),
        sources=(RunSource(name="leggi.jsonl", sha256=DOCUMENT_SHA256, num_bytes=len(DOCUMENT), licence="CC-BY-4.0"),),
        key=key,
    )


@pytest.fixture
def run(project: Project, ada: Person) -> LineRun:
    """Holds 5 of the 10 GPU-hours; its first job waits for an agent."""
    send_blob(project, DOCUMENT, ada)
    return actions.start_run(project=project, request=run_request(project), by=ada, at=NOON)


def usage(
    job: Job | ClaimedJob, *, state: JobState = JobState.SUCCEEDED, wall_s: float = 60.0, **changes: Any
) -> UsageRecord:
    key = job.key if isinstance(job, Job) else job.spec.key
    num_gpus = job.num_gpus if isinstance(job, Job) else job.spec.num_gpus
    fields = {
        "site": "local",
        "job_key": key,
        "state": str(state),
        "started_at": NOON,
        "ended_at": NOON + timedelta(seconds=wall_s),
        "wall_s": wall_s,
        "num_gpus": num_gpus,
        "gpu_s": num_gpus * round(wall_s),
        "cpu_s": wall_s,
    }
    return UsageRecord.model_validate(fields | changes)


def report(job: Job | ClaimedJob, state: JobState = JobState.SUCCEEDED, **changes: Any) -> JobReport:
    key = job.key if isinstance(job, Job) else job.spec.key
    return JobReport.model_validate({"key": key, "state": state, "started_at": NOON, "num_attempts": 1} | changes)


def stage_record(job: ClaimedJob, outputs: dict[str, str]) -> StageRecord:
    return StageRecord(
        stage=str(job.stage),
        run=job.run,
        started_at=NOON,
        ended_at=NOON,
        num_attempts=1,
        inputs={},
        outputs=outputs,
        versions={},
        seeds={},
        counts={},
        measurements={},
        wall_s=60,
        cpu_s=60,
        num_gpus=0,
        accelerator_s=0,
    )


def claim_one(agent: Agent, *, at: datetime = NOON) -> ClaimedJob:
    (job,) = jobs.claim(agent=agent, num_slots=1, num_gpus=1, at=at)
    return job


def work_off(
    agent: Agent, *, state: JobState = JobState.SUCCEEDED, wall_s: float = 60.0, outputs: dict[str, str] | None = None
) -> Job:
    """Claim the next job, start it and finish it."""
    job = claim_one(agent)
    jobs.mark_started(agent=agent, ref=job.ref, report=report(job, JobState.RUNNING), at=NOON)
    return registration.finish(
        agent=agent,
        ref=job.ref,
        report=report(job, state),
        used=usage(job, state=state, wall_s=wall_s),
        stage_record=stage_record(job, outputs or {}) if state is JobState.SUCCEEDED else None,
        at=NOON + timedelta(seconds=wall_s),
    )


def as_json(value: Any) -> dict[str, Any]:
    """How a client sends a body."""
    text = (
        value
        if isinstance(value, str | bytes)
        else json.dumps(value)
        if isinstance(value, dict)
        else value.model_dump_json()
    )
    return {"data": text, "content_type": "application/json"}


APPEND_ONLY = (
    "people_auditrecord",
    "people_auditseal",
    "access_applicationevent",
    "accounting_ledgerentry",
    "accounting_usagerecord",
    "compute_jobevent",
    "registry_logleaf",
    "data_datasetversion",
    "data_withdrawal",
)


@pytest.fixture
def emptied_afterwards(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Tables that only grow can be emptied after a test that really commits, and grow again only after it."""
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        for table in APPEND_ONLY:
            drop_triggers(editor, table)
    yield
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        for table in APPEND_ONLY:
            create_triggers(editor, table)


@pytest.fixture
def committing(emptied_afterwards: None, transactional_db: None) -> None:
    """For tests in which threads or the worker see what others commit."""


def work_off_tasks() -> int:
    """Do what waits for the worker, as the worker does it; returns how many."""
    worker = Worker(
        queue_names=["*"],
        interval=0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id="test",
    )
    waiting = list(DBTaskResult.objects.ready())
    for result in waiting:
        result.claim("test")
        worker.run_task(result)
    return len(waiting)
