"""Runs a command with a PostgreSQL of its own: `python tests/with_postgres.py pytest tests/hub`.

The server lives in a temporary folder, listens on a free loopback port, and ends with the command. PostgreSQL refuses
to run as root, so root hands it to another user.
"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def program(name: str) -> str:
    """Path of a PostgreSQL program; Debian keeps servers off the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(debian[-1]) if debian else shutil.which(name)
    if not found:
        sys.exit(f"{name} is not installed: apt-get install postgresql")
    return found


def server_user() -> dict[str, int]:
    """Whom the server runs as, for `subprocess`."""
    if os.getuid():
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid}


@contextmanager
def postgres() -> Iterator[str]:
    """A server with an empty database, which ends with the context; gives its address."""
    with tempfile.TemporaryDirectory(prefix="fucina-postgres-") as folder:
        user = server_user()
        if user:
            os.chown(folder, user["user"], user["group"])
        data = Path(folder) / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = {**user, "cwd": folder, "check": True, "stdout": subprocess.DEVNULL}
        init = [program("initdb"), "-D", str(data), "-U", "fucina", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(init, **options)
        settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c fsync=off"
        control = [program("pg_ctl"), "-D", str(data), "-w"]
        subprocess.run([*control, "-l", f"{folder}/log", "-o", settings, "start"], **options)
        try:
            yield f"postgres://fucina@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **options)


def main(command: list[str]) -> int:
    """Start, run, stop; returns the command's exit code."""
    with postgres() as url:
        return subprocess.run(command, env=os.environ | {"FUCINA_TEST_DATABASE_URL": url}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
