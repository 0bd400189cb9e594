"""The portal as a Django application."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Pages, templates, static files and translations; no tables."""

    name = "fucina.hub.portal"
    label = "portal"
