"""What only Slurm can show: lost answers, chains, arrays, requeues, refusals, the state of partitions."""

import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fucina.compute.slurm import executor as slurm_executor
from fucina.compute.slurm import sacctmgr
from fucina.compute.slurm.cli import CliTransport, slurm_environment
from fucina.compute.slurm.executor import DependencyFailed, StillLooking
from fucina.compute.slurm.opening import open_slurm, open_transport
from fucina.compute.slurm.placing import DoesNotFit, OutsideProject
from fucina.compute.slurm.refusals import SlurmNotAllowed, SlurmRefused
from fucina.compute.slurm.transport import LostAnswer, Unreachable
from fucina.compute.spec import JobState
from fucina.errors import Unavailable
from lab.daemons import wait_until
from tests.compute.slurm.bench import bench_of, in_queue, saved, site_of, ssh_access

pytestmark = pytest.mark.slurm


@pytest.fixture
def cluster(slurm_lab):
    return slurm_lab.clusters["alpha"]


@pytest.fixture
def bench(cluster):
    with bench_of(site_of(cluster), user="alice", owner="alice", account="projx") as made:
        yield made


def wrapped(bench, cluster, name: str, line: str) -> None:
    """Reopen the executor with a program of that name before the real one, which the line may call as "$real"."""
    folder = bench.root / "wrapped"
    folder.mkdir(exist_ok=True)
    real = cluster.layout.prefix / "usr" / "bin" / name if cluster.layout.prefix else Path("/usr/bin") / name
    path = folder / name
    path.write_text(f'#!/bin/sh\nreal={real}\necho "$0 $*" >> {bench.folder}/calls\n{line}\n')
    path.chmod(0o755)
    bench.executor.controller = type(bench.executor.controller)(
        CliTransport(environment=slurm_environment(bench.site.slurm), bin_folder=Path(f"{folder}:{real.parent}"))
    )


def unwrapped(bench) -> None:
    bench.executor.controller = type(bench.executor.controller)(open_transport(bench.site.slurm))


@pytest.mark.parametrize(
    "end",
    [
        'echo "sbatch: error: Batch job submission failed: Socket timed out" >&2; exit 1',
        'echo "Submitted, more or less"',
        "kill -9 $$",
        'echo "what is this" >&2; exit 3',
    ],
)
def test_a_lost_answer_makes_no_second_job(bench, cluster, end):
    wrapped(bench, cluster, "sbatch", f'"$real" "$@" >/dev/null; {end}')
    with pytest.raises(Unavailable):
        bench.run("sh", "-c", "echo x >> count")
    spec = bench.spec("sh", "-c", "echo x >> count")
    bench.executor.submit(spec)
    unwrapped(bench)
    again = bench.reopen()
    again.submit(spec)
    assert bench.final().state is JobState.SUCCEEDED
    assert (bench.folder / "count").read_text() == "x\n"
    assert len(in_queue(cluster, spec.key)) == 1


def test_a_submission_that_never_arrived_is_repeated_only_when_it_cannot_arrive_any_more(bench, cluster):
    wrapped(bench, cluster, "sbatch", 'echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1')
    spec = bench.spec("true")
    with pytest.raises(LostAnswer):
        bench.executor.submit(spec)
    unwrapped(bench)
    with pytest.raises(StillLooking):
        bench.executor.submit(spec)
    assert in_queue(cluster, spec.key) == []
    later = open_slurm(
        bench.site,
        root=bench.root,
        clock=lambda: datetime.now(UTC) + timedelta(seconds=slurm_executor.SETTLE_S + 1),
    )
    later.submit(spec)
    later.close()
    assert bench.final().state is JobState.SUCCEEDED
    assert len(in_queue(cluster, spec.key)) == 1


