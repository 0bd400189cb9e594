"""Writes one cluster's configuration: Slurm, its accounting, GPUs, host names, the login node, keys."""

import os
import secrets
import stat
import subprocess
from importlib.resources import files
from pathlib import Path
from string import Template

from lab import people
from lab.daemons import SEARCH_PATH
from lab.layout import program
from lab.places import Places

NODE_TIMEOUT_S = 15
"""Ten gave nodes falsely down on a busy machine."""
CPUS_PER_GPU = 4
MEMORY_PER_GPU_MB = 16_000
NVIDIA_MAJOR = 195


def write_all(places: Places, *, database_password: str) -> None:
    """Write what the daemons read; keys are made once and kept."""
    for folder in (places.home, places.etc, places.run, places.log):
        people.folder(folder)
    people.folder(places.state, "slurm", 0o700)
    people.folder(places.spool)
    people.own(places.log, "slurm", 0o755)
    _keys(places)
    values = _values(places) | {"database_password": database_password}
    _write(places.conf, _render("slurm.conf.in", values))
    people.own(_write(places.etc / "slurmdbd.conf", _render("slurmdbd.conf.in", values), mode=0o600), "slurm", 0o600)
    _write(places.etc / "gres.conf", _gres(places))
    _write(places.etc / "hosts", _hosts(places))
    _write(places.etc / "sshd_config", _render("sshd_config.in", values))
    _write(places.etc / "enter.sh", _render("enter.sh"), mode=0o755)


def _render(name: str, values: dict[str, str] | None = None) -> str:
    text = files("lab").joinpath("templates", name).read_text("utf-8")
    return text if values is None else Template(text).substitute(values)


def _write(path: Path, text: str, *, mode: int = 0o644) -> Path:
    """Replace a file; it never exists with a wider mode than `mode`."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
    part.chmod(mode)
    return part.replace(path)


def _values(places: Places) -> dict[str, str]:
    prefix = places.layout.prefix
    plugins = f"PluginDir={next(prefix.glob('usr/lib/*/slurm-wlm'))}" if prefix else ""
    path = f"{prefix}/usr/bin:{SEARCH_PATH}" if prefix else SEARCH_PATH
    return {
        "name": places.spec.name,
        "etc": str(places.etc),
        "run": str(places.run),
        "log": str(places.log),
        "state": str(places.state),
        "spool": str(places.spool),
        "control_address": places.control_address,
        "control_port": str(places.control_port),
        "accounting_port": str(places.accounting_port),
        "ssh_port": str(places.ssh_port),
        "database_port": str(places.layout.base_port),
        "node_timeout_s": str(NODE_TIMEOUT_S),
        "plugin_line": plugins,
        "user_path": path,
        "ssh_users": " ".join((*people.PEOPLE, people.SERVICE)),
        "node_lines": "\n".join(_node_line(places, node) for node in places.spec.nodes),
    }


def _node_line(places: Places, node: str) -> str:
    gpus = places.spec.gpus_per_node
    return (
        f"NodeName={node} NodeAddr={places.node_address(node)} Port={places.node_port(node)} "
        f"CPUs={gpus * CPUS_PER_GPU} RealMemory={gpus * MEMORY_PER_GPU_MB} Gres=gpu:h200:{gpus} State=UNKNOWN"
    )


def _gres(places: Places) -> str:
    """GPUs as device files: Slurm only counts and hands them out."""
    lines = ["AutoDetect=off"]
    for node in places.spec.nodes:
        folder = people.folder(places.home / "dev" / node)
        for number in range(places.spec.gpus_per_node):
            device = folder / f"nvidia{number}"
            if not device.exists():
                os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(NVIDIA_MAJOR, number))
        last = places.spec.gpus_per_node - 1
        names = f"nvidia[0-{last}]" if last else "nvidia0"
        lines.append(f"NodeName={node} Name=gpu Type=h200 File={folder}/{names}")
    return "\n".join(lines) + "\n"


def _hosts(places: Places) -> str:
    """The machine's names plus the site's; slurmctld, nodes and login node see it in place of /etc/hosts."""
    name = places.spec.name
    lines = [Path("/etc/hosts").read_text("utf-8").rstrip(), f"{places.control_address} {name}-ctl {name}-login"]
    lines += [f"{places.node_address(node)} {node}" for node in places.spec.nodes]
    return "\n".join(lines) + "\n"


def _keys(places: Places) -> None:
    """munge's key, the key that signs tokens, the login node's key and the key that it lets in."""
    for name, user in (("munge.key", "munge"), ("jwt.key", "slurm")):
        path = places.etc / name
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(128 if user == "munge" else 32))
        people.own(path, user, 0o600)
    for name in ("ssh_host_ed25519", "id_ed25519"):
        if not (places.etc / name).exists():
            make = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", f"{places.spec.name} {name}"]
            subprocess.run([*make, "-f", str(places.etc / name)], check=True, capture_output=True)
    public = (places.etc / "id_ed25519.pub").read_text("utf-8")
    keys = people.folder(places.etc / "authorized_keys")
    for user in (*people.PEOPLE, people.SERVICE):
        _write(keys / user, public)
    host = " ".join((places.etc / "ssh_host_ed25519.pub").read_text("utf-8").split()[:2])
    _write(places.etc / "known_hosts", f"[127.0.0.1]:{places.ssh_port} {host}\n")
