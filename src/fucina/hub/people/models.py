"""Who is here, who belongs where, how they prove it, and what they did."""

from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from fucina.hub.people.append_only import AppendOnly, AppendOnlyQuerySet
from fucina.hub.people.reference import new_ref


class PersonManager(BaseUserManager["Person"]):
    """Makes people as Django's own commands expect it."""

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "Person":
        """A person; without a password only a link signs them in."""
        person = self.model(username=username, **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> "Person":
        """A person who runs this factory."""
        return self.create_user(username, password, is_staff=True, is_superuser=True, **fields)


class Person(AbstractBaseUser, PermissionsMixin):
    """Someone who signs in."""

    username = models.CharField(_("user name"), max_length=150, unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    language = models.CharField(_("language"), max_length=8, default="en")
    is_active = models.BooleanField(_("may sign in"), default=True)
    is_staff = models.BooleanField(_("access officer"), default=False)
    """Decides on applications, except those of their own organisations."""
    joined_at = models.DateTimeField(_("joined"), auto_now_add=True)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = PersonManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")

    def __str__(self) -> str:
        return self.name or self.username

    @property
    def audit_name(self) -> str:
        """As the audit trail writes it."""
        return self.username


class OrganisationQuerySet(models.QuerySet["Organisation"]):
    """Organisations."""

    def visible_to(self, person: Person) -> "OrganisationQuerySet":
        """Those that the person belongs to; access officers see all."""
        return self.all() if person.is_staff else self.filter(memberships__person=person)


class Organisation(models.Model):
    """A company, institute or public body that applies."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "org"), editable=False)
    name = models.CharField(_("name"), max_length=200)
    country = models.CharField(_("country"), max_length=2, blank=True)
    created_at = models.DateTimeField()

    objects = OrganisationQuerySet.as_manager()

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        constraints = [models.UniqueConstraint(Lower("name"), name="organisation_name_unique")]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member may do."""

    OWNER = "owner", _("owner")
    MEMBER = "member", _("member")


class Membership(models.Model):
    """A person in an organisation."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.MEMBER)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["person", "organisation"], name="membership_unique")]

    def __str__(self) -> str:
        return f"{self.person} · {self.organisation}"


class Scope(models.TextChoices):
    """Which doors a token opens."""

    PERSON = "person", _("person")
    AGENT = "agent", _("agent")


class ApiToken(models.Model):
    """A secret of a program; only its digest is kept."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "tok"), editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, null=True, blank=True, related_name="tokens")
    """None for an agent."""
    scope = models.CharField(max_length=16, choices=Scope.choices)
    name = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        constraints = [
            models.CheckConstraint(
                name="token_person_by_scope",
                condition=models.Q(scope=Scope.PERSON, person__isnull=False)
                | models.Q(scope=Scope.AGENT, person__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def is_valid(self, at: datetime) -> bool:
        """Whether it still opens anything."""
        return (self.expires_at is None or at < self.expires_at) and (self.person is None or self.person.is_active)


class SignInLink(models.Model):
    """A link that signs a person in once."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="sign_in_links")
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("sign-in link")
        verbose_name_plural = _("sign-in links")

    def __str__(self) -> str:
        return f"{self.person}, {self.expires_at:%Y-%m-%d %H:%M}"


class AuditRecord(AppendOnly):
    """Who did what to what, and when."""

    at = models.DateTimeField(db_index=True)
    who = models.CharField(max_length=200)
    """User name, `agent SITE`, or `rule NAME` for what nobody decided."""
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=100)
    object_kind = models.CharField(max_length=100)
    object_ref = models.CharField(max_length=100)
    data = models.JSONField(default=dict)

    objects = AppendOnlyQuerySet["AuditRecord"].as_manager()

    class Meta:
        verbose_name = _("audit record")
        verbose_name_plural = _("audit records")
        indexes = [models.Index(fields=["object_kind", "object_ref"], name="audit_object")]

    def __str__(self) -> str:
        return f"{self.who} {self.action} {self.object_ref}"


class AuditSeal(AppendOnly):
    """A link of the chain over the audit trail; see `fucina.hub.people.chain`."""

    number = models.BigIntegerField(unique=True)
    """From 1, without a gap."""
    record_id = models.BigIntegerField(unique=True)
    """No foreign key: that a record is gone must be seen, not prevented or passed on."""
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    objects = AppendOnlyQuerySet["AuditSeal"].as_manager()

    class Meta:
        verbose_name = _("seal")
        verbose_name_plural = _("seals")

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"
