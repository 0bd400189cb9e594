"""`python -m lab up|down|status|env|node`: the lab's commands."""

import argparse
import os
import sys
from pathlib import Path

from lab.layout import DEFAULT_ROOT, NODE_MODES, ClusterSpec, LabError
from lab.machine import Lab
from lab.newer import SUITES, unpack


def main(words: list[str]) -> int:
    """Run one command; returns its exit code."""
    arguments = _parser().parse_args(words)
    try:
        return _run(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="Real Slurm clusters on this machine, for tests."
    )
    parser.add_argument(
        "--root", type=Path, default=Path(os.environ.get("FUCINA_LAB") or DEFAULT_ROOT), help="folder of the lab"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start what does not run")
    up.add_argument("--ports", type=int, default=None, metavar="BASE", help="first port; free ones if not given")
    up.add_argument("--node-mode", choices=NODE_MODES, default=None, help="netns: each node has a network cable")
    up.add_argument("--cluster", action="append", type=_cluster, metavar="NAME:NODES:GPUS", help="alpha:4:4 beta:2:8")
    up.add_argument("--slurm", metavar="VERSION", help=f"a newer Slurm, unpacked below var: {', '.join(SUITES)}")
    commands.add_parser("unpack", help="fetch a newer Slurm without starting it").add_argument("version")
    down = commands.add_parser("down", help="end the lab's processes")
    down.add_argument("--wipe", action="store_true", help="remove state, logs and database too")
    commands.add_parser("status", help="show what runs")
    env = commands.add_parser("env", help="print exports for a shell: eval $(python -m lab env alpha)")
    env.add_argument("cluster")
    node = commands.add_parser("node", help="break or mend a node")
    node.add_argument("node", help="such as alpha-1")
    node.add_argument("verb", choices=("off", "on", "kill", "start", "cut", "heal"), help="kill and start mean slurmd")
    return parser


def _cluster(text: str) -> ClusterSpec:
    try:
        name, num_nodes, gpus = text.split(":")
        return ClusterSpec(name=name, num_nodes=int(num_nodes), gpus_per_node=int(gpus))
    except (ValueError, LabError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:NODES:GPUS ({error})") from error


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "up":
        clusters = tuple(arguments.cluster) if arguments.cluster else None
        prefix = _unpacked(arguments.slurm) if arguments.slurm else None
        lab = Lab(
            arguments.root, base_port=arguments.ports, clusters=clusters, node_mode=arguments.node_mode, prefix=prefix
        )
        return _status(lab.up())
    if arguments.command == "unpack":
        print(f"Slurm {arguments.version} lies in {_unpacked(arguments.version)}.")
        return 0
    lab = Lab(arguments.root)
    if arguments.command == "down":
        print(f"{lab.down(wipe=arguments.wipe)} processes ended in {lab.root}.")
        return 0
    if arguments.command == "status":
        return _status(lab)
    if arguments.command == "env":
        _env(lab, arguments.cluster)
        return 0
    return _node(lab, arguments.node, arguments.verb)


def _unpacked(version: str) -> Path:
    return unpack(version, DEFAULT_ROOT.parent.resolve() / f"slurm-{version}")


def _status(lab: Lab) -> int:
    for cluster in lab.clusters.values():
        dead = [name for name in cluster.daemons() if not cluster.alive(name)]
        state = f"down: {', '.join(dead)}" if dead else "up"
        print(f"{cluster.name}: {state}; {cluster.conf}; REST {cluster.rest_url}; ssh -p {cluster.ssh_port} 127.0.0.1")
    return 0 if lab.is_up() else 3


def _env(lab: Lab, name: str) -> None:
    if name not in lab.clusters:
        raise LabError(f"There is no cluster {name!r}.", hint=f"There are: {', '.join(lab.clusters)}.")
    print(f"export SLURM_CONF='{lab.clusters[name].conf}'")


def _node(lab: Lab, node: str, verb: str) -> int:
    cluster = next((cluster for cluster in lab.clusters.values() if node in cluster.nodes), None)
    if cluster is None:
        known = ", ".join(node for cluster in lab.clusters.values() for node in cluster.nodes)
        raise LabError(f"There is no node {node!r}.", hint=f"There are: {known}.")
    match verb:
        case "off":
            cluster.node_off(node)
        case "on":
            cluster.node_on(node)
        case "kill":
            cluster.kill(f"slurmd:{node}")
        case "start":
            cluster.start(f"slurmd:{node}")
        case "cut":
            cluster.cut(node)
        case "heal":
            cluster.heal(node)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
