"""What a site's accounting tells: charged once, corrected by what is newer, kept aside when nobody pays."""

from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fucina.accounting.usage import Period, UsageRecord
from fucina.client.wire import FinishedRequest
from fucina.compute.spec import JobState
from fucina.hub.accounting.actions import refund
from fucina.hub.accounting.models import Kind, LedgerEntry, RefundProposal, UnplacedUsage, balance
from fucina.hub.accounting.models import UsageRecord as UsageRow
from fucina.hub.compute import jobs, projects
from fucina.hub.compute.actions import cancel_run
from fucina.hub.compute.models import Job
from fucina.hub.compute.read import run_info
from fucina.hub.compute.usage import BadUsage, place_again, take_usage
from fucina.hub.people.models import AuditRecord
from tests.hub.conftest import NOON, SETUP, application_request, as_json, claim_one, report

GRANTED_GPU_S = 10 * 3600
SLURM = "slurm.alpha.7.1795000010"


def told(key=SLURM, gpu_s=1000, *, after_s=0, **changes):
    fields = {
        "site": "local",
        "job_key": key,
        "state": "succeeded",
        "started_at": NOON,
        "ended_at": NOON + timedelta(seconds=gpu_s),
        "wall_s": float(gpu_s),
        "num_gpus": 1,
        "gpu_s": gpu_s,
        "native_id": "7",
        "native_state": "COMPLETED",
        "measured_at": NOON + timedelta(seconds=after_s),
    }
    return UsageRecord.model_validate(fields | changes)


@pytest.fixture
def tell(chiara, allocation):
    def tell(*records):
        return take_usage(agent=chiara.agent, records=records, at=NOON + timedelta(hours=1))

    return tell


def sums(allocation):
    return balance(allocation.entries.all())


def entries(allocation):
    return [(entry.kind, entry.gpu_s) for entry in allocation.entries.order_by("pk")][1:]


def test_an_account_belongs_to_one_allocation(allocation):
    assert allocation.slurm_account == allocation.ref
    assert allocation.slurm_account == allocation.slurm_account.lower()


def test_a_job_of_the_projects_account_is_charged(tell, allocation):
    receipt = tell(told(account=allocation.slurm_account))
    assert (receipt.num_placed, receipt.refused, receipt.known_until) == (1, (), None)
    assert entries(allocation) == [(Kind.USE, -1000)]
    again = tell(told(account=allocation.slurm_account))
    assert again.known_until == NOON
    assert entries(allocation) == [(Kind.USE, -1000)]


def test_a_newer_reading_corrects_in_both_directions(tell, allocation):
    account = allocation.slurm_account
    for after_s, gpu_s in ((1, 1000), (2, 1500), (3, 400), (4, 0), (5, 400)):
        tell(told(gpu_s=gpu_s, account=account, after_s=after_s))
        assert sums(allocation).used_gpu_s == gpu_s
    tell(told(gpu_s=1500, account=account, after_s=2))
    assert sums(allocation).used_gpu_s == 400
    assert [kind for kind, _ in entries(allocation)] == [Kind.USE, *[Kind.CORRECTION] * 4]
    assert "0.28 GPU-hours before, 0.42 now" in LedgerEntry.objects.filter(kind=Kind.CORRECTION).first().note
    assert UsageRow.objects.newest().get().gpu_s == 400


def test_a_first_record_of_nothing_is_corrected_too(tell, allocation):
    tell(told(gpu_s=0, account=allocation.slurm_account, after_s=1))
    tell(told(gpu_s=70, account=allocation.slurm_account, after_s=2))
    assert entries(allocation) == [(Kind.CORRECTION, -70)]


def test_a_correction_never_leaves_more_refunded_than_used(tell, allocation, bruno):
    account = allocation.slurm_account
    tell(told(account=account, after_s=1))
    refund(allocation=allocation, job_key=SLURM, gpu_s=800, reason="Node failed", by=bruno, at=NOON)
    for after_s, gpu_s, net in ((2, 900, 100), (3, 500, 0), (4, 2000, 1200)):
        tell(told(gpu_s=gpu_s, account=account, after_s=after_s))
        assert sums(allocation).used_gpu_s == net


