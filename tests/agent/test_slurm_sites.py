"""Whole runs on real Slurm clusters, in site mode as a mapped user and in personal mode without privileges."""

import json
import shutil

import pytest
import yaml

from tests.agent.slurm_world import World, new_folder, project_for
from tests.compute.slurm.bench import ssh_access
from tests.line.factory import tiny_project, wait_for

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def world(slurm_lab):
    folder = new_folder()
    world = World(slurm_lab, folder)
    try:
        yield world
    finally:
        world.close()
        print(world.logs())  # noqa: T201 - shown when the test fails
        shutil.rmtree(folder, ignore_errors=True)


def sacct(world, cluster, user, run):
    """A run's jobs as Slurm accounts for them: comment, state, seconds, resources, account, user."""
    fields = "Comment,State,ElapsedRaw,AllocTRES,Account,User"
    argv = ["sacct", "-X", "-n", "-P", "-D", "-S", "now-1days", f"--format={fields}", f"--user={user}"]
    done = world.lab.clusters[cluster].run_as("root", argv)
    rows = [line.split("|") for line in done.stdout.splitlines()]
    return [row for row in rows if row[0].startswith(f"fucina:{run}.")]


def gpus(tres):
    return next((int(part.split("=")[1]) for part in tres.split(",") if part.startswith("gres/gpu=")), 0)


def start_run(world, site, folder):
    project = tiny_project(folder, text=project_for(site))
    return json.loads(world.cli("run", str(project), "--no-wait", "--format", "json"))["ref"]


def info(world, ref):
    with world.factory.hub() as hub:
        return hub.run(ref)


def used_gpu_s(world):
    with world.factory.hub() as hub:
        return hub.projects()[0].used_gpu_s, hub.projects()[0].held_gpu_s


def open_project(world, folder):
    """A hub with a granted project; returns its reference."""
    world.factory.up()
    project = tiny_project(folder)
    world.cli("organisation", "Officine Esempio")
    world.cli("apply", str(project), "--hours", "2")
    return json.loads(world.cli("projects", "--format", "json"))[0]["ref"]


def test_a_run_in_site_mode_as_the_mapped_user(world, tmp_path):
    open_project(world, tmp_path / "apply")
    site = world.site_file("alpha")
    world.cli("site", "register", str(site))
    world.allocate("alpha")
    world.cli("site", "map-user", "alpha", world.operator, "alice")
    world.share_key()
    world.start_agent("--site-file", str(site))
    ref = start_run(world, "alpha", tmp_path / "run")
    wait_for(lambda: info(world, ref).jobs[1].state == "running", seconds=240)
    world.kill_agent()
    world.start_agent("--site-file", str(site))
    wait_for(lambda: info(world, ref).release != "" or info(world, ref).state in ("failed", "cancelled"), seconds=400)
    done = info(world, ref)
    assert done.state == "succeeded", [(job.stage, job.state, job.reason) for job in done.jobs]
    assert not list((world.folder / "scratch-alpha").rglob(".signing.key"))
    rows = sacct(world, "alpha", "alice", ref)
    assert sorted(row[0] for row in rows) == sorted(f"fucina:{ref}.{job.stage}" for job in done.jobs)
    assert {row[1] for row in rows} == {"COMPLETED"}
    expected = sum(int(row[2]) * gpus(row[3]) for row in rows)
    assert expected > 0
    wait_for(lambda: used_gpu_s(world) == (expected, 0), seconds=150)
    report = json.loads(world.cli("site", "reconcile", str(site), "--dry-run", "--format", "json"))
    assert (report["steps"], report["problems"]) == ([], [])
    assert not [key for key in report["unknown_jobs"] if key.startswith(ref)], "another test's jobs are none of ours"
    assert {"projx", "projy"} & set(report["unknown_accounts"])


def test_a_run_in_personal_mode_without_privileges(world, tmp_path):
    project = open_project(world, tmp_path / "apply")
    site = world.site_file("beta", account="projx", owner="bob")
    home = world.home_for("bob")
    world.share_key("bob")
    words = ("--personal", "--site-file", str(site), "--project", project, "--hours", "1")
    world.start_agent(*words, user="bob", home=home)
    name = f"beta.{world.operator}"
    wait_for(lambda: (home / "sites" / name / "journal.db").exists(), seconds=60)
    ref = start_run(world, name, tmp_path / "run")
    wait_for(lambda: info(world, ref).jobs[0].state == "running", seconds=240)
    world.kill_agent()
    world.start_agent(*words, user="bob", home=home)
    wait_for(lambda: info(world, ref).release != "" or info(world, ref).state in ("failed", "cancelled"), seconds=400)
    done = info(world, ref)
    assert done.state == "succeeded", [(job.stage, job.state, job.reason) for job in done.jobs]
    rows = sacct(world, "beta", "bob", ref)
    assert {(row[4], row[5]) for row in rows} == {("projx", "bob")}
    assert len(rows) == 5
    expected = sum(int(row[2]) * gpus(row[3]) for row in rows)
    wait_for(lambda: used_gpu_s(world) == (expected, 0), seconds=150)


