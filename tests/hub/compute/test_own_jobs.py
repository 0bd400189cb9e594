"""Jobs of people's own: checked before anything queues, held, run by an agent, settled, explained while they wait."""

import hashlib
import io
from datetime import timedelta

import pytest

from fucina.client.wire_jobs import JobRequest
from fucina.compute.spec import JobSpec, JobState
from fucina.errors import NotVisible
from fucina.hub.accounting.actions import BudgetExceeded
from fucina.hub.accounting.models import Allocation, LedgerEntry, UsageRecord, balance
from fucina.hub.compute import job_read, jobs
from fucina.hub.compute.actions import KeyTaken
from fucina.hub.compute.files import left_file, put_file, stored_file
from fucina.hub.compute.models import Artifact, Job, JobEvent
from fucina.hub.compute.own_jobs import JobEnded, JobRefused, PartOfARun, cancel_job, look_at, submit_job
from fucina.hub.compute.placement import NoAllocation, NoPlace
from fucina.hub.compute.read import project_info
from fucina.hub.compute.usage import take_usage
from fucina.hub.compute.waiting import why
from fucina.hub.data.storage import BadPath, BadUpload
from fucina.hub.network.actions import map_user, register_agent, register_site
from fucina.hub.network.models import Agent
from fucina.hub.people.models import Person
from fucina.network.spec import ContainerRuntime, Maintenance, SlurmSite, load_network
from fucina.network.status import PartitionStatus
from tests.hub.conftest import NOON, SETUP, claim_one, report, usage

HOUR = timedelta(hours=1)
LATER = NOON + timedelta(minutes=2)


def request(project, **changes):
    fields = {"project": project.ref, "key": "first-job", "command": ("echo", "hello"), "num_gpus": 1}
    return JobRequest.model_validate(fields | {"walltime_s": 3600} | changes)


def beat(agent, *refs, at=NOON, **status):
    fields = {"partition": "cpu", "at": at, "num_gpus": 1, "num_free_gpus": 1, "expected_wait_s": 0.0} | status
    return jobs.heartbeat(
        agent=agent, version="0", refs=refs, partitions=(PartitionStatus.model_validate(fields),), at=at
    )


def submit(project, ada, **changes):
    return submit_job(project=project, request=request(project, **changes), by=ada, at=NOON)


def put(project, by, path, data=b"print(1)\n"):
    return put_file(
        project=project,
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        num_bytes=len(data),
        stream=io.BytesIO(data),
        by=by,
        at=NOON,
    )


def change_site(**changes):
    register_site(site=load_network().sites[0].model_copy(update=changes), by=SETUP, at=NOON)


@pytest.fixture
def offline(chiara):
    """The site is a cluster whose nodes have no internet."""
    slurm = SlurmSite(cluster="alpha", container=ContainerRuntime.APPTAINER, offline=True)
    change_site(executor="slurm", slurm=slurm)
    return chiara


def row(job, ada):
    return job_read.find_job(job.ref, person=ada)


def test_a_job_is_held_run_and_settled_like_a_stage(project, ada, chiara):
    job = submit(project, ada)
    assert project_info(project).held_gpu_s == 3600
    claimed = claim_one(chiara.agent)
    assert (claimed.ref, claimed.run, claimed.stage, claimed.input) == (job.ref, "", None, None)
    assert (claimed.project, claimed.spec.command, claimed.spec.partition) == (project.ref, ("echo", "hello"), "cpu")
    assert claim_one(chiara.agent) == claimed
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=report(claimed, JobState.RUNNING), at=NOON)
    assert beat(chiara.agent, job.ref).forget == ()
    jobs.finish(
        agent=chiara.agent,
        ref=job.ref,
        report=report(claimed, exit_code=0, native_id="42"),
        used=usage(claimed),
        stage_record=None,
        at=NOON,
    )
    found = job_read.job_detail(row(job, ada))
    assert (found.state, found.gpu_s, found.exit_code, found.native_id) == (JobState.SUCCEEDED, 60, 0, "42")
    assert (found.run, found.stage, found.name, found.created_by) == ("", "", "echo", "ada")
    info = project_info(project)
    assert (info.held_gpu_s, info.used_gpu_s) == (0, 60)
    states = JobEvent.objects.filter(job=job).order_by("pk").values_list("state", flat=True)
    assert list(states) == ["queued", "claimed", "running", "succeeded"]


