"""Sites as they registered."""

from functools import partial

from django.db import models
from django.utils.translation import gettext_lazy as _

from fucina.hub.network.catalogue_models import CatalogueEdition, CatalogueEntry
from fucina.hub.people.models import ApiToken, Person
from fucina.hub.people.reference import new_ref
from fucina.network import spec
from fucina.network.status import PartitionStatus

__all__ = ["Agent", "CatalogueEdition", "CatalogueEntry", "Partition", "Site", "SiteAccount", "SiteQuerySet"]


class SiteQuerySet(models.QuerySet["Site"]):
    """Sites."""

    def visible_to(self, person: Person) -> "SiteQuerySet":
        """Those of the network, and the person's own; nobody else sees a personal one."""
        return self.filter(models.Q(owner__isnull=True) | models.Q(owner=person))


class Site(models.Model):
    """A place with accelerators."""

    name = models.CharField(max_length=64, unique=True)
    """The site's id in the network file."""
    title = models.CharField(max_length=200)
    executor = models.CharField(max_length=32)
    wire = models.JSONField()
    """`fucina.network.spec.Site`."""
    owner = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="personal_sites")
    """Who serves it with an agent of their own, for their own runs only; None for a site of the network."""
    draining = models.BooleanField(default=False)
    """Its agent takes nothing new and finishes what it has."""
    registered_at = models.DateTimeField()

    objects = SiteQuerySet.as_manager()

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")

    def __str__(self) -> str:
        return self.name

    @property
    def spec(self) -> spec.Site:
        """The site as the network file describes it."""
        return spec.Site.model_validate(self.wire)


class Partition(models.Model):
    """Equal nodes of a site."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="partitions")
    name = models.CharField(max_length=64)
    position = models.IntegerField()
    """Order in the network file; the first is the default."""
    status = models.JSONField(null=True, blank=True)
    """`fucina.network.status.PartitionStatus`, as the agent last told it."""
    status_at = models.DateTimeField(null=True, blank=True)
    """When the hub heard it."""

    class Meta:
        verbose_name = _("partition")
        verbose_name_plural = _("partitions")
        ordering = ["site", "position"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="partition_unique")]

    def __str__(self) -> str:
        return f"{self.site}/{self.name}"

    @property
    def spec(self) -> spec.Partition:
        """The partition as the network file describes it."""
        return self.site.spec.partition(self.name)

    @property
    def parsed_status(self) -> PartitionStatus | None:
        """What the agent last saw; None where it never told."""
        return PartitionStatus.model_validate(self.status) if self.status else None


class Agent(models.Model):
    """The program that serves a site."""

    ref = models.CharField(max_length=32, unique=True, default=partial(new_ref, "agt"), editable=False)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="agents")
    token = models.OneToOneField(ApiToken, on_delete=models.CASCADE, related_name="agent")
    version = models.CharField(max_length=64, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    serial = models.BigIntegerField(default=0)
    """Number of the last heartbeat; an agent that knows a higher one has seen a newer hub than this."""
    restored_at = models.DateTimeField(null=True, blank=True)
    """How far this hub remembers, while the agent has not acknowledged that the hub is an older one."""

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")

    def __str__(self) -> str:
        return f"agent of {self.site}"

    @property
    def audit_name(self) -> str:
        """As the audit trail writes it."""
        return f"agent {self.site.name}"


class SiteAccount(models.Model):
    """The user of a site that a person's jobs run as there."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="accounts")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="site_accounts")
    unix_user = models.CharField(max_length=32)
    set_at = models.DateTimeField()

    class Meta:
        verbose_name = _("user of a site")
        verbose_name_plural = _("users of sites")
        constraints = [
            models.UniqueConstraint(fields=["site", "person"], name="site_account_person_unique"),
            models.UniqueConstraint(fields=["site", "unix_user"], name="site_account_user_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.unix_user}@{self.site}"
