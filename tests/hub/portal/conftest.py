"""Ada's organisation with a project, runs in every state and a release; Bruno decides; Dag may see nothing."""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django import DjangoDbBlocker
from pytest_django.live_server_helper import LiveServer

from fucina.accounting.usage import UsageRecord, used_gpu_s
from fucina.client.wire import ApplicationRequest, ReleaseFile, RunRequest, RunSource
from fucina.client.wire_jobs import JobRequest
from fucina.compute.record import ProgressLine
from fucina.compute.spec import JobReport, JobState
from fucina.errors import ErrorBody
from fucina.hub.access.models import Application
from fucina.hub.compute import jobs
from fucina.hub.compute.actions import start_run
from fucina.hub.compute.artifacts import append_log
from fucina.hub.compute.models import Job, LineRun, Project
from fucina.hub.compute.own_jobs import submit_job
from fucina.hub.compute.projects import apply
from fucina.hub.data.actions import receive_blob, register_dataset_version
from fucina.hub.network.actions import register_agent, register_site
from fucina.hub.network.models import Agent
from fucina.hub.people.actions import create_organisation
from fucina.hub.people.append_only import create_triggers, drop_triggers
from fucina.hub.people.models import Organisation, Person
from fucina.hub.registry.actions import register_release
from fucina.hub.registry.models import Release
from fucina.hub.trust.models import Dossier as DossierRow
from fucina.hub.trust.models import Evaluation as EvaluationRow
from fucina.line.spec import DataSpec, ProjectSpec, Source
from fucina.network.spec import load_network
from fucina.trust.recipe import Dossier, DossierItem, EvaluationResults, GateResult, Metric, Sample, Standing
from tests.hub.conftest import APPEND_ONLY, NOON, SETUP

