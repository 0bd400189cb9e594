"""Everything that is written about access.

Doors call `fucina.hub.compute.projects`, which also opens what was granted.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Max, Sum

from fucina.access.modes import Mode, ModesFile
from fucina.access.moves import ALONE, ApplicationState, MoveName
from fucina.access.terms import terms_sha256
from fucina.errors import BadInput, NotVisible, WrongState
from fucina.hub.access.models import (
    AccessMode,
    Application,
    Decision,
    EligibilityFinding,
    Grant,
)
from fucina.hub.access.moving import NotAMember, lock, mode_of, move_application
from fucina.hub.access.rules import check_eligibility
from fucina.hub.people.actions import Rule, record
from fucina.hub.people.models import Organisation, Person
from fucina.units import gpu_hours, gpu_seconds


class NotAppliedFor(BadInput):
    """Time in this mode is declared, not asked for."""

    code = "not_applied_for"


def find_organisation(name_or_ref: str, *, person: Person) -> Organisation:
    """The organisation that this person means. Raises NotVisible."""
    visible = Organisation.objects.visible_to(person)
    found = None
    if "\x00" not in name_or_ref:
        found = (
            visible.filter(ref=name_or_ref).first()
            or visible.filter(name__iexact=" ".join(name_or_ref.split())).first()
        )
    if found is None:
        raise NotVisible(
            f"There is no organisation {name_or_ref!r} that you may see.",
            hint="Create it first, or ask an owner to add you.",
        )
    return found


def granted_gpu_s(*, organisation: Organisation, project: str, mode_id: str) -> int:
    """What a project was granted so far in one access mode."""
    grants = Grant.objects.filter(organisation=organisation, project=project, application__access_mode__name=mode_id)
    return grants.aggregate(total=Sum("gpu_s"))["total"] or 0


@transaction.atomic
def submit_application(
    *,
    organisation: Organisation,
    project: str,
    purpose: str,
    sector: str,
    mode_id: str,
    num_gpu_hours: float,
    modes: ModesFile,
    by: Person,
    at: datetime,
) -> Application:
    """Take in an application and check it; a mode that decides by rule grants it at once when every rule passes.

    Raises NotAMember, UnknownMode, NotAppliedFor, AlreadyOpen.
    """
    if not organisation.memberships.filter(person=by).exists():
        raise NotAMember(f"You do not belong to {organisation}.", hint="Ask one of its owners to add you or to apply.")
    organisation = Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)
    mode = modes.mode(mode_id, day=at.date())
    check_applied_for(mode)
    application = Application.objects.create(
        organisation=organisation,
        project=project,
        purpose=purpose,
        sector=sector,
        access_mode=keep_mode(mode),
        gpu_s=max(1, gpu_seconds(num_gpu_hours)),
        language=by.language,
        state=ApplicationState.DRAFT,
        created_by=by,
        created_at=at,
    )
    return take_in(application, modes=modes, by=by, at=at)


def check_applied_for(mode: Mode) -> None:
    """Raises NotAppliedFor for time that a person brings."""
    if mode.decision == "brought":
        raise NotAppliedFor(
            f"Time in mode {mode.id} is your own, at a site that gave it to you.",
            hint="Start `fucina agent --personal` there, or choose another mode.",
        )


@transaction.atomic
def take_in(
    application: Application, *, modes: ModesFile, by: Person, at: datetime, version: int | None = None
) -> Application:
    """Submit what is complete, check it by rule, and grant it where the mode decides by rule.

    Raises what `move_application` raises.
    """
    changes = {"submitted_by": by, "submitted_at": at}
    data = {"gpu_s": application.gpu_s, "mode": application.access_mode.name}
    application = move_application(
        application=application, name=MoveName.SUBMIT, by=by, at=at, version=version, data=data, changes=changes
    )
    mode = mode_of(application)
    _check(application, mode=mode, modes=modes)
    if mode.decision == "automatic" and not application.findings.filter(passed=False).exists():
        _close(
            application,
            granted=True,
            gpu_s=application.gpu_s,
            reason=_why(mode),
            by=Rule(f"{mode.id}/{mode.valid_from}"),
            at=at,
        )
    application.refresh_from_db()
    return application


def keep_mode(mode: Mode) -> AccessMode:
    """The mode as it stands now, kept for good."""
    wire = mode.model_dump(mode="json")
    rows = AccessMode.objects.filter(name=mode.id, valid_from=mode.valid_from).order_by("-revision")
    newest = rows.first()
    if newest is not None and newest.wire == wire:
        return newest
    revision = newest.revision + 1 if newest else 0
    while True:
        row, _ = AccessMode.objects.get_or_create(
            name=mode.id, valid_from=mode.valid_from, revision=revision, defaults={"wire": wire}
        )
        if row.wire == wire:
            return row
        revision += 1


@transaction.atomic
def bring_time(
    *,
    organisation: Organisation,
    project: str,
    purpose: str,
    gpu_s: int,
    reason: str,
    mode: Mode,
    by: Person,
    at: datetime,
) -> Grant:
    """Take down time that a person has elsewhere as a grant of its own; nobody decides about it. Raises NotAMember."""
    if not organisation.memberships.filter(person=by).exists():
        raise NotAMember(f"You do not belong to {organisation}.", hint="Ask one of its owners to add you.")
    application = Application.objects.create(
        organisation=organisation,
        project=project,
        purpose=purpose,
        sector="",
        access_mode=keep_mode(mode),
        gpu_s=gpu_s,
        language=by.language,
        state=ApplicationState.GRANTED,
        created_by=by,
        created_at=at,
        submitted_by=by,
        submitted_at=at,
    )
    Decision.objects.create(
        application=application, granted=True, reason=reason, rule=f"{mode.id}/{mode.valid_from}", decided_at=at
    )
    grant = Grant.objects.create(
        application=application, organisation=organisation, project=project, gpu_s=gpu_s, granted_at=at
    )
    record(by, "access.bring_time", application, at=at, data={"gpu_s": gpu_s, "reason": reason})
    return grant


def _check(application: Application, *, mode: Mode, modes: ModesFile) -> None:
    before_gpu_s = granted_gpu_s(organisation=application.organisation, project=application.project, mode_id=mode.id)
    findings = check_eligibility(
        mode,
        country=application.organisation.country,
        gpu_hours=application.gpu_s / 3600,
        granted_gpu_hours=before_gpu_s / 3600,
        modes=modes,
    )
    application.findings.all().delete()
    EligibilityFinding.objects.bulk_create(
        EligibilityFinding(application=application, **finding.model_dump()) for finding in findings
    )


def _why(mode: Mode) -> str:
    return f"Access mode {mode.id} grants what passes every rule."


@transaction.atomic
def decide_application(
    *,
    application: Application,
    granted: bool,
    num_gpu_hours: float | None,
    reason: str,
    by: Person,
    at: datetime,
    version: int | None = None,
) -> Decision:
    """Decide for good; steps that one officer passes alone are passed with it.

    Raises NotAnOfficer, OwnOrganisation, AlreadyDecided, WrongMove, WrongState.
    """
    application = lock(application, version=version)
    gpu_s = application.gpu_s if num_gpu_hours is None else max(1, gpu_seconds(num_gpu_hours))
    if granted and gpu_s > application.gpu_s:
        raise WrongState(
            f"{gpu_hours(gpu_s)} GPU-hours is more than the {gpu_hours(application.gpu_s)} that were asked for.",
            hint="Grant at most what was asked for; the applicant may apply again.",
        )
    return _close(application, granted=granted, gpu_s=gpu_s, reason=reason, by=by, at=at)


@transaction.atomic
def withdraw_application(*, application: Application, by: Person, at: datetime, version: int | None = None) -> None:
    """Take an application back. Raises NotAMember, AlreadyDecided, ApplicationChanged."""
    move_application(application=application, name=MoveName.WITHDRAW, by=by, at=at, version=version)


def _close(
    application: Application, *, granted: bool, gpu_s: int, reason: str, by: Person | Rule, at: datetime
) -> Decision:
    while granted and (passed := ALONE.get(ApplicationState(application.state))):
        application = move_application(application=application, name=passed, by=by, at=at)
    name = MoveName.GRANT if granted else MoveName.REJECT
    application = move_application(application=application, name=name, by=by, at=at, reason=reason)
    before = application.decisions.aggregate(last=Max("round"))["last"] or 0
    decision = Decision.objects.create(
        application=application,
        round=before + 1,
        granted=granted,
        reason=reason,
        decided_by=by if isinstance(by, Person) else None,
        rule=by.name if isinstance(by, Rule) else "",
        decided_at=at,
    )
    if granted:
        mode = mode_of(application)
        Grant.objects.create(
            application=application,
            organisation=application.organisation,
            project=application.project,
            gpu_s=gpu_s,
            granted_at=at,
            ends_at=mode.end_of(at),
            terms_sha256=terms_sha256(mode),
        )
    record(by, "access.decide", application, at=at, data={"granted": granted, "gpu_s": gpu_s if granted else 0})
    return decision
