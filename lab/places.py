"""Folders, ports and names of one cluster, derived from the layout."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lab.layout import ClusterSpec, Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where one cluster keeps what."""

    layout: Layout
    spec: ClusterSpec

    @property
    def home(self) -> Path:
        """Everything of the cluster."""
        return self.layout.root / self.spec.name

    @property
    def etc(self) -> Path:
        """Configuration and keys."""
        return self.home / "etc"

    @property
    def run(self) -> Path:
        """Sockets and pid files."""
        return self.home / "run"

    @property
    def log(self) -> Path:
        """Logs."""
        return self.home / "log"

    @property
    def state(self) -> Path:
        """What slurmctld remembers."""
        return self.home / "state"

    @property
    def spool(self) -> Path:
        """What the nodes remember."""
        return self.home / "spool"

    @property
    def conf(self) -> Path:
        """The site's slurm.conf."""
        return self.etc / "slurm.conf"

    @property
    def control_port(self) -> int:
        """slurmctld's port."""
        return self.layout.first_port(self.spec.name)

    @property
    def accounting_port(self) -> int:
        """slurmdbd's port."""
        return self.control_port + 1

    @property
    def rest_port(self) -> int:
        """slurmrestd's port."""
        return self.control_port + 2

    @property
    def ssh_port(self) -> int:
        """The login node's port."""
        return self.control_port + 3

    def node_port(self, node: str) -> int:
        """slurmd's port of a node; all nodes share one loopback unless they have networks of their own."""
        return self.control_port + 4 + self.spec.nodes.index(node)

    @property
    def number(self) -> int:
        """Position among the lab's clusters, from 1."""
        return 1 + self.layout.clusters.index(self.spec)

    @property
    def subnet(self) -> str:
        """The first three numbers of the nodes' addresses: loopback, or the lab's own private network."""
        if self.layout.node_mode == "ns":
            return f"127.1.{self.number}"
        return f"10.{64 + sha256(self.layout.tag.encode()).digest()[0] % 128}.{self.number}"

    @property
    def control_address(self) -> str:
        """Where nodes and commands reach slurmctld."""
        return "127.0.0.1" if self.layout.node_mode == "ns" else f"{self.subnet}.254"

    @property
    def bridge(self) -> str:
        """The network device that joins the nodes, in mode netns."""
        return f"fl{self.layout.tag}{self.number}"

    def node_address(self, node: str) -> str:
        """A node's address."""
        return f"{self.subnet}.{1 + self.spec.nodes.index(node)}"

    def pid_file(self, daemon: str) -> Path:
        """Pid file of a daemon: `slurmctld`, `slurmd:alpha-1`, ..."""
        return self.run / f"{daemon.replace(':', '-')}.pid"
