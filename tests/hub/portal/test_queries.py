"""How much a page asks of the database: little, and the same however long its lists are."""

import traceback
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fucina.client.wire_planning import ScenarioRequest
from fucina.compute.record import ProgressLine
from fucina.hub.compute import jobs
from fucina.hub.compute.actions import cancel_run
from fucina.hub.planning.actions import save_scenario
from tests.hub.conftest import NOON


def num_queries(client, address):
    """Queries of a page that was asked for before, so that nothing is read for the first time."""
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(
        connection,
    ) as captured:
        client.get(address)
    return len(captured)


def add_rows(world, *, number):
    """One more of everything that is listed."""
    world.ask(f"granted-{number}", hours=1.0)
    world.ask(f"waiting-{number}", hours=250.0, mode="playground")
    at = NOON + timedelta(hours=number)
    world.publish(world.finish_run(key=f"finished-{number}", at=at))
    world.begin(key=f"waiting-run-{number}", at=at)
    world.start_stage(at=at)
    world.end_stage(world.project.runs.get(key=f"waiting-run-{number}").jobs.get(stage="prepare"))
    save_scenario(request=ScenarioRequest(name=f"scenario {number}", result={}), by=world.ada, at=at)
    cancel_run(run=world.project.runs.get(key=f"waiting-run-{number}"), by=world.ada, at=at)


@pytest.mark.parametrize(
    ("who", "address", "most"),
    [
        ("ada", "/", 12),
        ("bruno", "/", 12),
        ("ada", "/projects", 6),
        ("ada", "/runs", 6),
        ("ada", "/applications", 5),
        ("ada", "/releases", 4),
        ("ada", "/scenarios", 4),
        ("bruno", "/desk", 5),
        ("ada", "project", 10),
    ],
)
def test_a_list_costs_the_same_however_long_it_is(world, as_, who, address, most):
    client = as_(getattr(world, who))
    add_rows(world, number=0)
    address = f"/projects/{world.project.ref}" if address == "project" else address
    short = num_queries(client, address)
    for number in range(1, 5):
        add_rows(world, number=number)

    assert num_queries(client, address) == short <= most


def test_a_run_costs_the_same_however_long_it_trained(world, as_):
    client = as_(world.ada)
    train = world.train_for(num_lines=10)
    address = f"/runs/{train.run.ref}"
    short = num_queries(client, address)
    lines = [
        ProgressLine(at=NOON, stage="train", done=8192 * n, total=10**9, unit="tokens", values={"loss": 3.0})
        for n in range(10, 4500)
    ]
    jobs.add_progress(agent=world.agent, ref=train.ref, first=10, lines=lines, at=NOON)

    assert num_queries(client, address) == short <= 16


def test_a_release_costs_little(world, as_):
    release = world.publish(world.finish_run(key="finished-run"))
    assert num_queries(as_(world.ada), f"/releases/{release.ref}") <= 6


@pytest.mark.parametrize(
    "address", ["/", "/projects", "project", "/runs", "run", "/applications", "/releases", "release", "/desk"]
)
def test_templates_ask_nothing(world, as_, address):
    add_rows(world, number=0)
    train = world.train_for(num_lines=10)
    release = world.project.runs.exclude(release="").get().release
    address = {
        "project": f"/projects/{world.project.ref}", "run": f"/runs/{train.run.ref}", "release": f"/releases/{release}"
    }.get(address, address)  # fmt: skip
    client = as_(world.bruno if address == "/desk" else world.ada)
    asked = []

    def watch(execute, sql, params, many, context):
        if any("django/template/" in frame.filename for frame in traceback.extract_stack()):
            asked.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        assert client.get(address).status_code == 200
    assert not asked
