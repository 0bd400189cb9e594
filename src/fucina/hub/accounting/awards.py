"""While a grant lasts: accepting it, changing it, taking back what is not used, and reporting at its end."""

from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import Max, Sum

from fucina.accounting.forecast import LATE_SHARE, UNDER_SHARE
from fucina.errors import BadInput, NotVisible, WrongState
from fucina.hub.access.models import ChangeKind, ChangeState, Grant, GrantChange
from fucina.hub.access.moving import NotAMember, NotAnOfficer, OwnOrganisation, applies, is_involved
from fucina.hub.accounting.models import Allocation, Kind, LedgerEntry, UsageRecord
from fucina.hub.network.models import Partition
from fucina.hub.people.actions import record
from fucina.hub.people.models import Person
from fucina.hub.people.reference import new_ref
from fucina.units import gpu_hours


class BadChange(BadInput):
    """A change that cannot be."""

    code = "bad_change"


class ChangeOpen(WrongState):
    """One request of a kind at a time."""

    code = "change_open"


class ChangeDecided(WrongState):
    """The request has its answer."""

    code = "change_decided"


class WellUsed(WrongState):
    """Time is taken back only from grants that are little used."""

    code = "well_used"


class ReportGiven(WrongState):
    """The final report was handed in."""

    code = "report_given"


class Use(NamedTuple):
    """How far a grant is used."""

    granted_gpu_s: int
    used_gpu_s: int
    free_gpu_s: int
    period_share: float | None
    """None where the grant has no end."""
    is_under_used: bool


def find_grant(application_ref: str, *, person: Person) -> Grant:
    """The grant of an application that the person may see. Raises NotVisible."""
    rows = Grant.objects.select_related("application", "organisation").filter(application__ref=application_ref)
    grant = rows.first() if "\x00" not in application_ref else None
    if grant is None or not (applies(grant.application, person) or person.is_staff):
        raise NotVisible(f"There is no grant of {application_ref!r} that you may see.", hint="Check the reference.")
    return grant


def _lock(grant: Grant) -> Grant:
    return Grant.objects.select_for_update(no_key=True).select_related("organisation").get(pk=grant.pk)


def _check_applicant(grant: Grant, by: Person) -> None:
    if not applies(grant.application, by):
        raise NotAMember(f"You do not belong to {grant.organisation}.", hint="Only who applied does this.")


def _check_officer(grant: Grant, by: Person) -> None:
    if not by.is_staff:
        raise NotAnOfficer("Only access officers decide on grants.", hint="Wait for the decision of an officer.")
    if is_involved(grant.application, by):
        raise OwnOrganisation(
            f"You belong to {grant.organisation}, or applied with it; others decide.", hint="Ask another officer."
        )


@transaction.atomic
def accept_award(*, grant: Grant, by: Person, at: datetime) -> Grant:
    """Accept the award with the terms of the mode; a second time changes nothing. Raises NotAMember."""
    grant = _lock(grant)
    _check_applicant(grant, by)
    if grant.accepted_at is None:
        grant.accepted_at, grant.accepted_by = at, by
        grant.save(update_fields=["accepted_at", "accepted_by"])
        record(by, "access.accept_award", grant, at=at, data={"terms_sha256": grant.terms_sha256})
    return grant


@transaction.atomic
def ask_change(
    *,
    grant: Grant,
    kind: str,
    reason: str,
    by: Person,
    at: datetime,
    gpu_s: int = 0,
    ends_at: datetime | None = None,
    source: str = "",
    target: str = "",
) -> GrantChange:
    """Ask for more time to use it, more hours, or another partition. Raises NotAMember, BadChange, ChangeOpen."""
    grant = _lock(grant)
    _check_applicant(grant, by)
    if kind not in ChangeKind.values:
        raise BadChange(f"There is no change {kind[:40]!r}.", hint=f"Ask for {', '.join(ChangeKind.values)}.")
    change = GrantChange(
        grant=grant, kind=kind, gpu_s=gpu_s, ends_at=ends_at, source=source, target=target, reason=reason,
        asked_by=by, asked_at=at,
    )  # fmt: skip
    _check(change, grant, at=at)
    try:
        with transaction.atomic():
            change.save()
    except IntegrityError as error:
        raise ChangeOpen(f"A request for {kind} of {grant.ref} waits already.", hint="Wait for its answer.") from error
    record(by, "access.ask_change", change, at=at, data={"kind": kind, "gpu_s": gpu_s, "grant": grant.ref})
    return change


