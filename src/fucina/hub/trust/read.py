"""Types of the trust room built from rows, for the release page."""

from fucina.hub.registry.models import Release
from fucina.hub.trust import models
from fucina.trust.recipe import Dossier, EvaluationResults


def evaluation(release: Release) -> EvaluationResults | None:
    """What was measured on a release."""
    row = models.Evaluation.objects.filter(release=release).first()
    return EvaluationResults.model_validate(row.wire) if row else None


def dossier(release: Release) -> Dossier | None:
    """The dossier of a release."""
    row = models.Dossier.objects.filter(release=release).first()
    return Dossier.model_validate(row.wire) if row else None
