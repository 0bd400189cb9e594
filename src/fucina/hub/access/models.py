"""Who asked for time, what the check found, who decided, what was granted."""

from functools import partial

from django.db import models
from django.utils.translation import gettext_lazy as _

from fucina.access.moves import OPEN, ApplicationState, MoveName
from fucina.hub.people.append_only import AppendOnly, AppendOnlyQuerySet
from fucina.hub.people.models import Membership, Organisation, Person
from fucina.hub.people.reference import new_ref


class AccessMode(models.Model):
    """An access mode as it stood when somebody applied in it."""

    name = models.CharField(max_length=64)
    """The mode's id in the file of modes."""
    valid_from = models.DateField()
    revision = models.PositiveIntegerField(default=0)
    """Counts what was said about the same day; the last one counts for who applies next."""
    wire = models.JSONField()
    """`fucina.access.modes.Mode`."""
    lists = models.JSONField(default=dict, blank=True)
    """Sources and country lists that came with it and that the shipped file does not have."""
    is_call = models.BooleanField(default=False)
    """Whether an officer saved it, so that it is on offer beside the shipped modes."""
    saved_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    saved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("access mode")
        verbose_name_plural = _("access modes")
        constraints = [models.UniqueConstraint(fields=["name", "valid_from", "revision"], name="access_mode_unique")]

    def __str__(self) -> str:
        return self.name


class ApplicationQuerySet(models.QuerySet["Application"]):
    """Applications."""

    def visible_to(self, person: Person) -> "ApplicationQuerySet":
        """Those of the person's organisations or with the person as co-applicant; officers see all but drafts."""
        own = models.Q(organisation__in=Membership.objects.filter(person=person).values("organisation"))
        invited = CoApplicant.objects.filter(person=person, declined_at=None)
        own |= models.Q(pk__in=invited.values("application"))
        return self.filter(own | ~models.Q(state=ApplicationState.DRAFT.value)) if person.is_staff else self.filter(own)


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
    """0 in a draft that does not say yet."""
    answers = models.JSONField(default=dict, blank=True)
    """To the mode's questions, by the question's id."""
    language = models.CharField(max_length=8, default="en")
    """Of its letters."""
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in ApplicationState])
    version = models.PositiveIntegerField(default=0)
    """Grows with every change, so that two people who edit at once notice."""
    created_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_index=True)
    submitted_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    submitted_at = models.DateTimeField(null=True, blank=True)

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        verbose_name = _("application")
        verbose_name_plural = _("applications")
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "project"],
                condition=models.Q(state__in=sorted(state.value for state in OPEN)),
                name="application_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(gpu_s__gt=0)
                | models.Q(gpu_s=0, state__in=[ApplicationState.DRAFT.value, ApplicationState.WITHDRAWN.value]),
                name="application_asks_for_time",
            ),
        ]
        indexes = [models.Index(fields=["state", "submitted_at"], name="application_queue")]

    def __str__(self) -> str:
        return self.ref


class ApplicationEvent(AppendOnly):
    """One move of an application: its timeline."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="events")
    version = models.PositiveIntegerField()
    """Of the application after it."""
    move = models.CharField(max_length=32, choices=[(name.value, name.value) for name in MoveName])
    before = models.CharField(max_length=16)
    after = models.CharField(max_length=16)
    who = models.CharField(max_length=200)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    objects = AppendOnlyQuerySet["ApplicationEvent"].as_manager()

    class Meta:
        verbose_name = _("move")
        verbose_name_plural = _("moves")
        constraints = [models.UniqueConstraint(fields=["application", "version"], name="move_once")]

    def __str__(self) -> str:
        return f"{self.move}: {self.before} → {self.after}"


class CoApplicant(models.Model):
    """Somebody who applies as well, by invitation."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="co_applicants")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    invited_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    invited_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    declined_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("co-applicant")
        verbose_name_plural = _("co-applicants")
        constraints = [models.UniqueConstraint(fields=["application", "person"], name="co_applicant_once")]

    def __str__(self) -> str:
        return str(self.person)


class Attachment(models.Model):
    """A file that belongs to an application; its bytes lie under their digest in the hub's folder."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "att"), editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="attachments")
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    """As its content says."""
    num_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    added_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")

    def __str__(self) -> str:
        return self.name


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
    """What became of an application: one, and another one after an appeal that was upheld."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="decisions")
    round = models.PositiveIntegerField(default=1)
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
            models.UniqueConstraint(fields=["application", "round"], name="decision_once"),
            models.CheckConstraint(
                name="decision_by_person_or_rule",
                condition=models.Q(decided_by__isnull=False, rule="")
                | (models.Q(decided_by__isnull=True) & ~models.Q(rule="")),
            ),
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
    starts_at = models.DateTimeField(null=True, blank=True)
    """None where it began when it was granted."""
    ends_at = models.DateTimeField(null=True, blank=True)
    """None where it has no end."""
    accepted_at = models.DateTimeField(null=True, blank=True)
    """When the award and the site's terms were accepted; None while nobody did."""
    accepted_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    terms_sha256 = models.CharField(max_length=64, blank=True)
    """Of the terms that were accepted."""
    report = models.JSONField(default=dict, blank=True)
    """The final report, once it was handed in."""
    reported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        indexes = [models.Index(fields=["organisation", "project"], name="grant_project")]
        constraints = [models.CheckConstraint(condition=models.Q(gpu_s__gt=0), name="grant_positive")]

    def __str__(self) -> str:
        return self.ref


class ChangeKind(models.TextChoices):
    """What may be asked for while a grant lasts."""

    EXTENSION = "extension", _("extension")
    SUPPLEMENT = "supplement", _("supplement")
    TRANSFER = "transfer", _("transfer")


class ChangeState(models.TextChoices):
    """Where such a request stands."""

    ASKED = "asked", _("asked")
    AGREED = "agreed", _("agreed")
    REFUSED = "refused", _("refused")


class GrantChange(models.Model):
    """A request to change a grant, and what became of it."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "chg"), editable=False)
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="changes")
    kind = models.CharField(max_length=16, choices=ChangeKind.choices)
    gpu_s = models.BigIntegerField(default=0)
    """Of a supplement or a transfer."""
    ends_at = models.DateTimeField(null=True, blank=True)
    """Of an extension."""
    source = models.CharField(max_length=130, blank=True)
    """`site/partition` that a transfer takes from."""
    target = models.CharField(max_length=130, blank=True)
    """`site/partition` that it goes to; for a supplement, where it goes."""
    reason = models.TextField()
    state = models.CharField(max_length=16, choices=ChangeState.choices, default=ChangeState.ASKED)
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True)

    class Meta:
        verbose_name = _("change of a grant")
        verbose_name_plural = _("changes of grants")
        constraints = [
            models.UniqueConstraint(
                fields=["grant", "kind"],
                condition=models.Q(state="asked"),
                name="change_one_open",
            )
        ]

    def __str__(self) -> str:
        return self.ref
