"""The Unix users of the lab: three who compute, one who serves, and those whom daemons run as."""

import os
import pwd
import subprocess
from pathlib import Path

from lab.layout import program

PEOPLE = ("alice", "bob", "carol")
SERVICE = "fucina"
"""Whom a site's agent runs as; operator of the site's Slurm accounting."""
REST = "slurmrest"
"""slurmrestd refuses to run as root or as Slurm's own user."""


def ensure() -> None:
    """Create those users that the machine lacks; `*` as password, since sshd takes `!` for a locked account."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in (*PEOPLE, SERVICE):
        if name not in known:
            add = [program("useradd"), "--create-home", "--user-group", "--shell", "/bin/bash", "--password", "*", name]
            subprocess.run(add, check=True, capture_output=True)
    if REST not in known:
        add = [program("useradd"), "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", REST]
        subprocess.run(add, check=True, capture_output=True)


def own(path: Path, user: str, mode: int) -> Path:
    """Give a file or folder an owner and a mode; returns it."""
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)
    path.chmod(mode)
    return path


def folder(path: Path, user: str = "root", mode: int = 0o755) -> Path:
    """A folder with an owner and a mode, made if missing."""
    path.mkdir(parents=True, exist_ok=True)
    return own(path, user, mode)
