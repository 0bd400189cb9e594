"""The whole lab: a root folder, a database and its clusters."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from lab import database, people
from lab.cluster import Cluster
from lab.daemons import end, running_pid
from lab.layout import (
    DEFAULT_CLUSTERS,
    NODE_MODES,
    ClusterSpec,
    LabError,
    Layout,
    check_root,
    free_base,
    is_free,
    load,
    num_ports,
    program,
    save,
)
from lab.nodes import may_wire

T = TypeVar("T")
PROGRAMS = (
    "munged",
    "mariadbd",
    "mariadb",
    "mariadb-install-db",
    "sshd",
    "ssh",
    "ssh-keygen",
    "unshare",
    "nsenter",
    "setpriv",
)
SLURM_PROGRAMS = ("slurmctld", "slurmd", "slurmdbd", "slurmrestd", "sbatch", "sacct", "sacctmgr")


class Lab:
    """Slurm clusters below one root; several labs live side by side."""

    def __init__(
        self,
        root: Path,
        *,
        base_port: int | None = None,
        clusters: tuple[ClusterSpec, ...] | None = None,
        node_mode: str | None = None,
        prefix: Path | None = None,
    ) -> None:
        """A lab that exists keeps what it was made with; to ask for something else is an error. Raises LabError."""
        if node_mode not in (None, *NODE_MODES):
            raise LabError(f"There is no node mode {node_mode!r}.", hint=f"There are: {', '.join(NODE_MODES)}.")
        size = num_ports(clusters or DEFAULT_CLUSTERS)
        if base_port is not None and not 1024 <= base_port <= 65_535 - size:
            raise LabError(f"Port base {base_port} is out of range.", hint="Take one between 1024 and 65000.")
        if len({spec.name for spec in clusters or ()}) != len(clusters or ()):
            raise LabError("Two clusters have one name.")
        self.root = check_root(root)
        self._base_port = base_port
        asked: dict[str, Any] = {"clusters": clusters, "node_mode": node_mode, "prefix": prefix}
        self._asked = {name: value for name, value in asked.items() if value is not None}
        self._read()

    def _read(self) -> None:
        """Take the layout from the root, or make one."""
        kept = load(self.root)
        for name, value in self._asked.items() if kept else ():
            if getattr(kept, name) != value:
                raise LabError(f"The lab in {self.root} has other {name}.", hint="End it first: down --wipe.")
        self.layout = kept or Layout(root=self.root, base_port=self._base_port or 0, **self._asked)
        self.clusters = {spec.name: Cluster(self.layout, spec) for spec in self.layout.clusters}

    def up(self) -> "Lab":
        """Start what does not run and wait until everything answers; again and again without harm. Raises LabError."""
        missing = why_not(self.layout)
        if missing:
            raise LabError(missing[0], hint=missing[1])
        people.ensure()
        people.folder(self.root)
        with self._alone():
            self._read()
            self._choose_ports()
            database.start(self.layout)
            self._each(Cluster.up)
        self.wait_ready()
        return self

    def wait_ready(self, *, within_s: float = 60) -> None:
        """Wait until every cluster answers at every door. Raises LabError."""
        self._each(lambda cluster: cluster.wait_ready(within_s=within_s))

    def down(self, *, wipe: bool = False) -> int:
        """End the lab's processes, and remove what they kept if `wipe`; returns how many daemons ran."""
        if not self.root.exists():
            return 0
        with self._alone():
            self._read()
            ended = sum(self._each(Cluster.down)) + database.stop(self.layout)
            if wipe:
                self._wipe()
        return ended

    def is_up(self) -> bool:
        """Whether every daemon runs."""
        if running_pid(self.root / "mariadb.pid") is None:
            return False
        return all(cluster.alive(name) for cluster in self.clusters.values() for name in cluster.daemons())

    def kill(self, name: str) -> bool:
        """End `mariadb` at once; the clusters have `kill` for their own. Tells whether it ran."""
        if name != "mariadb":
            raise LabError(f"The lab itself has no {name!r}.", hint='Use .clusters["alpha"].kill(...).')
        return end(self.root / "mariadb.pid", 9)

    def start(self, name: str) -> None:
        """Start `mariadb` and wait for its answer."""
        if name != "mariadb":
            raise LabError(f"The lab itself has no {name!r}.", hint='Use .clusters["alpha"].start(...).')
        database.start(self.layout)

    def _each(self, act: Callable[[Cluster], T]) -> list[T]:
        """Do something at every site at once; what goes wrong at one is raised when all have ended."""
        with ThreadPoolExecutor(max_workers=len(self.clusters)) as pool:
            return list(pool.map(act, self.clusters.values()))

    def _choose_ports(self) -> None:
        """Keep the ports while anything runs or all are free; else take others, unless somebody named them."""
        layout = self.layout
        if any(running_pid(file) for file in self.root.rglob("*.pid")):
            if self._base_port not in (None, layout.base_port):
                raise LabError(f"The lab runs on ports from {layout.base_port} on.", hint="End it first: down.")
            return
        base = self._base_port or layout.base_port
        taken = [port for port in range(base, base + layout.num_ports) if not is_free(port)]
        if taken and self._base_port:
            raise LabError(f"Port {taken[0]} is taken.", hint="Name another base, or none.")
        if taken or not base:
            base = free_base(layout.num_ports)
        save(replace(layout, base_port=base))
        self._read()

    def _wipe(self) -> None:
        shutil.rmtree(self.layout.database, ignore_errors=True)
        for name in self.clusters:
            shutil.rmtree(self.root / name, ignore_errors=True)
        for file in ("lab.json", "mariadb.log"):
            (self.root / file).unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One `up` or `down` at a time in one root."""
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def why_not(layout: Layout) -> tuple[str, str] | None:
    """What keeps a lab from running on this machine, and what to do; nothing where all is there."""
    if os.getuid():
        return "The lab needs root: it makes users, name spaces and device files.", "Run it as root on a test machine."
    try:
        for name in PROGRAMS:
            program(name)
        for name in SLURM_PROGRAMS:
            layout.program(name)
        if layout.node_mode == "netns":
            program("ip")
    except LabError as error:
        return str(error), ""
    if layout.node_mode == "netns" and not may_wire():
        return "The machine allows no network name spaces.", "Run it where root has CAP_NET_ADMIN and CAP_SYS_ADMIN."
    return None
