"""`demo_call`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from fucina.errors import FactoryError
from fucina.hub.manage.demo_call import make_call


class Command(BaseCommand):
    """Fill a hub for demonstrations with a Large Scale call: twenty applications, reviewed and ranked."""

    help = "Fill a hub for demonstrations with a Large Scale call: twenty applications, reviewed and ranked."

    def handle(self, **options: Any) -> None:
        """Make it once."""
        try:
            ranking = make_call(at=timezone.now())
        except FactoryError as error:
            raise CommandError(f"{error.message} {error.hint}") from error
        self.stdout.write(
            f"Ranking {ranking.ref} of {ranking.places.count()} applications; see /rankings/{ranking.ref}."
        )
