"""Django's name for these commands."""

from django.apps import AppConfig


class ManageConfig(AppConfig):
    """Commands."""

    name = "fucina.hub.manage"
    label = "manage"
