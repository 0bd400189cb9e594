"""The agent against the real hub: chains, outages on either side, lost memories on either side."""

import os
import pwd
import shutil
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db.models import Value
from django.db.models.functions import Concat
from django.test import Client
from django.utils import timezone

from fucina.agent.agent import Agent, Errand
from fucina.agent.door import AgentDoor
from fucina.agent.pace import Pace
from fucina.compute.spec import FINAL, JobState
from fucina.config import Settings
from fucina.errors import Unavailable
from fucina.hub.accounting.models import Kind, LedgerEntry
from fucina.hub.compute.actions import cancel_run
from fucina.hub.compute.models import Job, JobEvent, LineRun
from fucina.hub.network.actions import map_user, set_draining
from fucina.hub.network.models import Agent as AgentRow
from tests.hub.agent.scripted import Scripted
from tests.hub.conftest import NOON, slurm_site

ALWAYS = Pace(
    tick_s=0, poll_s=0, claim_s=0, report_s=0, heartbeat_s=0, partitions_s=0, usage_s=0, accounts_s=0, forget_after_s=0
)


class Cable(httpx.BaseTransport):
    """The way to the hub, which can be cut."""

    def __init__(self) -> None:
        self._hub = Client()
        self.is_cut = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_cut:
            raise httpx.ConnectError("cut")
        answer = self._hub.generic(
            request.method,
            request.url.raw_path.decode(),
            data=request.read(),
            content_type=request.headers.get("content-type", "application/json"),
            headers=dict(request.headers),
        )
        content = b"".join(answer) if answer.streaming else answer.content
        return httpx.Response(answer.status_code, content=content)


class World:
    """One site whose agent can be killed and started again."""

    def __init__(self, secret: str, folder: Any) -> None:
        self.folder = folder
        self.secret = secret
        self.cable = Cable()
        self.cluster = Scripted(folder / "cluster")
        self.agent = self.start()

    def start(self, **changes: Any) -> Agent:
        """A new agent on the same folders; the old one is simply gone, as after kill -9."""
        door = AgentDoor("http://hub", self.secret)
        door._http = httpx.Client(transport=self.cable, base_url="http://hub/api/v1", headers=door._http.headers)
        slurm = slurm_site().slurm.model_copy(update={"scratch": self.folder / "scratch", "min_uid": 1, "account": ""})
        site = slurm_site("local", slurm=slurm)
        site = site.model_copy(update={"partitions": (site.partitions[0].model_copy(update={"id": "cpu"}),)})
        settings = Settings(home=self.folder / "site-home")
        settings.private_key.parent.mkdir(parents=True, exist_ok=True)
        settings.private_key.write_text("key")
        arguments = {"pace": ALWAYS, **changes}
        self.agent = Agent(door=door, executor=self.cluster, settings=settings, site=site, **arguments)
        return self.agent

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.agent.step()

    def end(self, key: str, state: JobState = JobState.SUCCEEDED) -> None:
        self.cluster.say(key, state, ended_at=NOON + timedelta(minutes=1), wall_s=60, num_attempts=1)


USER = "daemon" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
"""Whom jobs run as: another user where the tests may act for one."""


@pytest.fixture
def world(run, chiara, bruno, site, settings):
    settings.ALLOWED_HOSTS = ["hub"]
    site.executor = "slurm"
    site.save()
    map_user(site=site, username="ada", unix_user=USER, by=bruno, at=NOON)
    # Every user can reach it, as scratch; pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory(prefix="fucina-agent-") as folder:
        Path(folder).chmod(0o755)
        world = World(chiara.secret, Path(folder))
        yield world
        world.agent.close()


def states(run):
    return [JobState(state) for state in run.jobs.order_by("position").values_list("state", flat=True)]


def keys(run):
    return list(run.jobs.order_by("position").values_list("key", flat=True))


def held(run):
    kinds = (Kind.HOLD, Kind.SETTLE)
    return -sum(LedgerEntry.objects.filter(allocation=run.allocation, kind__in=kinds).values_list("gpu_s", flat=True))


def test_a_run_is_submitted_at_once_each_stage_after_the_one_before(world, run):
    world.step()
    specs = world.cluster.specs()
    assert set(specs) == set(keys(run))
    assert [specs[key].depends_on for key in keys(run)] == [(), *((key,) for key in keys(run)[:-1])]
    for spec in specs.values():
        assert (spec.user, spec.account, spec.partition) == (USER, run.allocation.ref, "cpu")
        assert spec.working_directory.startswith(str(world.folder / "scratch" / "runs" / run.ref))
    world.step()
    assert states(run) == [JobState.CLAIMED] * 5
    assert Job.objects.filter(accepted_at__isnull=False).count() == 5


