"""Django's name for this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccessConfig(AppConfig):
    """Room `access`."""

    name = "fucina.hub.access"
    label = "access"
    verbose_name = _("Access")
