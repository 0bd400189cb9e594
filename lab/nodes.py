"""Virtual nodes: each has its own host name, mounts and processes, and can lose its power or its network."""

import signal
import subprocess
from pathlib import Path

from lab.daemons import Daemon, child_of, clean_env, end, running_pid, spawn, write_pid
from lab.layout import LabError, program
from lab.places import Places


def power_on(places: Places, node: str) -> None:
    """Switch a node on (no slurmd yet): its first process keeps its namespaces alive."""
    box = _box(places, node)
    if running_pid(box.pid_file):
        return
    pid = child_of(spawn(box))
    write_pid(_first(places, node), pid)
    if places.layout.node_mode == "netns":
        _plug(places, node, pid)


def power_off(places: Places, node: str) -> bool:
    """Cut a node's power: every process on it is gone at once; tells whether it was on."""
    was_on = end(places.pid_file(f"node:{node}"), signal.SIGKILL)
    for rest in (_first(places, node), places.pid_file(f"slurmd:{node}"), places.pid_file(f"enter:{node}")):
        end(rest, signal.SIGKILL)
    if was_on and places.layout.node_mode == "netns":
        _ip("link", "delete", _cable(places, node), check=False)  # else the kernel removes it some time later
    return was_on


def is_on(places: Places, node: str) -> bool:
    """Whether the node has power."""
    return running_pid(_first(places, node)) is not None


def start_slurmd(places: Places, node: str, env: dict[str, str]) -> None:
    """Start slurmd on a node that has power, unless it runs. Raises LabError."""
    if running_pid(places.pid_file(f"slurmd:{node}")):
        return
    first = running_pid(_first(places, node))
    if first is None:
        raise LabError(f"Node {node} is off.", hint=f"python -m lab node {node} on")
    spaces = ["--mount", "--uts", "--pid"] + (["--net"] if places.layout.node_mode == "netns" else [])
    enter = Daemon(
        name=f"slurmd:{node}",
        argv=(
            program("nsenter"),
            "--target",
            str(first),
            *spaces,
            "--",
            places.layout.program("slurmd"),
            "-D",
            "-N",
            node,
            "-f",
            str(places.conf),
        ),
        pid_file=places.pid_file(f"enter:{node}"),
        log=places.log / f"slurmd-{node}.out",
        env=env,
    )
    end(enter.pid_file, signal.SIGKILL)
    write_pid(places.pid_file(f"slurmd:{node}"), child_of(spawn(enter)))


def cut(places: Places, node: str) -> None:
    """Unplug a node from the network; what runs on it goes on. Raises LabError unless the mode is netns."""
    _link(places, node, "down")


def heal(places: Places, node: str) -> None:
    """Plug a node in again. Raises LabError unless the mode is netns."""
    _link(places, node, "up")


def may_wire() -> bool:
    """Whether name spaces can be made here, with network devices in them."""
    inside = [program("ip"), "link", "add", "flprobe", "type", "bridge"]
    tried = subprocess.run([program("unshare"), "--net", "--", *inside], check=False, capture_output=True)
    return tried.returncode == 0


def make_bridge(places: Places) -> None:
    """The switch that joins the nodes and slurmctld."""
    if places.layout.node_mode != "netns":
        return
    shown = _ip("link", "show", places.bridge, check=False)
    if shown.returncode:
        _ip("link", "add", places.bridge, "type", "bridge")
        _ip("address", "add", f"{places.control_address}/24", "dev", places.bridge)
        _ip("link", "set", places.bridge, "up")


def remove_bridge(places: Places) -> None:
    """Take the switch away; the nodes' cables go with their power."""
    if places.layout.node_mode == "netns":
        _ip("link", "delete", places.bridge, check=False)


def _box(places: Places, node: str) -> Daemon:
    prefix = places.layout.prefix
    spaces = ["--mount", "--uts", "--pid"] + (["--net"] if places.layout.node_mode == "netns" else [])
    return Daemon(
        name=f"node:{node}",
        argv=(
            program("unshare"),
            *spaces,
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
            str(places.etc / "enter.sh"),
            str(places.etc / "hosts"),
            node,
            "keep",
        ),
        pid_file=places.pid_file(f"node:{node}"),
        log=places.log / f"node-{node}.out",
        env={"LAB_STEPD": str(prefix / "usr" / "sbin" / "slurmstepd")} if prefix else {},
    )


def _first(places: Places, node: str) -> Path:
    return places.pid_file(f"first:{node}")


def _cable(places: Places, node: str) -> str:
    """The machine's end of a node's cable; a device's name ends at 15 characters."""
    return f"fl{places.layout.tag}{places.number}n{1 + places.spec.nodes.index(node)}"


def _plug(places: Places, node: str, pid: int) -> None:
    cable = _cable(places, node)
    _ip("link", "delete", cable, check=False)
    _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    _ip("link", "set", cable, "master", places.bridge, "up")
    inside = [program("nsenter"), "--target", str(pid), "--net", "--", program("ip")]
    for words in (
        ("address", "add", f"{places.node_address(node)}/24", "dev", "eth0"),
        ("link", "set", "lo", "up"),
        ("link", "set", "eth0", "up"),
        ("route", "add", "default", "via", places.control_address),
    ):
        subprocess.run([*inside, *words], check=True, capture_output=True, env=clean_env({}))


def _link(places: Places, node: str, state: str) -> None:
    if places.layout.node_mode != "netns":
        raise LabError(f"{node} shares the machine's network.", hint="Start the lab with --node-mode netns.")
    _ip("link", "set", _cable(places, node), state)


def _ip(*words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program("ip"), *words], check=check, capture_output=True, env=clean_env({}))