def test_the_same_key_is_the_same_job_and_another_content_is_refused(project, ada, chiara):
    job = submit(project, ada)
    assert submit(project, ada).pk == job.pk
    with pytest.raises(KeyTaken, match=job.ref):
        submit(project, ada, num_gpus=0)
    assert Job.objects.count() == 1
    assert LedgerEntry.objects.filter(kind="hold").count() == 1


def test_a_job_over_the_budget_is_refused_before_anything_queues(project, ada):
    with pytest.raises(BudgetExceeded, match=r"needs 11\.00 GPU-hours; alc-\w+ has 10\.00 left"):
        submit(project, ada, walltime_s=11 * 3600)
    assert not Job.objects.exists()
    assert project_info(project).held_gpu_s == 0


def test_every_fault_is_said_at_once(project, ada):
    asked = request(
        project, num_gpus=3, num_nodes=2, walltime_s=90000, image="--privileged", array="9-1", files=("no/such.py",)
    )
    found = look_at(project, asked, by=Person.objects.first(), at=NOON).answer
    told = " ".join(f"{fault.about}: {fault.message}" for fault in found.faults)
    for words in (
        "array: The array 9-1 stands for 0 jobs",
        "image: '--privileged' is no name of an image",
        "files: norme-chiare has no file 'no/such.py'",
        "local/cpu: It has 1 accelerators, 3 are asked for",
        "It has 1 nodes, 2 are asked for",
        "Its longest walltime is 24 h 00 min, 25 h 00 min are asked for",
        "The site runs no images",
        "The site knows no arrays",
    ):
        assert words in told, words
    with pytest.raises(JobRefused, match="3 are asked for"):
        submit_job(project=project, request=asked, by=ada, at=NOON)
    assert not Job.objects.exists()


def test_a_good_job_passes_the_check_and_nothing_is_created(project, chiara):
    beat(chiara.agent)
    found = look_at(project, request(project), by=Person.objects.first(), at=NOON).answer
    assert (found.faults, found.notes, found.place) == ((), (), "local/cpu")
    assert (found.held_gpu_s, found.free_gpu_s) == (3600, 36000)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("command", "script", "words"),
    [
        (("pip", "install", "numpy"), b"", "the command calls `pip install`"),
        (("bash", "run.sh"), b"set -e\ngit clone https://x.y/z\n", "run.sh calls `git clone`"),
        (("bash", "run.sh"), b"# pip install is done in the image\n", ""),
        (("python", "run.sh"), b"print('curling')\n", ""),
    ],
)
def test_what_needs_the_internet_is_found_before_it_queues(project, ada, offline, command, script, words):
    files = ("run.sh",) if script else ()
    if script:
        put(project, ada, "run.sh", script)
    found = look_at(
        project, request(project, command=command, files=files), by=Person.objects.get(username="ada"), at=NOON
    ).answer
    assert [words in fault.message for fault in found.faults] == ([True] if words else [])


@pytest.mark.parametrize(
    ("image", "is_fine"), [("docker://debian:12", False), ("images/torch.sif", True), ("/shared/torch.sif", True)]
)
def test_an_image_from_the_internet_does_not_reach_offline_nodes(project, offline, image, is_fine):
    found = look_at(project, request(project, image=image), by=Person.objects.first(), at=NOON).answer
    assert (not found.faults) is is_fine


def test_an_array_is_held_for_all_its_jobs(project, ada, offline):
    submit(project, ada, array="0-7%2")
    assert project_info(project).held_gpu_s == 8 * 3600


@pytest.mark.parametrize(
    ("array", "num_tasks"), [("", 1), ("5", 1), ("0-9", 10), ("0-9:2%3", 5), ("1,3,5-6", 4), ("9-1", 0), ("0-9:0", 0)]
)
def test_how_many_jobs_an_array_stands_for(array, num_tasks):
    assert JobSpec(key="a", name="a", command=("true",), walltime_s=1, array=array).num_tasks == num_tasks


def test_a_site_may_refuse_commands_of_peoples_own(project, ada, chiara):
    change_site(user_commands=())
    with pytest.raises(NoPlace, match="local/cpu: The site does not run 'echo'"):
        submit(project, ada)


def test_time_that_is_elsewhere_does_not_help(project, ada):
    with pytest.raises(NoAllocation, match="no time on beta") as caught:
        submit(project, ada, place="beta")
    assert "local/cpu" in caught.value.hint


