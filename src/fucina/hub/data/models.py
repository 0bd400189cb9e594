"""Datasets, their versions, who asked for them and who may have them, and the bytes that they were made of."""

from datetime import datetime
from functools import partial
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fucina.data.description import Access, DatasetDescription, Party, Sensitivity
from fucina.data.readiness import Mark
from fucina.hub.people.append_only import AppendOnly, AppendOnlyQuerySet
from fucina.hub.people.models import Organisation, Person
from fucina.hub.people.reference import new_ref


class Listing(models.TextChoices):
    """Who finds it in the catalogue."""

    PRIVATE = "private", _("members of the organisation")
    FACTORY = "factory", _("everybody who signs in")
    PUBLIC = "public", _("everybody, and other catalogues")


class RequestState(models.TextChoices):
    """What became of a request."""

    SUBMITTED = "submitted", _("waits for a decision")
    GRANTED = "granted", _("granted")
    REJECTED = "rejected", _("rejected")
    WITHDRAWN = "withdrawn", _("withdrawn")


class DatasetQuerySet(models.QuerySet["Dataset"]):
    """Datasets."""

    def visible_to(self, person: Person | None) -> "DatasetQuerySet":
        """Those of the person's organisations, those listed for the person, and those that were granted once.

        Without a person: what is listed for everybody.
        """
        if person is None:
            return self.filter(listing=Listing.PUBLIC)
        mine = Organisation.objects.filter(memberships__person=person).values("pk")
        granted = DataGrant.objects.filter(organisation__in=mine, revoked_at__isnull=True).values("dataset")
        listed = Q(listing__in=(Listing.FACTORY, Listing.PUBLIC))
        return self.filter(Q(organisation__in=mine) | listed | Q(pk__in=granted))


class Dataset(models.Model):
    """What has versions, and a policy that is the same for all of them."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "dat"), editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=63)
    """Of a dataset that a line run prepared: the project's name."""
    title = models.CharField(max_length=300, blank=True)
    listing = models.CharField(max_length=16, choices=Listing.choices, default=Listing.PRIVATE)
    access = models.CharField(max_length=16, choices=[(one.value, one.value) for one in Access], default=Access.CLOSED)
    sensitivity = models.CharField(
        max_length=16, choices=[(one.value, one.value) for one in Sensitivity], default=Sensitivity.INTERNAL
    )
    terms = models.TextField(blank=True)
    """What who asks for it agrees to."""
    current = models.ForeignKey(
        "DatasetVersion", on_delete=models.PROTECT, related_name="+", null=True, blank=True, editable=False
    )
    """The newest version that was not withdrawn."""
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField(null=True, blank=True)
    """When a version, the policy or a withdrawal last changed what the catalogue says."""

    objects = DatasetQuerySet.as_manager()

    class Meta:
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="dataset_unique")]
        indexes = [models.Index(fields=["listing", "-changed_at"], name="dataset_listing")]

    def __str__(self) -> str:
        return self.title or self.name


class DatasetVersion(AppendOnly):
    """The data of one run, or what somebody published; never changed, only withdrawn."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "dsv"), editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    """Over its files: one line `sha256  path` each, in the order of the paths."""
    card = models.JSONField()
    """Croissant metadata as it was when the version was entered."""
    description = models.JSONField(null=True, blank=True)
    """`fucina.data.description.DatasetDescription`; None for a version from before it was kept."""
    licence = models.TextField()
    run = models.CharField(max_length=32, unique=True, null=True, blank=True)
    """Reference of the run that prepared it; None when it was published."""
    made_from = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="rebuilt_as", null=True, blank=True, editable=False
    )
    """The version that it replaces after an erasure."""
    samples = models.JSONField(default=list, blank=True)
    """A list of `fucina.client.wire_data.Sample`: beginnings of documents, masked."""
    marks = models.JSONField(default=list, blank=True)
    """A list of `fucina.data.readiness.Mark`."""
    num_bytes = models.BigIntegerField(default=0)
    num_documents = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    objects = AppendOnlyQuerySet["DatasetVersion"].as_manager()

    class Meta:
        verbose_name = _("dataset version")
        verbose_name_plural = _("dataset versions")
        constraints = [models.UniqueConstraint(fields=["dataset", "version"], name="dataset_version_unique")]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.version}"

    @property
    def described(self) -> DatasetDescription:
        """The description under the dataset's policy of today."""
        dataset = self.dataset
        policy: dict[str, Any] = {"access": Access(dataset.access), "sensitivity": Sensitivity(dataset.sensitivity)}
        if self.description is not None:
            return DatasetDescription.model_validate(self.description).model_copy(update=policy)
        return DatasetDescription(
            name=dataset.name,
            title=str(dataset),
            description=str(self.card.get("description", "")) or str(dataset),
            version=self.version,
            publisher=Party(name=dataset.organisation.name),
            licences=(self.licence,) if self.licence else (),
            run=self.run or "",
            **policy,
        )

    @property
    def parsed_marks(self) -> tuple[Mark, ...]:
        """The badge, criterion by criterion."""
        return tuple(Mark.model_validate(mark) for mark in self.marks)

    @property
    def num_met(self) -> int:
        """Criteria of the badge that are met."""
        return sum(bool(mark["met"]) for mark in self.marks)


