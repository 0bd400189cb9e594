"""Everything that is written about access.

Doors call `fucina.hub.compute.projects`, which also opens what was granted.
"""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Sum

from fucina.access.modes import Mode, ModesFile
from fucina.errors import BadInput, NotAllowed, NotVisible, WrongState
from fucina.hub.access.models import (
    AccessMode,
    Application,
    ApplicationState,
    Decision,
    EligibilityFinding,
    Grant,
    check_move,
)
from fucina.hub.access.rules import check_eligibility
from fucina.hub.people.actions import Rule, record
from fucina.hub.people.models import Organisation, Person
from fucina.units import gpu_hours, gpu_seconds


class NotAMember(NotAllowed):
    """Only members apply for their organisation."""

    code = "not_a_member"


class NotAnOfficer(NotAllowed):
    """Only access officers decide."""

    code = "not_an_officer"


class OwnOrganisation(NotAllowed):
    """An officer does not decide on an organisation that they belong to."""

    code = "own_organisation"


class AlreadyOpen(WrongState):
    """One application per project at a time."""

    code = "application_open"


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
    if mode.decision == "brought":
        raise NotAppliedFor(
            f"Time in mode {mode.id} is your own, at a site that gave it to you.",
            hint="Start `fucina agent --personal` there, or choose another mode.",
        )
    access_mode = _access_mode(mode)
    try:
        with transaction.atomic():
            application = Application.objects.create(
                organisation=organisation,
                project=project,
                purpose=purpose,
                sector=sector,
                access_mode=access_mode,
                gpu_s=max(1, gpu_seconds(num_gpu_hours)),
                state=ApplicationState.SUBMITTED,
                submitted_by=by,
                submitted_at=at,
            )
    except IntegrityError as error:
        raise AlreadyOpen(
            f"{organisation} has an application for {project} that waits for its decision.",
            hint="Wait for the decision, or withdraw it and apply again.",
        ) from error
    record(by, "access.submit", application, at=at, data={"gpu_s": application.gpu_s, "mode": mode.id})
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
    return application


def _access_mode(mode: Mode) -> AccessMode:
    """The mode as it stands now, kept for good."""
    row, _ = AccessMode.objects.get_or_create(
        name=mode.id, valid_from=mode.valid_from, defaults={"wire": mode.model_dump(mode="json")}
    )
    return row


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
        access_mode=_access_mode(mode),
        gpu_s=gpu_s,
        state=ApplicationState.GRANTED,
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
    EligibilityFinding.objects.bulk_create(
        EligibilityFinding(application=application, **finding.model_dump()) for finding in findings
    )


def _why(mode: Mode) -> str:
    return f"Access mode {mode.id} grants what passes every rule."


@transaction.atomic
def decide_application(
    *, application: Application, granted: bool, num_gpu_hours: float | None, reason: str, by: Person, at: datetime
) -> Decision:
    """Decide for good. Raises NotAnOfficer, OwnOrganisation, AlreadyDecided, WrongState."""
    if not by.is_staff:
        raise NotAnOfficer("Only access officers decide on applications.", hint="Wait for the decision of an officer.")
    if application.organisation.memberships.filter(person=by).exists():
        raise OwnOrganisation(
            f"You belong to {application.organisation}; its applications are decided by others.",
            hint="Ask another officer.",
        )
    application = (
        Application.objects.select_for_update(no_key=True).select_related("organisation").get(pk=application.pk)
    )
    gpu_s = application.gpu_s if num_gpu_hours is None else max(1, gpu_seconds(num_gpu_hours))
    if granted and gpu_s > application.gpu_s:
        raise WrongState(
            f"{gpu_hours(gpu_s)} GPU-hours is more than the {gpu_hours(application.gpu_s)} that were asked for.",
            hint="Grant at most what was asked for; the applicant may apply again.",
        )
    return _close(application, granted=granted, gpu_s=gpu_s, reason=reason, by=by, at=at)


@transaction.atomic
def withdraw_application(*, application: Application, by: Person, at: datetime) -> None:
    """Take an application back. Raises NotAMember, AlreadyDecided."""
    if not application.organisation.memberships.filter(person=by).exists():
        raise NotAMember(
            f"You do not belong to {application.organisation}.", hint="Only its members withdraw an application."
        )
    application = Application.objects.select_for_update(no_key=True).get(pk=application.pk)
    check_move(ApplicationState(application.state), ApplicationState.WITHDRAWN)
    application.state = ApplicationState.WITHDRAWN
    application.save(update_fields=["state"])
    record(by, "access.withdraw", application, at=at)


def _close(
    application: Application, *, granted: bool, gpu_s: int, reason: str, by: Person | Rule, at: datetime
) -> Decision:
    after = ApplicationState.GRANTED if granted else ApplicationState.REJECTED
    check_move(ApplicationState(application.state), after)
    application.state = after
    application.save(update_fields=["state"])
    decision = Decision.objects.create(
        application=application,
        granted=granted,
        reason=reason,
        decided_by=by if isinstance(by, Person) else None,
        rule=by.name if isinstance(by, Rule) else "",
        decided_at=at,
    )
    if granted:
        mode = Mode.model_validate(application.access_mode.wire)
        Grant.objects.create(
            application=application,
            organisation=application.organisation,
            project=application.project,
            gpu_s=gpu_s,
            granted_at=at,
            ends_at=mode.end_of(at),
        )
    record(by, "access.decide", application, at=at, data={"granted": granted, "gpu_s": gpu_s if granted else 0})
    return decision
