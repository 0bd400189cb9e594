"""Everything that is written about models and releases."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from fucina.client.wire import ReleaseFile
from fucina.compute.spec import JobState
from fucina.errors import ErrorBody
from fucina.hub.compute.models import Job, LineRun
from fucina.hub.data.models import DatasetVersion
from fucina.hub.people.actions import Actor, record
from fucina.hub.registry.models import Model, Release


@transaction.atomic
def register_release(
    *,
    run: LineRun,
    job: Job,
    dataset_version: DatasetVersion,
    files: Sequence[ReleaseFile],
    content_digest: str,
    num_open_questions: int,
    by: Actor,
    at: datetime,
) -> Release:
    """Enter a verified release as the next version of its model and end the run; the same run twice is one release."""
    known = Release.objects.filter(run=run).first()
    if known is not None:
        return known
    Model.objects.get_or_create(project=run.project, defaults={"name": run.project.name, "created_at": at})
    model = Model.objects.select_for_update(no_key=True).get(project=run.project)
    last = model.releases.aggregate(last=Max("version"))["last"] or 0
    release = Release.objects.create(
        model=model,
        version=last + 1,
        run=run,
        job=job,
        dataset_version=dataset_version,
        files=[file.model_dump(mode="json") for file in files],
        verified=True,
        content_digest=content_digest,
        num_open_questions=num_open_questions,
        created_at=at,
    )
    run.release = release.ref
    run.state = JobState.SUCCEEDED
    run.ended_at = at
    run.save(update_fields=["release", "state", "ended_at"])
    record(by, "registry.register_release", release, at=at, data={"run": run.ref, "digest": content_digest})
    return release


@transaction.atomic
def refuse_release(*, run: LineRun, problem: ErrorBody, by: Actor, at: datetime) -> None:
    """End a run whose bundle is not entered, and keep why."""
    run.problem = problem.model_dump(mode="json")
    run.state = JobState.FAILED
    run.ended_at = at
    run.save(update_fields=["problem", "state", "ended_at"])
    record(by, "registry.refuse_release", run, at=at, data={"code": problem.code})
