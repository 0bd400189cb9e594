"""`mark_silent`."""

from django.core.management.base import BaseCommand
from django.utils import timezone

from fucina.hub.compute import jobs


class Command(BaseCommand):
    """Say of the jobs of silent agents that nobody knows how they are."""

    help = "Call the running jobs of agents that are silent for long unknown; a heartbeat brings them back."

    def handle(self, *args: object, **options: object) -> None:
        """Print how many."""
        self.stdout.write(str(jobs.mark_silent(at=timezone.now())))
