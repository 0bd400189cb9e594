"""`db_worker`."""

import logging
import threading
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError, close_old_connections
from django_tasks_db.management.commands import db_worker

from fucina.hub.compute.failover import move_stranded_runs
from fucina.hub.compute.grants import close_ended_grants
from fucina.hub.compute.jobs import mark_silent
from fucina.hub.planning.work import simulate_waiting
from fucina.hub.registry.erasure import resume_erasures
from fucina.hub.review.clocks import escalate_late
from fucina.hub.trust.registration import resume_registrations

logger = logging.getLogger(__name__)

LOOK_S = 30.0
"""Between two looks for agents that have fallen silent."""


class Command(db_worker.Command):
    """The worker of the tasks library, which first takes up what a killed worker left undone."""

    def handle(self, **options: Any) -> None:
        """Resume, then work; beside it, jobs of silent agents become unknown, runs that wait there are
        moved, and scenarios are simulated."""
        resume_registrations()
        resume_erasures()
        over = threading.Event()
        watch = threading.Thread(target=watch_agents, args=(over,), daemon=True)
        watch.start()
        simulator = threading.Thread(
            target=simulate_waiting, args=(over,), kwargs={"clock": lambda: datetime.now(UTC)}, daemon=True
        )
        simulator.start()
        try:
            super().handle(**options)
        finally:
            over.set()
            watch.join()
            simulator.join()


def watch_agents(over: threading.Event) -> None:
    """Look for silent agents, ended grants and late applications until it is over, also after a database was away."""
    while not over.wait(LOOK_S):
        try:
            mark_silent(at=datetime.now(UTC))
            move_stranded_runs(at=datetime.now(UTC))
            close_ended_grants(at=datetime.now(UTC))
            escalate_late(at=datetime.now(UTC))
        except DatabaseError:
            logger.exception("could not look for silent agents")
        finally:
            close_old_connections()
