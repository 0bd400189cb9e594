"""Runs an accelerated workload on a real Slurm cluster, and lets the simulator predict it from the configuration."""

import sched
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fucina.planning.simulate.accounting_traces import read_trace
from fucina.planning.simulate.run import Course, simulate
from fucina.planning.simulate.slurm_config import SlurmSite, read_slurm, scheduling_for
from fucina.planning.simulate.trace import Trace
from fucina.planning.simulate.trace_jobs import Agreement, agreement, jobs_of_trace
from fucina.planning.simulate.workload import JobClass, generate
from lab import Cluster
from lab.daemons import wait_until

PEOPLE = (("alice", "projx"), ("bob", "projx"), ("alice", "projy"), ("carol", "projy"))
LIMITS = (("bob", "projx", "MaxJobs=4"), ("carol", "projy", "GrpTRES=gres/gpu=8"))
CAROLS_LIMIT = 8
LONGEST_S = 45
FIELDS = "JobID,User,Account,QOS,Partition,State,Submit,Start,ElapsedRaw,TimelimitRaw,ReqTRES,NCPUS,NNodes"
ENDED = "CD,F,CA,TO,NF,OOM,PR,DL,BF,RQ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One job: when it comes and what it asks for."""

    at_s: float
    run_s: int
    limit_min: int
    gpus: int
    user: str
    account: str
    qos: str