def test_usage_of_nobody_is_kept_and_placed_once_somebody_pays(tell, allocation, chiara, ada, site):
    receipt = tell(told(account="later"), told("slurm.alpha.8.1", account=""))
    assert [refused.job_key for refused in receipt.refused] == [SLURM, "slurm.alpha.8.1"]
    assert "'later'" in receipt.refused[0].reason
    assert UnplacedUsage.objects.count() == 2
    tell(told(gpu_s=1200, account="later", after_s=5))
    assert UnplacedUsage.objects.get(job=SLURM).gpu_s == 1200
    assert tell().known_until == NOON + timedelta(seconds=5)
    assert place_again(site=site, by=SETUP, at=NOON) == 0
    application = projects.apply(request=application_request(project="altro"), by=ada, at=NOON)
    other = application.grant.allocations.get()
    type(other).objects.filter(pk=other.pk).update(slurm_account="later")
    assert place_again(site=site, by=SETUP, at=NOON) == 1
    assert place_again(site=site, by=SETUP, at=NOON) == 0
    assert sums(other).used_gpu_s == 1200
    assert sums(allocation).used_gpu_s == 0
    assert UnplacedUsage.objects.get(job=SLURM).placed_at == NOON


def test_an_agent_speaks_for_its_own_site_only(tell, allocation, stranger):
    with pytest.raises(BadUsage, match="this agent serves elsewhere"):
        take_usage(agent=stranger.agent, records=[told(account=allocation.slurm_account)], at=NOON)
    elsewhere = told(account=allocation.slurm_account, site="elsewhere")
    assert take_usage(agent=stranger.agent, records=[elsewhere], at=NOON).num_placed == 0
    assert entries(allocation) == []


def test_an_agent_of_another_site_cannot_settle_a_job(run, allocation, stranger):
    key = Job.objects.get(run=run, stage="train").key
    receipt = take_usage(agent=stranger.agent, records=[told(key, site="elsewhere")], at=NOON)
    assert receipt.num_placed == 0
    assert sums(allocation).held_gpu_s > 0


@pytest.mark.parametrize("changes", [{"measured_at": None}, {"wall_s": float("inf")}, {"energy_j": float("inf")}])
def test_a_record_that_cannot_be_right_is_refused(tell, allocation, changes):
    with pytest.raises(BadUsage):
        tell(told(account=allocation.slurm_account).model_copy(update=changes))
    assert entries(allocation) == []


def test_a_key_in_a_comment_charges_nobody_elses_project(run, tell, allocation, ada):
    """Anybody may write a comment; the account is what Slurm has checked."""
    application = projects.apply(request=application_request(project="altro"), by=ada, at=NOON)
    forger = application.grant.allocations.get()
    job = Job.objects.get(run=run, stage="train")
    tell(told(job.key, account=forger.slurm_account, same_as=(SLURM,)))
    assert sums(forger).used_gpu_s == 1000
    assert sums(allocation) == (
        GRANTED_GPU_S,
        sums(allocation).held_gpu_s,
        0,
        GRANTED_GPU_S - sums(allocation).held_gpu_s,
    )
    assert UsageRow.objects.get().job == SLURM


def test_two_slurm_jobs_with_one_key_are_both_charged(run, tell, allocation):
    job = Job.objects.get(run=run, stage="train")
    account = allocation.slurm_account
    tell(told(job.key, account=account, same_as=(SLURM,), after_s=1))
    tell(told(job.key, 300, account=account, same_as=("slurm.alpha.9.5",), after_s=2))
    tell(told(job.key, 350, account=account, same_as=("slurm.alpha.9.5",), after_s=3))
    assert sums(allocation).used_gpu_s == 1350


