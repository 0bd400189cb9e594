"""The MariaDB server below the clusters' accounting: one server, one database and one user for each cluster."""

import secrets
import subprocess
from pathlib import Path

from lab import people
from lab.daemons import Daemon, clean_env, end, spawn, wait_until
from lab.layout import LabError, Layout, program


def daemon(layout: Layout) -> Daemon:
    """The server's process."""
    options = (
        "--no-defaults",
        f"--datadir={layout.database}",
        f"--socket={socket(layout)}",
        f"--port={layout.base_port}",
        "--bind-address=127.0.0.1",
        f"--pid-file={layout.database}/own.pid",
        "--skip-log-bin",
        "--performance-schema=OFF",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=128M",
        "--innodb-lock-wait-timeout=900",
        "--max-allowed-packet=64M",
    )
    return Daemon(
        name="mariadb",
        argv=(program("mariadbd"), *options),
        pid_file=layout.root / "mariadb.pid",
        log=layout.root / "mariadb.log",
        env={},
        user="mysql",
    )


def socket(layout: Layout) -> Path:
    """Where root may talk to the server without a password."""
    return layout.database / "mysqld.sock"


def start(layout: Layout) -> None:
    """Start the server, made first where the lab has none, and wait for its answer."""
    if not (layout.database / "mysql").is_dir():
        people.folder(layout.database, "mysql", 0o700)
        make = [program("mariadb-install-db"), "--no-defaults", f"--datadir={layout.database}", "--user=mysql"]
        more = ["--auth-root-authentication-method=socket", "--skip-test-db", "--skip-name-resolve"]
        done = subprocess.run([*make, *more], capture_output=True, text=True, check=False, env=clean_env({}), cwd="/")
        if done.returncode:
            raise LabError(f"mariadb-install-db failed: {done.stderr.strip() or done.stdout.strip()}")
    process = daemon(layout)
    spawn(process)
    wait_until("answer from MariaDB", lambda: _ask(layout, "SELECT 1").returncode == 0, within_s=60, log=process.log)


def stop(layout: Layout) -> bool:
    """End the server; tells whether it ran."""
    return end(layout.root / "mariadb.pid", within_s=60)


def password(layout: Layout, cluster: str) -> str:
    """The password of a cluster's slurmdbd, made once."""
    file = layout.root / cluster / "database.password"
    if not file.exists():
        people.folder(file.parent)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(16), "ascii")
    return file.read_text("ascii")


def prepare(layout: Layout, cluster: str) -> None:
    """The cluster's user and its rights."""
    user = f"'slurm_{cluster}'@'localhost'"
    query(
        layout,
        f"CREATE USER IF NOT EXISTS {user}; ALTER USER {user} IDENTIFIED BY '{password(layout, cluster)}'; "
        f"GRANT ALL ON slurm_{cluster}.* TO {user};",
    )


def query(layout: Layout, sql: str, *, database: str = "") -> list[tuple[str, ...]]:
    """Rows of an SQL statement, run as the server's administrator; NULL reads as `NULL`. Raises LabError."""
    done = _ask(layout, sql, database)
    if done.returncode:
        raise LabError(f"MariaDB refused: {done.stderr.strip()}")
    return [tuple(_plain(cell) for cell in line.split("\t")) for line in done.stdout.splitlines()]


def _ask(layout: Layout, sql: str, database: str = "") -> subprocess.CompletedProcess[str]:
    argv = [program("mariadb"), "--no-defaults", f"--socket={socket(layout)}", "--batch", "--skip-column-names"]
    return subprocess.run(
        [*argv, database] if database else argv,
        input=sql,
        capture_output=True,
        text=True,
        check=False,
        env=clean_env({}),
        cwd="/",
        timeout=600,
    )


def _plain(cell: str) -> str:
    """Undo the client's escapes."""
    return cell.replace("\\t", "\t").replace("\\n", "\n").replace("\\\\", "\\")