def test_a_run_ends_without_a_word_about_usage(world, run):
    world.step(2)
    for key in keys(run)[:4]:
        (world.cluster.root / f"{key}.log").write_text(f"this is {key}\n")
        world.end(key)
        world.step()
    assert states(run)[:4] == [JobState.SUCCEEDED] * 4
    # Slurm's accounting tells later what was used; until then the holds stay.
    assert held(run) == sum(job.num_gpus * job.walltime_s for job in run.jobs.all())
    assert world.cluster.num_submits == 5


def test_a_stage_that_fails_ends_the_rest_although_the_hub_is_silent(world, run):
    world.step(2)
    world.cable.is_cut = True
    world.end(keys(run)[0])
    world.end(keys(run)[1], JobState.FAILED)
    for _ in range(3):
        with pytest.raises(Unavailable):
            world.step()
    assert sorted(world.cluster.cancelled) == sorted(keys(run)[2:])
    world.cable.is_cut = False
    world.step(2)
    assert states(run) == [JobState.SUCCEEDED, JobState.FAILED, *[JobState.CANCELLED] * 3]


def test_ends_are_kept_while_the_hub_is_silent_even_when_the_cluster_forgets_them(world, run):
    world.step(2)
    world.cable.is_cut = True
    world.end(keys(run)[0])
    with pytest.raises(Unavailable):
        world.step()
    world.cluster.forget(keys(run)[0])
    world.agent.close()
    world.start()
    with pytest.raises(Unavailable):
        world.step()
    assert states(run)[0] is JobState.CLAIMED
    world.cable.is_cut = False
    world.step()
    assert states(run)[0] is JobState.SUCCEEDED


def test_a_silent_cluster_is_waited_for_and_nothing_is_submitted_twice(world, run):
    world.cluster.is_down = True
    with pytest.raises(Unavailable):
        world.step()
    assert states(run)[0] is JobState.CLAIMED
    world.cluster.is_down = False
    world.step(2)
    world.cluster.is_down = True
    world.step()
    world.cluster.is_down = False
    world.step()
    assert world.cluster.num_submits == 5


@pytest.mark.parametrize("num_steps", range(1, 6))
def test_an_agent_killed_after_any_step_goes_on(world, run, num_steps):
    for number in range(12):
        world.start()
        for _ in range(num_steps):
            world.step()
            if number < 5:
                world.end(keys(run)[number])
        world.agent.close()
    world.start()
    assert states(run)[:4] == [JobState.SUCCEEDED] * 4
    assert world.cluster.num_submits == 5


def test_a_lost_journal_is_made_anew_from_hub_and_cluster(world, run, ada):
    world.step(2)
    world.end(keys(run)[0])
    world.cluster.say(keys(run)[1], JobState.RUNNING)
    world.agent.close()
    shutil.rmtree(world.folder / "site-home")
    cancel_run(run=run, by=ada, at=timezone.now())
    world.start()
    world.step(3)
    assert world.cluster.num_submits == 5
    assert set(world.cluster.cancelled) >= set(keys(run)[1:])
    assert states(run) == [JobState.SUCCEEDED, *[JobState.CANCELLED] * 4]


def remembered():
    """The hub's tables as a backup has them."""
    jobs = {job.pk: {f.attname: getattr(job, f.attname) for f in job._meta.fields} for job in Job.objects.all()}
    agents = list(AgentRow.objects.values("pk", "serial", "last_seen_at"))
    return jobs, agents


def restore(backup):
    jobs, agents = backup
    for pk, values in jobs.items():
        Job.objects.filter(pk=pk).update(**{name: value for name, value in values.items() if name != "id"})
    for values in agents:
        AgentRow.objects.filter(pk=values["pk"]).update(
            serial=values["serial"], last_seen_at=values["last_seen_at"], restored_at=None
        )
    LineRun.objects.update(state=JobState.QUEUED, ended_at=None)


@pytest.mark.parametrize("backup_after", range(4))
@pytest.mark.parametrize("ended", range(4))
def test_a_hub_restored_from_a_backup_comes_to_the_same(world, run, backup_after, ended):
    """Whatever the hub had heard when the backup was made, and whatever has ended since."""
    backup = remembered()
    for number in range(5):
        if number == backup_after:
            backup = remembered()
        world.step()
        if number >= 1 and number - 1 < ended:
            world.end(keys(run)[number - 1])
    world.step()
    assert states(run)[:ended] == [JobState.SUCCEEDED] * ended
    restore(backup)
    world.step(4)
    assert states(run) == [JobState.SUCCEEDED] * ended + [JobState.CLAIMED] * (5 - ended)
    assert (world.cluster.num_submits, world.cluster.cancelled) == (5, [])
    for key in keys(run):
        world.end(key)
    world.step(2)
    assert states(run)[:4] == [JobState.SUCCEEDED] * 4
    assert JobEvent.objects.filter(job__run=run, state=JobState.SUCCEEDED).count() <= 2 * 5


