"""Django's name for this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NetworkConfig(AppConfig):
    """Room `network`."""

    name = "fucina.hub.network"
    label = "network"
    verbose_name = _("Network")
