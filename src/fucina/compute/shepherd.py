"""Looks after one local job: starts it, ends it at its walltime, starts it again when it is killed, keeps count.

Runs as `python -m fucina.compute.shepherd FOLDER`, one process a job, and outlives whoever started it. Standard
library only, so that it starts at once. The folder holds `spec.json` (a JobSpec), `state.json` (read by `local.py`),
`log`, and the wishes `cancel` and `suspend`.
"""

import ctypes
import fcntl
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

KILL_WAIT_S = 15.0
"""From SIGTERM to SIGKILL: time to write a checkpoint."""
MAX_ATTEMPTS = 6
BEAT_S = 1.0
EXIT_AGAIN = 75
"""A job that ends so has saved its state and wants to be started again (EX_TEMPFAIL)."""
PR_SET_PDEATHSIG = 1
WAKE = {signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1}


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`, or an empty one when there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace `path` in one step, so that no reader sees half of it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def start_time(pid: int) -> int:
    """Kernel ticks at which `pid` started, 0 if there is none; with the pid it names one process for good."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0
    fields = stat.rsplit(")", 1)[1].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


def is_alive(pid: int, started: int) -> bool:
    """Whether the process that was `pid` when it started is still there."""
    return pid > 0 and started > 0 and start_time(pid) == started


class Shepherd:
    """One job from its folder to a final state, a suspension, or the shepherd's own death."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = read_json(folder / "spec.json")
        self.state = {
            "state": "claimed",
            "reason": "",
            "exit_code": None,
            "started_at": None,
            "ended_at": None,
            "wall_s": 0.0,
            "cpu_s": 0.0,
            "max_rss_bytes": 0,
            "num_attempts": 0,
            "pid": 0,
            "pid_started": 0,
            "attempt_at": None,
        } | read_json(folder / "state.json")
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.wish = ""

    def save(self, **changes: object) -> None:
        """Change the state on disk."""
        self.state |= changes
        me = os.getpid()
        write_json(self.folder / "state.json", self.state | {"shepherd": me, "shepherd_started": start_time(me)})

    def finish(self, state: str, *, reason: str = "", exit_code: int | None = None) -> None:
        """Write a final state."""
        self.save(state=state, reason=reason, exit_code=exit_code, ended_at=datetime.now(UTC).isoformat(), pid=0)

    def run(self) -> None:
        """Attempt after attempt, until one of them is the last."""
        self._count_lost_attempt()
        while self.state["state"] not in ("succeeded", "failed", "timed_out", "cancelled"):
            if (self.folder / "cancel").exists():
                self.finish("cancelled", reason="cancelled on request")
            elif self.state["wall_s"] >= self.spec["walltime_s"]:
                self.finish("timed_out", reason=f"its walltime of {self.spec['walltime_s']} s is used up")
            elif self.state["num_attempts"] >= MAX_ATTEMPTS:
                self.finish(
                    "failed",
                    reason=f"{self.state['reason']} in {MAX_ATTEMPTS} attempts",
                    exit_code=self.state["exit_code"],
                )
            elif not self._attempt():
                return

    def _count_lost_attempt(self) -> None:
        """An attempt whose shepherd was killed lasted until the last beat; what is left of it is ended."""
        if not self.state["attempt_at"]:
            return
        if is_alive(self.state["pid"], self.state["pid_started"]):
            os.killpg(self.state["pid"], signal.SIGKILL)
        began = datetime.fromisoformat(self.state["attempt_at"]).timestamp()
        lasted = max(0.0, (self.folder / "lock").stat().st_mtime - began)
        self.save(wall_s=self.state["wall_s"] + lasted, attempt_at=None, pid=0, reason="its shepherd was killed")

    def _attempt(self) -> bool:
        """Run the command once; False when the shepherd should go too."""
        now = datetime.now(UTC).isoformat()
        began = time.monotonic()
        pid = self._start()
        if not pid:
            return True
        self.save(
            state="running",
            reason="",
            pid=pid,
            pid_started=start_time(pid),
            attempt_at=now,
            num_attempts=self.state["num_attempts"] + 1,
            started_at=self.state["started_at"] or now,
        )
        status, usage = self._watch(pid, began)
        self.save(
            wall_s=self.state["wall_s"] + time.monotonic() - began,
            cpu_s=self.state["cpu_s"] + usage.ru_utime + usage.ru_stime,
            max_rss_bytes=max(self.state["max_rss_bytes"], usage.ru_maxrss * 1024),
            attempt_at=None,
            pid=0,
        )
        return self._judge(os.waitstatus_to_exitcode(status))

    def _judge(self, code: int) -> bool:
        if self.wish == "cancel":
            self.finish("cancelled", reason="cancelled on request", exit_code=code)
        elif code == 0:
            self.finish("succeeded", exit_code=0)
        elif self.wish == "walltime":
            self.finish("timed_out", reason=f"its walltime of {self.spec['walltime_s']} s is used up", exit_code=code)
        elif self.wish == "suspend":
            # A suspension is no fault of the job: it does not count against its attempts.
            self.save(state="claimed", reason="suspended", num_attempts=self.state["num_attempts"] - 1)
            return False
        elif code < 0:
            self.save(state="claimed", reason=f"killed by signal {-code}", exit_code=code)
        elif code == EXIT_AGAIN:
            self.save(state="claimed", reason="asked to be started again", exit_code=code)
        else:
            self.finish("failed", reason=f"exit code {code}", exit_code=code)
        return True

    def _start(self) -> int:
        """Fork the command into a session of its own that dies with the shepherd; 0 when it cannot be started."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            self._become_command(writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            trouble = pipe.read().decode()
        if trouble:
            os.waitpid(pid, 0)
            self.finish("failed", reason=f"the command cannot be started: {trouble}", exit_code=127)
            return 0
        return pid

    def _become_command(self, writer: int) -> None:
        """In the child: exec, or tell the parent why not."""
        try:
            os.setsid()
            self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WAKE)
            log = os.open(self.folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(self.spec["working_directory"])
            environment = {"PATH": os.defpath, "HOME": str(Path.home()), "LANG": "C.UTF-8"} | self.spec["environment"]
            os.execvpe(self.spec["command"][0], self.spec["command"], environment)  # noqa: S606 - a list, no shell
        except OSError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(127)

    def _watch(self, pid: int, began: float) -> tuple[int, Any]:
        """Wait for the child; pass on wishes and the end of its walltime. Returns wait status and resource usage."""
        kill_at = float("inf")
        ends_at = began + self.spec["walltime_s"] - self.state["wall_s"]
        while True:
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                self._sweep(pid)
                return status, usage
            now = time.monotonic()
            os.utime(self.folder / "lock")
            wish = next((name for name in ("cancel", "suspend") if (self.folder / name).exists()), "")
            if not wish and now >= ends_at:
                wish = "walltime"
            if wish and not self.wish:
                self.wish = wish
                kill_at = now + KILL_WAIT_S
                os.killpg(pid, signal.SIGTERM)
            elif now >= kill_at:
                os.killpg(pid, signal.SIGKILL)
            signal.sigtimedwait(WAKE, max(0.0, min(BEAT_S, ends_at - now if now < ends_at else BEAT_S)))

    @staticmethod
    def _sweep(pid: int) -> None:
        """End what the command left running in its process group."""
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def main(folder: Path) -> None:
    """Shepherd the job in `folder` in the background, unless somebody does already; returns once that is so."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WAKE)
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        os.read(reader, 1)
        return
    os.close(reader)
    os.setsid()
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    shepherd = Shepherd(folder)
    shepherd.save()
    os.close(writer)
    shepherd.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