def test_the_hold_stays_until_the_accounting_tells(run, chiara, tell, allocation):
    """A Slurm site ends a job without its usage; pages show it ended, its figures unknown."""
    held_gpu_s = sums(allocation).held_gpu_s
    prepare = claim_one(chiara.agent)
    done = FinishedRequest(report=report(prepare))
    jobs.finish(agent=chiara.agent, ref=prepare.ref, report=done.report, used=done.usage, stage_record=None, at=NOON)
    train = claim_one(chiara.agent)
    jobs.finish(agent=chiara.agent, ref=train.ref, report=report(train), used=None, stage_record=None, at=NOON)
    assert sums(allocation) == (GRANTED_GPU_S, held_gpu_s, 0, GRANTED_GPU_S - held_gpu_s)
    shown = run_info(run).jobs[1]
    assert (shown.state, shown.gpu_s, shown.wall_s) == (JobState.SUCCEEDED, None, None)
    tell(told(train.spec.key, 120, account=allocation.slurm_account, same_as=(SLURM,)))
    assert sums(allocation).used_gpu_s == 120
    assert sums(allocation).held_gpu_s == held_gpu_s - train.spec.num_gpus * train.spec.walltime_s
    assert run_info(run).jobs[1].gpu_s == 120


def test_usage_may_come_before_the_end_is_reported(run, chiara, tell, allocation):
    train = Job.objects.get(run=run, stage="train")
    tell(told(train.key, 120, account=allocation.slurm_account, same_as=(SLURM,)))
    held_gpu_s = sums(allocation).held_gpu_s
    prepare = claim_one(chiara.agent)
    jobs.finish(agent=chiara.agent, ref=prepare.ref, report=report(prepare), used=None, stage_record=None, at=NOON)
    claimed = claim_one(chiara.agent)
    jobs.finish(agent=chiara.agent, ref=claimed.ref, report=report(claimed), used=None, stage_record=None, at=NOON)
    assert (sums(allocation).used_gpu_s, sums(allocation).held_gpu_s) == (120, held_gpu_s)


def test_a_job_that_was_called_cancelled_but_ran_is_charged(run, chiara, tell, allocation, ada):
    from_hub = Job.objects.get(run=run, stage="train")
    cancel_run(run=run, by=ada, at=NOON + timedelta(days=1))
    assert sums(allocation).held_gpu_s == 0
    tell(told(from_hub.key, 90, account=allocation.slurm_account, same_as=(SLURM,)))
    assert sums(allocation).used_gpu_s == 90


def test_time_lost_to_a_failed_node_is_proposed_for_refund(tell, allocation):
    lost = told(gpu_s=600, account=allocation.slurm_account, state="failed", native_state="NODE_FAIL", after_s=1)
    tell(lost)
    proposal = RefundProposal.objects.get()
    assert (proposal.gpu_s, proposal.state) == (600, "proposed")
    assert "NODE_FAIL" in proposal.reason
    spans = (
        Period(started_at=NOON, ended_at=NOON + timedelta(seconds=600), gpu_s=600, state="NODE_FAIL"),
        Period(started_at=NOON, ended_at=NOON + timedelta(seconds=900), gpu_s=900, state="COMPLETED"),
    )
    tell(told(gpu_s=1500, account=allocation.slurm_account, num_attempts=2, periods=spans, after_s=2))
    assert RefundProposal.objects.get().gpu_s == 600
    assert sums(allocation).used_gpu_s == 1500


def test_what_maintenance_ended_is_proposed_too(tell, allocation, site):
    window = {
        "begins_at": (NOON + timedelta(seconds=50)).isoformat(),
        "ends_at": (NOON + timedelta(hours=1)).isoformat(),
    }
    site.wire = site.wire | {"maintenance": [window]}
    site.save()
    account = allocation.slurm_account
    tell(
        told("slurm.alpha.1.1", 100, account=account, native_state="CANCELLED"),
        told("slurm.alpha.2.1", 100, account=account, native_state="COMPLETED"),
        told("slurm.alpha.3.1", 40, account=account, native_state="CANCELLED"),
    )
    proposal = RefundProposal.objects.get()
    assert (proposal.job, proposal.gpu_s) == ("slurm.alpha.1.1", 100)
    assert "CANCELLED in maintenance" in proposal.reason


