"""Two real clusters: jobs run on both, what is killed comes back, every door answers, and `down` leaves nothing."""

import http.client
import json
import signal
import time
from pathlib import Path

import pytest

from lab.daemons import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def submit(cluster, *options, script="hostname", user="alice"):
    """Submit a job as a user; its id."""
    argv = ["sbatch", "--parsable", "--account=projx", "--output=/dev/null", *options, f"--wrap={script}"]
    return cluster.run_as(user, argv, check=True).stdout.strip()


def final(cluster, job, fields="State,AllocTRES"):
    """What the accounting says of a job once it knows its end."""

    def ended():
        shown = cluster.run_as("root", ["sacct", "-nXP", "-j", job, f"--format={fields}"]).stdout.strip()
        return "" if not shown or shown.startswith(("PENDING", "RUNNING")) else shown

    return wait_until(f"end of job {job}", ended, within_s=90)


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_a_job_on_gpus_is_accounted(slurm_lab, name):
    cluster = slurm_lab.clusters[name]

    job = submit(cluster, "--gpus=2", "--comment=fucina:one", script='test "$CUDA_VISIBLE_DEVICES" = 0,1')

    state, tres, comment = final(cluster, job, "State,AllocTRES,Comment").split("|")
    assert state == "COMPLETED"
    assert "gres/gpu=2" in tres.split(",")
    assert comment == "fucina:one"
    table = cluster.sql(f"SELECT id_job, state, exit_code FROM {name}_job_table")  # noqa: S608
    assert (job, "3", "0") in table


def test_the_clusters_know_nothing_of_each_other(slurm_lab):
    for name, cluster in slurm_lab.clusters.items():
        shown = cluster.run_as("root", ["sacctmgr", "-nP", "show", "cluster", "format=cluster"]).stdout.split()
        assert shown == [name]
        nodes = cluster.run_as("root", ["sinfo", "-hN", "-p", "gpu", "-o", "%N"]).stdout.split()
        assert nodes == list(cluster.nodes)


def test_a_job_on_two_nodes_sees_two_hosts(slurm_lab):
    done = slurm_lab.clusters["alpha"].run_as(
        "alice", ["srun", "--account=projx", "-N2", "--ntasks-per-node=1", "hostname"], check=True
    )

    assert sorted(done.stdout.split()) == ["alpha-1", "alpha-2"]


def test_a_budget_of_gpu_minutes_holds(slurm_lab):
    beta = slurm_lab.clusters["beta"]
    budget = ["sacctmgr", "-i", "modify", "account", "where", "name=projy", "set"]
    beta.run_as("fucina", [*budget, "GrpTRESMins=gres/gpu=10"], check=True)
    try:
        job = submit(beta, "--account=projy", "--gpus=4", "--time=10", user="carol")

        def reason():
            shown = beta.run_as("carol", ["squeue", "-h", "-j", job, "-o", "%T %r"]).stdout.strip()
            return shown if "GRES" in shown else ""

        assert wait_until("reason to wait", reason, within_s=30) == "PENDING AssocGrpGRESMinutes"
        beta.run_as("carol", ["scancel", job], check=True)
        assert final(beta, job, "State").startswith("CANCELLED")
    finally:
        beta.run_as("fucina", [*budget, "GrpTRESMins=gres/gpu=-1"], check=True)


def test_an_unknown_account_is_refused(slurm_lab):
    done = slurm_lab.clusters["alpha"].run_as("bob", ["sbatch", "--account=projy", "--wrap=true"])

    assert done.returncode == 1
    assert "Invalid account" in done.stderr


def test_a_killed_controller_comes_back_with_its_jobs(slurm_lab):
    alpha = slurm_lab.clusters["alpha"]
    job = submit(alpha, "--hold")
    # slurmctld writes its state every few seconds; what it took in since then dies with it.
    began, saved = time.time_ns(), alpha.places.state / "job_state"
    wait_until("saved state", lambda: saved.stat().st_mtime_ns > began, within_s=30)

    assert alpha.kill("slurmctld")
    assert not alpha.alive("slurmctld")
    alpha.start("slurmctld")
    alpha.wait_ready()

    assert alpha.run_as("root", ["squeue", "-h", "-j", job, "-o", "%T"]).stdout.strip() == "PENDING"
    alpha.run_as("alice", ["scancel", job], check=True)
    assert final(alpha, job, "State").startswith("CANCELLED")


def test_killed_accounting_catches_up(slurm_lab):
    alpha = slurm_lab.clusters["alpha"]
    assert alpha.kill("slurmdbd")
    job = submit(alpha)
    assert alpha.run_as("root", ["sacct", "-j", job]).returncode
    assert slurm_lab.clusters["beta"].run_as("root", ["sacct"]).returncode == 0

    alpha.start("slurmdbd")
    alpha.wait_ready()

    assert final(alpha, job, "State") == "COMPLETED"