def _check(change: GrantChange, grant: Grant, *, at: datetime) -> None:
    """Raises BadChange for what could not be done now."""
    if grant.ends_at is not None and grant.ends_at <= at:
        raise BadChange(f"The grant ended on {grant.ends_at:%Y-%m-%d}.", hint="Apply for another one.")
    if change.kind == ChangeKind.EXTENSION:
        if grant.ends_at is None:
            raise BadChange("The grant has no end.", hint="There is nothing to extend.")
        if change.ends_at is None or change.ends_at <= grant.ends_at:
            raise BadChange(f"The new end is not after {grant.ends_at:%Y-%m-%d}.", hint="Name a later day.")
        return
    if change.gpu_s <= 0:
        raise BadChange("No GPU-hours are named.", hint="Say how many.")
    target = _partition(change.target)
    if change.kind == ChangeKind.TRANSFER:
        source = _allocation(grant, change.source)
        if source.partition_id == target.pk:
            raise BadChange(f"{target} is where the time is already.", hint="Name another partition.")
        if source.free_gpu_s < change.gpu_s:
            raise BadChange(
                f"{gpu_hours(change.gpu_s)} GPU-hours are more than the {gpu_hours(source.free_gpu_s)} free there.",
                hint="Ask for less, or wait until running jobs have given back what they hold.",
            )


def _partition(place: str) -> Partition:
    site, _, name = place.partition("/")
    rows = Partition.objects.select_related("site").filter(site__name=site).order_by("position")
    found = (rows.filter(name=name) if name else rows).first() if "\x00" not in place else None
    if found is None:
        raise BadChange(f"There is no partition {place[:130]!r}.", hint="Write SITE/PARTITION.")
    return found


def _allocation(grant: Grant, place: str) -> Allocation:
    partition = _partition(place)
    found = Allocation.objects.filter(grant=grant, partition=partition).first()
    if found is None:
        raise BadChange(f"{grant.ref} has no time on {partition}.", hint="Name a partition that it has time on.")
    return Allocation.objects.select_for_update(no_key=True).get(pk=found.pk)


@transaction.atomic
def decide_change(*, change: GrantChange, agreed: bool, answer: str, by: Person, at: datetime) -> GrantChange:
    """Agree or refuse; what was agreed is done at once, or refused with the reason why it cannot be any more.

    Raises NotAnOfficer, OwnOrganisation, ChangeDecided, BadChange.
    """
    grant = _lock(change.grant)
    _check_officer(grant, by)
    change = GrantChange.objects.select_for_update(no_key=True).get(pk=change.pk)
    if change.state != ChangeState.ASKED:
        raise ChangeDecided(f"The request was {change.state}.", hint="The applicant may ask again.")
    if agreed:
        _check(change, grant, at=at)
        _do(change, grant, at=at)
    change.state = ChangeState.AGREED if agreed else ChangeState.REFUSED
    change.decided_by, change.decided_at, change.answer = by, at, answer
    change.save(update_fields=["state", "decided_by", "decided_at", "answer"])
    record(by, "access.decide_change", change, at=at, data={"agreed": agreed, "kind": change.kind, "grant": grant.ref})
    return change


def _do(change: GrantChange, grant: Grant, *, at: datetime) -> None:
    if change.kind == ChangeKind.EXTENSION:
        grant.ends_at = change.ends_at
        grant.save(update_fields=["ends_at"])
        return
    if change.kind == ChangeKind.SUPPLEMENT:
        grant.gpu_s += change.gpu_s
        grant.save(update_fields=["gpu_s"])
    else:
        source = _allocation(grant, change.source)
        source.entries.create(kind=Kind.CHANGE, gpu_s=-change.gpu_s, at=at, note=f"{change.ref} to {change.target}")
    target = _place(grant, _partition(change.target), at=at)
    target.entries.create(kind=Kind.CHANGE, gpu_s=change.gpu_s, at=at, note=change.ref)


