"""Django's name for this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    """Room `people`."""

    name = "fucina.hub.people"
    label = "people"
    verbose_name = _("People")
