"""Who asked for time, what the check found, who decided, what was granted."""

from enum import StrEnum
from functools import partial

from django.db import models
from django.utils.translation import gettext_lazy as _

from fucina.errors import WrongState
from fucina.hub.people.models import Organisation, Person
from fucina.hub.people.reference import new_ref


class ApplicationState(StrEnum):
    """Where an application stands."""

    SUBMITTED = "submitted"
    GRANTED = "granted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


MOVES: dict[ApplicationState, frozenset[ApplicationState]] = {
    ApplicationState.SUBMITTED: frozenset(
        {ApplicationState.GRANTED, ApplicationState.REJECTED, ApplicationState.WITHDRAWN}
    ),
    ApplicationState.GRANTED: frozenset(),
    ApplicationState.REJECTED: frozenset(),
    ApplicationState.WITHDRAWN: frozenset(),
}
"""Allowed moves; a decision is final."""


class AlreadyDecided(WrongState):
    """The application has its decision."""

    code = "already_decided"


def check_move(before: ApplicationState, after: ApplicationState) -> None:
    """Raises AlreadyDecided unless the table of moves allows it."""
    if after not in MOVES[before]:
        raise AlreadyDecided(
            f"The application is {before} and cannot become {after}.",
            hint="A decision is final; apply again if things changed.",
        )


class AccessMode(models.Model):
    """An access mode as it stood when somebody applied in it."""

    name = models.CharField(max_length=64)
    """The mode's id in the file of modes."""
    valid_from = models.DateField()
    wire = models.JSONField()
    """`fucina.access.modes.Mode`."""

    class Meta:
        verbose_name = _("access mode")
        verbose_name_plural = _("access modes")
        constraints = [models.UniqueConstraint(fields=["name", "valid_from"], name="access_mode_unique")]

    def __str__(self) -> str:
        return self.name


class ApplicationQuerySet(models.QuerySet["Application"]):
    """Applications."""

    def visible_to(self, person: Person) -> "ApplicationQuerySet":
        """Those of the person's organisations; access officers see all."""
        return self.all() if person.is_staff else self.filter(organisation__memberships__person=person)


class Application(models.Model):
    """A request for accelerator time for one project."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "app"), editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="applications")
    project = models.CharField(max_length=63)
    """The project's name; the project itself comes with the grant."""
    purpose = models.TextField()
    sector = models.CharField(max_length=200, blank=True)
    access_mode = models.ForeignKey(AccessMode, on_delete=models.PROTECT, related_name="applications")
    gpu_s = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in ApplicationState])
    submitted_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    submitted_at = models.DateTimeField()

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        verbose_name = _("application")
        verbose_name_plural = _("applications")
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "project"],
                condition=models.Q(state=ApplicationState.SUBMITTED.value),
                name="application_one_open",
            ),
            models.CheckConstraint(condition=models.Q(gpu_s__gt=0), name="application_asks_for_time"),
        ]

    def __str__(self) -> str:
        return self.ref


class EligibilityFinding(models.Model):
    """One rule of the automatic check, as it came out."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="findings")
    rule = models.CharField(max_length=64)
    passed = models.BooleanField()
    message = models.TextField()
    source = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        constraints = [models.UniqueConstraint(fields=["application", "rule"], name="finding_unique")]

    def __str__(self) -> str:
        return self.rule


class Decision(models.Model):
    """What became of an application; one, for good."""

    application = models.OneToOneField(Application, on_delete=models.PROTECT, related_name="decision")
    granted = models.BooleanField()
    reason = models.TextField()
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    """None when a rule decided."""
    rule = models.CharField(max_length=64, blank=True)
    decided_at = models.DateTimeField()

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        constraints = [
            models.CheckConstraint(
                name="decision_by_person_or_rule",
                condition=models.Q(decided_by__isnull=False, rule="")
                | (models.Q(decided_by__isnull=True) & ~models.Q(rule="")),
            )
        ]

    def __str__(self) -> str:
        return "granted" if self.granted else "rejected"


class Grant(models.Model):
    """Time that was granted to a project of an organisation."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "gra"), editable=False)
    application = models.OneToOneField(Application, on_delete=models.PROTECT, related_name="grant")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="grants")
    project = models.CharField(max_length=63)
    gpu_s = models.BigIntegerField()
    granted_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    """None where it has no end."""

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        indexes = [models.Index(fields=["organisation", "project"], name="grant_project")]
        constraints = [models.CheckConstraint(condition=models.Q(gpu_s__gt=0), name="grant_positive")]

    def __str__(self) -> str:
        return self.ref
