"""How a release gets into the registry: its bundle is complete, it verifies, and all its rows are written at once."""

import json
import logging
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_tasks import task
from pydantic import ValidationError

from fucina.accounting.usage import UsageRecord
from fucina.client.wire import ReleaseFile
from fucina.compute.record import StageRecord
from fucina.compute.spec import FINAL, JobReport, JobState
from fucina.data.description import DESCRIPTION_FILE, DatasetDescription
from fucina.errors import BadInput, ErrorBody, FactoryError
from fucina.hub.compute import artifacts, jobs
from fucina.hub.compute.models import Artifact, Job, LineRun
from fucina.hub.data.actions import register_dataset_version, tree_sha256
from fucina.hub.data.storage import ByteStream
from fucina.hub.network.models import Agent
from fucina.hub.people.actions import Rule, record
from fucina.hub.registry.actions import refuse_release, register_release
from fucina.hub.registry.models import Release
from fucina.hub.trust import models
from fucina.line.spec import StageName
from fucina.line.verify import verify
from fucina.trust.recipe import Dossier, EvaluationResults

logger = logging.getLogger(__name__)

RULE = Rule("registration")

RESULTS_FILE = "evaluation/results.json"
DOSSIER_FILE = "dossier/dossier.json"
CARD_FILE = "data/croissant.json"


class BundleIncomplete(BadInput):
    """Files that the record names did not arrive."""

    code = "bundle_incomplete"


class BundleRefused(BadInput):
    """The bundle does not verify."""

    code = "bundle_refused"


class BundleUnreadable(BadInput):
    """A document of the bundle is not what it should be."""

    code = "bundle_unreadable"


class Contents(NamedTuple):
    """What the hub keeps of a bundle in tables."""

    results: EvaluationResults
    dossier: Dossier
    card: dict[str, object]
    description: DatasetDescription | None
    """None in a bundle of before it was kept."""


@transaction.atomic
def finish(
    *,
    agent: Agent,
    ref: str,
    report: JobReport,
    used: UsageRecord | None,
    stage_record: StageRecord | None,
    at: datetime,
) -> Job:
    """End a job; the end of a good `release` also asks for its registration. Raises BadReport."""
    job = jobs.finish(agent=agent, ref=ref, report=report, used=used, stage_record=stage_record, at=at)
    if job.run is not None and _waits_for_registration(job.run, job):
        register_task.enqueue(job.run.ref)
    return job


def receive_artifact(
    *, agent: Agent, ref: str, path: str, sha256: str, num_bytes: int, stream: ByteStream, at: datetime
) -> Artifact:
    """Take in a file that a job made. Raises BadPath, BadUpload, ArtifactsClosed."""
    job = jobs.find_job(agent, ref)
    return artifacts.receive_artifact(
        agent=agent, job=job, path=path, sha256=sha256, num_bytes=num_bytes, stream=stream, at=at
    )


def _waits_for_registration(run: LineRun, job: Job) -> bool:
    return job.stage == StageName.RELEASE and job.job_state is JobState.SUCCEEDED and not run.is_final


@task()
def register_task(run_ref: str) -> str:
    """Register a run's release in the worker; returns its reference, or nothing when it was refused."""
    run = LineRun.objects.get(ref=run_ref)
    at = timezone.now()
    try:
        release = register(run=run, at=at)
    except Exception:
        logger.exception("registration of %s failed", run_ref)
        problem = ErrorBody(
            code="registration_failed",
            message="The hub failed while it registered the release; the failure is in its log.",
            hint="Tell the operator; the files are kept.",
        )
        with transaction.atomic():
            refuse_release(
                run=LineRun.objects.select_for_update(no_key=True).get(ref=run_ref), problem=problem, by=RULE, at=at
            )
        return ""
    return release.ref if release else ""


