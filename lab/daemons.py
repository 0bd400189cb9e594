"""Processes without systemd: started in the background, known by pid and start time, ended only when they are ours."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lab.layout import LabError, program

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
POLL_S = 0.05
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A program that runs until it is ended."""

    name: str
    argv: tuple[str, ...]
    pid_file: Path
    log: Path
    env: Mapping[str, str]
    user: str = "root"


def start_ticks(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine's start; nothing where it has ended (zombies too)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return None
    return int(fields[19])


def write_pid(pid_file: Path, pid: int) -> None:
    """Remember a process by pid and start time, so that a later one with the same pid is never taken for it."""
    pid_file.write_text(f"{pid} {start_ticks(pid) or 0}\n", "utf-8")


def running_pid(pid_file: Path) -> int | None:
    """Pid of the process that the file names, if it still runs."""
    try:
        pid, began = (int(word) for word in pid_file.read_text("utf-8").split())
    except (FileNotFoundError, ValueError):
        return None
    return pid if began and start_ticks(pid) == began else None


def spawn(daemon: Daemon) -> int:
    """Start a daemon in a session of its own unless it runs; returns its pid."""
    if running := running_pid(daemon.pid_file):
        return running
    argv = [program("env"), "--chdir=/"]
    if daemon.user != "root":
        argv += [program("setpriv"), "--reuid", daemon.user, "--regid", daemon.user, "--init-groups", "--"]
    argv += daemon.argv
    pid = os.posix_spawn(
        argv[0],
        argv,
        {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", **daemon.env},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(daemon.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT],
    )
    write_pid(daemon.pid_file, pid)
    return pid


def child_of(pid: int, *, within_s: float = 20) -> int:
    """The process that `pid` has forked. Raises LabError where it forks none."""

    def first() -> int | None:
        if start_ticks(pid) is None:
            raise LabError(f"Process {pid} ended before it had a child.")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
        return int(children[0]) if children else None

    found = wait_until("a child process", first, within_s=within_s)
    assert found  # noqa: S101 - wait_until returns only what is true
    return found


def end(pid_file: Path, number: int = signal.SIGTERM, *, within_s: float = 20) -> bool:
    """Signal our process and wait until it is gone, killing it after `within_s`; tells whether it ran."""
    pid = running_pid(pid_file)
    if pid is None:
        pid_file.unlink(missing_ok=True)
        return False
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            waiting = select.poll()
            waiting.register(handle, select.POLLIN)
            for each in (number, signal.SIGKILL):
                signal.pidfd_send_signal(handle, each)
                if waiting.poll(within_s * 1000):
                    break
            else:
                raise LabError(f"Process {pid} does not end.", hint="See its state in /proc.")
        finally:
            os.close(handle)
    start_ticks(pid)
    pid_file.unlink(missing_ok=True)
    return True


def wait_until(what: str, probe: Callable[[], T], *, within_s: float, log: Path | None = None) -> T:
    """Ask again until `probe` answers something true, and return that. Raises LabError after `within_s`."""
    limit = time.monotonic() + within_s
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > limit:
            raise LabError(f"No {what} after {within_s:g} s.", hint=tail(log) if log else "")
        time.sleep(POLL_S)


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log, as a hint."""
    if not log.exists():
        return f"{log} does not exist."
    return f"{log} ends:\n" + "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])


def clean_env(more: Mapping[str, str]) -> dict[str, str]:
    """An environment that owes nothing to the caller's."""
    return {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", **more}
