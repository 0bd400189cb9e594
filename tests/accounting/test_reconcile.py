"""Every difference between hub and Slurm has a cause."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.accounting.assemble import group, usage_record
from fucina.accounting.reconcile import Cause, HubJob, reconcile
from fucina.accounting.sacct import Broken, read_rows
from fucina.accounting.usage import month_start, next_month
from tests.accounting.slurmdb import SITE, Row

NOVEMBER = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
DECEMBER = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
T0 = NOVEMBER + 1000


def runs(rows):
    broken = Broken()
    found = list(read_rows([row.line() for row in sorted(rows, key=lambda r: (r.job_id, r.submit))], broken=broken))
    assert not broken.num
    return found


def books(rows, *, placed=True, **changes):
    """What the hub holds when it knows exactly these rows."""
    by_id = {}
    for run in runs(rows):
        by_id.setdefault(run.job_id, []).append(run)
    found = {}
    for same in by_id.values():
        for job in group(same):
            record = usage_record(job, site=SITE, measured_at=datetime(2026, 12, 2, tzinfo=UTC))
            entry = HubJob(record=record.model_copy(update=changes), is_placed=placed)
            found |= dict.fromkeys((record.job_key, *record.same_as), entry)
    return found


def compare(rows, hub, site=SITE):
    begins_at = month_start("2026-11")
    return reconcile(
        site=site,
        month="2026-11",
        begins_at=begins_at,
        ends_at=next_month(begins_at),
        runs=runs(rows),
        hub=hub,
        accounts=frozenset({"projx"}),
    )


DONE = Row(job_id=1, submit=T0, start=T0, end=T0 + 100)
AGAIN = (
    Row(job_id=2, submit=T0, start=T0, end=T0 + 100, state="REQUEUED"),
    Row(job_id=2, submit=T0 + 100, start=T0 + 300, end=T0 + 400),
)
GOES_ON = Row(job_id=2, submit=T0 + 100, start=T0 + 300, state="RUNNING")
OVER_THE_END = Row(job_id=3, submit=T0, start=DECEMBER - 100, end=DECEMBER + 300)
FOREIGN = Row(job_id=4, submit=T0, start=T0, end=T0 + 100, account="physics")
OWN_ELSEWHERE = Row(job_id=5, submit=T0, start=T0, end=T0 + 100, account="other", comment="fucina:run-1.train")


def test_equal_books_have_no_difference():
    rows = [DONE, *AGAIN, OVER_THE_END, FOREIGN, OWN_ELSEWHERE]
    found = compare(rows, books([DONE, *AGAIN, OVER_THE_END, OWN_ELSEWHERE]))
    assert found.differences == ()
    assert found.hub_gpu_s == found.site_gpu_s == 400 + 800 + 400 + 400
    assert (found.num_hub_jobs, found.num_site_jobs, found.num_foreign_jobs) == (4, 4, 1)


@pytest.mark.parametrize(
    ("rows", "hub", "cause", "figures"),
    [
        ([DONE], {}, Cause.LATE, (None, 400)),
        ([], books([DONE]), Cause.ONLY_IN_HUB, (400, None)),
        ([DONE], books([DONE], placed=False), Cause.UNPLACED, (None, 400)),
        (AGAIN, books(AGAIN[:1]), Cause.REQUEUE, (400, 800)),
        ([DONE], books([DONE], num_gpus=2, gpu_s=200), Cause.BILLING, (200, 400)),
        ([DONE], books([DONE], wall_s=50.0, gpu_s=200), Cause.CHANGED, (200, 400)),
        (
            [OVER_THE_END],
            books([Row(job_id=3, submit=T0, start=DECEMBER - 300, end=DECEMBER + 100)]),
            Cause.MONTH,
            (1200, 400),
        ),
        ([Row(job_id=1, submit=T0, start=T0, end=T0 + 5, partition="new")], {}, Cause.UNKNOWN_PARTITION, (None, None)),
        (
            [AGAIN[0], Row(job_id=2, submit=T0 + 100, start=T0 + 300, state="RUNNING")],
            books(AGAIN[:1]),
            Cause.NOT_OVER,
            (400, None),
        ),
    ],
)
def test_every_difference_has_its_cause(rows, hub, cause, figures):
    (difference,) = compare(rows, hub).differences
    assert (difference.cause, difference.hub_gpu_s, difference.site_gpu_s) == (cause, *figures)
    assert difference.words.endswith((".", "runs."))


@given(st.data())
def test_every_missing_record_is_found(data):
    rows = [Row(job_id=n, submit=T0, start=T0 + n, end=T0 + n + data.draw(st.integers(0, 99))) for n in range(1, 12)]
    lost = data.draw(st.sets(st.sampled_from(rows)))
    found = compare(rows, books([row for row in rows if row not in lost]))
    assert {difference.native_id for difference in found.differences} == {str(row.job_id) for row in lost}
    assert found.site_gpu_s - found.hub_gpu_s == sum(one.site_gpu_s or 0 for one in found.differences)
