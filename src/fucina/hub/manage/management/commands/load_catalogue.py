"""`load_catalogue`."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from fucina.errors import FactoryError
from fucina.hub.manage.home import SETUP
from fucina.hub.network.catalogue_actions import load
from fucina.network.catalogue import load_catalogue, shipped_catalogue


class Command(BaseCommand):
    """Take a catalogue of the network in."""

    help = "Take a catalogue of the network in, the shipped one without FILE; facts that were changed here stay."

    def add_arguments(self, parser: CommandParser) -> None:
        """The file."""
        parser.add_argument("file", nargs="?", type=Path)

    def handle(self, *args: object, file: Path | None = None, **options: object) -> None:
        """Load, and say what changed."""
        try:
            catalogue = load_catalogue(file) if file else shipped_catalogue()
            loaded = load(catalogue=catalogue, by=SETUP, at=timezone.now())
        except FactoryError as error:
            raise CommandError(f"{error.message} {error.hint}") from error
        self.stdout.write(
            f"{loaded.version}: {loaded.num_added} new, {loaded.num_changed} changed, "
            f"{loaded.num_withdrawn} withdrawn, {loaded.num_edits} edits kept."
        )