def test_a_submission_whose_process_was_killed_half_way_is_found(bench, cluster):
    """The journal says that it was meant to be submitted, and no more: as after kill -9 of the agent."""
    spec = bench.run("true")
    database = sqlite3.connect(bench.root / "slurm.db")
    database.execute("UPDATE job SET job_id = NULL, submit_at = NULL")
    database.commit()
    database.close()
    bench.reopen().submit(spec)
    assert bench.final().state is JobState.SUCCEEDED
    assert len(in_queue(cluster, spec.key)) == 1


def test_a_lost_journal_is_rebuilt_from_slurm(bench, cluster, tmp_path):
    spec = bench.run("sh", "-c", "echo x >> count; sleep 1")
    other = open_slurm(bench.site, root=tmp_path / "new")
    other.submit(spec)
    assert other.poll([spec.key])[spec.key].native_id == in_queue(cluster, spec.key)[0]
    assert bench.final().state is JobState.SUCCEEDED
    assert len(in_queue(cluster, spec.key)) == 1
    other.close()


def test_cancelling_what_may_have_been_submitted_ends_it(bench, cluster):
    wrapped(bench, cluster, "sbatch", '"$real" "$@" >/dev/null; exit 9')
    with pytest.raises(Unavailable):
        bench.run("sleep", "1000")
    unwrapped(bench)
    bench.executor.cancel(bench.key())
    assert bench.final().state is JobState.CANCELLED


def test_a_job_that_got_our_id_after_a_reset_is_left_alone(bench, cluster):
    words = ["sbatch", "--parsable", "--account=projx", "-o", "/dev/null", "--chdir=/", "--wrap", "sleep 100"]
    other = cluster.run_as("alice", words, check=True).stdout.strip()
    spec = bench.run("true")
    bench.final()
    database = sqlite3.connect(bench.root / "slurm.db")
    database.execute("UPDATE job SET job_id = ?, report = NULL", (int(other),))
    database.commit()
    database.close()
    assert bench.executor.poll([spec.key])[spec.key].state is JobState.UNKNOWN
    bench.executor.cancel(spec.key)
    state = cluster.run_as("root", ["squeue", "-h", "-j", other, "-o", "%T"], check=True).stdout.strip()
    assert state in ("PENDING", "RUNNING")
    cluster.run_as("root", ["scancel", other], check=True)


def test_a_poll_of_many_jobs_is_one_query_each(bench, cluster):
    keys = [f"job-{n}" for n in range(5)]
    for key in keys:
        bench.run("true", key=key)
    for key in keys[:4]:
        bench.final(key)
    bench.run("sleep", "1000", key="live")
    bench.running("live")
    wrapped(bench, cluster, "squeue", 'exec "$real" "$@"')
    wrapped(bench, cluster, "sacct", 'exec "$real" "$@"')
    bench.executor.poll([bench.key(key) for key in [*keys, "live"]])
    calls = [Path(line.split()[0]).name for line in (bench.folder / "calls").read_text().splitlines()]
    assert calls.count("squeue") == 1 and calls.count("sacct") <= 1


def test_a_chain_runs_in_order_and_breaks_where_a_job_fails(bench):
    bench.run("sh", "-c", "echo 1 >> order; sleep 1", key="one")
    bench.run("sh", "-c", "echo 2 >> order; exit 3", key="two", depends_on=(bench.key("one"),))
    bench.run("sh", "-c", "echo 3 >> order", key="three", depends_on=(bench.key("two"),))
    waiting = bench.executor.poll([bench.key("three")])[bench.key("three")]
    assert (waiting.state, waiting.pending_reason) in ((JobState.CLAIMED, "Dependency"), (JobState.CLAIMED, "None"))
    assert bench.final("two").exit_code == 3
    last = bench.final("three")
    assert (last.state, last.num_attempts) == (JobState.CANCELLED, 0)
    assert "depends on" in last.reason
    assert (bench.folder / "order").read_text() == "1\n2\n"


