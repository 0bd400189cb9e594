"""One project on the hub's own machine, on a cluster in site mode and on one in personal mode: the same release."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from fucina.client.wire import ReleaseInfo, RunInfo
from fucina.compute.spec import JobState
from tests.agent.slurm_world import World, new_folder, project_for
from tests.line.factory import tiny_project, wait_for
from tests.slurm.audit import HubTables, look

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
HOURS = "2"
TRAINING = "400k"
LONGER = "2M"
"""Tokens, so that there is time to kill everything while both clusters train."""


class Place(NamedTuple):
    """Where a run of the project goes."""

    cluster: str
    site: str
    user: str
    account: str
    """Condition on slurmdbd's rows."""


class Acceptance:
    """The demo project's three runs, and what is killed meanwhile."""

    def __init__(self, lab, folder: Path, projects: Path) -> None:
        self.world = World(lab, folder)
        self.projects = projects
        self.project = ""
        self.began_at = int(time.time())
        self.places: tuple[Place, ...] = ()

    def open(self) -> None:
        """A project with time on the hub's own machine and on both clusters, an agent at each."""
        world = self.world
        world.factory.up()
        project = tiny_project(self.projects / "apply")
        world.cli("organisation", "Officine Esempio")
        for _ in range(2):
            world.cli("apply", str(project), "--hours", HOURS)
        self.project = json.loads(world.cli("projects", "--format", "json"))[0]["ref"]
        self.alpha = world.site_file("alpha")
        self.beta = world.site_file("beta", account="projx", owner="bob")
        world.cli("site", "register", str(self.alpha))
        world.allocate("alpha", newest=1)
        world.cli("site", "map-user", "alpha", world.operator, "alice")
        world.share_key()
        shutil.chown(world.folder / "site.key", "bob", "bob")
        self.home = world.home_for("bob")
        self.start_agents()
        tables = HubTables(sqlite=world.factory.home / "hub.sqlite3")
        personal = f"beta.{world.operator}"
        account = "SELECT a.slurm_account FROM accounting_allocation a JOIN network_site s ON s.id = a.site_id"
        mine = tables.rows(f"{account} WHERE s.name = 'alpha'")[0][0]
        wait_for(lambda: bool(tables.rows(f"{account} WHERE s.name = '{personal}'")), seconds=60)
        self.places = (
            Place("alpha", "alpha", "alice", f"account = '{mine}'"),
            Place("beta", personal, "bob", "account = 'projx' AND derived_es LIKE 'fucina:%'"),
        )

    def start_agents(self) -> None:
        world = self.world
        world.start_agent("--site-file", str(self.alpha))
        words = ("--personal", "--site-file", str(self.beta), "--project", self.project, "--hours", HOURS)
        world.start_agent(*words, user="bob", home=self.home)

    def start(self, site: str) -> str:
        text = project_for(site).replace(TRAINING, LONGER)
        project = tiny_project(self.projects / site, text=text)
        return json.loads(self.world.cli("run", str(project), "--no-wait", "--format", "json"))["ref"]

    def run_info(self, ref: str) -> RunInfo:
        with self.world.factory.hub() as hub:
            return hub.run(ref)

    def trains(self, place: Place, ref: str) -> bool:
        """Whether the run trains at this place."""
        lines = self.world.folder / f"scratch-{place.cluster}" / "runs" / ref / "train" / "progress.ndjson"
        return lines.is_file() and b'"loss"' in lines.read_bytes()

    def save(self, place: Place) -> None:
        """Have a controller write down what it knows: one killed before would forget which job its node runs."""
        cluster = self.world.lab.clusters[place.cluster]
        since = time.time()
        job = cluster.run_as("root", ["squeue", "-h", "-t", "R", "-o", "%A"], check=True).stdout.split()[0]
        cluster.run_as("root", ["scontrol", "update", f"jobid={job}", "admincomment=seen"], check=True)
        wait_for(lambda: (cluster.places.state / "job_state").stat().st_mtime > since, seconds=60)

    def kill_everything(self) -> None:
        """kill -9 of both agents, of hub, worker and supervisor, of both controllers and both accounting daemons."""
        world = self.world
        for agent in world.agents:
            agent.send_signal(signal.SIGKILL)
            agent.wait(timeout=30)
        victims = [pid for name in ("hub", "worker", "agent") if (pid := world.factory.part(name))]
        assert len(victims) == 3
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        world.factory.down(signal.SIGKILL)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in victims), seconds=60)
        clusters = [world.lab.clusters[place.cluster] for place in self.places]
        for cluster in clusters:
            for daemon in ("slurmctld", "slurmdbd"):
                assert cluster.kill(daemon), f"{daemon} of {cluster.name} did not run"
        for cluster in clusters:
            # A controller that has never saved its associations does not start without its accounting.
            cluster.start("slurmdbd")
            ask = ["sacctmgr", "-nP", "show", "cluster"]
            wait_for(lambda cluster=cluster, ask=ask: cluster.run_as("root", ask).returncode == 0, seconds=60)
            cluster.start("slurmctld")
        world.factory.up()
        self.start_agents()

    def released(self, ref: str) -> tuple[RunInfo, ReleaseInfo]:
        run = self.world.factory.wait(ref, seconds=240)
        assert run.state is JobState.SUCCEEDED, [(str(j.stage), str(j.state), j.reason) for j in run.jobs]
        wait_for(lambda: bool(self.run_info(ref).release), seconds=60)
        with self.world.factory.hub() as hub:
            return hub.run(ref), hub.release(hub.run(ref).release)

    def verified(self, ref: str) -> dict:
        """What `fucina verify` says of the downloaded release of a run."""
        folder = self.projects / f"release-{ref}"
        self.world.cli("release", ref, "--to", str(folder))
        key = self.world.factory.home / "keys" / "factory.pub"
        return json.loads(self.world.cli("verify", str(folder), "--key", str(key), "--format", "json"))

    def data_digests(self, release: ReleaseInfo) -> dict[str, str]:
        """Digests of a release's data and model files; the others name their run, site and day."""
        return {file.path: file.sha256 for file in release.files if file.path.startswith(("data/", "model/"))}

    def sacct_gpu_s(self, place: Place, ref: str) -> dict[str, int]:
        """GPU-seconds of a run's stages as `sacct` adds them up, every start of a job counted."""
        fields = "Comment,ElapsedRaw,AllocTRES,State"
        argv = ["sacct", "-X", "-n", "-P", "-D", "-S", "now-1days", f"--format={fields}", f"--user={place.user}"]
        found: dict[str, int] = {}
        for line in self.world.lab.clusters[place.cluster].run_as("root", argv, check=True).stdout.splitlines():
            if line.startswith(f"fucina:{ref}."):
                comment, elapsed, tres, state = line.split("|")
                assert state == "COMPLETED", line
                counts = dict(part.split("=") for part in tres.split(",") if "=" in part)
                stage = comment.rpartition(".")[2]
                found[stage] = found.get(stage, 0) + int(elapsed) * int(counts.get("gres/gpu", 0))
        return found