def test_a_killed_database_server_loses_nothing(slurm_lab):
    beta = slurm_lab.clusters["beta"]
    before = submit(beta)
    assert final(beta, before, "State") == "COMPLETED"

    assert slurm_lab.kill("mariadb")
    assert not slurm_lab.is_up()
    during = submit(beta)
    slurm_lab.start("mariadb")
    slurm_lab.wait_ready()

    assert final(beta, during, "State") == "COMPLETED"
    assert {(before,), (during,)} <= set(beta.sql("SELECT id_job FROM beta_job_table WHERE state = 3"))


def test_preemption_gives_way_to_the_urgent(slurm_lab):
    beta = slurm_lab.clusters["beta"]
    whole = ("--nodes=2", "--gpus-per-node=8", "--no-requeue")
    victim = submit(beta, *whole, "--qos=preemptible", script="sleep 600")
    wait_until("start", lambda: state(beta, victim) == "RUNNING", within_s=30)

    urgent = submit(beta, *whole, "--qos=urgent")

    assert final(beta, urgent, "State") == "COMPLETED"
    assert final(beta, victim, "State") == "PREEMPTED"


def test_a_job_outlives_its_slurmd_but_not_its_node(slurm_lab, tmp_path):
    alpha = slurm_lab.clusters["alpha"]
    running = submit(alpha, "--nodelist=alpha-4", "--no-requeue", script="sleep 600")
    wait_until("start", lambda: state(alpha, running) == "RUNNING", within_s=30)

    assert alpha.kill("slurmd:alpha-4")
    alpha.start("slurmd:alpha-4")
    alpha.wait_ready()
    assert state(alpha, running) == "RUNNING"

    alpha.node_off("alpha-4")
    assert not [pid for pid in Path("/proc").glob("[0-9]*") if mentions(pid, f"job{int(running):05d}")]
    alpha.run_as("root", ["scontrol", "update", "nodename=alpha-4", "state=down", "reason=test"], check=True)
    assert final(alpha, running, "State") == "NODE_FAIL"
    alpha.node_on("alpha-4")
    alpha.run_as("root", ["scontrol", "update", "nodename=alpha-4", "state=resume"], check=True)
    alpha.wait_ready()


def state(cluster, job):
    """What the controller says of a job."""
    return cluster.run_as("root", ["squeue", "-h", "-j", job, "-o", "%T"]).stdout.strip()


def mentions(process, text):
    """Whether a process has `text` in its command line or environment."""
    try:
        return text in (process / "cmdline").read_text("utf-8", "replace") + (process / "environ").read_text(
            "utf-8", "replace"
        )
    except OSError:
        return False


def test_rest_takes_a_job_with_a_token_and_refuses_one_without(slurm_lab):
    beta = slurm_lab.clusters["beta"]
    newer = slurm_lab.layout.prefix is not None
    body = {
        "job": {
            "account": "projx",
            "partition": "gpu",
            "name": "rest",
            "current_working_directory": "/",
            "standard_output": "/dev/null",
            "environment": ["PATH=/usr/bin:/bin"] if newer else {"PATH": "/usr/bin:/bin"},
        },
        "script": "#!/bin/sh\ntrue\n",
    }

    def post(token):
        link = http.client.HTTPConnection(beta.rest_url.removeprefix("http://"), timeout=10)
        headers = {"X-SLURM-USER-NAME": "alice", "X-SLURM-USER-TOKEN": token, "Content-Type": "application/json"}
        link.request("POST", f"/slurm/v0.0.{42 if newer else 38}/job/submit", json.dumps(body), headers)
        answer = link.getresponse()
        text = answer.read().decode()
        link.close()
        return answer.status, text

    assert post("wrong")[0] in {401, 500, 511}
    status, text = post(beta.jwt("alice"))
    assert status == 200, text
    assert final(beta, str(json.loads(text)["job_id"]), "State,User") == "COMPLETED|alice"


@pytest.mark.parametrize("user", ["alice", "fucina"])
def test_the_login_node_lets_in_and_names_itself(slurm_lab, user):
    done = slurm_lab.clusters["alpha"].ssh(user, ["whoami; hostname; squeue -h | wc -l"])

    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == [user, "alpha-login"]


def test_the_login_node_is_checked(slurm_lab, tmp_path):
    alpha, beta = slurm_lab.clusters["alpha"], slurm_lab.clusters["beta"]
    wrong = tmp_path / "known_hosts"
    key = beta.known_hosts.read_text("utf-8").split(maxsplit=1)[1]
    wrong.write_text(f"[127.0.0.1]:{alpha.ssh_port} {key}", "utf-8")

    done = alpha.ssh("alice", ["true"], known_hosts=wrong)

    assert done.returncode == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_starting_again_changes_nothing(slurm_lab):
    before = [cluster.pid(name) for cluster in slurm_lab.clusters.values() for name in cluster.daemons()]

    slurm_lab.up()

    assert before == [cluster.pid(name) for cluster in slurm_lab.clusters.values() for name in cluster.daemons()]
    assert all(before)
    assert slurm_lab.clusters["beta"].kill("munged", signal.SIGTERM)
    assert not slurm_lab.is_up()
    slurm_lab.up()
    assert slurm_lab.is_up()
