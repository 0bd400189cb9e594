"""The ledger: entries sum to the balance, nothing is counted twice, nothing is rewritten."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fucina.accounting.usage import UsageRecord
from fucina.compute.spec import JobSpec
from fucina.hub.access.models import Grant
from fucina.hub.accounting.actions import BadRefund, BudgetExceeded, allocate, expire, hold, refund, settle
from fucina.hub.accounting.models import Kind, LedgerEntry, balance
from fucina.hub.accounting.models import UsageRecord as UsageRow
from fucina.hub.accounting.read import ledger_lines
from fucina.hub.people.append_only import AppendOnlyViolated
from fucina.hub.people.models import AuditRecord
from tests.hub.conftest import NOON, SETUP

GRANTED_GPU_S = 10 * 3600


def spec(key="job-1", *, num_gpus=1, walltime_s=3600):
    return JobSpec(key=key, name=key, command=("true",), num_gpus=num_gpus, walltime_s=walltime_s)


def used(key="job-1", gpu_s=1000):
    return UsageRecord(
        site="local", job_key=key, state="succeeded", ended_at=NOON, wall_s=float(gpu_s), num_gpus=1, gpu_s=gpu_s
    )


def sums(allocation):
    return balance(allocation.entries.all())


def test_the_grant_is_the_first_entry(allocation):
    assert sums(allocation) == (GRANTED_GPU_S, 0, 0, GRANTED_GPU_S)
    again = allocate(grant=Grant.objects.get(), partition=allocation.partition, by=SETUP, at=NOON)
    assert again == allocation
    assert LedgerEntry.objects.count() == 1


def test_hold_then_settle(allocation, ada):
    hold(allocation=allocation, spec=spec(), by=ada, at=NOON)
    assert sums(allocation) == (GRANTED_GPU_S, 3600, 0, GRANTED_GPU_S - 3600)
    settle(allocation=allocation, used=used(), by=ada, at=NOON)
    assert sums(allocation) == (GRANTED_GPU_S, 0, 1000, GRANTED_GPU_S - 1000)
    lines = ledger_lines(allocation.grant.organisation, allocation.grant.project)
    assert [(line.kind, line.gpu_s, line.balance_gpu_s) for line in lines] == [
        ("grant", 36000, 36000),
        ("hold", -3600, 32400),
        ("settle", 3600, 36000),
        ("use", -1000, 35000),
    ]


def test_a_hold_is_refused_when_the_allocation_is_short(allocation, ada):
    with pytest.raises(BudgetExceeded, match=r"needs 11\.00 GPU-hours; alc-\w+ has 10\.00 left") as caught:
        hold(allocation=allocation, spec=spec(walltime_s=11 * 3600), by=ada, at=NOON)
    assert caught.value.code == "budget_exceeded"
    assert sums(allocation).free_gpu_s == GRANTED_GPU_S


def test_a_job_without_accelerator_holds_nothing(allocation, ada):
    assert hold(allocation=allocation, spec=spec(num_gpus=0), by=ada, at=NOON) is None
    settle(allocation=allocation, used=used(gpu_s=0), by=ada, at=NOON)
    assert LedgerEntry.objects.count() == 1
    assert UsageRow.objects.count() == 1


def test_what_was_used_beyond_the_hold_is_charged(allocation, ada):
    hold(allocation=allocation, spec=spec(), by=ada, at=NOON)
    settle(allocation=allocation, used=used(gpu_s=GRANTED_GPU_S + 5), by=ada, at=NOON)
    assert sums(allocation).free_gpu_s == -5
    with pytest.raises(BudgetExceeded):
        hold(allocation=allocation, spec=spec("job-2", walltime_s=1), by=ada, at=NOON)


def test_a_refund_is_given_once_and_never_exceeds_the_use(allocation, ada):
    hold(allocation=allocation, spec=spec(), by=ada, at=NOON)
    settle(allocation=allocation, used=used(), by=ada, at=NOON)

    def give(gpu_s, job_key="job-1"):
        return refund(allocation=allocation, job_key=job_key, gpu_s=gpu_s, reason="Node failed", by=ada, at=NOON)

    for gpu_s in (0, -1, 1001):
        with pytest.raises(BadRefund):
            give(gpu_s)
    with pytest.raises(BadRefund):
        give(1, "job-2")
    first = give(400)
    assert give(400) == first
    with pytest.raises(BadRefund, match="refunded"):
        give(300)
    assert sums(allocation) == (GRANTED_GPU_S, 0, 600, GRANTED_GPU_S - 600)


def test_expiry_takes_what_is_free_and_leaves_what_is_held(allocation, ada):
    hold(allocation=allocation, spec=spec(), by=ada, at=NOON)
    expire(allocation=allocation, by=ada, at=NOON)
    assert sums(allocation) == (3600, 3600, 0, 0)
    assert expire(allocation=allocation, by=ada, at=NOON) is None
    settle(allocation=allocation, used=used(), by=ada, at=NOON)
    assert sums(allocation) == (3600, 0, 1000, 2600)


JOBS = st.integers(0, 4).map("job-{}".format)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), JOBS, st.integers(1, 5 * 3600)),
        st.tuples(st.just("settle"), JOBS, st.integers(0, 6 * 3600)),
        st.tuples(st.just("refund"), JOBS, st.integers(1, 3600)),
        st.tuples(st.just("expire"), st.just(""), st.just(0)),
    ),
    max_size=14,
)


def do(step, allocation, by):
    """One step; returns whether it was accepted."""
    kind, job, gpu_s = step
    try:
        if kind == "hold":
            hold(allocation=allocation, spec=spec(job, walltime_s=gpu_s), by=by, at=NOON)
        elif kind == "settle":
            settle(allocation=allocation, used=used(job, gpu_s), by=by, at=NOON)
        elif kind == "refund":
            refund(allocation=allocation, job_key=job, gpu_s=gpu_s, reason="", by=by, at=NOON)
        else:
            expire(allocation=allocation, by=by, at=NOON)
    except (BudgetExceeded, BadRefund):
        return False
    return True


@hypothesis_settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_entries_always_sum_to_the_balance(allocation, ada, steps):
    with transaction.atomic():
        for step in steps:
            free_before = sums(allocation).free_gpu_s
            num_entries = LedgerEntry.objects.count()
            accepted = do(step, allocation, ada)
            now = sums(allocation)
            assert now.free_gpu_s == sum(LedgerEntry.objects.values_list("gpu_s", flat=True))
            assert now.free_gpu_s == now.granted_gpu_s - now.held_gpu_s - now.used_gpu_s
            assert now.held_gpu_s >= 0
            assert now.used_gpu_s >= 0
            if not accepted:
                assert (now.free_gpu_s, LedgerEntry.objects.count()) == (free_before, num_entries)
            elif step[0] == "hold" and LedgerEntry.objects.count() > num_entries:
                assert now.free_gpu_s >= 0
        charged = -sum(LedgerEntry.objects.filter(kind=Kind.USE).values_list("gpu_s", flat=True))
        assert charged == sum(UsageRow.objects.values_list("gpu_s", flat=True))
        transaction.set_rollback(True)


@hypothesis_settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_repeating_every_step_changes_nothing(allocation, ada, steps):
    def entries(repeat):
        with transaction.atomic():
            for step in steps:
                for _ in range(repeat):
                    do(step, allocation, ada)
            found = list(LedgerEntry.objects.order_by("pk").values_list("kind", "job", "gpu_s"))
            transaction.set_rollback(True)
        return found

    assert entries(3) == entries(1)


@pytest.fixture
def usage_row(allocation, ada):
    return settle(allocation=allocation, used=used(), by=ada, at=NOON)


@pytest.mark.parametrize("table", [LedgerEntry, UsageRow, AuditRecord])
def test_a_row_is_never_changed_or_deleted(usage_row, table):
    row = table.objects.order_by("pk").first()
    for call in (
        row.save,
        row.delete,
        lambda: table.objects.update(pk=1),
        lambda: table.objects.all().delete(),
        lambda: table.objects.filter(pk=row.pk).update(pk=row.pk),
    ):
        with pytest.raises(AppendOnlyViolated, match="only grows"):
            call()


@pytest.mark.parametrize("table", [LedgerEntry, UsageRow, AuditRecord])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET id = id + 1"])
def test_the_database_itself_refuses(usage_row, table, statement):
    num_rows = table.objects.count()
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table._meta.db_table))
    assert table.objects.count() == num_rows > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": Kind.HOLD, "gpu_s": 5, "job": "j"},
        {"kind": Kind.USE, "gpu_s": 5, "job": "j"},
        {"kind": Kind.SETTLE, "gpu_s": -5, "job": "j"},
        {"kind": Kind.HOLD, "gpu_s": 0, "job": "j"},
        {"kind": Kind.HOLD, "gpu_s": -5, "job": ""},
        {"kind": Kind.GRANT, "gpu_s": 5, "job": ""},
        {"kind": Kind.EXPIRY, "gpu_s": -5, "job": "j"},
        {"kind": "gift", "gpu_s": 5, "job": ""},
    ],
)
def test_an_entry_of_the_wrong_shape_is_refused_by_the_database(allocation, fields):
    with pytest.raises(DatabaseError), transaction.atomic():
        allocation.entries.create(at=NOON + timedelta(days=1), **fields)


@pytest.mark.parametrize("kind", [Kind.HOLD, Kind.USE, Kind.SETTLE, Kind.REFUND])
def test_a_job_has_one_entry_of_each_kind(allocation, kind):
    gpu_s = -1 if kind in (Kind.HOLD, Kind.USE) else 1
    allocation.entries.create(kind=kind, gpu_s=gpu_s, job="j", at=NOON)
    with pytest.raises(DatabaseError), transaction.atomic():
        allocation.entries.create(kind=kind, gpu_s=gpu_s, job="j", at=NOON)
