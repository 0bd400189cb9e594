"""`prepare_home`."""

from django.conf import settings
from django.core.management.base import BaseCommand

from fucina.hub.manage.home import prepare_home


class Command(BaseCommand):
    """Make what this factory needs, or what is missing of it."""

    help = "Migrate, make the operator, the local site and their tokens; safe to repeat."
    requires_system_checks = ()

    def handle(self, *args: object, **options: object) -> None:
        """Print the operator's user name."""
        operator = prepare_home(settings.FACTORY)
        self.stdout.write(operator.username)