def test_only_jobs_that_slurm_knows_are_named_as_dependencies(bench):
    bench.run("true", key="done")
    bench.run("false", key="broken")
    bench.final("done")
    bench.final("broken")
    bench.run("true", key="next", depends_on=(bench.key("done"),))
    assert bench.final("next").state is JobState.SUCCEEDED
    with pytest.raises(DependencyFailed):
        bench.run("true", key="never", depends_on=(bench.key("broken"),))
    with pytest.raises(Unavailable):
        bench.run("true", key="nobody", depends_on=("no-such-key",))


def test_an_array_is_one_job_of_many_tasks(bench):
    line = 'echo "$SLURM_ARRAY_TASK_ID" >> tasks; test "$SLURM_ARRAY_TASK_ID" != 2 || exit 5'
    bench.run("sh", "-c", line, array="0-3%2")
    report = bench.final()
    assert (report.state, report.exit_code, report.num_attempts) == (JobState.FAILED, 5, 1)
    assert sorted((bench.folder / "tasks").read_text().split()) == ["0", "1", "2", "3"]


def test_a_waiting_array_is_cancelled_whole(bench):
    bench.run("sleep", "1000", array="0-5%1")
    bench.running()
    bench.executor.cancel(bench.key())
    assert bench.final().state is JobState.CANCELLED


def test_devices_are_given_as_the_site_bills_them(bench, cluster):
    two_dies = [
        p.model_copy(update={"num_gpus_per_node": 2, "billing": p.billing.model_copy(update={"devices_per_gpu": 2})})
        for p in bench.site.partitions
    ]
    site = bench.site.model_copy(update={"partitions": tuple(two_dies)})
    bench.executor._site = site
    bench.run("sh", "-c", 'echo "$CUDA_VISIBLE_DEVICES"', num_gpus=1)
    bench.final()
    assert bench.log().strip() == "0,1"


def test_several_nodes_and_memory(bench):
    bench.run("srun", "hostname", num_nodes=2, num_gpus=4, memory_gib=2.5)
    assert bench.final().state is JobState.SUCCEEDED, bench.log()
    assert len(set(bench.log().split())) == 2


def test_a_failed_node_means_another_attempt(bench, cluster):
    bench.run("sh", "-c", "echo x >> count; test $(wc -l < count) = 2 || sleep 1000")
    bench.running()
    wait_until("the first run's line", (bench.folder / "count").exists, within_s=60)
    node = cluster.run_as("root", ["squeue", "-h", "-u", "alice", "-t", "R", "-o", "%N"], check=True).stdout.split()[0]
    down = ["scontrol", "update", f"nodename={node}", "state=down", "reason=test"]
    cluster.run_as("root", down, check=True)
    try:
        report = bench.final()
    finally:
        cluster.run_as("root", ["scontrol", "update", f"nodename={node}", "state=resume"], check=True)
    assert (report.state, report.num_attempts) == (JobState.SUCCEEDED, 2), report


def test_without_requeue_a_failed_node_is_the_end(bench, cluster):
    bench.run("sh", "-c", "touch begun; sleep 1000", requeue=False)
    bench.running()
    wait_until("its first step", (bench.folder / "begun").exists, within_s=60)
    node = cluster.run_as("root", ["squeue", "-h", "-u", "alice", "-t", "R", "-o", "%N"], check=True).stdout.split()[0]
    cluster.run_as("root", ["scontrol", "update", f"nodename={node}", "state=down", "reason=test"], check=True)
    try:
        report = bench.final()
    finally:
        cluster.run_as("root", ["scontrol", "update", f"nodename={node}", "state=resume"], check=True)
    assert (report.state, report.reason) == (JobState.FAILED, "a node failed while it ran")