@pytest.mark.parametrize("command", [(), ("",), ("-rf",), ("echo", "a\0b"), ("x" * 100_001,)])
def test_a_command_that_is_none_is_refused(project, command):
    with pytest.raises(ValueError, match="command"):
        request(project, command=command)


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_by_its_agent(project, ada, chiara):
    first = submit(project, ada, key="first-job")
    assert cancel_job(job=first, by=ada, at=NOON).state == JobState.CANCELLED
    assert cancel_job(job=first, by=ada, at=NOON).state == JobState.CANCELLED
    second = submit(project, ada, key="second-job")
    claimed = claim_one(chiara.agent)
    jobs.mark_started(agent=chiara.agent, ref=second.ref, report=report(claimed, JobState.RUNNING), at=NOON)
    assert cancel_job(job=second, by=ada, at=NOON).state == JobState.RUNNING
    assert beat(chiara.agent, second.ref).cancel == (second.ref,)
    jobs.finish(
        agent=chiara.agent,
        ref=second.ref,
        report=report(claimed, JobState.SUCCEEDED),
        used=usage(claimed),
        stage_record=None,
        at=NOON,
    )
    third = submit(project, ada, key="third-job", num_gpus=0)
    claimed = claim_one(chiara.agent)
    jobs.finish(
        agent=chiara.agent, ref=third.ref, report=report(claimed), used=usage(claimed), stage_record=None, at=NOON
    )
    with pytest.raises(JobEnded):
        cancel_job(job=third, by=ada, at=NOON)
    assert project_info(project).held_gpu_s == 0
    assert UsageRecord.objects.count() == 3


def test_a_stage_is_not_cancelled_on_its_own(run, ada):
    with pytest.raises(PartOfARun, match=run.ref):
        cancel_job(job=run.jobs.first(), by=ada, at=NOON)


def test_a_lost_job_is_handed_out_again(project, ada, chiara):
    job = submit(project, ada)
    claimed = claim_one(chiara.agent)
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=report(claimed, JobState.RUNNING), at=NOON)
    beat(chiara.agent, at=LATER)
    assert claim_one(chiara.agent, at=LATER) == claimed


def test_jobs_of_a_silent_agent_are_unknown(project, ada, chiara):
    job = submit(project, ada)
    claimed = claim_one(chiara.agent)
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=report(claimed, JobState.RUNNING), at=NOON)
    beat(chiara.agent, job.ref)
    assert jobs.mark_silent(at=NOON + HOUR) == 1
    found = why(row(job, ada), at=NOON + HOUR)
    assert (found.state, found.waits) == (JobState.UNKNOWN, False)
    assert "last heard" in found.why[0]


def test_dag_sees_no_job(project, ada, dag):
    job = submit(project, ada)
    assert job_read.jobs(dag) == []
    with pytest.raises(NotVisible):
        job_read.find_job(job.ref, person=dag)
    assert [found.ref for found in job_read.jobs(ada)] == [job.ref]


def test_lists_can_leave_out_stages_and_name_a_project_or_a_state(run, project, ada):
    job = submit(project, ada)
    assert [found.ref for found in job_read.jobs(ada, own=True)] == [job.ref]
    assert len(job_read.jobs(ada)) == 6
    assert len(job_read.jobs(ada, project=project.name, state=JobState.BLOCKED)) == 4
    assert job_read.jobs(ada, project="no-such") == []
    assert len(job_read.jobs(ada, limit=2)) == 2


def test_files_have_names_in_the_projects_folder(project, ada):
    put(project, ada, "src/train.py", b"one")
    put(project, ada, "src/train.py", b"two")
    assert stored_file(project, "src/train.py").read_bytes() == b"two"
    with pytest.raises(NotVisible):
        stored_file(project, "src")
    for path in ("src", "src/train.py/x", "../x", "/etc/passwd", "a\0b", "", "a//b"):
        with pytest.raises(BadPath):
            put(project, ada, path)
    with pytest.raises(BadUpload):
        put_file(project=project, path="x", sha256="0" * 64, num_bytes=1, stream=io.BytesIO(b"x"), by=ada, at=NOON)
    assert [found.path for found in job_read.project_files(project.files.all())] == ["src/train.py"]


def test_a_job_gets_its_files_under_their_names(project, ada, chiara):
    put(project, ada, "src/train.py")
    submit(project, ada, files=("src/train.py",))
    (source,) = claim_one(chiara.agent).sources
    assert (source.name, source.sha256) == ("src/train.py", hashlib.sha256(b"print(1)\n").hexdigest())


def test_only_what_a_job_left_is_fetched(project, ada, hub_folder):
    job = submit(project, ada)
    (hub_folder / "artifacts" / job.ref).mkdir(parents=True)
    (hub_folder / "artifacts" / job.ref / "a.txt").write_text("a")
    with pytest.raises(NotVisible):
        left_file(job, "a.txt")
    Artifact.objects.create(job=job, path="a.txt", sha256="0" * 64, num_bytes=1, received_at=NOON)
    assert left_file(job, "a.txt").read_text() == "a"
    for path in ("../../x", "b.txt", "\0"):
        with pytest.raises(NotVisible):
            left_file(job, path)