def register(*, run: LineRun, at: datetime) -> Release | None:
    """Check a run's bundle and enter it with its data, evaluation and dossier.

    None when it is refused; the run says why. Doing it again returns the release that there is.
    """
    job = Job.objects.get(run=run, stage=StageName.RELEASE)
    known = Release.objects.filter(run=run).first()
    if known is not None or not _waits_for_registration(run, job):
        return known
    try:
        missing = artifacts.missing_artifacts(job)
        if missing or not job.artifacts.exists():
            raise BundleIncomplete(
                f"{len(missing)} files of the release did not arrive: {', '.join(missing[:3]) or 'none was named'}.",
                hint="Run the project again.",
            )
        folder = artifacts.artifact_folder(job)
        digest, num_open = _verify(folder)
        contents = _read(folder)
    except FactoryError as error:
        with transaction.atomic():
            locked = LineRun.objects.select_for_update(no_key=True).get(pk=run.pk)
            if not locked.is_final:
                refuse_release(run=locked, problem=error.body(), by=RULE, at=at)
        return None
    return _enter(run, job, contents=contents, digest=digest, num_open=num_open, at=at)


def _verify(folder: Path) -> tuple[str, int]:
    """The content digest and the number of open questions. Raises BundleRefused."""
    report = verify(folder, public_key=settings.FACTORY.public_key)
    if not report.ok:
        first = "; ".join(f"{finding.path}: {finding.message}" for finding in report.findings[:3])
        raise BundleRefused(
            f"The release does not verify: {first}", hint="Look at the log of the release stage; run it again."
        )
    return report.content_digest, report.num_open


def _read(folder: Path) -> Contents:
    """The documents that become rows. Raises BundleUnreadable."""
    name = RESULTS_FILE
    try:
        results = EvaluationResults.model_validate_json((folder / RESULTS_FILE).read_bytes())
        name = DOSSIER_FILE
        dossier = Dossier.model_validate_json((folder / DOSSIER_FILE).read_bytes())
        name = CARD_FILE
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        name = DESCRIPTION_FILE
        told = folder / DESCRIPTION_FILE
        description = DatasetDescription.model_validate_json(told.read_bytes()) if told.is_file() else None
    except (OSError, ValidationError, ValueError) as error:
        raise BundleUnreadable(f"{name} cannot be read: {str(error)[:300]}", hint="Run the project again.") from error
    return Contents(results, dossier, card, description)


@transaction.atomic
def _enter(run: LineRun, job: Job, *, contents: Contents, digest: str, num_open: int, at: datetime) -> Release:
    run = LineRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    prepare = Job.objects.get(run=run, stage=StageName.PREPARE)
    version = register_dataset_version(
        organisation=run.project.organisation,
        project=run.project.name,
        run=run.ref,
        sha256=tree_sha256((prepare.record or {}).get("outputs", {})),
        card=contents.card,
        description=contents.description,
        licence=" AND ".join(sorted({source["licence"] for source in run.sources})),
        by=RULE,
        at=at,
    )
    files = [
        ReleaseFile(path=artifact.path, num_bytes=artifact.num_bytes, sha256=artifact.sha256)
        for artifact in job.artifacts.order_by("path")
    ]
    release = register_release(
        run=run,
        job=job,
        dataset_version=version,
        files=files,
        content_digest=digest,
        num_open_questions=num_open,
        by=RULE,
        at=at,
    )
    _, created = models.Evaluation.objects.get_or_create(
        release=release,
        defaults={
            "suite": contents.results.suite,
            "passed": contents.results.passed,
            "wire": contents.results.model_dump(mode="json"),
        },
    )
    models.Dossier.objects.get_or_create(
        release=release,
        defaults={
            "ruleset": contents.dossier.ruleset,
            "num_open": contents.dossier.num_open,
            "wire": contents.dossier.model_dump(mode="json"),
        },
    )
    if created:
        record(RULE, "trust.enter", release, at=at, data={"passed": contents.results.passed})
    return release


def resume_registrations() -> int:
    """Ask again for what a killed worker left undone; returns how many. Safe at any time."""
    rows = Job.objects.filter(stage=StageName.RELEASE, state=JobState.SUCCEEDED).exclude(run__state__in=FINAL)
    refs = list(rows.values_list("run__ref", flat=True))
    for ref in refs:
        register_task.enqueue(ref)
    return len(refs)
