"""Django's name for this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountingConfig(AppConfig):
    """Room `accounting`."""

    name = "fucina.hub.accounting"
    label = "accounting"
    verbose_name = _("Accounting")
