"""What a lab consists of and where it lies: one root folder, one block of ports. Kept as `lab.json` in the root."""

import json
import secrets
import shutil
import socket
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

DEFAULT_ROOT = Path("var/slurm")
PORTS_PER_CLUSTER = 4
"""slurmctld, slurmdbd, slurmrestd, sshd; each node has one more."""
LONGEST_ROOT = 60
"""A Unix socket's path ends at 107 bytes; slurmd and munge put theirs below the root."""
NODE_MODES = ("ns", "netns")


class LabError(RuntimeError):
    """Something keeps the lab from running; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """One site's size."""

    name: str
    num_nodes: int
    gpus_per_node: int

    def __post_init__(self) -> None:
        if not (self.name.isascii() and self.name.isalpha() and self.name.islower() and len(self.name) <= 10):
            raise LabError(f"{self.name!r} is no cluster name.", hint="Take at most ten small letters.")
        if not 1 <= self.num_nodes <= 200 or not 1 <= self.gpus_per_node <= 64:
            raise LabError(f"{self.name}: {self.num_nodes} nodes of {self.gpus_per_node} GPUs are out of range.")

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes."""
        return tuple(f"{self.name}-{number}" for number in range(1, self.num_nodes + 1))


DEFAULT_CLUSTERS = (
    ClusterSpec(name="alpha", num_nodes=4, gpus_per_node=4),
    ClusterSpec(name="beta", num_nodes=2, gpus_per_node=8),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything of one lab lies."""

    root: Path
    base_port: int
    node_mode: str = "ns"
    prefix: Path | None = None
    """Root of an unpacked Slurm; the machine's own where none is given."""
    clusters: tuple[ClusterSpec, ...] = DEFAULT_CLUSTERS

    @property
    def tag(self) -> str:
        """Six characters that set this lab apart from the others on the machine."""
        return sha256(str(self.root).encode()).hexdigest()[:6]

    @property
    def database(self) -> Path:
        """MariaDB's folder: in memory, because the fsyncs of a disk make everything three times slower."""
        memory = Path("/dev/shm")  # noqa: S108 - made with an owner and a mode of its own
        return memory / f"fucina-lab-{self.tag}" if memory.is_dir() else self.root / "database"

    @property
    def num_ports(self) -> int:
        """How many ports, from `base_port` on, belong to the lab."""
        return num_ports(self.clusters)

    def first_port(self, name: str) -> int:
        """The first of a cluster's ports; the nodes' come after the four of its daemons."""
        port = self.base_port + 1
        for spec in self.clusters:
            if spec.name == name:
                return port
            port += PORTS_PER_CLUSTER + spec.num_nodes
        raise LabError(f"There is no cluster {name!r}.", hint=f"There are: {', '.join(c.name for c in self.clusters)}.")

    def program(self, name: str) -> str:
        """Path of one of Slurm's programs. Raises LabError where it is missing."""
        if self.prefix:
            for folder in ("usr/sbin", "usr/bin"):
                if (self.prefix / folder / name).exists():
                    return str(self.prefix / folder / name)
        return program(name)


def program(name: str) -> str:
    """Path of a program of the machine, daemons included. Raises LabError where it is missing."""
    found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if not found:
        raise LabError(f"{name} is not installed.", hint="As root on Debian: make system.")
    return found


def num_ports(clusters: tuple[ClusterSpec, ...]) -> int:
    """How many ports that many clusters need: one for the database, four and one a node for each cluster."""
    return 1 + sum(PORTS_PER_CLUSTER + spec.num_nodes for spec in clusters)


def is_free(port: int) -> bool:
    """Whether nobody listens on that port, on any address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def free_base(count: int) -> int:
    """A block of `count` free ports, below those that the kernel gives out by itself. Raises LabError."""
    for _ in range(200):
        base = 20_000 + secrets.randbelow(12_000 // count) * count
        if all(is_free(base + offset) for offset in range(count)):
            return base
    raise LabError(f"No {count} free ports in a row between 20000 and 32000.", hint="Name a base: --ports BASE.")


def load(root: Path) -> Layout | None:
    """The layout kept in `root`, or nothing. Raises LabError where the file makes no sense."""
    file = root / "lab.json"
    if not file.exists():
        return None
    try:
        kept = json.loads(file.read_text("utf-8"))
        clusters = tuple(ClusterSpec(**spec) for spec in kept["clusters"])
        prefix = Path(kept["prefix"]) if kept["prefix"] else None
        return Layout(
            root=root, base_port=kept["base_port"], node_mode=kept["node_mode"], prefix=prefix, clusters=clusters
        )
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"{file} is damaged ({error!r}).", hint=f"Remove {root} after ending what runs there."
        ) from error


def save(layout: Layout) -> None:
    """Keep the layout in its root."""
    kept = asdict(layout)
    kept["prefix"] = str(layout.prefix) if layout.prefix else None
    del kept["root"]
    file = layout.root / "lab.json"
    (part := file.with_suffix(".part")).write_text(json.dumps(kept, indent=2), "utf-8")
    part.replace(file)


def check_root(root: Path) -> Path:
    """The root as an absolute path that sockets and other users can reach. Raises LabError."""
    root = root.expanduser().resolve()
    if len(str(root)) > LONGEST_ROOT:
        raise LabError(
            f"The path {root} has {len(str(root))} characters; sockets below it allow {LONGEST_ROOT}.",
            hint="Choose a shorter --root.",
        )
    for folder in root.parents:
        if folder.exists() and not folder.stat().st_mode & 0o001:
            raise LabError(f"Other users cannot enter {folder}, so that no job could run.", hint=f"chmod o+x {folder}")
    return root
