"""Everything that is written about models and releases."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from fucina.client.wire import ReleaseFile
from fucina.compute.spec import JobState
from fucina.errors import BadInput, ErrorBody, NotAllowed, WrongState
from fucina.hub.compute.models import Job, LineRun
from fucina.hub.data.models import DatasetVersion
from fucina.hub.people.actions import Actor, record
from fucina.hub.people.models import Person, Role
from fucina.hub.registry import log
from fucina.hub.registry.models import Model, Release
from fucina.trust.transparency import EntryKind

MAX_REASON = 500


class AlreadyWithdrawn(WrongState):
    """A release is withdrawn once."""

    code = "already_withdrawn"


class BadReason(BadInput):
    """People who use the release read why it is withdrawn."""

    code = "bad_reason"


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
    log.append(release, EntryKind.RELEASE, at=at)
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


@transaction.atomic
def withdraw_release(*, release: Release, reason: str, by: Person, at: datetime) -> Release:
    """Say, for ever and to everybody who verifies, that a release must not be used any more.

    Raises NotAllowed unless an owner of its organisation or a member of staff asks, BadReason, AlreadyWithdrawn.
    """
    organisation = release.model.project.organisation
    if not by.is_staff and not organisation.memberships.filter(person=by, role=Role.OWNER).exists():
        raise NotAllowed(f"Only an owner of {organisation} or staff withdraws a release.", hint="Ask an owner.")
    reason = " ".join(reason.split())
    if not reason or not reason.isprintable() or len(reason) > MAX_REASON:
        raise BadReason(
            f"The reason has {len(reason)} characters; it takes 1 to {MAX_REASON} that can be shown.",
            hint="Say in a sentence what is wrong with the release.",
        )
    release = Release.objects.select_for_update(no_key=True).get(pk=release.pk)
    if release.withdrawn_at is not None:
        raise AlreadyWithdrawn(
            f"Release {release.ref} was withdrawn on {release.withdrawn_at:%d %B %Y}: {release.withdrawn_why}",
            hint="Nothing more is needed.",
        )
    release.withdrawn_at, release.withdrawn_why = at, reason
    release.save(update_fields=["withdrawn_at", "withdrawn_why"])
    log.append(release, EntryKind.WITHDRAWAL, at=at, reason=reason)
    record(by, "registry.withdraw_release", release, at=at, data={"reason": reason})
    return release
