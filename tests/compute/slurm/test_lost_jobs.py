"""What a controller that was killed before it saved its state has lost."""

from datetime import UTC, datetime, timedelta

import pytest

from fucina.compute.slurm import executor as slurm_executor
from fucina.compute.slurm.opening import open_slurm
from fucina.compute.spec import JobState
from lab.daemons import wait_until
from tests.compute.slurm.bench import bench_of, in_queue, saved, site_of

pytestmark = pytest.mark.slurm


@pytest.fixture
def cluster(slurm_lab):
    return slurm_lab.clusters["alpha"]


@pytest.fixture
def bench(cluster):
    with bench_of(site_of(cluster), user="alice", owner="alice", account="projx") as made:
        yield made


def test_a_job_that_slurm_forgot_is_submitted_again_and_its_old_id_is_nobodys(bench, cluster):
    """A controller killed before it has saved its state knows nothing of its last jobs and gives their ids again."""
    spec = bench.run("true")
    bench.final()
    saved(cluster)
    files = [cluster.places.state / name for name in ("job_state", "job_state.old")]
    before = [file.read_bytes() for file in files]
    lost = bench.run("sleep", "1000", key="lost")
    ending = bench.run("sleep", "1000", key="ending")
    bench.running("lost")
    bench.running("ending")
    cluster.kill("slurmctld")
    for file, content in zip(files, before, strict=True):
        file.write_bytes(content)
    cluster.start("slurmctld")
    cluster.wait_ready()
    assert bench.until(lambda report: report.state is JobState.UNKNOWN, key="lost").reason
    words = ["sbatch", "--parsable", "--hold", "--account=projx", "-o", "/dev/null", "--chdir=/", "--wrap", "true"]
    others = [cluster.run_as("alice", words, check=True).stdout.strip() for _ in range(2)]
    assert bench.executor.poll([lost.key])[lost.key].state is JobState.UNKNOWN
    later = open_slurm(
        bench.site,
        root=bench.root,
        clock=lambda: datetime.now(UTC) + timedelta(seconds=slurm_executor.LOST_S + 1),
    )
    bench.executor.cancel(ending.key)
    assert bench.executor.poll([ending.key])[ending.key].state is JobState.UNKNOWN
    later.poll([lost.key, ending.key])
    later.close()
    ended = bench.final("ending")
    assert (ended.state, ended.native_id) == (JobState.CANCELLED, "")
    assert in_queue(cluster, ending.key) == []
    running = bench.running("lost")
    assert in_queue(cluster, lost.key) == [running.native_id]
    assert running.native_id not in others
    assert bench.executor.poll([spec.key])[spec.key].state is JobState.SUCCEEDED
    bench.executor.cancel(lost.key)
    assert bench.final("lost").state is JobState.CANCELLED
    cluster.run_as("alice", ["scancel", *others], check=True)


def test_of_an_array_that_slurm_half_forgot_only_the_rest_is_submitted_again(bench, cluster):
    """Tasks that ended before the controller was killed stand in accounting; the others run once, under another id."""
    bench.run("true")
    bench.final()
    saved(cluster)
    files = [cluster.places.state / name for name in ("job_state", "job_state.old")]
    before = [file.read_bytes() for file in files]
    waits = 'test "$SLURM_ARRAY_TASK_ID" -lt 2 || until test -e go; do sleep 0.1; done'
    line = f'echo "$SLURM_ARRAY_TASK_ID" >> tasks; {waits}'
    spec = bench.run("sh", "-c", line, key="half", array="0-3%3", walltime_s=600)
    first = bench.running("half").native_id
    sacct = ["sacct", "-nXPD", f"--jobs={first}", "--format=JobID,State"]
    ended = {f"{first}_{task}|COMPLETED" for task in (0, 1)}
    wait_until("ended tasks", lambda: ended <= set(cluster.run_as("root", sacct).stdout.split()), within_s=30)
    cluster.kill("slurmctld")
    for file, content in zip(files, before, strict=True):
        file.write_bytes(content)
    cluster.start("slurmctld")
    cluster.wait_ready()
    assert bench.until(lambda report: report.state is JobState.UNKNOWN, key="half").reason
    # What an operator does: the tasks that were lost count as completed after no time, which nobody believes.
    cluster.run_as("root", ["sacctmgr", "-i", "-n", "show", "runawayjobs"], check=True)
    closed = {f"{first}_{task}|COMPLETED" for task in range(4)}
    wait_until("closed tasks", lambda: closed <= set(cluster.run_as("root", sacct).stdout.split()), within_s=30)
    assert bench.executor.poll([spec.key])[spec.key].state is JobState.UNKNOWN
    later = open_slurm(
        bench.site,
        root=bench.root,
        clock=lambda: datetime.now(UTC) + timedelta(seconds=slurm_executor.LOST_S + 1),
    )
    later.poll([spec.key])
    later.close()
    (bench.folder / "go").touch()
    again = bench.final("half")
    assert again.state is JobState.SUCCEEDED
    tasks = cluster.run_as("root", ["squeue", "-hr", "-t", "all", "-u", "alice", "-o", "%F %K %k"], check=True).stdout
    assert sorted(row.split()[1] for row in tasks.splitlines() if row.endswith(f"fucina:{spec.key}")) == ["2", "3"]
    assert (bench.folder / "tasks").read_text().split().count("0") == 1


def test_a_cancelled_job_that_a_restarted_controller_runs_again_is_ended(bench, cluster):
    """The controller saved the job before it was cancelled, and was killed before it saved that."""
    spec = bench.run("sleep", "1000", walltime_s=1200)
    bench.running()
    saved(cluster)
    files = [cluster.places.state / name for name in ("job_state", "job_state.old")]
    before = [file.read_bytes() for file in files]
    assert bench.executor.end_again() == 0
    bench.executor.cancel(spec.key)
    assert bench.final().state is JobState.CANCELLED
    cluster.kill("slurmctld")
    for file, content in zip(files, before, strict=True):
        file.write_bytes(content)
    cluster.start("slurmctld")
    cluster.wait_ready()
    states = ["squeue", "-h", "-u", "alice", "-t", "PD,R,CG", "-o", "%T %k"]
    mine = f"fucina:{spec.key}"
    wait_until("job again", lambda: mine in cluster.run_as("root", states).stdout, within_s=60)
    assert bench.executor.end_again() == 1
    wait_until("end of the job", lambda: mine not in cluster.run_as("root", states).stdout, within_s=60)
    assert bench.executor.end_again() == 0
    assert bench.final().state is JobState.CANCELLED