PASSWORD = "forge-and-anvil-1492"
DOCUMENTS = b'{"text": "Una norma chiara."}\n'
SHA256 = hashlib.sha256(DOCUMENTS).hexdigest()
UNITS = {"prepare": "documents", "train": "tokens", "evaluate": "probes", "document": "papers", "release": "files"}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Who and what there is."""

    ada: Person
    bruno: Person
    dag: Person
    organisation: Organisation
    agent: Agent

    @property
    def application(self) -> Application:
        """The one that was granted."""
        return Application.objects.get(project="norme-chiare")

    @property
    def project(self) -> Project:
        """What it opened."""
        return Project.objects.get(name="norme-chiare")

    def ask(self, project: str, *, hours: float, mode: str = "local") -> Application:
        """An application; in mode `local` it is granted at once, in `playground` it waits."""
        request = ApplicationRequest(
            organisation=self.organisation.ref,
            project=project,
            purpose="Drafts plain-language summaries of regulations for small firms",
            sector="public administration",
            access_mode=mode,
            gpu_hours=hours,
        )
        return apply(request=request, by=self.ada, at=NOON)

    def begin(self, *, key: str = "first-run", at: datetime = NOON) -> LineRun:
        """A run whose first stage is queued."""
        project = self.project
        receive_blob(
            organisation=project.organisation,
            project=project.name,
            sha256=SHA256,
            num_bytes=len(DOCUMENTS),
            stream=io.BytesIO(DOCUMENTS),
            by=self.ada,
            at=at,
        )
        spec = ProjectSpec(
            name=project.name,
            organisation=project.organisation.name,
            purpose=project.purpose,
            data=DataSpec(sources=(Source(path="it.jsonl", licence="CC-BY-4.0"),)),
        )
        source = RunSource(name="it.jsonl", sha256=SHA256, num_bytes=len(DOCUMENTS), licence="CC-BY-4.0")
        request = RunRequest(project=project.ref, spec=spec, sources=(source,), key=key)
        return start_run(project=project, request=request, by=self.ada, at=at)

    def submit(self, *, key: str = "first-job", **changes: Any) -> Job:
        """A job of Ada's own that waits for the agent."""
        fields = {"project": self.project.ref, "key": key, "command": ("echo", "ciao"), "num_gpus": 1, "walltime_s": 60}
        request = JobRequest.model_validate(fields | changes)
        return submit_job(project=self.project, request=request, by=self.ada, at=NOON)

    def start_stage(self, *, at: datetime) -> Job:
        """Let the agent claim and start the next queued stage."""
        claimed = jobs.claim(agent=self.agent, num_slots=1, num_gpus=1, at=at)[0]
        started = JobReport(key=claimed.spec.key, state=JobState.RUNNING, started_at=at, num_attempts=1)
        return jobs.mark_started(agent=self.agent, ref=claimed.ref, report=started, at=at)

    def report(
        self,
        job: Job,
        *,
        done: int,
        total: int,
        at: datetime,
        first: int,
        message: str = "",
        values: dict[str, float] | None = None,
    ) -> None:
        """One progress line of a job."""
        unit = UNITS[job.stage]
        line = ProgressLine(
            at=at, stage=job.stage, done=done, total=total, unit=unit, message=message, values=values or {}
        )
        jobs.add_progress(agent=self.agent, ref=job.ref, first=first, lines=[line], at=at)

    def end_stage(
        self, job: Job, *, wall_s: float = 4.2, state: JobState = JobState.SUCCEEDED, error: ErrorBody | None = None
    ) -> Job:
        """End a running stage."""
        started_at = job.started_at or NOON
        ended_at = started_at + timedelta(seconds=wall_s)
        used = UsageRecord(
            site="local",
            job_key=job.key,
            state=str(state),
            started_at=started_at,
            ended_at=ended_at,
            wall_s=wall_s,
            num_gpus=job.num_gpus,
            gpu_s=used_gpu_s(num_gpus=job.num_gpus, wall_s=wall_s),
            cpu_s=wall_s,
            max_rss_bytes=2**28,
        )
        end = JobReport(key=job.key, state=state, started_at=started_at, ended_at=ended_at, wall_s=wall_s, error=error)
        return jobs.finish(agent=self.agent, ref=job.ref, report=end, used=used, stage_record=None, at=ended_at)

    def write_log(self, job: Job, text: str) -> None:
        """The log of a job, from its beginning."""
        data = text.encode()
        append_log(job=job, offset=0, stream=io.BytesIO(data), num_bytes=len(data))

    def train_for(self, *, num_lines: int, key: str = "first-run", at: datetime = NOON) -> Job:
        """A run that trains; `prepare` is done."""
        self.begin(key=key, at=at)
        prepare = self.start_stage(at=at)
        self.report(prepare, done=812, total=812, at=at, first=0, message="812 documents kept")
        self.end_stage(prepare)
        train = self.start_stage(at=at + timedelta(seconds=5))
        lines = []
        for number in range(num_lines):
            values = {"loss": 8.2 - 5 * number / num_lines, "tokens_per_s": 20_000.0 + 40 * (number % 7)}
            if number % 10 == 9:
                values["validation_loss"] = values["loss"] + 0.1
            lines.append(
                ProgressLine(
                    at=at, stage="train", done=8192 * (number + 1), total=12_000_000, unit="tokens", values=values
                )
            )
        jobs.add_progress(agent=self.agent, ref=train.ref, first=0, lines=lines, at=at)
        return train

    def finish_run(self, *, key: str, at: datetime = NOON) -> LineRun:
        """A run with all five stages done and no release yet."""
        run = self.begin(key=key, at=at)
        for number in range(5):
            self.end_stage(self.start_stage(at=at + timedelta(seconds=10 * number)))
        run.refresh_from_db()
        return run

    def publish(self, run: LineRun, *, sample: str = " si applica alle imprese.") -> Release:
        """The release of a finished run, as registration enters it."""
        version = register_dataset_version(
            organisation=self.organisation,
            project=run.project.name,
            run=run.ref,
            sha256=SHA256,
            card={},
            licence="CC-BY-4.0",
            by=SETUP,
            at=NOON,
        )
        names = ("README.md", "dossier/dossier.pdf", "model/model.safetensors", "provenance.intoto.jsonl")
        files = [
            ReleaseFile(path=name, num_bytes=1000 * 7**power, sha256=hashlib.sha256(name.encode()).hexdigest())
            for power, name in enumerate(names)
        ]
        files.append(ReleaseFile(path="model.sig", num_bytes=500, sha256=hashlib.sha256(run.ref.encode()).hexdigest()))
        release = register_release(
            run=run,
            job=run.jobs.get(stage="release"),
            dataset_version=version,
            files=files,
            content_digest="sha256:" + "c" * 64,
            num_open_questions=1,
            by=SETUP,
            at=NOON + timedelta(minutes=5),
        )
        measured, papers = results(sample=sample), dossier()
        EvaluationRow.objects.create(
            release=release, suite="general", passed=True, wire=measured.model_dump(mode="json")
        )
        DossierRow.objects.create(
            release=release, ruleset=papers.ruleset, num_open=papers.num_open, wire=papers.model_dump(mode="json")
        )
        return release


