"""Models and what left the factory of them."""

from functools import partial

from django.db import models
from django.utils.translation import gettext_lazy as _

from fucina.hub.compute.models import Job, LineRun, Project
from fucina.hub.data.models import DatasetVersion
from fucina.hub.people.append_only import AppendOnly, AppendOnlyQuerySet
from fucina.hub.people.models import Person
from fucina.hub.people.reference import new_ref


class Model(models.Model):
    """What the releases of a project have in common."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "mod"), editable=False)
    project = models.OneToOneField(Project, on_delete=models.PROTECT, related_name="model")
    name = models.CharField(max_length=63)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")

    def __str__(self) -> str:
        return self.name


class ReleaseQuerySet(models.QuerySet["Release"]):
    """Releases."""

    def visible_to(self, person: Person) -> "ReleaseQuerySet":
        """Those of projects that the person may see."""
        return self.filter(model__project__organisation__memberships__person=person)


class Release(models.Model):
    """A bundle that was verified before it was entered here."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "rel"), editable=False)
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="releases")
    version = models.PositiveIntegerField()
    run = models.OneToOneField(LineRun, on_delete=models.PROTECT, related_name="registered_release")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="registered_release")
    """The job whose artifacts are the bundle."""
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="releases")
    files = models.JSONField()
    """A list of `fucina.client.wire.ReleaseFile`."""
    verified = models.BooleanField()
    content_digest = models.CharField(max_length=128)
    num_open_questions = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_why = models.CharField(max_length=500, blank=True)

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        constraints = [models.UniqueConstraint(fields=["model", "version"], name="release_version_unique")]

    def __str__(self) -> str:
        return f"{self.model} v{self.version}"


class LogHead(models.Model):
    """One row: how many entries the log of releases has. Whoever appends locks it."""

    size = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("end of the log")
        verbose_name_plural = _("ends of the log")

    def __str__(self) -> str:
        return str(self.size)


class LogLeaf(AppendOnly):
    """One entry of the log of releases, as `fucina.trust.transparency` hashes it."""

    index = models.PositiveBigIntegerField(unique=True)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="log_entries")
    encoded = models.TextField()
    """`LogEntry.encoded()`."""

    objects = AppendOnlyQuerySet["LogLeaf"].as_manager()

    class Meta:
        verbose_name = _("log entry")
        verbose_name_plural = _("log entries")
        ordering = ("index",)

    def __str__(self) -> str:
        return f"{self.index}: {self.release}"
