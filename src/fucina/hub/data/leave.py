"""Asking for data, deciding, and who may have the bytes."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from fucina.client.wire_data import DataAccessAsk, DataDecision
from fucina.data.description import Access
from fucina.errors import BadInput, NotAllowed, WrongState
from fucina.hub.data.models import AccessRequest, DataGrant, Dataset, RequestState
from fucina.hub.data.publishing import check_owner, holder
from fucina.hub.people.actions import record
from fucina.hub.people.models import Membership, Person


class NoLeave(NotAllowed):
    """The person may see the dataset and may not have its bytes."""

    code = "no_leave"


class TermsNotAgreed(BadInput):
    """The dataset has terms, and they were not agreed to."""

    code = "terms_not_agreed"


class NotOnRequest(WrongState):
    """The dataset is not given on request, or needs none."""

    code = "not_on_request"


class AlreadyAsked(WrongState):
    """The organisation waits for a decision, or has leave."""

    code = "already_asked"


class AlreadyDecidedOn(WrongState):
    """The request was decided on or withdrawn."""

    code = "already_decided_on"


class OwnRequest(NotAllowed):
    """Nobody decides on a request of their own organisation."""

    code = "own_request"


def is_member(dataset: Dataset, person: Person | None) -> bool:
    """Whether the dataset is of one of the person's organisations."""
    if person is None:
        return False
    return Membership.objects.filter(person=person, organisation=dataset.organisation_id).exists()


def live_grant(dataset: Dataset, person: Person | None, *, at: datetime) -> DataGrant | None:
    """The grant that lasts longest for one of the person's organisations."""
    if person is None:
        return None
    mine = Membership.objects.filter(person=person).values("organisation")
    rows = DataGrant.objects.filter(dataset=dataset, organisation__in=mine, revoked_at__isnull=True)
    return rows.filter(begins_at__lte=at, expires_at__gt=at).order_by("-expires_at").first()


def may_have(dataset: Dataset, person: Person | None, *, at: datetime) -> bool:
    """Whether a person who sees the dataset may have its bytes now; nobody has them without signing in."""
    if person is None:
        return False
    if dataset.access == Access.OPEN or is_member(dataset, person):
        return True
    return dataset.access == Access.REQUEST and live_grant(dataset, person, at=at) is not None


def check_leave(dataset: Dataset, person: Person, *, at: datetime) -> None:
    """Raises NoLeave."""
    if not may_have(dataset, person, at=at):
        asked = dataset.access == Access.REQUEST
        raise NoLeave(
            f"You may not have the files of {dataset}.",
            hint=f"Ask for them: `fucina data request {dataset.ref}`." if asked else "They stay with their holder.",
        )


@transaction.atomic
def ask(*, dataset: Dataset, request: DataAccessAsk, by: Person, at: datetime) -> AccessRequest:
    """Ask for data on behalf of one's organisation.

    Raises NotVisible, NotAHolder, NotOnRequest, TermsNotAgreed, AlreadyAsked.
    """
    organisation = holder(request.organisation, person=by)
    if organisation.pk == dataset.organisation_id or dataset.access != Access.REQUEST:
        raise NotOnRequest(
            f"{dataset} is not given on request to {organisation}.",
            hint="It is yours." if organisation.pk == dataset.organisation_id else f"Its access is {dataset.access}.",
        )
    if dataset.terms and not request.agrees:
        raise TermsNotAgreed(f"{dataset} is given under terms.", hint="Read them, then ask again and agree to them.")
    grants = DataGrant.objects.filter(dataset=dataset, organisation=organisation, revoked_at__isnull=True)
    if (grant := grants.filter(expires_at__gt=at).first()) is not None:
        raise AlreadyAsked(
            f"{organisation} has leave until {grant.expires_at:%Y-%m-%d}.", hint="Ask again when it has ended."
        )
    try:
        with transaction.atomic():
            row = AccessRequest.objects.create(
                dataset=dataset,
                organisation=organisation,
                asked_by=by,
                purpose=request.purpose,
                terms=dataset.terms,
                asked_at=at,
            )
    except IntegrityError as error:
        raise AlreadyAsked(
            f"{organisation} waits for a decision on {dataset} already.", hint="Look at `fucina data requests`."
        ) from error
    record(by, "data.ask", row, at=at, data={"dataset": dataset.ref, "organisation": organisation.ref})
    return row


def _lock_waiting(request: AccessRequest) -> AccessRequest:
    row = AccessRequest.objects.select_for_update(no_key=True, of=("self",)).get(pk=request.pk)
    if row.state != RequestState.SUBMITTED:
        raise AlreadyDecidedOn(f"The request {row.ref} is {row.state} already.", hint="Nothing was changed.")
    return row


@transaction.atomic
def decide(*, request: AccessRequest, decision: DataDecision, by: Person, at: datetime) -> AccessRequest:
    """Grant for some days, or reject, for good. Raises NotAHolder, OwnRequest, AlreadyDecidedOn."""
    check_owner(request.dataset, by)
    if Membership.objects.filter(person=by, organisation=request.organisation_id).exists():
        raise OwnRequest(
            f"You belong to {request.organisation}, which asks.", hint="Another owner of the dataset decides."
        )
    row = _lock_waiting(request)
    row.state = RequestState.GRANTED if decision.granted else RequestState.REJECTED
    row.decided_by, row.decided_at, row.reason = by, at, decision.reason
    row.save(update_fields=["state", "decided_by", "decided_at", "reason"])
    if decision.granted:
        DataGrant.objects.create(
            request=row,
            dataset=row.dataset,
            organisation=row.organisation,
            begins_at=at,
            expires_at=at + timedelta(days=decision.days),
        )
    record(by, "data.decide", row, at=at, data={"granted": decision.granted, "days": decision.days})
    return row


@transaction.atomic
def take_back(*, request: AccessRequest, by: Person, at: datetime) -> AccessRequest:
    """Withdraw a request that waits. Raises NotAHolder, AlreadyDecidedOn."""
    holder(request.organisation.ref, person=by)
    row = _lock_waiting(request)
    row.state = RequestState.WITHDRAWN
    row.save(update_fields=["state"])
    record(by, "data.take_back", row, at=at)
    return row


@transaction.atomic
def revoke(*, request: AccessRequest, by: Person, at: datetime) -> DataGrant:
    """End a grant now. Raises NotAHolder, AlreadyDecidedOn where nothing is granted."""
    check_owner(request.dataset, by)
    grant = DataGrant.objects.select_for_update(no_key=True, of=("self",)).filter(request=request).first()
    if grant is None or grant.revoked_at is not None:
        raise AlreadyDecidedOn(f"The request {request.ref} opens nothing.", hint="Nothing was changed.")
    grant.revoked_at = at
    grant.save(update_fields=["revoked_at"])
    record(by, "data.revoke", grant, at=at, data={"request": request.ref})
    return grant
