"""The importer beside a real slurmdbd: what it sends is what SQL finds in Slurm's own tables."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest

from fucina.accounting.importer import SETTLE_S, Importer
from fucina.accounting.sacct_command import LocalSacct
from fucina.network.spec import Billing, Partition, Site, SlurmSite
from lab.daemons import wait_until
from tests.accounting.slurmdb import ACCELERATOR
from tests.accounting.test_importer import Books

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

GPU_S = """
    SELECT coalesce(sum((time_end - time_start - time_suspended) *
        substring_index(substring_index(concat(',', tres_alloc, ','), ',1001=', -1), ',', 1)), 0)
    FROM alpha_job_table WHERE time_start > 0 AND time_end >= time_start AND tres_alloc LIKE '%1001=%'
"""


@pytest.fixture
def alpha(slurm_lab):
    return slurm_lab.clusters["alpha"]


@pytest.fixture
def submit(alpha):
    def submit(*options, script="true", user="alice"):
        argv = ["sbatch", "--parsable", "--account=projx", "--output=/dev/null", *options, f"--wrap={script}"]
        jobs.append(alpha.run_as(user, argv, check=True).stdout.strip().partition(";")[0])
        return jobs[-1]

    jobs = []
    yield submit
    alpha.run_as("root", ["scancel", *jobs])


def as_root(alpha, *argv):
    return alpha.run_as("root", list(argv), check=True).stdout


def state_of(alpha, job):
    return as_root(alpha, "squeue", "-hr", "-t", "all", "-j", job, "-o", "%T").split()


def wait_for(alpha, job, *states):
    wait_until(f"job {job} {states}", lambda: set(state_of(alpha, job)) <= set(states), within_s=90)


def num_rows(alpha, job):
    return alpha.sql("SELECT id_job FROM alpha_job_table").count((job,))


def test_what_is_sent_is_what_slurms_own_tables_say(alpha, submit, tmp_path):
    partitions = tuple(
        Partition(id=name, accelerator=ACCELERATOR, num_gpus_per_node=4, billing=Billing())
        for name in ("gpu", "short", "lowprio")
    )
    site = Site(
        id="alpha",
        name="Alpha",
        executor="slurm",
        partitions=partitions,
        slurm=SlurmSite(cluster="alpha", conf=alpha.conf),
    )
    began_at = datetime.now(UTC) - timedelta(days=1)
    books, tag = Books(), secrets.token_hex(4)
    again = submit("--gpus=2", "--requeue", f"--comment=fucina:{tag}.again", script="sleep 300")
    fragile = submit("--gpus=1", "--requeue", f"--comment=fucina:{tag}.fragile", script="sleep 300")
    for job in (again, fragile):
        ran = ["squeue", "-h", "-t", "RUNNING", "-j", job, "-o", "%M"]
        wait_until(
            f"job {job} ran a second", lambda ran=ran: as_root(alpha, *ran).strip() not in {"", "0:00"}, within_s=90
        )
    as_root(alpha, "scontrol", "requeue", again)
    # On a node that goes down before the job is cleaned up, Slurm starts it at once, as the same run.
    wait_for(alpha, again, "PENDING")
    (node,) = as_root(alpha, "squeue", "-h", "-j", fragile, "-o", "%N").split()
    as_root(alpha, "scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    wait_for(alpha, fragile, "PENDING")
    as_root(alpha, "scontrol", "update", f"nodename={node}", "state=resume")
    done = [
        submit("--gpus=1", f"--comment=fucina:{tag}.done", script="sleep 2"),
        submit("--gpus=1", "--array=0-3", f"--comment=fucina:{tag}.tasks", script="sleep 1"),
        submit("--gpus=1", "--comment=two\nlines|and more"),
        submit(script="exit 3"),
        submit("--gpus-per-node=1", ":", "--gpus-per-node=1", f"--comment=fucina:{tag}.het", script="sleep 1"),
        submit("--hold", f"--comment=fucina:{tag}.held"),
    ]
    as_root(alpha, "scancel", done[-1])
    for job in done[:-1]:
        wait_for(alpha, job, "COMPLETED", "FAILED")
    with_state = {"site": site, "source": LocalSacct(site.slurm), "state": tmp_path / "usage.db", "since": began_at}
    one = Importer(send=books.send, **with_state)
    wait_until(
        "the ends in slurmdbd", lambda: one.step(now=datetime.now(UTC)) and f"{tag}.done" in books.records, within_s=60
    )
    requeued = {f"{tag}.again", f"{tag}.fragile"}
    assert not requeued & set(books.records)
    later = datetime.now(UTC) + timedelta(seconds=SETTLE_S + 60)
    for job in (again, fragile):
        wait_until(f"job {job} has a second row", lambda job=job: num_rows(alpha, job) == 2, within_s=90)
    one.step(now=later)
    assert not requeued & set(books.records), "Slurm will start them again"
    for job in (again, fragile):
        as_root(alpha, "scontrol", "update", f"jobid={job}", "StartTime=now")
        wait_for(alpha, job, "RUNNING")
    as_root(alpha, "scancel", again, fragile)
    one.close()

    def all_there():
        one = Importer(send=books.send, **with_state)
        done = one.step(now=later)
        one.close()
        assert done.problems == ()
        return requeued <= set(books.records)

    wait_until("their ends in slurmdbd", all_there, within_s=60)
    names = ("done", "tasks.t0", "tasks.t3", "het", "het.h1", "held")
    assert {f"{tag}.{name}" for name in names} <= set(books.records)
    assert all(books.records[key].num_attempts == 2 for key in requeued)
    assert books.records[f"{tag}.fragile"].lost_gpu_s() > 0
    assert books.records[f"{tag}.held"].gpu_s == 0
    assert books.gpu_s == int(alpha.sql(GPU_S)[0][0])
    (num_jobs,) = alpha.sql("SELECT count(DISTINCT id_job) FROM alpha_job_table WHERE time_end > 0")[0]
    assert len(books.records) == int(num_jobs)
