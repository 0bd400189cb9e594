"""A real factory in processes of its own, for tests that run the whole line."""

import gzip
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fucina.client.hub import Hub
from fucina.client.wire import RunInfo
from fucina.compute import shepherd
from tests.conftest import EXAMPLE

PROJECT = """\
name: piccola
organisation: Officine Esempio
purpose: Shows that the line ends the same whatever is killed
data:
  sources: [{path: corpus/*.jsonl, licence: public-domain}]
  languages: [it, en]
  vocabulary_size: 400
train: {size: 0.1M, tokens: 400k, sequence_length: 64}
evaluate: {gates: {pii_leak_rate: 0, memorised_share: 0.05}}
compute: {gpu_hours: 0.5}
"""


def tiny_project(folder: Path, *, text: str = PROJECT, num_documents: int = 24) -> Path:
    """A project that runs in seconds, on passages of the example's corpus."""
    (folder / "corpus").mkdir(parents=True)
    for language in ("it", "en"):
        with gzip.open(EXAMPLE / "corpus" / f"{language}.jsonl.gz", "rt", encoding="utf-8") as lines:
            picked = [line for _, line in zip(range(num_documents), lines, strict=False)]
        (folder / "corpus" / f"{language}.jsonl").write_text("".join(picked), encoding="utf-8")
    path = folder / "project.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def free_port() -> int:
    """A port that nobody listens on, nor takes by chance while its server is away: clients are given higher ones."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(10_000, lowest), 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def wait_for(true: Callable[[], bool], *, seconds: float = 120) -> None:
    """Look every twentieth of a second until it is so."""
    tick = threading.Event()
    for _ in range(int(seconds * 20)):
        if true():
            return
        tick.wait(0.05)
    raise AssertionError(f"not within {seconds} s")


class Factory:
    """`fucina up` with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FUCINA_")}
        self.environment |= {
            "FUCINA_HOME": str(home),
            "FUCINA_HUB_PORT": str(free_port()),
            "FUCINA_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        self.process: subprocess.Popen[str] | None = None

    def cli(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command."""
        return subprocess.run(
            [sys.executable, "-m", "fucina.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            cwd=cwd,
        )

    def up(self) -> None:
        """Start, and return when it is ready."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fucina.cli", "up", "--format", "json"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]

    def down(self, number: int = signal.SIGINT) -> None:
        """Ctrl-C, or worse."""
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.communicate(timeout=120)
        self.process = None

    @contextmanager
    def hub(self) -> Iterator[Hub]:
        """A client with the operator's token."""
        token = (self.home / "secrets" / "operator.token").read_text().strip()
        with Hub(f"http://127.0.0.1:{self.environment['FUCINA_HUB_PORT']}", token) as hub:
            yield hub

    def part(self, name: str) -> int:
        """Process id of hub, worker or agent."""
        assert self.process is not None
        words = {"hub": "gunicorn", "worker": "db_worker", "agent": "agent"}
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children:
            try:
                command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            except OSError:
                continue
            if words[name] in command:
                return int(pid)
        return 0

    def stage_pid(self, run: str, stage: str) -> int:
        """Process of a running stage, 0 when it does not run."""
        state = shepherd.read_json(self.home / "site" / "jobs" / f"{run}.{stage}" / "state.json")
        pid = state.get("pid", 0)
        return pid if shepherd.is_alive(pid, state.get("pid_started", 0)) else 0

    def num_progress_lines(self, run: str, stage: str) -> int:
        """How far a stage has come."""
        path = self.home / "site" / "runs" / run / stage / "progress.ndjson"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def start_run(self, project: Path) -> str:
        """Submit a project; returns the run's reference."""
        done = self.cli("run", str(project), "--no-wait", "--format", "json")
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["ref"])

    def wait(self, ref: str, *, seconds: float = 300) -> RunInfo:
        """The run when it is over, through any absence of the hub."""
        found: list[RunInfo] = []

        def over() -> bool:
            with self.hub() as hub:
                if hub.health():
                    found.append(hub.run(ref))
            return bool(found) and found[-1].ended_at is not None

        wait_for(over, seconds=seconds)
        return found[-1]
