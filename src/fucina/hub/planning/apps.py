"""Django's name for this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PlanningConfig(AppConfig):
    """Room `planning`."""

    name = "fucina.hub.planning"
    label = "planning"
    verbose_name = _("Planning")