@pytest.fixture
def acceptance(slurm_lab, tmp_path):
    folder = new_folder()
    try:
        made = Acceptance(slurm_lab, folder, tmp_path)
        try:
            yield made
        finally:
            for cluster, user in (("alpha", "alice"), ("beta", "bob")):
                slurm_lab.clusters[cluster].run_as("root", ["scancel", f"--user={user}"])
            made.world.close()
            print(made.world.logs())  # noqa: T201 - shown when the test fails
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_same_release_here_and_on_both_clusters_whatever_is_killed(acceptance):
    acceptance.open()
    here = acceptance.start("local")
    there = {place: acceptance.start(place.site) for place in acceptance.places}
    wait_for(lambda: all(acceptance.trains(place, ref) for place, ref in there.items()), seconds=150)
    for place in acceptance.places:
        acceptance.save(place)

    acceptance.kill_everything()

    local_run, local = acceptance.released(here)
    releases = {place: acceptance.released(ref) for place, ref in there.items()}
    for place, (run, release) in releases.items():
        assert run.site == place.site
        assert acceptance.data_digests(release) == acceptance.data_digests(local)
        assert release.content_digest == local.content_digest
    for run, release in ((local_run, local), *releases.values()):
        report = acceptance.verified(run.ref)
        assert (report["ok"], report["is_signed"], report["findings"]) == (True, True, [])
        assert report["content_digest"] == release.content_digest

    tables = HubTables(sqlite=acceptance.world.factory.home / "hub.sqlite3")
    places = [
        (
            acceptance.world.lab.clusters[place.cluster],
            place.site,
            f"time_submit >= {acceptance.began_at} AND {place.account}",
        )
        for place in acceptance.places
    ]
    wait_for(lambda: not look(tables, places).faults, seconds=120)
    for place, (run, _) in releases.items():
        charged = {job.stage: job.gpu_s for job in acceptance.run_info(run.ref).jobs}
        assert charged == acceptance.sacct_gpu_s(place, run.ref)
        assert sum(charged.values()) > 0
