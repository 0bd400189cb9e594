"""Django's name for this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DataConfig(AppConfig):
    """Room `data`."""

    name = "fucina.hub.data"
    label = "data"
    verbose_name = _("Data")
