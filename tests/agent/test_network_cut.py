"""A node loses its network while a run trains on it: Slurm gives the job to another, and only that one may write."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from fucina.client.wire import RunInfo
from fucina.compute.lease import FOLDER, Turn
from fucina.compute.spec import JobState
from lab import Lab
from lab.daemons import start_ticks, wait_until
from lab.layout import ClusterSpec
from lab.machine import why_not
from tests.agent.slurm_world import World, new_folder, project_for
from tests.line.factory import tiny_project, wait_for
from tests.slurm.audit import HubTables, look

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
TRAINING = "400k"
LONG = "5M"
"""Tokens: on two processors minutes of training, longer than Slurm takes to give a silent node up."""


@pytest.fixture(scope="module")
def wired():
    """A lab of one site with two nodes that have network cables."""
    root = Path(tempfile.mkdtemp(prefix="fucina-cut-"))
    root.chmod(0o755)
    lab = Lab(root, clusters=(ClusterSpec(name="gamma", num_nodes=2, gpus_per_node=2),), node_mode="netns")
    try:
        if reason := why_not(lab.layout):
            pytest.skip(" ".join(reason).strip())
        yield lab.up()
    finally:
        lab.down(wipe=True)
        (root / "lock").unlink(missing_ok=True)
        root.rmdir()


@pytest.fixture
def world(wired):
    folder = new_folder()
    world = World(wired, folder)
    try:
        yield world
    finally:
        world.close()
        print(world.logs())  # noqa: T201 - shown when the test fails
        shutil.rmtree(folder, ignore_errors=True)


def start_run(world: World, site: str, folder: Path) -> str:
    project = tiny_project(folder, text=project_for(site).replace(TRAINING, LONG))
    return str(json.loads(world.cli("run", str(project), "--no-wait", "--format", "json"))["ref"])


def info(world: World, ref: str) -> RunInfo:
    with world.factory.hub() as hub:
        return hub.run(ref)


def trainers(folder: Path) -> dict[int, int]:
    """Processes that train in a folder, each with the tick of its start."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = os.path.realpath(process / "cwd") == str(folder)
        except OSError:
            continue
        if here and b"stage" in words and b"train" in words and (ticks := start_ticks(int(process.name))):
            found[int(process.name)] = ticks
    return found


def test_a_node_that_was_cut_off_trains_on_and_writes_no_more(world, tmp_path):
    gamma = world.lab.clusters["gamma"]
    world.factory.up()
    project = tiny_project(tmp_path / "apply")
    world.cli("organisation", "Officine Esempio")
    for _ in range(2):
        world.cli("apply", str(project), "--hours", "2")
    site = world.site_file("gamma")
    world.cli("site", "register", str(site))
    world.allocate("gamma", newest=1)
    world.cli("site", "map-user", "gamma", world.operator, "alice")
    world.share_key()
    world.start_agent("--site-file", str(site))
    here, there = start_run(world, "local", tmp_path / "here"), start_run(world, "gamma", tmp_path / "there")
    train = world.folder / "scratch-gamma" / "runs" / there / "train"
    lines, leases = train / "progress.ndjson", train / FOLDER
    first, second = Turn(1, 1), Turn(1, 2)
    wait_for(lambda: lines.is_file() and b'"loss"' in lines.read_bytes(), seconds=180)
    ((pid, ticks),) = trainers(train).items()
    node = gamma.run_as("root", ["squeue", "-h", "-t", "R", "-o", "%N"], check=True).stdout.split()[0]

    gamma.cut(node)

    wait_until(f"{node} given up", lambda: gamma.node_states().get(node, "").startswith("down"), within_s=120)
    before = lines.stat().st_size
    assert [Turn.parse(path.name) for path in leases.iterdir()] == [first], "nobody has taken over yet"
    wait_until("line of the node that was cut off", lambda: lines.stat().st_size > before, within_s=30)
    assert start_ticks(pid) == ticks, "the node that was cut off trains on"
    wait_until("start on the other node", lambda: (leases / second.name).exists(), within_s=180)
    wait_until("end of the old writer", lambda: start_ticks(pid) != ticks, within_s=60)
    assert gamma.node_states()[node].startswith("down"), "it ended by itself, still without its network"
    log = next(train.glob("job-*.log")).read_text()
    assert "This process is start 1 of generation 1; start 2 of generation 1 has taken over." in log
    gamma.heal(node)

    for ref in (there, here):
        done = world.factory.wait(ref, seconds=300)
        assert done.state is JobState.SUCCEEDED, [(str(j.stage), str(j.state), j.reason) for j in done.jobs]
        wait_for(lambda ref=ref: bool(info(world, ref).release), seconds=60)
    record = json.loads((train / "record.json").read_bytes())
    assert record["num_attempts"] == 2
    with world.factory.hub() as hub:
        digests = {hub.release(hub.run(ref).release).content_digest for ref in (here, there)}
    assert len(digests) == 1, "the release is the one of an undisturbed run"
    folder = tmp_path / "release"
    world.cli("release", there, "--to", str(folder))
    key = world.factory.home / "keys" / "factory.pub"
    assert json.loads(world.cli("verify", str(folder), "--key", str(key), "--format", "json"))["ok"]
    tables = HubTables(sqlite=world.factory.home / "hub.sqlite3")
    wait_for(lambda: not look(tables, [(gamma, "gamma", "1 = 1")]).faults, seconds=150)
    runs = look(tables, [(gamma, "gamma", "1 = 1")]).counts["gamma: runs in Slurm"]
    assert runs == 6, "five stages, one of which ran twice"
