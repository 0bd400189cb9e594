"""Tables of trust for the operator."""

from django.contrib import admin

from fucina.hub.people.admin import ReadOnlyAdmin
from fucina.hub.trust.models import Dossier, Evaluation


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    """Evaluations."""

    list_display = ("release", "suite", "passed")


@admin.register(Dossier)
class DossierAdmin(ReadOnlyAdmin):
    """Dossiers."""

    list_display = ("release", "ruleset", "num_open")