def test_a_restored_hub_has_errands_done_again(world, run):
    rewound = []
    errand = Errand(name="usage", every_s=0, run=lambda: None, rewind=rewound.append)
    world.agent.close()
    world.start(errands=(errand,))
    world.step(2)
    assert rewound == []
    AgentRow.objects.update(serial=0, last_seen_at=NOON)
    world.step(3)
    assert rewound == [NOON - timedelta(minutes=5)]


def test_trouble_with_an_errand_stops_nothing(world, run):
    def fail():
        raise Unavailable("sacct is down", hint="")

    world.agent.close()
    world.start(errands=(Errand(name="usage", every_s=0, run=fail),))
    world.step(2)
    assert len(world.cluster.specs()) == 5


def test_a_job_that_the_hub_does_not_know_is_ended_once_that_is_sure(world, run):
    world.agent.close()
    world.start(pace=replace(ALWAYS, forget_after_s=3600))
    world.step(2)
    Job.objects.update(ref=Concat("ref", Value("x")))
    world.step(3)
    assert world.cluster.cancelled == []
    world.agent.close()
    world.start()
    world.step(2)
    assert set(world.cluster.cancelled) == set(keys(run))
    world.step()
    assert all(spec.key in world.cluster.cancelled for spec in world.cluster.specs().values())


def test_a_drained_site_takes_nothing_and_a_draining_agent_leaves_at_the_end(world, run, bruno):
    set_draining(site=run.allocation.site, drain=True, by=bruno, at=NOON)
    world.step(2)
    assert world.cluster.specs() == {}
    set_draining(site=run.allocation.site, drain=False, by=bruno, at=NOON)
    world.agent.draining.set()
    world.step(2)
    assert world.cluster.specs() == {}
    world.agent.draining.clear()
    world.step(2)
    world.agent.draining.set()
    for key in keys(run):
        world.end(key, JobState.CANCELLED)
    world.agent.run()
    assert set(states(run)) <= FINAL


def test_what_the_site_refuses_ends_as_a_failure_in_words(world, run):
    Job.objects.filter(run=run, position=0).update(
        spec=run.jobs.get(position=0).spec | {"environment": {"LD_PRELOAD": "/x.so"}}
    )
    world.step(3)
    first = run.jobs.get(position=0)
    assert (first.state, first.error_code) == (JobState.FAILED, "bad_job")
    assert "LD_PRELOAD" in first.reason
    assert states(run)[1:] == [JobState.CANCELLED] * 4
    assert world.cluster.specs() == {}
    # Slurm never had these jobs, so nothing is awaited from its accounting.
    assert held(run) == 0


def starts(run):
    return list(run.jobs.order_by("position").values_list("starts_at", flat=True))


def test_the_hub_hears_when_a_waiting_job_is_expected_to_start(world, run):
    soon = timezone.now() + timedelta(hours=2)
    first = keys(run)[0]
    world.cluster.starts = {first: soon, keys(run)[1]: soon + timedelta(hours=1)}
    world.step(2)
    assert starts(run) == [soon, soon + timedelta(hours=1), None, None, None]
    world.cluster.starts[first] = soon + timedelta(minutes=5)
    world.step(2)
    assert starts(run)[0] == soon, "five minutes more of two hours are nothing new"
    world.cluster.starts[first] = soon + timedelta(minutes=30)
    world.step(2)
    assert starts(run)[0] == soon + timedelta(minutes=30)
    world.cluster.starts.pop(first)
    world.step(2)
    assert starts(run)[0] is None, "the queue takes back what it has said"
    world.cluster.say(keys(run)[1], JobState.RUNNING)
    world.step(2)
    assert starts(run) == [None] * 5


def test_a_queue_that_cannot_plan_stops_nothing(world, run, caplog, monkeypatch):
    def fail(keys):
        raise Unavailable("squeue --start is down", hint="")

    monkeypatch.setattr(world.cluster, "start_estimates", fail)
    world.step(3)
    assert states(run) == [JobState.CLAIMED] * 5
    assert "squeue --start is down" in caplog.text


def test_expected_starts_cost_one_question_in_a_while(world, run):
    world.agent.close()
    world.start(pace=replace(ALWAYS, partitions_s=3600))
    world.step(4)
    assert world.cluster.num_forecasts <= 1
