"""Brings what the scheduler's accounting says to the hub, as an errand of the agent."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fucina.accounting.importer import Importer, Queue, in_accounts, started_by_the_hub
from fucina.accounting.sacct_command import LocalSacct, SacctSource
from fucina.agent.agent import Errand
from fucina.agent.door import AgentDoor
from fucina.client.wire_accounting import UsageRequest
from fucina.compute.slurm import squeue
from fucina.compute.slurm.opening import open_transport
from fucina.compute.slurm.refusals import check
from fucina.compute.slurm.states import state_of
from fucina.compute.slurm.transport import Transport
from fucina.compute.spec import FINAL
from fucina.errors import Unavailable
from fucina.network.spec import Site, SlurmSite
from fucina.network.spec import Transport as TransportName

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=30)
"""How far a new agent, or one that lost its memory, reads back."""


class RemoteSacct:
    """`sacct` where the site's commands are reached by SSH; the importer's windows bound what one answer holds."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __call__(self, options: Sequence[str]) -> Iterator[bytes]:
        """The lines that it prints. Raises Unavailable and what Slurm refuses with."""
        argv = ["sacct", *options]
        yield from check(argv, self._transport.run(argv)).out.splitlines(keepends=True)


class UsageErrand:
    """Imports once in a while. Which accounts are the hub's is asked first: without that nothing is read and passed by.

    A hub that was restored is found out by the importer itself, from the hub's receipts.
    """

    def __init__(self, *, site: Site, slurm: SlurmSite, root: Path, door: AgentDoor, personal: bool) -> None:
        self._door = door
        self._personal = personal
        self._accounts: frozenset[str] = frozenset()
        self._importer = Importer(
            site=site,
            source=_source(slurm),
            state=root / "usage.db",
            send=lambda records: door.usage(UsageRequest(records=records)),
            since=datetime.now(UTC) - LOOK_BACK,
            wanted=started_by_the_hub if personal else in_accounts(lambda: self._accounts),
            all_users=not personal,
            queue=_queue(slurm),
        )

    def run(self) -> None:
        """Read what is new and send what the hub lacks. Raises SacctFailed, Unavailable; then go on later."""
        if not self._personal:
            self._accounts = frozenset(account.name for account in self._door.accounts().accounts)
        done = self._importer.step(now=datetime.now(UTC))
        for problem in done.problems:
            logger.warning("usage: %s", problem)
        for refused in done.refused:
            logger.warning("usage of %s was kept aside: %s", refused.job_key, refused.reason)
        if done.num_sent:
            logger.info("usage of %d jobs sent", done.num_sent)

    def errand(self, *, every_s: float) -> Errand:
        """As the agent's loop takes it."""
        return Errand(name="usage", every_s=every_s, run=self.run)


def _queue(slurm: SlurmSite) -> Queue:
    transport = open_transport(slurm)

    def alive(job_ids: Sequence[int]) -> set[int]:
        argv = squeue.argv(job_ids=job_ids)
        done = transport.run(argv)
        if done.rc and "Invalid job id" in done.err:
            return set()
        listing = squeue.read(check(argv, done).text)
        if listing.broken:
            raise Unavailable(f"{len(listing.broken)} rows of squeue's answer cannot be read.")
        return {row.job_id for row in listing.rows if state_of(row.state) not in FINAL}

    return alive


def _source(slurm: SlurmSite) -> SacctSource:
    return RemoteSacct(open_transport(slurm)) if slurm.transport is TransportName.SSH else LocalSacct(slurm)
