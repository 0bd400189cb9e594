"""Site mode: the accounts, users and limits of a Slurm cluster, brought to what the hub's allocations say.

Only accounts below the site's own root account are ever changed, always of one named cluster; nothing is deleted.
"""

import logging
import math
import pwd
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from fucina.client.wire_site import DesiredAccount
from fucina.compute.slurm import sacctmgr
from fucina.compute.slurm.refusals import check
from fucina.compute.slurm.sacctmgr import CLEAR, Association
from fucina.compute.slurm.transport import Transport
from fucina.compute.spec import JobSpec
from fucina.errors import BadInput, FactoryError
from fucina.network.spec import Partition, Site

logger = logging.getLogger(__name__)

BLOCKED = 0
"""Jobs that a user who left a project may submit to its account; what was used stays on the books."""
GPU = "gres/gpu"
NODE = "node"
NO_DEVICES = "none"


class NoScheduler(BadInput):
    """Accounts exist only where there is Slurm."""

    code = "no_scheduler"


class Step(BaseModel):
    """One change, in words and as the command that makes it."""

    model_config = ConfigDict(frozen=True)

    what: str
    argv: tuple[str, ...]


class Reconciliation(BaseModel):
    """What had to change at the site, what went wrong, and what is there that the hub does not know."""

    model_config = ConfigDict(frozen=True)

    site: str
    cluster: str
    dry_run: bool
    steps: tuple[Step, ...] = ()
    problems: tuple[str, ...] = ()
    unknown_accounts: tuple[str, ...] = ()
    """Below the site's root account, without an allocation in the hub; left as they are."""
    foreign_accounts: tuple[str, ...] = ()
    """Of the site itself; left as they are."""
    unknown_jobs: tuple[str, ...] = ()
    """Keys of our jobs in Slurm's queue that this agent does not look after."""


class Limit(NamedTuple):
    """A limit as Slurm has it."""

    tres: str
    minutes: int


def limit_of(account: DesiredAccount, partition: Partition) -> Limit:
    """What Slurm may let the account use, in whole minutes of what Slurm counts.

    Rounded up, so that nothing granted is lost; rounded down where nothing new is to start.
    """
    gpu_s = account.limit_gpu_s
    if partition.gres_type == NO_DEVICES:
        tres, amount = NODE, gpu_s / max(1, partition.num_gpus_per_node)
    else:
        tres, amount = GPU, float(gpu_s * partition.billing.devices_per_gpu)
    minutes = amount / 60
    return Limit(tres, math.floor(minutes) if account.closed else math.ceil(minutes))


def plan(
    site: Site, *, desired: Sequence[DesiredAccount], found: Sequence[Association], unix_users: frozenset[str]
) -> Reconciliation:
    """What to change, in order: the account, its limit, then who may charge it, so that nobody ever has no limit.

    Raises NoScheduler.
    """
    slurm = site.slurm
    if slurm is None:
        raise NoScheduler(f"Site {site.id} has no Slurm.", hint="Accounts are made where the executor is slurm.")
    cluster, root = slurm.cluster, slurm.root_account
    accounts = {row.account: row for row in found if not row.user and row.cluster == cluster}
    steps: list[Step] = []
    problems: list[str] = []
    if root not in accounts:
        words = sacctmgr.add_account_argv(cluster=cluster, account=root, parent="root")
        steps.append(Step(what=f"add account {root}", argv=tuple(words)))
    for account in desired:
        row = accounts.get(account.name)
        if row is not None and row.parent != root:
            problems.append(
                f"Account {account.name} exists below {row.parent or 'nothing'}, not below {root}; it is left alone."
            )
            continue
        members = {r.user: r for r in found if r.account == account.name and r.user and r.cluster == cluster}
        steps += _account_steps(site, account, row, cluster=cluster, root=root)
        steps += _user_steps(account, members, cluster=cluster, unix_users=unix_users, problems=problems)
    ours = {account.name for account in desired} | {root}
    return Reconciliation(
        site=site.id,
        cluster=cluster,
        dry_run=True,
        steps=tuple(steps),
        problems=tuple(problems),
        unknown_accounts=tuple(sorted(n for n, r in accounts.items() if r.parent == root and n not in ours)),
        foreign_accounts=tuple(
            sorted(n for n, r in accounts.items() if r.parent != root and n not in ours and n != "root")
        ),
    )


