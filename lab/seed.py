"""What a site's accounting holds from the start: the cluster, its QOS, accounts and users."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from lab import people
from lab.layout import LabError

Run = Callable[..., subprocess.CompletedProcess[str]]

ACCOUNTS = {"projx": ("alice", "bob"), "projy": ("alice", "carol")}
"""Projects below the account `fucina`, and who may use them."""
QOS = "normal,preemptible,urgent"


def commands(cluster: str) -> list[str]:
    """Commands for sacctmgr, in the order in which they must run."""
    lines = [
        f"add cluster {cluster}",
        "add qos preemptible priority=1",
        "add qos urgent priority=1000 preempt=preemptible",
        "modify qos where name=normal set priority=100 preempt=preemptible",
        f"add account fucina cluster={cluster} description=factory organization=fucina",
        f"add user {people.SERVICE} cluster={cluster} account=fucina adminlevel=Administrator",
    ]
    for account, users in ACCOUNTS.items():
        lines.append(f"add account {account} cluster={cluster} parent=fucina description={account} organization=lab")
        lines += [f"add user {user} cluster={cluster} account={account}" for user in users]
    return lines


def last_command(cluster: str) -> str:
    """In a session of its own, since sacctmgr reads the names of QOS only once in each."""
    return f"modify account where name=fucina cluster={cluster} set qos={QOS} defaultqos=normal"


def sow(run: Run, cluster: str, *, marker: Path) -> None:
    """Fill an empty accounting; the marker lies beside the database and lives as long. Raises LabError."""
    if marker.exists():
        return
    done = run(["sacctmgr", "-i"], stdin="".join(f"{line}\n" for line in commands(cluster)) + "quit\n")
    last = run(["sacctmgr", "-i", *last_command(cluster).split()])
    shown = run(["sacctmgr", "-nP", "show", "assoc", "where", "account=projy", "user=carol", "format=account,qos"])
    if not (shown.stdout.startswith("projy|") and "urgent" in shown.stdout):
        raise LabError(f"sacctmgr did not fill {cluster}: {done.stdout}{done.stderr}{last.stdout}{last.stderr}")
    marker.touch()
