"""Django's name for this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ComputeConfig(AppConfig):
    """Room `compute`."""

    name = "fucina.hub.compute"
    label = "compute"
    verbose_name = _("Compute")
