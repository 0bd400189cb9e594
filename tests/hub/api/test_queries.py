"""How much a list of the API asks of the database: little, and the same however long it is."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fucina.client.wire import RunInfo
from fucina.client.wire_jobs import JobRequest, JobSummary
from fucina.hub.accounting.models import LedgerEntry, LedgerTotal, balance
from fucina.hub.compute import projects
from fucina.hub.compute.actions import start_run
from fucina.hub.compute.own_jobs import submit_job
from tests.hub.conftest import DOCUMENT, NOON, application_request, run_request, send_blob, work_off

KINDS = {"/jobs": JobSummary, "/runs": RunInfo}


def add_rows(project, ada, agent, *, number):
    start_run(project=project, request=run_request(project, key=f"run-number-{number}", gpu_hours=1), by=ada, at=NOON)
    request = JobRequest(project=project.ref, key=f"job-number-{number}", command=("true",), walltime_s=60, num_gpus=1)
    submit_job(project=project, request=request, by=ada, at=NOON)
    work_off(agent)
    projects.apply(request=application_request(project=f"other-{number}", gpu_hours=1), by=ada, at=NOON)


@pytest.mark.parametrize(
    ("path", "most"),
    [("/jobs", 2), ("/jobs?own=true&state=queued", 2), ("/runs", 4), ("/projects", 4), ("/systems", 3), ("one", 4)],
)
def test_a_list_costs_the_same_however_long_it_is(project, ada, chiara, as_ada, path, most):
    send_blob(project, DOCUMENT, ada)
    address = f"/api/v1/projects/{project.ref}" if path == "one" else f"/api/v1{path}"
    add_rows(project, ada, chiara.agent, number=0)
    counts = []
    for number in range(1, 4):
        assert as_ada.get(address).status_code == 200
        with CaptureQueriesContext(connection) as captured:
            answer = as_ada.get(address).json()
        counts.append(len(captured))
        add_rows(project, ada, chiara.agent, number=number)
    assert answer
    assert len(set(counts)) == 1, counts
    assert counts[0] <= most


@pytest.mark.parametrize("path", KINDS)
def test_a_list_is_what_the_schema_says(project, ada, chiara, as_ada, path):
    send_blob(project, DOCUMENT, ada)
    for number in range(3):
        add_rows(project, ada, chiara.agent, number=number)
    answer = as_ada.get(f"/api/v1{path}")
    assert answer["Content-Type"].startswith("application/json")
    assert len([KINDS[path].model_validate(item) for item in answer.json()]) == {"/jobs": 18, "/runs": 3}[path]


def test_running_sums_are_the_sums_of_the_entries(project, ada, chiara):
    send_blob(project, DOCUMENT, ada)
    for number in range(3):
        add_rows(project, ada, chiara.agent, number=number)
    for total in LedgerTotal.objects.all():
        entries = LedgerEntry.objects.filter(allocation=total.allocation, kind=total.kind)
        assert total.gpu_s == sum(entry.gpu_s for entry in entries)
    assert balance(LedgerTotal.objects.all()) == balance(LedgerEntry.objects.all())