# -- why it waits


def told(job, ada, *, at=NOON):
    found = why(row(job, ada), at=at)
    return " ".join(found.why), " ".join(found.sooner), found


def test_why_behind_others(project, ada, chiara):
    beat(chiara.agent, num_free_gpus=0, num_waiting_jobs=4, waiting_gpu_s=7200, expected_wait_s=1800.0)
    submit(project, ada)
    second = submit(project, ada, key="second-job", walltime_s=7200)
    reasons, sooner, found = told(second, ada)
    assert "1 job is handed out before it." in reasons
    assert "It asks for 1 accelerators; 0 of 1 are free, and 4 jobs wait for 2.00 GPU-hours." in reasons
    assert "would wait about 30 min" in reasons
    assert "shorter walltime" in sooner
    assert (found.num_ahead, found.free_gpu_s, found.held_gpu_s) == (1, 7 * 3600, 7200)


def test_why_in_the_sites_own_queue(project, ada, chiara):
    beat(chiara.agent)
    job = submit(project, ada)
    claimed = claim_one(chiara.agent)
    waiting = report(
        claimed,
        JobState.CLAIMED,
        started_at=None,
        native_id="77",
        reason="Jobs of higher priority are ahead.",
        pending_reason="Priority",
        starts_at=NOON + HOUR,
    )
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=waiting, at=NOON)
    reasons, _, found = told(job, ada)
    assert "Its site has it as 77 and says: Jobs of higher priority are ahead." in reasons
    assert "expects to start it at 2026-11-20 13:00 UTC" in reasons
    assert (found.num_ahead, found.starts_at) == (None, NOON + HOUR)


def test_why_before_maintenance(project, ada, chiara):
    beat(chiara.agent)
    change_site(maintenance=(Maintenance(begins_at=NOON + HOUR / 2, ends_at=NOON + 3 * HOUR),))
    job = submit(project, ada)
    agent = Agent.objects.select_related("site").get(pk=chiara.agent.pk)
    assert jobs.claim(agent=agent, num_slots=1, num_gpus=1, at=NOON) == ()
    _, sooner, _ = told(job, ada)
    assert "Ask for at most 30 min 00 s: maintenance begins then" in sooner
    check = look_at(project, request(project), by=Person.objects.first(), at=NOON).answer
    assert check.notes == ("It waits for the end of maintenance, until 2026-11-20 15:00 UTC.",)


def test_why_at_a_silent_site_and_what_is_elsewhere(project, ada, chiara):
    beat(chiara.agent)
    job = submit(project, ada)
    beta = register_site(site=load_network().sites[0].model_copy(update={"id": "beta"}), by=SETUP, at=NOON)
    agent = register_agent(site=beta, by=SETUP, at=NOON).agent
    allocation = job.allocation
    allocation.pk = None
    allocation.ref = "alc-second"
    allocation.site, allocation.partition = beta, beta.partitions.get()
    allocation.save(force_insert=True)
    allocation.entries.create(kind="grant", gpu_s=36000, at=NOON)
    beat(agent, at=NOON + HOUR)
    reasons, sooner, _ = told(job, ada, at=NOON + HOUR)
    assert "Nothing new starts at local: its agent is silent since 2026-11-20 12:00 UTC." in reasons
    assert "Submit it to beta/cpu, which would start it at about 13:00 UTC." in sooner


def test_why_of_a_stage_and_of_what_does_not_wait(run, ada, chiara):
    reasons, _, found = told(run.jobs.get(stage="train"), ada)
    assert "It waits for stage prepare, which is queued." in reasons
    job = claim_one(chiara.agent)
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=report(job, JobState.RUNNING), at=NOON)
    assert told(run.jobs.get(stage="prepare"), ada)[0] == "It does not wait: it runs."
    jobs.finish(agent=chiara.agent, ref=job.ref, report=report(job), used=usage(job), stage_record=None, at=NOON)
    assert "has ended and is succeeded" in told(run.jobs.get(stage="prepare"), ada)[0]


def used_by(job, task, gpu_s, *, state=JobState.SUCCEEDED):
    key = f"{job.key}.{task}" if task else job.key
    names = (f"slurm.alpha.1{task}.{gpu_s}",)
    return usage(job, state=state, job_key=key, gpu_s=gpu_s, measured_at=LATER, same_as=names)


