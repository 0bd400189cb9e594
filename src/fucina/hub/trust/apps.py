"""Django's name for this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrustConfig(AppConfig):
    """Room `trust`."""

    name = "fucina.hub.trust"
    label = "trust"
    verbose_name = _("Trust")