def _place(grant: Grant, partition: Partition, *, at: datetime) -> Allocation:
    """The grant's allocation on a partition, made when there is none."""
    ref = new_ref("alc")
    fields = {"ref": ref, "site": partition.site, "slurm_account": ref, "created_at": at}
    row, _ = Allocation.objects.get_or_create(grant=grant, partition=partition, defaults=fields)
    return row


def use_of(grant: Grant, *, at: datetime) -> Use:
    """How far the grant is used, and whether that is little for the time that is over."""
    rows = LedgerEntry.objects.filter(allocation__grant=grant).values_list("kind").annotate(total=Sum("gpu_s"))
    sums = dict(rows.order_by())
    granted = sums.get(Kind.GRANT, 0) + sums.get(Kind.CHANGE, 0) + sums.get(Kind.EXPIRY, 0)
    free = sum(sums.values())
    used = -(sums.get(Kind.USE, 0) + sums.get(Kind.REFUND, 0) + sums.get(Kind.CORRECTION, 0))
    begin = grant.starts_at or grant.granted_at
    share = None if grant.ends_at is None else min(1.0, (at - begin) / (grant.ends_at - begin))
    little = share is not None and share >= LATE_SHARE and granted > 0 and used < UNDER_SHARE * share * granted
    return Use(granted, used, free, share, little)


@transaction.atomic
def claw_back(*, grant: Grant, gpu_s: int, reason: str, by: Person, at: datetime) -> int:
    """Take back free time of a grant that is little used, so that others may have it; returns how much.

    Raises NotAnOfficer, OwnOrganisation, WellUsed, BadChange.
    """
    grant = _lock(grant)
    _check_officer(grant, by)
    use = use_of(grant, at=at)
    if not use.is_under_used:
        raise WellUsed(
            f"{gpu_hours(use.used_gpu_s)} of {gpu_hours(use.granted_gpu_s)} GPU-hours are used, which is not little "
            f"for {use.period_share or 0:.0%} of the period.",
            hint=f"Time is taken back after {LATE_SHARE:.0%} of the period, when less than half of its share is used.",
        )
    if not 0 < gpu_s <= use.free_gpu_s:
        raise BadChange(
            f"{gpu_hours(gpu_s)} GPU-hours cannot be taken back; {gpu_hours(use.free_gpu_s)} are free.",
            hint="Held time stays with its jobs.",
        )
    left = gpu_s
    for allocation in Allocation.objects.select_for_update(no_key=True).filter(grant=grant).order_by("pk"):
        part = min(left, allocation.free_gpu_s)
        if part > 0:
            allocation.entries.create(kind=Kind.EXPIRY, gpu_s=-part, at=at, note=f"Taken back: {reason}"[:200])
            left -= part
    record(by, "access.claw_back", grant, at=at, data={"gpu_s": gpu_s - left, "reason": reason})
    return gpu_s - left


def report_draft(grant: Grant, *, at: datetime) -> dict[str, object]:
    """What was recorded, for the final report; the applicant adds the rest."""
    use = use_of(grant, at=at)
    jobs = UsageRecord.objects.filter(allocation__grant=grant)
    found = jobs.aggregate(last=Max("ended_at"))
    return {
        "project": grant.project,
        "purpose": grant.application.purpose,
        "granted_gpu_hours": round(use.granted_gpu_s / 3600, 2),
        "used_gpu_hours": round(use.used_gpu_s / 3600, 2),
        "num_jobs": jobs.values("job").distinct().count(),
        "last_job_at": found["last"].isoformat() if found["last"] else None,
    }


@transaction.atomic
def hand_in_report(*, grant: Grant, results: str, by: Person, at: datetime) -> Grant:
    """Hand in the final report, once: what was recorded, and the results in words. Raises NotAMember, ReportGiven."""
    grant = _lock(grant)
    _check_applicant(grant, by)
    if grant.reported_at is not None:
        raise ReportGiven(
            f"The report was handed in on {grant.reported_at:%Y-%m-%d}.", hint="Write to the access desk."
        )
    if len(results.strip()) < 40:
        raise BadChange(f"The results have {len(results.strip())} characters.", hint="Write at least 40.")
    grant.report, grant.reported_at = {**report_draft(grant, at=at), "results": results.strip()}, at
    grant.save(update_fields=["report", "reported_at"])
    record(by, "access.report", grant, at=at)
    return grant
