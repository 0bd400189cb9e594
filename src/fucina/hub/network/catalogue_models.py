"""Tables of the catalogue: what was shipped, and what staff changed of it."""

from functools import partial
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from fucina.hub.people.reference import new_ref


class CatalogueEdition(models.Model):
    """A catalogue file that was taken in; the newest row counts."""

    version = models.CharField(max_length=64)
    """As the file calls itself."""
    vocabulary = models.JSONField()
    """`fucina.network.catalogue.Catalogue` without its records."""
    stamp = models.CharField(max_length=32, unique=True, default=partial(new_ref, "cat"))
    """Changes with every change of the catalogue."""
    loaded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("edition of the catalogue")
        verbose_name_plural = _("editions of the catalogue")

    def __str__(self) -> str:
        return self.version


class CatalogueEntry(models.Model):
    """A record of the catalogue."""

    kind = models.CharField(max_length=16)
    """Key of `fucina.network.catalogue.KINDS`."""
    key = models.CharField(max_length=64)
    """Its id in the file."""
    position = models.IntegerField()
    """Order in the file."""
    shipped = models.JSONField()
    """As the newest file has it."""
    local = models.JSONField(default=dict)
    """Field to its value here, who set it and when; wins over what is shipped."""
    withdrawn = models.BooleanField(default=False)
    """The newest file does not have it any more; kept with its edits, and not shown."""

    class Meta:
        verbose_name = _("record of the catalogue")
        verbose_name_plural = _("records of the catalogue")
        ordering = ["kind", "position"]
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="catalogue_entry_unique")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def ref(self) -> str:
        """As the audit trail names it."""
        return f"{self.kind}/{self.key}"

    @property
    def effective(self) -> dict[str, Any]:
        """The record with what was changed here."""
        return {**self.shipped, **{field: edit["value"] for field, edit in self.local.items()}}
