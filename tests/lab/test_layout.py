"""What the lab refuses, in words; none of this needs Slurm."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import ClusterSpec, Lab, LabError
from lab.daemons import end, running_pid, start_ticks
from lab.layout import Layout, free_base, is_free, load, save
from lab.places import Places

CLUSTERS = (
    ClusterSpec(name="one", num_nodes=2, gpus_per_node=1),
    ClusterSpec(name="two", num_nodes=1, gpus_per_node=4),
)


def cli(*words):
    """`python -m lab` from the repository's root."""
    root = Path(__file__).parent.parent.parent
    return subprocess.run([sys.executable, "-m", "lab", *words], cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path):
    """A short path that everybody may enter."""
    folder = Path(f"/var/tmp/lab-{os.getpid()}-{tmp_path.name[-12:]}")  # noqa: S108
    folder.mkdir()
    yield folder
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


@pytest.mark.parametrize("name", ["", "Alpha", "a b", "a;b", "abcdefghijk", "é", "a1"])
def test_a_cluster_has_a_plain_name(name):
    with pytest.raises(LabError, match="no cluster name"):
        ClusterSpec(name=name, num_nodes=1, gpus_per_node=1)


@pytest.mark.parametrize(("nodes", "gpus"), [(0, 1), (201, 1), (1, 0), (1, 65), (-1, 4)])
def test_a_cluster_has_a_sensible_size(nodes, gpus):
    with pytest.raises(LabError, match="out of range"):
        ClusterSpec(name="alpha", num_nodes=nodes, gpus_per_node=gpus)


def test_no_two_daemons_share_a_port(root):
    layout = Layout(root=root, base_port=20_000, clusters=CLUSTERS)
    ports = [layout.base_port]
    for spec in CLUSTERS:
        places = Places(layout=layout, spec=spec)
        ports += [places.control_port, places.accounting_port, places.rest_port, places.ssh_port]
        ports += [places.node_port(node) for node in spec.nodes]

    assert sorted(ports) == list(range(20_000, 20_000 + layout.num_ports))


def test_a_free_block_is_free():
    base = free_base(16)

    assert all(is_free(base + offset) for offset in range(16))


def test_a_layout_survives_being_kept(root):
    layout = Layout(root=root, base_port=21_000, clusters=CLUSTERS, node_mode="netns", prefix=Path("/opt/slurm"))
    save(layout)

    assert load(root) == layout
    with pytest.raises(LabError, match="other clusters.*down --wipe"):
        Lab(root, clusters=CLUSTERS[:1])
    assert Lab(root).layout == layout


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"clusters": [{"name": "x"}]}', "null"])
def test_a_damaged_layout_is_named(root, text):
    (root / "lab.json").write_text(text, "utf-8")

    with pytest.raises(LabError, match="lab.json is damaged"):
        Lab(root)


def test_a_root_that_sockets_or_users_cannot_reach_is_refused(tmp_path):
    with pytest.raises(LabError, match="sockets below it allow"):
        Lab(Path("/var/tmp") / ("x" * 80))  # noqa: S108
    closed = Path(f"/var/tmp/closed-{os.getpid()}")  # noqa: S108
    closed.mkdir(mode=0o700)
    try:
        with pytest.raises(LabError, match="cannot enter .*closed"):
            Lab(closed / "lab")
    finally:
        closed.rmdir()


@pytest.mark.parametrize("port", [0, 80, 65_530, -4])
def test_a_port_base_out_of_range_is_refused(root, port):
    with pytest.raises(LabError, match="out of range"):
        Lab(root, base_port=port)


def test_two_clusters_of_one_name_and_unknown_things_are_refused(root):
    with pytest.raises(LabError, match="one name"):
        Lab(root, clusters=(CLUSTERS[0], CLUSTERS[0]))
    with pytest.raises(LabError, match="no node mode"):
        Lab(root, node_mode="docker")
    lab = Lab(root)
    for act in (lab.kill, lab.start):
        with pytest.raises(LabError, match="has no 'slurmctld'"):
            act("slurmctld")
    with pytest.raises(LabError, match="alpha has no 'slurmd:beta-1'"):
        lab.clusters["alpha"].kill("slurmd:beta-1")
    with pytest.raises(LabError, match="netns"):
        lab.clusters["alpha"].cut("alpha-1")


def test_a_pid_that_now_belongs_to_another_process_is_left_alone(tmp_path):
    stranger = tmp_path / "stranger.pid"
    stranger.write_text(f"{os.getpid()} {(start_ticks(os.getpid()) or 0) - 1}\n", "utf-8")

    assert running_pid(stranger) is None
    assert end(stranger) is False
    stranger.write_text("no number\n", "utf-8")
    assert running_pid(stranger) is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["status"], "down: munged"),
        (["env", "omega"], "There is no cluster 'omega'. There are: alpha, beta."),
        (["node", "omega-1", "off"], "There is no node 'omega-1'. There are: alpha-1"),
        (["up", "--cluster", "alpha:4"], "is not NAME:NODES:GPUS"),
        (["up", "--cluster", "alpha:x:4"], "is not NAME:NODES:GPUS"),
        (["up", "--ports", "1"], "Port base 1 is out of range"),
        (["node", "alpha-1", "cut"], "--node-mode netns"),
        (["up", "--slurm", "17.02"], "Slurm 17.02 is not known here. There is: 24.11."),
        (["unpack", "../../etc"], "is not known here"),
        (["node", "alpha-1", "explode"], "invalid choice"),
        (["down"], "0 processes ended"),
    ],
)
def test_the_command_says_what_is_wrong(root, words, says):
    done = cli("--root", str(root / "lab"), *words)

    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if words == ["down"] else done.returncode or 99)
    assert not (root / "lab").exists()


def test_env_is_made_for_a_shell(root):
    save(Layout(root=root, base_port=21_000, clusters=CLUSTERS))

    done = cli("--root", str(root), "env", "two")

    assert done.stdout == f"export SLURM_CONF='{root}/two/etc/slurm.conf'\n"
    assert json.loads((root / "lab.json").read_text("utf-8"))["base_port"] == 21_000