def test_a_controller_that_is_down_is_said_and_waited_for(bench, cluster):
    spec = bench.run("sh", "-c", "until test -e go; do sleep 0.1; done", walltime_s=600)
    bench.running()
    saved(cluster)
    cluster.kill("slurmctld")
    try:
        assert bench.executor.poll([spec.key])[spec.key].state is JobState.UNKNOWN
        with pytest.raises(Unreachable, match="Slurm does not answer"):
            bench.run("true", key="other")
        assert bench.executor.poll([bench.key("other")])[bench.key("other")].state is JobState.UNKNOWN
    finally:
        cluster.start("slurmctld")
        cluster.wait_ready()
    (bench.folder / "go").touch()
    assert bench.final().state is JobState.SUCCEEDED
    bench.run("true", key="other")
    assert bench.final("other").state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"account": "nope"}, SlurmRefused, "account may not be charged"),
        ({"qos": "nope"}, SlurmRefused, "quality of service"),
        ({"partition": "nope"}, DoesNotFit, "no partition 'nope'"),
        ({"num_gpus": 99}, DoesNotFit, "accelerators a node"),
        ({"num_gpus": 3, "num_nodes": 2}, DoesNotFit, "do not divide"),
        ({"num_nodes": 99}, DoesNotFit, "99 nodes"),
        ({"walltime_s": 10**7}, DoesNotFit, "of time"),
        ({"memory_gib": 9999}, SlurmRefused, "No node of the partition|asks for"),
        ({"user": "nobody-here"}, SlurmNotAllowed, "Unix user"),
        ({"working_directory": "/etc"}, OutsideProject, "no folder of a project"),
        ({"working_directory": ""}, OutsideProject, "no folder of a project"),
    ],
)
def test_a_refusal_is_said_in_words_and_leaves_nothing(bench, changes, error, text):
    with pytest.raises(error, match=text) as caught:
        bench.run("true", **changes)
    assert caught.value.hint
    assert bench.executor.known_keys() == []


def test_a_waiting_job_says_why_and_when(bench, cluster):
    bench.run("sleep", "1000", key="big", num_nodes=cluster.spec.num_nodes, num_gpus=16, walltime_s=600)
    bench.running("big")
    bench.run("true", key="next", num_nodes=cluster.spec.num_nodes, num_gpus=16, walltime_s=60)
    waiting = bench.until(lambda report: report.pending_reason not in ("", "None"), key="next")
    assert waiting.pending_reason in ("Resources", "Priority")
    assert "waits for nodes" in waiting.reason or "ahead" in waiting.reason
    tick = threading.Event()
    for _ in range(300):
        if found := bench.executor.start_estimates([bench.key("next"), bench.key("big")]):
            break
        tick.wait(0.1)
    assert list(found) == [bench.key("next")]
    assert 0 < (found[bench.key("next")] - datetime.now(UTC)).total_seconds() < 900
    status = {one.partition: one for one in bench.executor.partition_status()}["gpu"]
    assert (status.num_gpus, status.num_free_gpus) == (16, 0)
    assert (status.num_running_jobs, status.num_waiting_jobs, status.waiting_gpu_s) == (1, 1, 16 * 60)
    assert status.expected_wait_s > 0 and not status.problem


def test_an_idle_partition_is_free(bench):
    status = {one.partition: one for one in bench.executor.partition_status()}["short"]
    assert status.num_gpus == status.num_free_gpus == 16
    assert status.expected_wait_s == 0.0


def test_a_log_that_became_a_link_to_a_secret_is_not_read(bench, cluster, tmp_path):
    secret = bench.root / "secret"
    secret.write_text("of the agent")
    secret.chmod(0o600)
    bench.run("sh", "-c", f"rm job-*.log; ln -s {secret} job-{bench.key()}.log")
    bench.final()
    with pytest.raises((OutsideProject, Unavailable)):
        bench.executor.read_log(bench.key(), offset=0, max_bytes=100)


def test_facts_of_the_cluster(bench, cluster):
    facts = bench.executor.controller.facts()
    assert facts.cluster == cluster.name
    assert facts.version.startswith(("22.05", "24.11"))
    assert facts.comments_stored and facts.limits_enforced and facts.min_job_age_s > 0