def plan(*, num_jobs: int, num_gpus: int, load: float, largest: int, seed: int) -> list[Planned]:
    """Jobs of the published sizes and run times, minutes as seconds, over so long that they make the load."""
    chance = np.random.default_rng(seed)
    made = generate(
        (JobClass(name="all", profile="acme-seren", load=0.5, max_gpus=largest, num_accounts=1),),
        pools=read_pool(num_gpus),
        qos=("normal",),
        days=1,
        seed=seed,
        num_jobs=num_jobs,
    )
    run = np.clip(made.run_s // 60 + chance.integers(2, 12, num_jobs), 2, LONGEST_S)
    gpus = made.gpus.copy()
    window_s = float((run * gpus).sum()) / (num_gpus * load)
    at = np.sort(chance.random(num_jobs)) * window_s
    jobs = []
    for position in range(num_jobs):
        user, account = PEOPLE[chance.choice(len(PEOPLE), p=(0.4, 0.25, 0.15, 0.2))]
        if user == "carol" and gpus[position] > CAROLS_LIMIT:
            user = "alice"
        small = gpus[position] <= 2
        qos = str(chance.choice(("normal", "urgent", "preemptible"), p=(0.72, 0.08, 0.2) if small else (0.9, 0.1, 0)))
        limit = int(np.ceil(run[position] / 60)) + int(chance.integers(0, 3))
        jobs.append(
            Planned(
                at_s=float(at[position]),
                run_s=int(run[position]),
                limit_min=limit,
                gpus=int(gpus[position]),
                user=user,
                account=account,
                qos=qos,
            )  # fmt: skip
        )
    return jobs


def read_pool(num_gpus: int):
    """A pool of that many accelerators, four on a node."""
    from fucina.planning.simulate.cluster import Pool  # noqa: PLC0415

    return (Pool(id="gpu", num_nodes=num_gpus // 4, gpus_per_node=4),)


def submit(cluster: Cluster, job: Planned, *, name: str) -> None:
    """Hand one job to Slurm: part of a node, or whole nodes with all their processors."""
    per_node = cluster.spec.gpus_per_node
    nodes = max(1, job.gpus // per_node)
    each = job.gpus // nodes
    argv = [
        "sbatch", "--parsable", f"--job-name={name}", "--output=/dev/null", "--partition=gpu", f"--qos={job.qos}",
        f"--account={job.account}", f"--nodes={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={4 * each}",
        f"--gres=gpu:h200:{each}", f"--time={job.limit_min}", "--requeue", "--wrap", f"exec sleep {job.run_s}",
    ]  # fmt: skip
    cluster.run_as(job.user, argv, check=True)


def run(cluster: Cluster, jobs: list[Planned], *, name: str, within_s: float) -> str:
    """Submit each job at its time, wait for all to end, and return the export of the accounting."""
    for user, account, limit in LIMITS:
        where = ["where", f"user={user}", f"account={account}", f"cluster={cluster.name}"]
        cluster.run_as("root", ["sacctmgr", "-i", "modify", "user", *where, "set", limit], check=True)
    forget = ["where", "name=fucina", f"cluster={cluster.name}", "set", "RawUsage=0"]
    cluster.run_as("root", ["sacctmgr", "-i", "modify", "account", *forget], check=True)
    began = time.time()
    clock = sched.scheduler(time.monotonic)
    origin = time.monotonic() + 1
    for job in jobs:
        clock.enterabs(origin + job.at_s, 1, submit, (cluster, job), {"name": name})
    clock.run()
    log = cluster.places.log / "slurmctld.log"

    def over() -> bool:
        queue = cluster.run_as("root", ["squeue", "-h", f"--name={name}", "-o", "%i"], check=True)
        return not queue.stdout.strip() and _num_ended(export(cluster, name=name, began=began)) >= len(jobs)

    wait_until("end of all jobs", over, within_s=within_s, log=log)
    return export(cluster, name=name, began=began)


def export(cluster: Cluster, *, name: str, began: float) -> str:
    """What sacct tells of the jobs of that name, every run of each."""
    argv = ["sacct", "--parsable2", "--allocations", "--duplicates", "--allusers", f"--format={FIELDS}"]
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(began - 5))
    done = cluster.run_as(
        "root", [*argv, f"--name={name}", f"--starttime={since}"], check=True, env={"SLURM_TIME_FORMAT": "%s"}
    )
    return done.stdout


def _num_ended(exported: str) -> int:
    """Jobs that ended for good."""
    return sum(line.split("|")[5].startswith(("COMPLETED", "FAILED", "TIMEOUT")) for line in exported.splitlines()[1:])


def site_of(cluster: Cluster) -> SlurmSite:
    """What the cluster says of itself."""

    def said(*argv: str) -> str:
        return cluster.run_as("root", list(argv), check=True, env={"SLURM_TIME_FORMAT": "%s"}).stdout

    config = [said("scontrol", *words) for words in (
        ("show", "config"), ("show", "partitions", "--oneliner"), ("show", "nodes", "--oneliner")
    )]  # fmt: skip
    where = f"cluster={cluster.name}"
    return read_slurm(
        "\n".join(config),
        qos=said("sacctmgr", "--parsable2", "show", "qos", "format=name,priority,preempt"),
        associations=said(
            "sacctmgr", "--parsable2", "show", "assoc", "where", where,
            "format=account,user,parentname,share,grptres,grpjobs,maxjobs",
        ),
        partition="gpu",
    )  # fmt: skip


def predict(trace: Trace, site: SlurmSite) -> tuple[Agreement, Course]:
    """Simulate the recorded jobs under the cluster's configuration, and compare."""
    names = tuple(entry.name for entry in site.scheduling.qos)
    course = simulate(
        jobs_of_trace(trace, pools=(site.pool,), qos=names), pools=(site.pool,), scheduling=scheduling_for(site, trace)
    )
    return agreement(trace, course), course


def plainest(site: SlurmSite) -> SlurmSite:
    """The same machine under first come, first served: what a prediction without the configuration would say."""
    simple = site.scheduling.model_copy(update={"policy": "fcfs", "weights": type(site.scheduling.weights)()})
    return replace(site, scheduling=simple)


def read_export(text: str, folder: Path) -> Trace:
    """The export as a trace."""
    path = folder / "sacct.txt"
    path.write_text(text, encoding="utf-8")
    return read_trace(path)
