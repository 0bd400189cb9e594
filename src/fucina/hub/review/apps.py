"""Django's name for this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReviewConfig(AppConfig):
    """Room `review`."""

    name = "fucina.hub.review"
    label = "review"
    verbose_name = _("Review")