def test_accounts_are_made_limited_and_read_back(cluster, bench):
    transport = open_transport(bench.site.slurm)
    name = cluster.name

    def do(argv):
        done = transport.run(argv)
        assert done.rc == 0 or sacctmgr.nothing_changed(done.text + done.err), done
        return done.text

    do(sacctmgr.add_account_argv(cluster=name, account="projexe", parent="fucina"))
    do(sacctmgr.add_account_argv(cluster=name, account="projexe", parent="fucina"))
    do(sacctmgr.add_user_argv(cluster=name, account="projexe", user="alice"))
    do(sacctmgr.limit_argv(cluster=name, account="projexe", tres="gres/gpu", minutes=90))
    rows = sacctmgr.read(do(sacctmgr.show_argv(cluster=name, account="projexe"))).rows
    assert {row.user for row in rows} == {"", "alice"}
    assert next(row for row in rows if not row.user).tres_minutes == {"gres/gpu": 90}
    do(sacctmgr.limit_argv(cluster=name, account="projexe", tres="gres/gpu", minutes=sacctmgr.CLEAR))
    rows = sacctmgr.read(do(sacctmgr.show_argv(cluster=name, account="projexe"))).rows
    assert next(row for row in rows if not row.user).tres_minutes == {}


def test_a_login_node_with_another_host_key_is_not_trusted(cluster, slurm_lab, tmp_path):
    key = slurm_lab.clusters["beta"].known_hosts.read_text().split()[1:]
    wrong = tmp_path / "known_hosts"
    wrong.write_text(f"[127.0.0.1]:{cluster.ssh_port} {' '.join(key)}\n")
    for known in (wrong, tmp_path / "empty"):
        known.touch()
        transport = open_transport(
            site_of(cluster, transport="ssh", ssh=ssh_access(cluster, "alice", known_hosts=known)).slurm
        )
        with pytest.raises(Unreachable, match="host key"):
            transport.run(["true"])
        transport.close()


def test_a_login_node_behind_another(slurm_lab):
    alpha, beta = slurm_lab.clusters["alpha"], slurm_lab.clusters["beta"]
    access = ssh_access(alpha, "alice", jump_host=f"alice@127.0.0.1:{alpha.ssh_port}")
    transport = open_transport(site_of(alpha, transport="ssh", ssh=access).slurm)
    assert transport.run(["scontrol", "show", "config"]).rc == 0
    transport.close()
    assert beta.ssh_port != alpha.ssh_port


def test_many_threads_share_one_connection_to_a_login_node(cluster):
    transport = open_transport(site_of(cluster, transport="ssh", ssh=ssh_access(cluster, "alice")).slurm)
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(transport.run(["cat"], stdin=f"{n}".encode()).out))
        for n in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers, key=int) == [f"{n}".encode() for n in range(40)]
    transport.close()


def test_a_broken_connection_is_made_again(cluster):
    transport = open_transport(site_of(cluster, transport="ssh", ssh=ssh_access(cluster, "alice")).slurm)
    assert transport.run(["echo", "1"]).text == "1\n"
    with pytest.raises(LostAnswer):
        transport.run(["sh", "-c", "kill -9 $PPID"])
    assert transport.run(["echo", "2"]).text == "2\n"
    transport.close()


def test_a_renewed_token_is_read_again(cluster, tmp_path):
    token = tmp_path / "token"
    token.write_text("not.a.token")
    access = {"url": cluster.rest_url, "user": "alice", "token_file": token}
    made = open_slurm(site_of(cluster, transport="rest", rest=access), root=tmp_path / "root")
    with pytest.raises(Unavailable):
        made.controller.queue(["alice"])
    token.write_text(cluster.jwt("alice"))
    made.controller.queue(["alice"])
    assert made.controller.facts().version
    status = made.partition_status()[0]
    assert status.num_gpus == 16
    made.close()


def test_a_rest_server_that_is_not_there(cluster, tmp_path):
    access = {"url": "http://127.0.0.1:9", "user": "alice"}
    made = open_slurm(site_of(cluster, transport="rest", rest=access), root=tmp_path / "root")
    with pytest.raises(Unreachable, match="does not answer"):
        made.partition_status()
    made.close()