def results(*, sample: str = " si applica alle imprese.") -> EvaluationResults:
    """What was measured on the test model."""
    return EvaluationResults(
        suite="general",
        seed=7,
        model_sha256="a" * 64,
        data_sha256="b" * 64,
        versions={"torch": "2.13.0"},
        metrics=(
            Metric(
                name="perplexity", value=38.417, n=104_882, low=37.2, high=39.61, interval="bootstrap over documents",
                baseline=612.3, baseline_name="unigram", meaning="perplexity per token on held-out documents",
            ),
            Metric(
                name="memorised_share", value=0.0, n=200, low=0.0, high=0.0183, interval="Clopper-Pearson",
                meaning="share of training passages that the model continues word for word",
            ),
        ),
        gates=(
            GateResult(metric="memorised_share", direction="at_most", limit=0.01, measured=0.0, passed=True, n=200),
            GateResult(metric="pii_leak_rate", direction="at_most", limit=0.0, measured=0.0, passed=True, n=256),
        ),
        samples=(
            Sample(language="it", prompt="La norma", text=sample, identified_as="it"),
            Sample(language="en", prompt="", text="The rule applies to every firm.", identified_as="en"),
        ),
    )  # fmt: skip


def dossier() -> Dossier:
    """The dossier of the test model."""
    return Dossier(
        ruleset="eu-ai-act/2026-07-27",
        project="norme-chiare",
        organisation="Officine Esempio",
        purpose="Drafts plain-language summaries of regulations for small firms",
        facts={
            "num_parameters": 3_012_480,
            "model_bytes": 6_029_312,
            "num_documents": 812,
            "num_training_tokens": 12_000_000,
            "training_architecture_flop": 2.31e14,
            "share_of_gpai_mark": 2.31e-9,
            "training_energy_kwh": 0.0021,
            "languages": "it (61% of characters), en (39% of characters)",
            "mfu": 0.213,
        },
        items=(
            DossierItem(
                id="role", article="Art. 3, 25", title="Role of the organisation", standing=Standing.OPEN,
                question="Will you place this model on the market, or only use it yourselves?",
            ),
            DossierItem(
                id="annex-xi-1d", article="Annex XI", title="Training compute", standing=Standing.EVIDENCED,
                text="2.31 × 10¹⁴ FLOP", evidence=("record.json",),
            ),
            DossierItem(id="aim", article="Annex IV", title="Purpose", standing=Standing.DECLARED, text="Drafts"),
        ),
    )  # fmt: skip


@pytest.fixture
def world(db: None, settings: Any) -> World:
    """A factory with one granted project and no run."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # only to be fast
    ada = Person.objects.create_user("ada", PASSWORD, name="Ada Ferri")
    bruno = Person.objects.create_user("bruno", PASSWORD, name="Bruno Conti", is_staff=True)
    dag = Person.objects.create_user("dag", PASSWORD, name="Dag Holm")
    create_organisation(name="Altrove AB", country="SE", by=dag, at=NOON)
    site = register_site(site=load_network().sites[0], by=SETUP, at=NOON)
    agent = register_agent(site=site, by=SETUP, at=NOON).agent
    organisation = create_organisation(name="Officine Esempio", country="IT", by=ada, at=NOON)
    world = World(ada=ada, bruno=bruno, dag=dag, organisation=organisation, agent=agent)
    world.ask("norme-chiare", hours=100.0)
    return world


@pytest.fixture
def as_(client: Client) -> Callable[[Person], Client]:
    """The test client as this person."""

    def inner(person: Person) -> Client:
        client.force_login(person)
        return client

    return inner


CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking")


@pytest.fixture(scope="module")
def without_triggers(chromium: Browser, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Tests that really write must be able to empty their tables; before and after them tables only grow."""
    with django_db_blocker.unblock():
        _each_append_only(drop_triggers)
    yield
    with django_db_blocker.unblock():
        _each_append_only(create_triggers)


def _each_append_only(change: Callable[[BaseDatabaseSchemaEditor, str], None]) -> None:
    with connection.schema_editor() as editor:
        for table in APPEND_ONLY:
            change(editor, table)


@pytest.fixture
def hub(without_triggers: None, transactional_db: None, live_server: LiveServer) -> str:
    """The address of a hub that answers over the network; its tables are emptied afterwards."""
    return str(live_server.url)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium; a machine without one fails the test.

    Playwright keeps an event loop in this thread, which Django would take for a server's.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    """A fresh tab of 1280 px; what the console complained about fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert not complaints
