"""`sign_in_link`."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from fucina.hub.manage.home import operator_name
from fucina.hub.people.actions import Rule, make_sign_in_link
from fucina.hub.people.models import Person


class Command(BaseCommand):
    """Make a link that signs a person in once."""

    help = "Print a path on the portal that signs this person in once, within ten minutes."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Who."""
        parser.add_argument("username", nargs="?", default="", help="The operator, unless given.")

    def handle(self, *args: object, **options: object) -> None:
        """Print the path."""
        username = options["username"] or operator_name()
        person = Person.objects.filter(username=username, is_active=True).first()
        if person is None:
            raise CommandError(f"There is nobody called {username!r} who may sign in.")
        self.stdout.write(make_sign_in_link(person=person, by=Rule("sign_in_link command"), at=timezone.now()))
