"""The whole lab: a root folder, a database and its clusters."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

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
        clusters: tuple[ClusterSpec, ...] = DEFAULT_CLUSTERS,
        node_mode: str = "ns",
        prefix: Path | None = None,
    ) -> None:
        """A lab that exists in `root` keeps the layout that it was made with. Raises LabError."""
        if node_mode not in NODE_MODES:
            raise LabError(f"There is no node mode {node_mode!r}.", hint=f"There are: {', '.join(NODE_MODES)}.")
        if base_port is not None and not 1024 <= base_port <= 65_535 - num_ports(clusters):
            raise LabError(f"Port base {base_port} is out of range.", hint="Take one between 1024 and 65000.")
        self.root = check_root(root)
        self._base_port = base_port
        self.layout = load(self.root) or Layout(
            root=self.root, base_port=base_port or 0, node_mode=node_mode, prefix=prefix, clusters=clusters
        )
        self._wire()

    def _wire(self) -> None:
        self.clusters = {spec.name: Cluster(self.layout, spec) for spec in self.layout.clusters}

    def up(self) -> "Lab":
        """Start what does not run and wait until everything answers; again and again without harm. Raises LabError."""
        missing = why_not(self.layout)
        if missing:
            raise LabError(missing[0], hint=missing[1])
        people.ensure()
        people.folder(self.root)
        with self._alone():
            self._choose_ports()
            database.start(self.layout)
            for cluster in self.clusters.values():
                cluster.up()
        self.wait_ready()
        return self

    def wait_ready(self, *, within_s: float = 60) -> None:
        """Wait until every cluster answers at every door. Raises LabError."""
        for cluster in self.clusters.values():
            cluster.wait_ready(within_s=within_s)

    def down(self, *, wipe: bool = False) -> int:
        """End the lab's processes, and remove what they kept if `wipe`; returns how many daemons ran."""
        if not self.root.exists():
            return 0
        with self._alone():
            ended = sum(cluster.down() for cluster in self.clusters.values()) + database.stop(self.layout)
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

    def _choose_ports(self) -> None:
        """Keep the ports while anything runs or all are free; else take others, unless somebody named them."""
        layout = self.layout
        running = any(self.root.rglob("*.pid")) and any(running_pid(file) for file in self.root.rglob("*.pid"))
        if not running:
            taken = [port for port in range(layout.base_port, layout.base_port + layout.num_ports) if not is_free(port)]
            if not layout.base_port or (taken and not self._base_port):
                layout = replace(layout, base_port=free_base(layout.num_ports))
            elif taken:
                raise LabError(f"Port {taken[0]} is taken.", hint="Name another base, or none: --ports BASE.")
        self.layout = layout
        save(layout)
        self._wire()

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
    except LabError as error:
        return str(error), ""
    return None
