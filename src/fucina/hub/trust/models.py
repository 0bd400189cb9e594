"""What was measured on a release, and what its dossier says and leaves open."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from fucina.hub.people.models import Person
from fucina.hub.registry.models import Release


class EvaluationQuerySet(models.QuerySet["Evaluation"]):
    """Evaluations."""

    def visible_to(self, person: Person) -> "EvaluationQuerySet":
        """Those of releases that the person may see."""
        return self.filter(release__model__project__organisation__memberships__person=person)


class Evaluation(models.Model):
    """What was measured, and whether the gates held."""

    release = models.OneToOneField(Release, on_delete=models.PROTECT, related_name="evaluation")
    suite = models.CharField(max_length=64)
    passed = models.BooleanField()
    wire = models.JSONField()
    """`fucina.trust.recipe.EvaluationResults`."""

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")

    def __str__(self) -> str:
        return f"{self.suite} of {self.release}"


class DossierQuerySet(models.QuerySet["Dossier"]):
    """Dossiers."""

    def visible_to(self, person: Person) -> "DossierQuerySet":
        """Those of releases that the person may see."""
        return self.filter(release__model__project__organisation__memberships__person=person)


class Dossier(models.Model):
    """The AI Act documentation of a release."""

    release = models.OneToOneField(Release, on_delete=models.PROTECT, related_name="dossier")
    ruleset = models.CharField(max_length=64)
    num_open = models.PositiveIntegerField()
    wire = models.JSONField()
    """`fucina.trust.recipe.Dossier`."""

    objects = DossierQuerySet.as_manager()

    class Meta:
        verbose_name = _("dossier")
        verbose_name_plural = _("dossiers")

    def __str__(self) -> str:
        return f"{self.ruleset} of {self.release}"


class Answer(models.Model):
    """A named person's answer to an open question of a dossier."""

    dossier = models.ForeignKey(Dossier, on_delete=models.PROTECT, related_name="answers")
    item = models.CharField(max_length=64)
    """As the rule set numbers it."""
    text = models.TextField()
    answered_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField()

    class Meta:
        verbose_name = _("answer")
        verbose_name_plural = _("answers")

    def __str__(self) -> str:
        return self.item
