"""Everything that is written about people."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from django.db import IntegrityError, models, transaction

from fucina.errors import BadInput, NotAllowed, NotSignedIn, WrongState
from fucina.hub.people.chain import seal_batch
from fucina.hub.people.models import (
    ApiToken,
    AuditRecord,
    Membership,
    Organisation,
    Person,
    Role,
    Scope,
    SignInLink,
)

VISIBLE_START = "fuc_"
"""Of every token, so that one that leaked is found by a search."""

SIGN_IN_LINK_LASTS = timedelta(minutes=10)
LAST_USED_GRAIN = timedelta(minutes=1)
"""How exactly a token's last use is kept; finer would write at every request."""


class NameTaken(WrongState):
    """An organisation of that name exists."""

    code = "name_taken"


class BadName(BadInput):
    """A name that cannot be used."""

    code = "bad_name"


class LinkSpent(NotSignedIn):
    """A sign-in link that was used, is too old or never was."""

    code = "link_spent"


class Actor(Protocol):
    """Whoever the audit trail names."""

    @property
    def audit_name(self) -> str:
        """As the audit trail writes it."""
        ...


class Rule(NamedTuple):
    """What decided when nobody did."""

    name: str

    @property
    def audit_name(self) -> str:
        """As the audit trail writes it."""
        return f"rule {self.name}"


class IssuedToken(NamedTuple):
    """A new token with the only copy of its secret."""

    token: ApiToken
    secret: str


def record(
    by: Actor, action: str, about: models.Model, *, at: datetime, data: Mapping[str, object] | None = None
) -> AuditRecord:
    """Add what was done to the audit trail; every action does so once. It is sealed once it is committed."""
    transaction.on_commit(seal_batch, robust=True)
    return AuditRecord.objects.create(
        at=at,
        who=by.audit_name,
        person=by if isinstance(by, Person) else None,
        action=action,
        object_kind=about._meta.label_lower,
        object_ref=str(getattr(about, "ref", about.pk)),
        data=dict(data or {}),
    )


def digest(secret: str) -> str:
    """What is kept of a secret. Secrets here are random and long, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create_organisation(*, name: str, country: str, by: Person, at: datetime) -> Organisation:
    """Found an organisation; who asks becomes its owner. Raises NameTaken, BadName."""
    name = " ".join(name.split())
    if not name or not name.isprintable():
        raise BadName(
            "The organisation's name is empty or has characters that cannot be shown.", hint="Write its legal name."
        )
    try:
        with transaction.atomic():
            organisation = Organisation.objects.create(name=name, country=country.upper(), created_at=at)
    except IntegrityError as error:
        raise NameTaken(
            f"There is an organisation called {name!r} already.",
            hint="Ask one of its owners to add you, or use its full name.",
        ) from error
    Membership.objects.create(person=by, organisation=organisation, role=Role.OWNER)
    record(by, "people.create_organisation", organisation, at=at)
    return organisation


@transaction.atomic
def add_member(*, organisation: Organisation, person: Person, role: Role, by: Person, at: datetime) -> Membership:
    """Take a person into an organisation, or change their role. Raises NotAllowed unless an owner asks."""
    if not organisation.memberships.filter(person=by, role=Role.OWNER).exists():
        raise NotAllowed(f"Only an owner of {organisation} adds members.", hint="Ask an owner.")
    membership, _ = Membership.objects.update_or_create(
        organisation=organisation, person=person, defaults={"role": role}
    )
    record(by, "people.add_member", organisation, at=at, data={"person": person.username, "role": role.value})
    return membership


@transaction.atomic
def issue_token(
    *, name: str, scope: Scope, person: Person | None, by: Actor, at: datetime, lasts: timedelta | None = None
) -> IssuedToken:
    """Make a token; its secret is in the answer and nowhere else."""
    secret = VISIBLE_START + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        person=person,
        scope=scope,
        name=name,
        sha256=digest(secret),
        created_at=at,
        expires_at=at + lasts if lasts is not None else None,
    )
    record(by, "people.issue_token", token, at=at, data={"scope": scope.value, "name": name})
    return IssuedToken(token, secret)


def find_token(secret: str, *, at: datetime) -> ApiToken | None:
    """The valid token with that secret, and note that it was used."""
    if not secret.startswith(VISIBLE_START):
        return None
    token = ApiToken.objects.select_related("person").filter(sha256=digest(secret)).first()
    if token is None or not token.is_valid(at):
        return None
    if token.last_used_at is None or at - token.last_used_at >= LAST_USED_GRAIN:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=at)
    return token


@transaction.atomic
def revoke_token(*, token: ApiToken, by: Actor, at: datetime) -> None:
    """End a token now."""
    ApiToken.objects.filter(pk=token.pk).update(expires_at=at)
    record(by, "people.revoke_token", token, at=at)


@transaction.atomic
def make_sign_in_link(*, person: Person, by: Actor, at: datetime) -> str:
    """A path on the portal that signs this person in once, within ten minutes."""
    secret = secrets.token_urlsafe(32)
    link = SignInLink.objects.create(person=person, sha256=digest(secret), expires_at=at + SIGN_IN_LINK_LASTS)
    record(by, "people.make_sign_in_link", link, at=at, data={"person": person.username})
    return f"/enter/{secret}"


@transaction.atomic
def redeem(*, secret: str, at: datetime) -> Person:
    """Whoever the link was made for; the link is spent. Raises LinkSpent."""
    # No join here: the row's own columns are looked at again when another update of it has just been committed.
    mine = SignInLink.objects.filter(sha256=digest(secret), used_at__isnull=True, expires_at__gt=at)
    spent = mine.update(used_at=at)
    if not spent or not SignInLink.objects.filter(sha256=digest(secret), person__is_active=True).exists():
        raise LinkSpent(
            "This link was used already, is too old or was never made.", hint="Run `fucina up` again for a new one."
        )
    link = SignInLink.objects.select_related("person").get(sha256=digest(secret))
    record(link.person, "people.redeem_sign_in_link", link, at=at)
    return link.person