def held(allocation):
    return balance(allocation.entries.all()).held_gpu_s


def test_each_task_of_an_array_gives_back_its_share_of_the_hold(project, ada, offline, chiara, allocation):
    job = submit(project, ada, array="0-3")
    assert held(allocation) == 4 * 3600
    first = used_by(job, "t0", 100)
    take_usage(agent=chiara.agent, records=(first,), at=LATER)
    assert held(allocation) == 3 * 3600
    take_usage(agent=chiara.agent, records=(first,), at=LATER)
    corrected = first.model_copy(update={"gpu_s": 120, "measured_at": LATER + HOUR})
    take_usage(agent=chiara.agent, records=(corrected, used_by(job, "t2", 7)), at=LATER)
    assert held(allocation) == 2 * 3600
    take_usage(agent=chiara.agent, records=(used_by(job, "t1", 5), used_by(job, "t3", 6)), at=LATER)
    assert held(allocation) == 0
    assert balance(allocation.entries.all()).used_gpu_s == 120 + 7 + 5 + 6


def test_tasks_that_never_started_give_back_the_rest_at_once(project, ada, offline, chiara, allocation):
    job = submit(project, ada, array="0-3,3")
    take_usage(agent=chiara.agent, records=(used_by(job, "t1", 9),), at=LATER)
    never = used_by(job, "", 0, state=JobState.CANCELLED)
    take_usage(agent=chiara.agent, records=(never,), at=LATER)
    assert held(allocation) == 0
    take_usage(agent=chiara.agent, records=(used_by(job, "t0", 8), never), at=LATER)
    assert (held(allocation), balance(allocation.entries.all()).used_gpu_s) == (0, 17)


def test_an_index_named_twice_is_given_back_with_the_last_task(project, ada, offline, chiara, allocation):
    job = submit(project, ada, array="1,1,2")
    assert held(allocation) == 3 * 3600
    take_usage(agent=chiara.agent, records=(used_by(job, "t1", 9),), at=LATER)
    take_usage(agent=chiara.agent, records=(used_by(job, "t2", 9),), at=LATER)
    assert held(allocation) == 0


@pytest.mark.parametrize(
    ("array", "numbers"), [("", ()), ("5", (5,)), ("3,0-4:2%3", (0, 2, 3, 4)), ("1,1-2", (1, 2)), ("9-1", ())]
)
def test_which_jobs_an_array_stands_for(array, numbers):
    assert JobSpec(key="a", name="a", command=("true",), walltime_s=1, array=array).task_numbers == numbers


def test_who_has_no_user_at_a_cluster_hears_it_before_and_while_waiting(project, ada, bruno, offline, chiara):
    beat(chiara.agent)
    said = "local/cpu starts nothing now: ada has no user there yet; its staff gives one with `fucina site map-user"
    check = look_at(project, request(project), by=ada, at=NOON).answer
    assert any(said in note for note in check.notes)
    job = submit(project, ada)
    assert "ada has no user there yet" in job.parsed_placement.why
    agent = Agent.objects.select_related("site").get(pk=chiara.agent.pk)
    assert jobs.claim(agent=agent, num_slots=1, num_gpus=1, at=NOON) == ()
    assert "Nothing new starts at local: ada has no user there yet" in told(job, ada)[0]
    map_user(site=agent.site, username="ada", unix_user="alice", by=bruno, at=NOON)
    assert "no user" not in told(job, ada)[0]
    assert look_at(project, request(project, key="second-job"), by=ada, at=NOON).answer.notes == ()
    assert claim_one(agent).spec.user == "alice"


def test_a_site_that_knows_the_person_is_preferred_to_one_that_does_not(project, ada, bruno, offline, chiara):
    beat(chiara.agent)
    beta = register_site(site=load_network().sites[0].model_copy(update={"id": "beta"}), by=SETUP, at=NOON)
    agent = register_agent(site=beta, by=SETUP, at=NOON).agent
    mine = Allocation.objects.of_project(project.organisation, project.name).get()
    Allocation.objects.create(
        ref="alc-second",
        grant=mine.grant,
        site=beta,
        partition=beta.partitions.get(),
        slurm_account="b",
        created_at=NOON,
    ).entries.create(kind="grant", gpu_s=3600, at=NOON)
    beat(agent)
    assert look_at(project, request(project), by=ada, at=NOON).answer.place == "beta/cpu"
    map_user(site=mine.site, username="ada", unix_user="alice", by=bruno, at=NOON)
    assert look_at(project, request(project), by=ada, at=NOON).answer.place == "local/cpu"