def test_a_whole_run_at_a_site_that_is_reached_by_ssh_alone(world, tmp_path):
    """The agent's folder and the site's are two trees; what a job needs and leaves travels over SSH."""
    project = open_project(world, tmp_path / "apply")
    beta = world.lab.clusters["beta"]
    access = ssh_access(beta, "bob").model_dump(mode="json")
    site = world.site_file("beta", account="projx", owner="bob", transport="ssh", ssh=access)
    world.share_key("bob")
    words = ("--personal", "--site-file", str(site), "--project", project, "--hours", "1")
    world.start_agent(*words)
    name = f"beta.{world.operator}"
    here = world.factory.home / "sites" / name
    wait_for(lambda: (here / "journal.db").exists(), seconds=60)
    ref = start_run(world, name, tmp_path / "run")
    wait_for(lambda: info(world, ref).jobs[1].state == "running", seconds=240)
    world.kill_agent()
    world.start_agent(*words)
    wait_for(lambda: info(world, ref).release != "" or info(world, ref).state in ("failed", "cancelled"), seconds=400)
    done = info(world, ref)
    assert done.state == "succeeded", [(job.stage, job.state, job.reason) for job in done.jobs]
    there = world.folder / "scratch-beta" / "runs" / ref
    assert there.owner() == "bob"
    assert (there / "train" / "out").is_dir() and not (here / "runs" / ref / "train" / "out").exists()
    folder = tmp_path / "release"
    world.cli("release", ref, "--to", str(folder))
    key = world.factory.home / "keys" / "factory.pub"
    assert json.loads(world.cli("verify", str(folder), "--key", str(key), "--format", "json"))["ok"]
    with world.factory.hub() as hub:
        lines = hub.progress(ref, "train").lines
    assert any("loss" in line.values for line in lines), "how the training went came over, too"
    rows = sacct(world, "beta", "bob", ref)
    expected = sum(int(row[2]) * gpus(row[3]) for row in rows)
    wait_for(lambda: used_gpu_s(world) == (expected, 0), seconds=150)


def test_a_command_of_ones_own_runs_as_the_mapped_user(world, tmp_path):
    project = open_project(world, tmp_path / "apply")
    site = world.site_file("alpha")
    world.cli("site", "register", str(site))
    world.allocate("alpha")
    world.cli("site", "map-user", "alpha", world.operator, "alice")
    world.share_key()
    world.start_agent("--site-file", str(site))
    words = ("--project", project, "--gpus", "2", "--time", "5m", "--format", "json")
    wait_for(lambda: world.factory.cli("submit", *words, "--dry-run", "--", "id", "-un").returncode == 0, seconds=60)
    job = json.loads(world.cli("submit", *words, "--", "id", "-un"))["ref"]

    def state():
        with world.factory.hub() as hub:
            return hub.job(job).state

    wait_for(lambda: state() in ("succeeded", "failed", "cancelled"), seconds=90)
    assert state() == "succeeded"
    assert "alice" in world.cli("logs", job)


def check(world, path, *words):
    done = world.factory.cli("site", "check", str(path), "--format", "json", *words)
    return done.returncode, {one["name"]: one for one in json.loads(done.stdout)}


def test_a_site_file_is_proved_on_the_cluster(world):
    code, found = check(world, world.site_file("alpha"), "--user", "alice", "--account", "projx")
    assert code == 0, [one for one in found.values() if one["outcome"] == "bad"]
    for name in ("commands", "cluster", "accelerators of gpu", "accounting", "account", "scratch", "job on gpu"):
        assert found[name]["outcome"] == "good", found[name]
    for name in ("scratch on gpu", "clock on gpu", "software on gpu", "devices on gpu"):
        assert found[name]["outcome"] == "good", found[name]
    assert not list((world.folder / "scratch-alpha").iterdir())


@pytest.mark.parametrize(
    ("slurm", "partition", "name", "said"),
    [
        ({"cluster": "gamma"}, {}, "cluster", "calls this cluster 'alpha'"),
        ({"conf": "/nowhere/slurm.conf"}, {}, "commands", "cannot be run"),
        ({}, {"slurm_name": "big"}, "partition gpu", "no partition 'big'"),
        ({}, {"gres_type": "a100"}, "accelerators of gpu", "promises 4 of type a100"),
        ({}, {"num_gpus_per_node": 8}, "accelerators of gpu", "Slurm counts 4 a node; the site file promises 8"),
        ({}, {"qos": "gold"}, "QOS of gpu", "may not use 'gold'"),
        ({"scratch": "/nowhere"}, {}, "scratch", "/nowhere is not there"),
        ({"programs": "/nowhere"}, {}, "software on gpu", "does not run there"),
        ({"account": "nothing"}, {}, "account", "no account 'nothing'"),
    ],
)
def test_what_is_wrong_with_a_site_file_is_said_in_words(world, slurm, partition, name, said):
    nowhere = f"{world.folder}/nowhere"
    slurm = {field: value.replace("/nowhere", nowhere) for field, value in slurm.items()}
    said = said.replace("/nowhere", nowhere)
    path = world.site_file("alpha", account="projx")
    data = yaml.safe_load(path.read_text())
    data["slurm"] |= slurm
    data["partitions"][0] |= partition
    path.write_text(yaml.safe_dump(data))
    code, found = check(world, path, "--user", "alice", "--wait", "30")
    assert code == 1
    assert said in found[name]["message"], found
    assert found[name]["hint"]