class Withdrawal(AppendOnly):
    """The tombstone of a version: it is told of, and no longer given."""

    version = models.OneToOneField(DatasetVersion, on_delete=models.PROTECT, related_name="withdrawal")
    reason = models.TextField()
    erasure = models.ForeignKey("Erasure", on_delete=models.PROTECT, null=True, related_name="withdrawals")
    by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    """None for a rule of the hub."""
    at = models.DateTimeField()

    objects = AppendOnlyQuerySet["Withdrawal"].as_manager()

    class Meta:
        verbose_name = _("withdrawal")
        verbose_name_plural = _("withdrawals")

    def __str__(self) -> str:
        return f"{self.version} {self.at:%Y-%m-%d}"


class AccessRequestQuerySet(models.QuerySet["AccessRequest"]):
    """Requests for data."""

    def visible_to(self, person: Person) -> "AccessRequestQuerySet":
        """Those that the person's organisations made, and those for data of the person's organisations."""
        mine = Organisation.objects.filter(memberships__person=person).values("pk")
        return self.filter(Q(organisation__in=mine) | Q(dataset__organisation__in=mine))


class AccessRequest(models.Model):
    """An organisation asks another for data, says what for, and agrees to its terms."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "dar"), editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="requests")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="data_requests")
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    purpose = models.TextField()
    terms = models.TextField(blank=True)
    """The terms as they were when they were agreed to."""
    state = models.CharField(max_length=16, choices=RequestState.choices, default=RequestState.SUBMITTED)
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    objects = AccessRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request for data")
        verbose_name_plural = _("requests for data")
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "organisation"],
                condition=Q(state=RequestState.SUBMITTED.value),
                name="one_open_data_request",
            )
        ]

    def __str__(self) -> str:
        return self.ref


class DataGrant(models.Model):
    """Leave for an organisation to have the bytes of a dataset, until a day."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "dgr"), editable=False)
    request = models.OneToOneField(AccessRequest, on_delete=models.PROTECT, related_name="grant")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="grants")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="data_grants")
    begins_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("grant of data")
        verbose_name_plural = _("grants of data")
        indexes = [models.Index(fields=["organisation", "dataset"], name="data_grant_of_organisation")]

    def __str__(self) -> str:
        return self.ref

    def is_live(self, at: datetime) -> bool:
        """Whether it still opens anything; from its beginning until right before its end."""
        return self.begins_at <= at < self.expires_at and self.revoked_at is None


class ErasureState(models.TextChoices):
    """What became of a request to erase."""

    OPEN = "open", _("waits for the worker")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class ErasureQuerySet(models.QuerySet["Erasure"]):
    """Requests to erase."""

    def visible_to(self, person: Person) -> "ErasureQuerySet":
        """Those about data of organisations that the person owns."""
        owned = Organisation.objects.filter(memberships__person=person, memberships__role="owner").values("pk")
        return self.filter(dataset__organisation__in=owned)


class Erasure(models.Model):
    """Somebody asks that a document, or what is said of a person, leaves a dataset."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "era"), editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="erasures")
    kind = models.CharField(max_length=16, choices=[("document", _("document")), ("person", _("person"))])
    sought = models.TextField(blank=True)
    """What is looked for; emptied when it is done, so that the request does not keep what it erased."""
    sought_sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=ErasureState.choices, default=ErasureState.OPEN)
    findings = models.JSONField(default=list, blank=True)
    """A list of `fucina.client.wire_data.ErasureFinding`."""
    problem = models.JSONField(null=True, blank=True)
    """`fucina.errors.ErrorBody`."""
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)

    objects = ErasureQuerySet.as_manager()

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")

    def __str__(self) -> str:
        return self.ref


class DatasetFacet(models.Model):
    """One value by which the current version of a dataset is found."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="facets")
    kind = models.CharField(max_length=16)
    value = models.CharField(max_length=200)

    class Meta:
        verbose_name = _("facet")
        verbose_name_plural = _("facets")
        constraints = [models.UniqueConstraint(fields=["dataset", "kind", "value"], name="dataset_facet_unique")]
        indexes = [models.Index(fields=["kind", "value"], name="dataset_facet_value")]

    def __str__(self) -> str:
        return f"{self.kind}={self.value}"


class DatasetWords(models.Model):
    """What full text finds the current version by: plain words with a blank between them."""

    dataset = models.OneToOneField(Dataset, on_delete=models.CASCADE, related_name="words")
    words = models.TextField()

    class Meta:
        verbose_name = _("words of a dataset")
        verbose_name_plural = _("words of datasets")

    def __str__(self) -> str:
        return self.words[:80]


class Blob(models.Model):
    """A file that a project sent. The bytes are kept once; who may use them is kept per project."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="blobs")
    project = models.CharField(max_length=63)
    """The project's name, or the dataset's."""
    sha256 = models.CharField(max_length=64)
    num_bytes = models.BigIntegerField()
    received_at = models.DateTimeField()

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        constraints = [models.UniqueConstraint(fields=["organisation", "project", "sha256"], name="blob_unique")]

    def __str__(self) -> str:
        return self.sha256
