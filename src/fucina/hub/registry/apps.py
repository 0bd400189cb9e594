"""Django's name for this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RegistryConfig(AppConfig):
    """Room `registry`."""

    name = "fucina.hub.registry"
    label = "registry"
    verbose_name = _("Registry")
