"""A real hub and both real clusters, jobs of every kind, and a hand that kills one part after the other."""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import yaml

from fucina.client.hub import Hub
from fucina.compute.spec import FINAL
from fucina.errors import Unavailable
from lab import Cluster, Lab
from tests.agent.slurm_world import World, project_for
from tests.line.factory import tiny_project, wait_for
from tests.slurm.audit import Audit, HubTables, look
from tests.slurm.workload import FOREIGN, Planned, plan

T = TypeVar("T")
HOURS = "400"
OUTAGE_S = 5.0
"""Longest time that a killed part stays away when nothing else moves on meanwhile."""
REPAIR_EVERY_S = 30.0
"""Between two looks of the operator for runs that nobody will end."""


class Chaos:
    """One run of it. `seed` fixes what is submitted and killed; when exactly is up to the machine.

    A controller that is killed forgets the jobs of its last moments, and it takes minutes until they are submitted
    again; `gently` gives it the time to save its state first.
    """

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        *,
        num_jobs: int,
        seed: int,
        postgres: str = "",
        line: bool = False,
        gently: bool = False,
    ) -> None:
        self._rng, self._num_jobs, self._line = random.Random(seed), num_jobs, line  # noqa: S311 - not a secret
        self._gently = gently
        self._alpha, self._beta = lab.clusters["alpha"], lab.clusters["beta"]
        self.world = World(lab, folder)
        self.world.factory.environment["OMP_NUM_THREADS"] = "1"
        if postgres:
            self.world.factory.environment["FUCINA_DATABASE_URL"] = postgres
        sqlite = None if postgres else self.world.factory.home / "hub.sqlite3"
        self.tables = HubTables(sqlite=sqlite, postgres=postgres)
        self.killed: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.lost_runs = 0
        self._began_at = int(time.time())
        self._project = self._account = ""
        self._num_submitted = self._num_foreign = 0
        self._due = 0.0
        """How many jobs are submitted before the next part is killed."""
        self._all_submitted = threading.Event()
        self._trouble: list[BaseException] = []
        self._agents: dict[str, Callable[[], object]] = {}

    # -- before

    def open(self, folder: Path) -> None:
        """The hub, a granted project with time on both clusters, and an agent on each."""
        world = self.world
        world.factory.up()
        project = tiny_project(folder)
        world.cli("organisation", "Officine Esempio")
        world.cli("apply", str(project), "--hours", HOURS)
        self._project = json.loads(world.cli("projects", "--format", "json"))[0]["ref"]
        alpha = self._site_file("alpha")
        beta = self._site_file("beta", account="projx", owner="bob")
        world.cli("site", "register", str(alpha))
        world.allocate("alpha")
        world.cli("site", "map-user", "alpha", world.operator, "alice")
        world.share_key("bob")
        home = world.home_for("bob")
        words = ("--personal", "--site-file", str(beta), "--project", self._project, "--hours", HOURS)
        self._agents = {
            "alpha": lambda: world.start_agent("--site-file", str(alpha)),
            "beta": lambda: world.start_agent(*words, user="bob", home=home),
        }
        self._running = {name: start() for name, start in self._agents.items()}
        self._places = ("alpha", f"beta.{world.operator}")
        wait_for(lambda: self._sites_with_time() == set(self._places), seconds=120)
        account = "SELECT a.slurm_account FROM accounting_allocation a JOIN network_site s ON s.id = a.site_id"
        self._account = self.tables.rows(f"{account} WHERE s.name = 'alpha'")[0][0]
        wait_for(self._account_is_there, seconds=120)

    def _site_file(self, cluster: str, **about: str) -> Path:
        """Site file on which people may run a shell."""
        path = self.world.site_file(cluster, **about)
        described = yaml.safe_load(path.read_text()) | {"user_commands": ["bash"]}
        path.write_text(yaml.safe_dump(described, sort_keys=False))
        return path

    def _sites_with_time(self) -> set[str]:
        rows = self.tables.rows(
            "SELECT s.name FROM accounting_allocation a JOIN network_site s ON s.id = a.site_id "
            "JOIN network_agent g ON g.site_id = s.id WHERE g.last_seen_at IS NOT NULL"
        )
        return {row[0] for row in rows}

    def _account_is_there(self) -> bool:
        argv = ["sacctmgr", "-nP", "show", "assoc", "where", f"account={self._account}", "user=alice", "format=user"]
        return "alice" in self._alpha.run_as("root", argv).stdout

    # -- meanwhile

    def run(self, folder: Path) -> None:
        """Submit, cancel and kill, until everything has been submitted and nothing more will be killed."""
        parts = (self._submit_all, self._submit_foreign, self._kill_parts, lambda: self._runs(folder))
        threads = [threading.Thread(target=self._guarded, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._trouble:
            raise self._trouble[0]

    def _guarded(self, part: Callable[[], None]) -> None:
        try:
            part()
        except BaseException as error:
            self._trouble.append(error)
            self._all_submitted.set()

    def _submit_all(self) -> None:
        planned = list(plan(self._rng, project=self._project, places=self._places, num_jobs=self._num_jobs))
        to_cancel: list[str] = []
        with self.world.factory.hub() as hub:
            for one in planned:
                wait_for(lambda: bool(self._trouble) or self._num_submitted < self._due, seconds=900)
                ref = self._insist(lambda one=one: hub.submit_job(one.request).ref)
                self._count(one)
                if one.kind == "cancelled":
                    to_cancel.append(ref)
                if to_cancel and self._rng.random() < 0.1:
                    self._cancel(hub, to_cancel.pop(self._rng.randrange(len(to_cancel))))
            self._all_submitted.set()
            for ref in to_cancel:
                self._cancel(hub, ref)

    def _count(self, one: Planned) -> None:
        self._num_submitted += one.num_jobs
        self.kinds[one.kind] += one.num_jobs

    def _cancel(self, hub: Hub, ref: str) -> None:
        self._insist(lambda: hub.cancel_job(ref))

    def _insist(self, call: Callable[[], T]) -> T:
        """Through any absence of the hub; the idempotency key makes a repetition harmless."""
        found: list[T] = []

        def tried() -> bool:
            try:
                found.append(call())
            except Unavailable:
                return False
            return True

        wait_for(tried, seconds=180)
        return found[0]

    def _runs(self, folder: Path) -> None:
        """Runs of the line, whose five jobs wait for each other: one is cancelled under way, one may finish."""
        cancelled = self._start_run(folder / "cancelled", "alpha")
        finished = [self._start_run(folder / "finished", self._places[1])] if self._line else []
        with self.world.factory.hub() as hub:
            in_slurm = ("running", "succeeded")
            wait_for(
                lambda: self._insist(lambda: hub.run(cancelled).jobs[0].state) in in_slurm or bool(self._trouble),
                seconds=400,
            )
            self._insist(lambda: hub.cancel(cancelled))
            for ref in finished:
                wait_for(lambda ref=ref: self._insist(lambda: hub.run(ref).ended_at) is not None, seconds=1500)
                self.kinds[f"run that {hub.run(ref).state}"] += len(hub.run(ref).jobs)
        self.kinds["run that was cancelled"] += 5

    def _start_run(self, folder: Path, site: str) -> str:
        project = tiny_project(folder, text=project_for(site))
        done = []

        def started() -> bool:
            tried = self.world.factory.cli("run", str(project), "--no-wait", "--format", "json")
            done.append(tried)
            return tried.returncode == 0

        wait_for(started, seconds=180)
        return str(json.loads(done[-1].stdout)["ref"])

    def _submit_foreign(self) -> None:
        """People submit past the hub: on the project's account at one site, on their own at the other."""
        rng = random.Random(self._rng.random())  # noqa: S311 - not a secret
        for number in range(max(8, self._num_jobs // 25)):
            wait_for(
                lambda number=number: self._all_submitted.is_set() or self._num_submitted >= number * 20, seconds=600
            )
            kind = rng.choice(list(FOREIGN))
            before = self._sbatch(self._alpha, "alice", self._account, *FOREIGN[kind])
            if kind == "held":
                self._until_done(self._alpha, ["scancel", before], user="alice")
            else:
                self._sbatch(self._alpha, "alice", self._account, f"--dependency=afterok:{before}", "--gpus=1")
            if number % 4 == 0:
                self._sbatch(self._beta, "bob", "projx", "--gpus=1")

    def _sbatch(self, cluster: Cluster, user: str, account: str, *options: str) -> str:
        argv = ["sbatch", "--parsable", f"--account={account}", "--time=2", "--mem=100", "--output=/dev/null", *options]
        answer = self._until_done(cluster, [*argv, "--kill-on-invalid-dep=yes", "--wrap=exit 0"], user=user)
        self._num_foreign += 1
        return answer.strip().partition(";")[0]

    @staticmethod
    def _until_done(cluster: Cluster, argv: list[str], *, user: str) -> str:
        answers: list[str] = []

        def tried() -> bool:
            done = cluster.run_as(user, argv)
            answers.append(done.stdout + done.stderr)
            # A controller that was killed may have forgotten the job before or the one to wait for.
            return done.returncode == 0 or "Invalid job" in done.stderr or "dependency problem" in done.stderr

        wait_for(tried, seconds=120)
        return answers[-1]

    # -- kills

    def _kill_parts(self) -> None:
        """One part after the other, evenly over the submissions, every kind at least once."""
        rng = random.Random(self._rng.random())  # noqa: S311 - not a secret
        kills = self._kills()
        names = list(kills)
        rng.shuffle(names)
        names += rng.choices(list(kills), k=max(0, self._num_jobs // 80 - len(names)))
        for position, name in enumerate(names):
            self._due = self._num_jobs * (position + 1) / (len(names) + 1)
            wait_for(lambda: bool(self._trouble) or self._num_submitted >= self._due, seconds=900)
            # What is submitted meanwhile is submitted while the part is away.
            self._due = self._num_jobs * (position + 2) / (len(names) + 1)
            kills[name]()
            self.killed[name] += 1
            self._resume_nodes()
        self._due = float("inf")

    def _progress(self) -> int:
        return self._num_submitted + self.tables.num_final()

    def _away(self) -> None:
        """Until some more has happened without the killed part, or for a short while."""
        before, tick = self._progress(), threading.Event()
        until = time.monotonic() + OUTAGE_S
        while time.monotonic() < until and self._progress() < before + 40:
            tick.wait(0.2)

    def _kills(self) -> dict[str, Callable[[], None]]:
        kills: dict[str, Callable[[], None]] = {
            "hub": self._kill_hub,
            "whole factory": self._kill_factory,
        }
        for cluster in (self._alpha, self._beta):
            kills[f"agent of {cluster.name}"] = lambda name=cluster.name: self._kill_agent(name)
            for daemon in ("slurmctld", "slurmdbd"):
                kills[f"{daemon} of {cluster.name}"] = lambda c=cluster, d=daemon: self._kill_daemon(c, d)
            kills[f"node of {cluster.name}"] = lambda c=cluster: self._node_off(c)
        return kills

    def _kill_agent(self, name: str) -> None:
        agent = self._running[name]
        agent.send_signal(signal.SIGKILL)
        agent.wait(timeout=60)
        self._away()
        self._running[name] = self._agents[name]()

    def _kill_hub(self) -> None:
        pid = self.world.factory.part("hub")
        if pid:
            os.kill(pid, signal.SIGKILL)
        self._hub_answers()

    def _kill_factory(self) -> None:
        self.world.factory.down(signal.SIGKILL)
        self.world.factory.up()
        self._hub_answers()

    def _hub_answers(self) -> None:
        with self.world.factory.hub() as hub:
            wait_for(hub.health, seconds=120)

    def _kill_daemon(self, cluster: Cluster, daemon: str) -> None:
        number = signal.SIGTERM if self._gently and daemon == "slurmctld" else signal.SIGKILL
        assert cluster.kill(daemon, number), f"{daemon} of {cluster.name} did not run"
        self._away()
        cluster.start(daemon)

    def _node_off(self, cluster: Cluster) -> None:
        node = cluster.nodes[-1]
        cluster.node_off(node)
        wait_for(lambda: cluster.node_states().get(node, "").endswith(("down", "*")), seconds=120)
        cluster.node_on(node)

    def _resume_nodes(self) -> None:
        """What an operator does: Slurm drains a node that still has a job whose id was given again, and holds jobs back
        that it could not start."""
        for cluster in (self._alpha, self._beta):
            shown = cluster.run_as("root", ["sinfo", "-h", "-N", "-o", "%N|%T|%E"]).stdout.splitlines()
            for name, state, why in {tuple(line.split("|", 2)) for line in shown if line.count("|") >= 2}:
                if state.startswith("drain") and "Duplicate jobid" in why:
                    cluster.run_as("root", ["scontrol", "update", f"nodename={name}", "state=resume"])
                    self.killed["node resumed by the operator"] += 1
            held = cluster.run_as("root", ["squeue", "-h", "-r", "-t", "PD", "-o", "%i|%r"]).stdout.splitlines()
            for name, why in {tuple(line.split("|", 1)) for line in held if "|" in line}:
                if why == "launch failed requeued held":
                    cluster.run_as("root", ["scontrol", "release", name])
                    self.killed["job released by the operator"] += 1

    def _close_lost_runs(self) -> None:
        """What an operator does: close the runs in slurmdbd that a killed slurmctld has lost and will never end."""
        for cluster in (self._alpha, self._beta):
            count = f"SELECT count(*) FROM {cluster.name}_job_table WHERE time_end = 0 AND deleted = 0"  # noqa: S608 - the lab's own name
            before = int(cluster.sql(count)[0][0])
            if before:
                cluster.run_as("root", ["sacctmgr", "-i", "-n", "-P", "show", "runawayjobs", "format=id,state"])
                self.lost_runs += before - int(cluster.sql(count)[0][0])

    # -- afterwards

    def settle(self, *, seconds: float) -> Audit:
        """Wait until all is quiet, and compare; differences that stay are in the answer."""
        self._resume_nodes()
        for cluster in (self._alpha, self._beta):
            cluster.wait_ready(within_s=120)
        tick, until, audit = threading.Event(), time.monotonic() + seconds, Audit()
        next_repair = time.monotonic() + REPAIR_EVERY_S
        while time.monotonic() < until:
            audit = self._look()
            if not audit.faults:
                break
            self._resume_nodes()
            if time.monotonic() >= next_repair:
                next_repair = time.monotonic() + REPAIR_EVERY_S
                if not self._num_open():
                    self._close_lost_runs()
            tick.wait(1.0)
        return audit

    def _num_open(self) -> int:
        """Jobs of the hub that have not ended."""
        return int(
            self.tables.rows(f"SELECT count(*) FROM compute_job WHERE state NOT IN {tuple(map(str, FINAL))}")[0][0]  # noqa: S608
        )

    def _look(self) -> Audit:
        left = self._num_open()
        since = f"time_submit >= {self._began_at}"
        # In personal mode what carries no key is not the hub's business; Slurm writes the comment at the end.
        ours = "(time_end = 0 OR derived_es LIKE 'fucina:%')"
        places = (
            (self._alpha, self._places[0], f"{since} AND {_charged(self._alpha, self._account)}"),
            (self._beta, self._places[1], f"{since} AND {_charged(self._beta, 'projx')} AND {ours}"),
        )
        audit = look(self.tables, places)
        audit.expect(left == 0, f"{left} jobs of the hub have not ended")
        audit.counts["submitted past the hub"] = self._num_foreign
        audit.counts["runs lost by a controller and closed by the operator"] = self.lost_runs
        return audit

    def report(self, audit: Audit) -> str:
        """The numbers, in lines."""
        lines = [f"{name}: {count}" for name, count in audit.counts.items()]
        lines.append("kinds: " + ", ".join(f"{num} {kind}" for kind, num in sorted(self.kinds.items())))
        lines.append("killed: " + ", ".join(f"{name} {num}" for name, num in sorted(self.killed.items())))
        lines += [f"DIFFERENCE {fault}" for fault in audit.faults[:40]]
        return "\n".join(lines)

    def close(self) -> None:
        """End what runs, on the clusters too."""
        for cluster, user in ((self._alpha, "alice"), (self._beta, "bob")):
            cluster.run_as("root", ["scancel", f"--user={user}"])
        self.world.close()


def _charged(cluster: Cluster, account: str) -> str:
    """Rows of an account; one whose beginning a killed controller never told has only the association's number."""
    ids = f"SELECT id_assoc FROM {cluster.name}_assoc_table WHERE acct = '{account}'"  # noqa: S608 - the lab's own names
    return f"(account = '{account}' OR (coalesce(account, '') = '' AND id_assoc IN ({ids})))"