def _account_steps(
    site: Site, account: DesiredAccount, row: Association | None, *, cluster: str, root: str
) -> list[Step]:
    steps = []
    name = account.name
    if row is None:
        words = sacctmgr.add_account_argv(cluster=cluster, account=name, parent=root, organisation=account.organisation)
        steps.append(Step(what=f"add account {name} for {account.description}", argv=tuple(words)))
    limit = limit_of(account, site.partition(account.partition))
    before = dict(row.tres_minutes) if row else {}
    if before.get(limit.tres) != limit.minutes:
        steps.append(_limit_step(cluster, name, limit, before.get(limit.tres)))
    other = NODE if limit.tres == GPU else GPU
    if other in before:
        steps.append(_limit_step(cluster, name, Limit(other, CLEAR), before[other]))
    return steps


def _limit_step(cluster: str, name: str, limit: Limit, before: int | None) -> Step:
    words = sacctmgr.limit_argv(cluster=cluster, account=name, tres=limit.tres, minutes=limit.minutes)
    was = "none" if before is None else f"{before:,}"
    now = "none" if limit.minutes == CLEAR else f"{limit.minutes:,}"
    return Step(what=f"limit account {name} in {limit.tres}-minutes: {was} -> {now}", argv=tuple(words))


def _user_steps(
    account: DesiredAccount,
    members: dict[str, Association],
    *,
    cluster: str,
    unix_users: frozenset[str],
    problems: list[str],
) -> list[Step]:
    steps = []
    name = account.name
    for user in account.users:
        row = members.get(user)
        if user not in unix_users:
            problems.append(f"User {user}, who may charge {name}, does not exist at this site.")
        elif row is None:
            words = sacctmgr.add_user_argv(cluster=cluster, account=name, user=user)
            steps.append(Step(what=f"let {user} charge {name}", argv=tuple(words)))
        elif row.max_submit == BLOCKED:
            words = sacctmgr.max_submit_argv(cluster=cluster, account=name, user=user, num_jobs=CLEAR)
            steps.append(Step(what=f"let {user} charge {name} again", argv=tuple(words)))
    for user, row in sorted(members.items()):
        if user not in account.users and row.max_submit != BLOCKED:
            words = sacctmgr.max_submit_argv(cluster=cluster, account=name, user=user, num_jobs=BLOCKED)
            steps.append(Step(what=f"let {user} submit nothing new to {name}", argv=tuple(words)))
    return steps


def reconcile(site: Site, *, transport: Transport, desired: Sequence[DesiredAccount], dry_run: bool) -> Reconciliation:
    """Bring the cluster to what is desired, or say what that would take; one trouble stops no other account.

    Raises NoScheduler, and what Slurm refuses the question with.
    """
    if site.slurm is None:
        raise NoScheduler(f"Site {site.id} has no Slurm.", hint="Accounts are made where the executor is slurm.")
    argv = sacctmgr.show_argv(cluster=site.slurm.cluster)
    found = sacctmgr.read(check(argv, transport.run(argv)).text)
    users = frozenset(entry.pw_name for entry in pwd.getpwall()) | _by_name(desired)
    report = plan(site, desired=desired, found=found.rows, unix_users=users)
    if dry_run:
        return report
    done, problems = [], list(report.problems)
    for step in report.steps:
        answer = transport.run(step.argv)
        try:
            if not sacctmgr.nothing_changed(answer.text + answer.err):
                check(step.argv, answer)
            done.append(step)
        except FactoryError as error:
            problems.append(f"{step.what}: {error.message}")
    return report.model_copy(update={"dry_run": False, "steps": tuple(done), "problems": tuple(problems)})


def _by_name(desired: Sequence[DesiredAccount]) -> frozenset[str]:
    """Users that the site knows by name although it does not list them, as a directory service does."""
    found = set()
    for user in {user for account in desired for user in account.users}:
        try:
            found.add(pwd.getpwnam(user).pw_name)
        except KeyError:
            continue
    return frozenset(found)


class Accounts:
    """Keeps a cluster's accounts as the hub wants them, now and then and before a job that needs a new one."""

    def __init__(self, site: Site, *, transport: Transport, ask: Callable[[], Sequence[DesiredAccount]]) -> None:
        self._site = site
        self._transport = transport
        self._ask = ask
        self._may_charge: frozenset[tuple[str, str]] = frozenset()

    def run(self) -> Reconciliation:
        """Reconcile once, and log what was done and what is wrong."""
        desired = self._ask()
        report = reconcile(self._site, transport=self._transport, desired=desired, dry_run=False)
        for step in report.steps:
            logger.info("accounts: %s", step.what)
        for problem in report.problems:
            logger.warning("accounts: %s", problem)
        self._may_charge = frozenset((account.name, user) for account in desired for user in account.users)
        return report

    def ensure(self, spec: JobSpec) -> None:
        """Before a job is submitted for a user and account that were not seen yet, have Slurm know them."""
        if spec.account and (spec.account, spec.user) not in self._may_charge:
            self.run()
