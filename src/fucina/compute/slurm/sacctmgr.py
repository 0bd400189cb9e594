"""`sacctmgr`: accounts, who may charge them, and their limits; always of one cluster.

It has no delimiter of ours: its answers are divided by `|`, which no account or user name holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fucina.compute.slurm.rows import Listing, parse

_FIELDS = ("Cluster", "Account", "ParentName", "User", "Partition", "GrpTRESMins", "QOS", "DefaultQOS", "MaxSubmitJobs")
CLEAR = -1
"""A limit of this value is no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """One line of Slurm's tree: an account, or a user in an account."""

    cluster: str
    account: str
    parent: str = ""
    user: str = ""
    """Empty for the account itself."""
    partition: str = ""
    tres_minutes: Mapping[str, int] = field(default_factory=dict)
    """Limits by resource, as `gres/gpu`, in minutes."""
    qos: tuple[str, ...] = ()
    default_qos: str = ""
    max_submit: int | None = None
    """Jobs that may be in the queue at once; None where there is no limit."""


def show_argv(*, cluster: str, account: str = "", user: str = "") -> list[str]:
    """Every association of the cluster, or those of one account or user."""
    words = ["sacctmgr", "--noheader", "--parsable", "show", "association", "where", f"cluster={cluster}"]
    if account:
        words.append(f"account={account}")
    if user:
        words.append(f"user={user}")
    return [*words, "format=" + ",".join(_FIELDS)]


def read(text: str) -> Listing[Association]:
    """Rows of that query."""
    return parse(text, num_fields=len(_FIELDS), make=_row, delimiter="|")


def add_account_argv(*, cluster: str, account: str, parent: str, organisation: str = "fucina") -> list[str]:
    """Make an account below `parent`."""
    return [
        "sacctmgr",
        "--immediate",
        "add",
        "account",
        account,
        f"cluster={cluster}",
        f"parent={parent}",
        f"organization={organisation}",
        f"description={account}",
    ]


def add_user_argv(*, cluster: str, account: str, user: str) -> list[str]:
    """Let a Unix user charge an account; the account must exist."""
    return ["sacctmgr", "--immediate", "add", "user", user, f"cluster={cluster}", f"account={account}"]


def limit_argv(*, cluster: str, account: str, tres: str, minutes: int) -> list[str]:
    """Limit an account's use of one resource, or clear the limit with CLEAR; never touches the usage counted so far."""
    where = ["where", f"name={account}", f"cluster={cluster}"]
    return ["sacctmgr", "--immediate", "modify", "account", *where, "set", f"GrpTRESMins={tres}={minutes}"]


def max_submit_argv(*, cluster: str, account: str, user: str, num_jobs: int) -> list[str]:
    """Limit how many jobs a user may have in the queue of an account; 0 lets none in, CLEAR lifts the limit."""
    where = ["where", f"name={user}", f"account={account}", f"cluster={cluster}"]
    return ["sacctmgr", "--immediate", "modify", "user", *where, "set", f"MaxSubmitJobs={num_jobs}"]


def nothing_changed(text: str) -> bool:
    """Whether `sacctmgr` says, with whatever exit status, that all is already so."""
    said = ("Nothing new added", "already exists", "Already existing", "Nothing modified")
    return any(words in text for words in said)


def _row(cells: Sequence[str]) -> Association:
    cluster, account, parent, user, partition, limits, qos, default_qos, max_submit = cells
    minutes = (pair.rpartition("=") for pair in limits.split(",") if pair)
    return Association(
        cluster=cluster,
        account=account,
        parent=parent,
        user=user,
        partition=partition,
        tres_minutes={name: int(value) for name, _, value in minutes},
        qos=tuple(word for word in qos.split(",") if word),
        default_qos=default_qos,
        max_submit=int(max_submit) if max_submit else None,
    )
