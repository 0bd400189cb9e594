"""Datasets and the bytes that they were made of."""

from functools import partial

from django.db import models
from django.utils.translation import gettext_lazy as _

from fucina.hub.people.models import Organisation, Person
from fucina.hub.people.reference import new_ref


class DatasetQuerySet(models.QuerySet["Dataset"]):
    """Datasets."""

    def visible_to(self, person: Person) -> "DatasetQuerySet":
        """Those of the person's organisations."""
        return self.filter(organisation__memberships__person=person)


class Dataset(models.Model):
    """What a project prepares to train on."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "dat"), editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="datasets")
    project = models.CharField(max_length=63)
    """The project's name."""
    created_at = models.DateTimeField()

    objects = DatasetQuerySet.as_manager()

    class Meta:
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")
        constraints = [models.UniqueConstraint(fields=["organisation", "project"], name="dataset_unique")]

    def __str__(self) -> str:
        return self.project


class DatasetVersion(models.Model):
    """The data of one run."""

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    """Over the outputs of `prepare`: one line `sha256  path` each, in the order of the paths."""
    card = models.JSONField()
    """`data/croissant.json` of the release."""
    licence = models.TextField()
    run = models.CharField(max_length=32, unique=True)
    """Reference of the run that prepared it."""
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("dataset version")
        verbose_name_plural = _("dataset versions")
        constraints = [models.UniqueConstraint(fields=["dataset", "version"], name="dataset_version_unique")]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.version}"


class Blob(models.Model):
    """A file that a project sent. The bytes are kept once; who may use them is kept per project."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="blobs")
    project = models.CharField(max_length=63)
    """The project's name."""
    sha256 = models.CharField(max_length=64)
    num_bytes = models.BigIntegerField()
    received_at = models.DateTimeField()

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        constraints = [models.UniqueConstraint(fields=["organisation", "project", "sha256"], name="blob_unique")]

    def __str__(self) -> str:
        return self.sha256
