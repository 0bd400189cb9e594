"""Statements that add up, refunds, and what happens when a grant ends."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fucina.accounting.statement import BadMonth, statement_csv
from fucina.accounting.usage import Period
from fucina.client.wire_jobs import JobRequest
from fucina.compute.spec import JobSpec, JobState
from fucina.hub.access.models import AccessMode, Grant
from fucina.hub.accounting.actions import BadAccount, GrantEnded, NotForMembers, decide_refund, hold, set_slurm_account
from fucina.hub.accounting.models import Kind, LedgerEntry, RefundProposal
from fucina.hub.accounting.statements import project_forecast, statement
from fucina.hub.compute import jobs
from fucina.hub.compute.grants import close_ended_grants
from fucina.hub.compute.models import Job
from fucina.hub.compute.own_jobs import submit_job
from fucina.hub.people.actions import add_member
from fucina.hub.people.models import Role
from tests.hub.accounting.test_usage_from_sites import sums, tell, told
from tests.hub.conftest import NOON, as_json, claim_one, report

__all__ = ["tell"]
LATER = NOON + timedelta(days=60)


def made(project, month, **changes):
    return statement(
        organisation=project.organisation, name=project.name, ref=project.ref, month=month, now=LATER, **changes
    )


def test_a_statement_adds_up(project, allocation, tell):
    end_of_month = datetime(2026, 12, 1, tzinfo=UTC)
    over = {"started_at": end_of_month - timedelta(seconds=100), "ended_at": end_of_month + timedelta(seconds=300)}
    tell(
        told("slurm.alpha.1.1", 500, account=allocation.slurm_account, user="=cmd()"),
        told("slurm.alpha.2.1", 400, account=allocation.slurm_account, **over),
        told("slurm.alpha.3.1", 0, account=allocation.slurm_account, state="cancelled", ended_at=NOON),
    )
    november, december = made(project, "2026-11"), made(project, "2026-12")
    assert (november.used_gpu_s, december.used_gpu_s) == (600, 300)
    assert (november.num_jobs, december.num_jobs) == (3, 1)
    (line,) = november.allocations
    assert (line.opening_gpu_s, line.granted_gpu_s, line.used_gpu_s) == (0, 36000, 900)
    assert line.closing_gpu_s == december.allocations[0].opening_gpu_s == sums(allocation).free_gpu_s
    assert [job.gpu_s for job in november.jobs] == [500, 100, 0]
    assert [job.gpu_s for job in made(project, "2026-11", max_jobs=1).jobs] == [500]
    rows = list(csv.DictReader(io.StringIO(statement_csv(november))))
    assert sum(int(row["gpu_seconds_in_month"]) for row in rows) == november.used_gpu_s
    assert rows[0]["user"] == "'=cmd()"


@pytest.mark.parametrize("month", ["2026-13", "november", "", "2026-11-01", "\x00", "9999-12"])
def test_what_is_no_month_is_refused(project, month):
    with pytest.raises(BadMonth, match="no month"):
        made(project, month)


@st.composite
def months_of_work(draw):
    found = []
    for number in range(draw(st.integers(1, 5))):
        start = NOON + timedelta(seconds=draw(st.integers(0, 80 * 86400)))
        spans, at = [], start
        for _ in range(draw(st.integers(1, 3))):
            end = at + timedelta(seconds=draw(st.integers(0, 40 * 86400)))
            spans.append(Period(started_at=at, ended_at=end, gpu_s=draw(st.integers(0, 10**6))))
            at = end + timedelta(seconds=draw(st.integers(0, 10**6)))
        gpu_s = sum(span.gpu_s for span in spans)
        end = spans[-1].ended_at
        found.append(told(f"slurm.alpha.{number}.1", gpu_s, started_at=start, ended_at=end, periods=tuple(spans)))
    return found


@hypothesis_settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=months_of_work())
def test_statements_of_all_months_sum_to_the_ledger(project, allocation, tell, records):
    months = [f"{year}-{month:02d}" for year in (2026, 2027) for month in range(1, 13)]
    with transaction.atomic():
        tell(*(record.model_copy(update={"account": allocation.slurm_account}) for record in records))
        assert sum(made(project, month).used_gpu_s for month in months) == sums(allocation).used_gpu_s
        transaction.set_rollback(True)


def test_a_forecast_comes_from_the_last_days(project, allocation, tell):
    now = NOON + timedelta(days=10)
    for day in range(10):
        at = NOON + timedelta(days=day)
        key = f"slurm.alpha.{day}.1"
        tell(told(key, 1800, account=allocation.slurm_account, started_at=at, ended_at=at + timedelta(hours=2)))
    found = project_forecast(organisation=project.organisation, name=project.name, now=now)
    assert found.num_days == 10
    assert found.gpu_s_per_day == 1800
    assert found.free_gpu_s == 36000 - 18000
    assert abs((found.runs_out_at - now) - timedelta(days=10)) < timedelta(hours=1)
    assert [warned.code for warned in found.warnings] == ["runs_out"]


@pytest.fixture
def lost(tell, allocation):
    tell(told(gpu_s=600, account=allocation.slurm_account, native_state="NODE_FAIL"))
    return RefundProposal.objects.get()


def test_staff_decides_on_a_refund_once(lost, allocation, bruno, ada):
    with pytest.raises(NotForMembers):
        decide_refund(proposal=lost, granted=True, by=ada, at=NOON)
    for _ in range(2):
        decide_refund(proposal=lost, granted=True, by=bruno, at=NOON)
    assert sums(allocation).used_gpu_s == 0
    assert LedgerEntry.objects.filter(kind=Kind.REFUND).count() == 1


def test_staff_does_not_decide_on_their_own_organisation(lost, bruno, ada, officine):
    add_member(organisation=officine, person=bruno, role=Role.MEMBER, by=ada, at=NOON)
    with pytest.raises(NotForMembers):
        decide_refund(proposal=lost, granted=True, by=bruno, at=NOON)


def test_an_account_has_a_form_and_one_owner(allocation):
    for account in ("", "Projx", "a b", "x" * 65, "a\n", "-x"):
        with pytest.raises(BadAccount):
            set_slurm_account(allocation=allocation, account=account, by=allocation.site.agents.first(), at=NOON)
    made = set_slurm_account(allocation=allocation, account="projx", by=allocation.site.agents.first(), at=NOON)
    assert made.slurm_account == "projx"


def end_grant(on_overrun):
    """The grant ended a moment ago."""
    grant = Grant.objects.get()
    Grant.objects.filter(pk=grant.pk).update(ends_at=NOON - timedelta(seconds=1))
    mode = AccessMode.objects.get()
    mode.wire = mode.wire | {"on_overrun": on_overrun}
    mode.save()


def spec(key="late"):
    return JobSpec(key=key, name=key, command=("true",), num_gpus=1, walltime_s=60)


def test_nothing_new_is_held_after_the_end(allocation, ada):
    end_grant("warn")
    allocation.refresh_from_db()
    with pytest.raises(GrantEnded, match="ended on 2026-11-20"):
        hold(allocation=allocation, spec=spec(), by=ada, at=NOON)


def test_a_job_goes_on_after_the_end_where_the_mode_only_warns(run, chiara, allocation):
    job = claim_one(chiara.agent)
    end_grant("warn")
    assert close_ended_grants(at=NOON) == 1
    assert close_ended_grants(at=NOON) == 0
    assert Job.objects.get(ref=job.ref).cancel_asked_at is None
    assert sums(allocation).held_gpu_s > 0
    assert sums(allocation).free_gpu_s == 0


def test_a_job_is_stopped_at_the_end_where_the_mode_says_so(run, chiara, allocation):
    job = claim_one(chiara.agent)
    jobs.mark_started(agent=chiara.agent, ref=job.ref, report=report(job, JobState.RUNNING), at=NOON)
    end_grant("stop")
    assert close_ended_grants(at=NOON) == 1
    answer = jobs.heartbeat(agent=chiara.agent, version="1", refs=[job.ref], at=NOON)
    assert answer.cancel == (job.ref,)
    states = set(Job.objects.exclude(ref=job.ref).values_list("state", flat=True))
    assert states == {"cancelled"}
    assert close_ended_grants(at=NOON) == 0


def test_the_doors_of_statements(as_ada, as_bruno, as_chiara, project, allocation, lost):
    root = f"/api/v1/projects/{project.ref}"
    assert as_ada.get(f"{root}/statement?month=2026-11").json()["used_gpu_s"] == 600
    table = as_ada.get(f"{root}/statement.csv?month=2026-11")
    assert (table.status_code, table["Content-Type"]) == (200, "text/csv; charset=utf-8")
    pdf = as_ada.get(f"{root}/statement.pdf?month=2026-11")
    assert pdf.content.startswith(b"%PDF-")
    assert b"attachment" in pdf["Content-Disposition"].encode()
    assert as_ada.get(f"{root}/statement?month=x").status_code == 422
    assert as_ada.get(f"{root}/forecast").json()["free_gpu_s"] == 36000 - 600
    assert as_ada.get(f"{root}/allocations").json()[0]["slurm_account"] == allocation.slurm_account
    (refund,) = as_ada.get("/api/v1/refunds").json()
    door = f"/api/v1/refunds/{refund['ref']}/decision"
    assert as_ada.post(door, **as_json({"granted": True})).status_code == 403
    assert as_bruno.post(door, **as_json({"granted": True})).json()["state"] == "granted"
    page = as_chiara.get("/api/v1/agent/usage?month=2026-11").json()
    assert [job["key"] for job in page["jobs"]] == [lost.job]
    assert as_bruno.get("/api/v1/sites/local/usage?month=2026-11").json() == page
    assert as_ada.get("/api/v1/sites/local/usage?month=2026-11").status_code == 403
    assert as_bruno.get("/api/v1/sites/nowhere/usage?month=2026-11").status_code == 404
    closed = as_bruno.post(f"/api/v1/allocations/{allocation.ref}/expire").json()
    assert closed["free_gpu_s"] == 0


def test_an_account_that_is_set_takes_what_waited_for_it(as_bruno, as_ada, allocation, tell):
    tell(told(account="projx"))
    door = f"/api/v1/allocations/{allocation.ref}/account"
    assert as_ada.post(door, **as_json({"slurm_account": "projx"})).status_code == 403
    assert as_bruno.post(door, **as_json({"slurm_account": "projx"})).json()["used_gpu_s"] == 1000


def test_usage_of_a_site_comes_in_pages(as_chiara, allocation, tell, monkeypatch):
    monkeypatch.setattr("fucina.hub.accounting.read.PAGE", 3)
    tell(*(told(f"slurm.alpha.{n}.1", account=allocation.slurm_account) for n in range(7)))
    tell(*(told(f"slurm.beta.{n}.1", account="nobody") for n in range(4)))
    found, after = [], ""
    for _ in range(20):
        page = as_chiara.get("/api/v1/agent/usage", {"month": "2026-11", "after": after}).json()
        found += [(job["key"], job["is_placed"]) for job in page["jobs"]]
        after = page["next"]
        if not after:
            break
    assert found == [
        *((f"slurm.alpha.{n}.1", True) for n in range(7)),
        *((f"slurm.beta.{n}.1", False) for n in range(4)),
    ]


def test_jobs_of_people_end_with_the_grant_too(project, ada, chiara, allocation):
    fields = {"project": project.ref, "command": ("true",), "num_gpus": 1, "walltime_s": 60}
    running, waiting = (
        submit_job(project=project, request=JobRequest(key=key, **fields), by=ada, at=NOON)
        for key in ("first-job", "second-job")
    )
    claimed = claim_one(chiara.agent)
    assert claimed.ref == running.ref
    jobs.mark_started(agent=chiara.agent, ref=claimed.ref, report=report(claimed, JobState.RUNNING), at=NOON)
    end_grant("warn")
    assert close_ended_grants(at=NOON) == 1
    assert jobs.heartbeat(agent=chiara.agent, version="1", refs=[running.ref], at=NOON).cancel == ()
    end_grant("stop")
    assert close_ended_grants(at=NOON) == 1
    assert jobs.heartbeat(agent=chiara.agent, version="1", refs=[running.ref], at=NOON).cancel == (running.ref,)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("cancelled", "The grant that pays for it has ended.")
    assert close_ended_grants(at=NOON) == 0
    assert sums(allocation).free_gpu_s == 0
    assert sums(allocation).held_gpu_s == 60, "what runs is held until its usage is known"
