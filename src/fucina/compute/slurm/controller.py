"""One Slurm cluster as the executor sees it, and the way to it through Slurm's own commands."""

import logging
import os
import pwd
from collections.abc import Sequence
from typing import Protocol

from fucina.compute.slurm import sacct, sbatch, scancel, scontrol, sinfo, squeue
from fucina.compute.slurm.refusals import check
from fucina.compute.slurm.rows import Listing
from fucina.compute.slurm.transport import Completed, Transport
from fucina.errors import Unavailable

logger = logging.getLogger(__name__)


class Controller(Protocol):
    """What the executor needs of a cluster. Every method may raise Unavailable and its kinds."""

    own_user: str
    """User that queries are asked as."""

    def submit(self, options: sbatch.SubmitOptions, script: str) -> int:
        """Hand in a job; returns its id. Raises SlurmRefused, SlurmNotAllowed, SlurmLimit, LostAnswer."""

    def warns(self) -> bool:
        """Whether Slurm is told to warn a job of its time limit; if not, the script warns itself."""

    def queue(self, users: Sequence[str]) -> Listing[squeue.QueueRow]:
        """Jobs of these users that wait, run, or ended in the last minutes: one query."""

    def queue_of(self, job_id: int) -> Listing[squeue.QueueRow]:
        """One job, empty when the queue does not know it."""

    def accounting(self, job_ids: Sequence[int]) -> Listing[sacct.AccountingRow]:
        """Runs and steps of these jobs: one query."""

    def accounting_since(self, since: int, *, users: Sequence[str], name: str = "") -> Listing[sacct.AccountingRow]:
        """Jobs of these users that were alive since then, in seconds since 1970, without their steps."""

    def cancel(self, job_id: int, *, user: str) -> None:
        """End a job."""

    def start_now(self, job_id: int, *, user: str) -> None:
        """End the wait of a job that has been put back into the queue."""

    def starts(self, job_ids: Sequence[int]) -> Listing[tuple[int, int | None, str]]:
        """Expected starts of waiting jobs."""

    def nodes(self) -> Listing[sinfo.NodeRow]:
        """Every node in every partition."""

    def load(self) -> Listing[squeue.WaitingRow]:
        """Everybody's waiting and running jobs."""

    def facts(self) -> scontrol.ClusterFacts:
        """Name, version and settings of the cluster."""

    def close(self) -> None:
        """Let go of connections."""


class CommandController:
    """Slurm's commands over a transport. Implements `Controller`."""

    def __init__(self, transport: Transport, *, own_user: str = "") -> None:
        self._transport = transport
        self.own_user = own_user or pwd.getpwuid(os.geteuid()).pw_name

    def submit(self, options: sbatch.SubmitOptions, script: str) -> int:
        """Hand in a job; returns its id. Raises SlurmRefused, SlurmNotAllowed, SlurmLimit, LostAnswer."""
        return sbatch.parse_answer(self._ask(sbatch.argv(options), stdin=script.encode(), user=options.user).text)

    def warns(self) -> bool:
        """Whether Slurm is told to warn a job of its time limit."""
        return True

    def queue(self, users: Sequence[str]) -> Listing[squeue.QueueRow]:
        """Jobs of these users that wait, run, or ended in the last minutes: one query."""
        done = self._transport.run(squeue.argv(users=users))
        if done.rc and "Invalid user" in done.err:
            # A user that is gone hides nobody else's jobs.
            done = self._transport.run(squeue.argv())
        return _complete(squeue.read(check(["squeue"], done).text), "squeue")

    def queue_of(self, job_id: int) -> Listing[squeue.QueueRow]:
        """One job, empty when the queue does not know it."""
        done = self._transport.run(squeue.argv(job_ids=[job_id]))
        if done.rc and "Invalid job id" in done.err:
            return Listing(rows=())
        return _complete(squeue.read(check(["squeue"], done).text), "squeue")

    def accounting(self, job_ids: Sequence[int]) -> Listing[sacct.AccountingRow]:
        """Runs and steps of these jobs: one query."""
        return _complete(sacct.read(self._ask(sacct.argv(job_ids=job_ids[: sacct.MAX_IDS])).text), "sacct")

    def accounting_since(self, since: int, *, users: Sequence[str], name: str = "") -> Listing[sacct.AccountingRow]:
        """Jobs of these users that were alive since then, in seconds since 1970, without their steps."""
        done = self._ask(sacct.argv(since=since, users=users, name=name, steps=False))
        return _complete(sacct.read(done.text), "sacct")

    def cancel(self, job_id: int, *, user: str) -> None:
        """End a job."""
        self._ask(scancel.argv([job_id]), user=user)

    def start_now(self, job_id: int, *, user: str) -> None:
        """End the wait of a job that has been put back into the queue."""
        self._ask(scontrol.start_now_argv(job_id), user=user)

    def starts(self, job_ids: Sequence[int]) -> Listing[tuple[int, int | None, str]]:
        """Expected starts of waiting jobs."""
        done = self._transport.run(squeue.start_argv(job_ids))
        if done.rc and "Invalid job id" in done.err:
            return Listing(rows=())
        return squeue.read_starts(check(["squeue"], done).text)

    def nodes(self) -> Listing[sinfo.NodeRow]:
        """Every node in every partition."""
        return _complete(sinfo.read(self._ask(sinfo.argv()).text), "sinfo")

    def load(self) -> Listing[squeue.WaitingRow]:
        """Everybody's waiting and running jobs."""
        return _complete(squeue.read_load(self._ask(squeue.load_argv()).text), "squeue")

    def facts(self) -> scontrol.ClusterFacts:
        """Name, version and settings of the cluster."""
        return scontrol.read_config(self._ask(scontrol.config_argv()).text)

    def close(self) -> None:
        """Let go of connections."""
        self._transport.close()

    def _ask(self, argv: Sequence[str], *, stdin: bytes = b"", user: str = "") -> Completed:
        return check(argv, self._transport.run(argv, stdin=stdin, user="" if user == self.own_user else user))


def _complete(listing: Listing, command: str) -> Listing:
    """The same listing; rows that could not be read are logged, and an answer of nothing else is none."""
    if listing.broken:
        logger.warning("%s: %d rows cannot be read, first: %.200r", command, len(listing.broken), listing.broken[0])
        if not listing.rows and len(listing.broken) > 1:
            raise Unavailable(f"No row of {command}'s answer can be read.", hint="Is this a version of Slurm we know?")
    return listing