def test_one_batch_is_one_line_of_the_audit_trail(tell, allocation):
    num_before = AuditRecord.objects.filter(action="accounting.settle").count()
    tell(*(told(f"slurm.alpha.{n}.1", account=allocation.slurm_account) for n in range(50)))
    found = AuditRecord.objects.filter(action="accounting.settle")[num_before:]
    assert [(row.data["num_jobs"], row.data["gpu_s"]) for row in found] == [(50, -50_000)]


def test_the_route_takes_batches_and_answers_how_far_it_knows(as_chiara, as_ada, allocation, stranger):
    record = told(account=allocation.slurm_account).model_dump(mode="json")
    first = as_chiara.post("/api/v1/agent/usage", **as_json({"records": [record]}))
    assert (first.status_code, first.json()["num_placed"], first.json()["known_until"]) == (200, 1, None)
    empty = as_chiara.post("/api/v1/agent/usage", **as_json({"records": []}))
    assert empty.json()["known_until"] == "2026-11-20T12:00:00Z"
    assert as_ada.post("/api/v1/agent/usage", **as_json({"records": []})).status_code == 403
    for bad in (
        {"gpu_s": -1},
        {"gpu_s": 2**60},
        {"job_key": "x" * 300},
        {"ended_at": "yesterday"},
        {"site": "elsewhere"},
    ):
        answer = as_chiara.post("/api/v1/agent/usage", **as_json({"records": [record | bad]}))
        assert (answer.status_code, set(answer.json())) == (422, {"code", "message", "hint"})
    assert LedgerEntry.objects.filter(kind=Kind.USE).count() == 1


KEYS = ("slurm.alpha.1.10", "slurm.alpha.1.20", "slurm.alpha.1.30")


def readings(draw):
    """What one importer says of three jobs over time: each of one to three runs, of which early ones may come late."""
    found, clock = [], 0
    for job in range(draw(st.integers(1, 3))):
        runs = draw(st.lists(st.integers(0, 5000), min_size=1, max_size=3))
        names = [f"slurm.alpha.{job}.{n}" for n in range(len(runs))]
        order = draw(st.permutations(range(len(runs))))
        for known in range(1, len(runs) + 1):
            clock += 1
            seen = sorted(order[:known])
            gpu_s = sum(runs[n] for n in seen)
            spans = tuple(
                Period(started_at=NOON, ended_at=NOON + timedelta(seconds=runs[n]), gpu_s=runs[n]) for n in seen
            )
            found.append(
                told(
                    names[seen[0]],
                    gpu_s,
                    after_s=clock,
                    same_as=tuple(names[n] for n in seen[1:]),
                    num_attempts=known,
                    periods=spans if known > 1 else (),
                    ended_at=NOON + timedelta(seconds=max(runs[n] for n in seen)),
                )
            )
    return found


@st.composite
def deliveries(draw):
    """The readings in any order, repeated, in batches of any size."""
    truth = readings(draw)
    extra = draw(st.lists(st.sampled_from(truth), max_size=4))
    shuffled = draw(st.permutations([*truth, *extra]))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    edges = [0, *cuts, len(shuffled)]
    return truth, [shuffled[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@hypothesis_settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_=deliveries())
def test_any_order_repetition_and_splitting_ends_in_the_same_ledger(tell, allocation, given_):
    truth, batches = given_
    by_job = {}
    for record in truth:
        by_job[record.job_key.split(".")[2]] = record.gpu_s
    with transaction.atomic():
        for batch in batches:
            tell(*(record.model_copy(update={"account": allocation.slurm_account}) for record in batch))
            now = sums(allocation)
            assert now.free_gpu_s == sum(LedgerEntry.objects.values_list("gpu_s", flat=True))
            assert now.used_gpu_s == sum(UsageRow.objects.newest().values_list("gpu_s", flat=True))
        assert sums(allocation).used_gpu_s == sum(by_job.values())
        transaction.set_rollback(True)
