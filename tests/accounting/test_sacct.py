"""What `sacct` prints, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.accounting.sacct import (
    FIELDS,
    MAX_BROKEN_KEPT,
    Allocated,
    Broken,
    array_task,
    component,
    parse_row,
    read_rows,
)
from tests.accounting.slurmdb import Row

DONE = Row(job_id=12, submit=1_795_000_000, start=1_795_000_100, end=1_795_003_700)


def parsed(**changes):
    fields = {name: getattr(DONE, name) for name in DONE.__slots__}
    return parse_row(Row(**fields | changes).line().decode().rstrip("\n"))


def test_a_row_is_read():
    run = parsed(comment="fucina:run-1.train", energy="36000")
    assert (run.job_id, run.cluster, run.account, run.state) == (12, "alpha", "projx", "COMPLETED")
    assert (run.submit, run.start, run.end, run.elapsed_s) == (1_795_000_000, 1_795_000_100, 1_795_003_700, 3600)
    assert run.allocated == Allocated(1, 8, 32768.0, 4)
    assert (run.energy_j, run.comment) == (36000.0, "fucina:run-1.train")


@pytest.mark.parametrize(
    ("tres", "devices"),
    [
        ("cpu=1,gres/gpu:h200=4,gres/gpu=4,node=1", 4),
        ("cpu=1,gres/gpu=4,gres/gpu:h200=3,gres/gpu:a100=1,node=1", 4),
        ("cpu=1,gres/gpu:h200=3,gres/gpu:a100=1,node=1", 4),
        ("cpu=1,gres/gpumem=80G,gres/shard=2,node=1", 0),
        ("", 0),
    ],
)
def test_devices_are_counted_once(tres, devices):
    assert parsed(tres=tres).allocated.num_devices == devices


@pytest.mark.parametrize(("text", "mib"), [("32G", 32768), ("62.50G", 64000), ("1T", 2**20), ("500M", 500), ("0", 0)])
def test_memory_has_units(text, mib):
    assert parsed(tres=f"cpu=1,mem={text},node=1").allocated.memory_mib == mib


def test_a_job_cancelled_while_it_waited_used_nothing():
    for start in (None, DONE.end):
        run = parsed(state="CANCELLED by 1000", start=start, elapsed=0, tres="")
        assert (run.state, run.elapsed_s, run.allocated.num_devices) == ("CANCELLED", 0, 0)


def test_a_clock_that_went_back_costs_nothing():
    assert parsed(start=DONE.end + 50, elapsed=0).elapsed_s == 0


def test_a_running_job_has_no_end():
    assert parsed(state="RUNNING", end=None).end is None
    assert parsed(state="PENDING", start=None, end=None, elapsed=0).start is None


@pytest.mark.parametrize(
    ("label", "task", "offset"),
    [("12", None, 0), ("12_0", 0, 0), ("12_37", 37, 0), ("12_[2-5%2]", None, 0), ("12+1", None, 1)],
)
def test_tasks_and_components_have_labels(label, task, offset):
    assert parsed(label=label).label == label
    assert (array_task(label), component(label)) == (task, offset)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": "12.batch"}, "no job id"),
        ({"cluster": ""}, "no cluster"),
        ({"end": None}, "COMPLETED without an end"),
        ({"tres": "cpu"}, "AllocTRES"),
        ({"tres": "gres/gpu=many"}, "gres/gpu"),
        ({"tres": "mem=lots"}, "mem"),
        ({"elapsed": -3}, "ElapsedRaw"),
        ({"submit": 2**45}, "no time"),
    ],
)
def test_a_broken_row_says_why(changes, reason):
    with pytest.raises(ValueError, match=reason):
        parsed(**changes)


def test_times_must_be_epoch_seconds():
    line = DONE.line().decode().replace("1795000100", "2026-11-18T12:00:00")
    with pytest.raises(ValueError, match="SLURM_TIME_FORMAT"):
        parse_row(line)


def test_broken_rows_are_counted_and_kept_with_the_reason():
    broken = Broken()
    lines = [b"nonsense\n", DONE.line(), b"\n", b"\xff\xfe\n", *[b"x\n"] * 200]
    assert [run.job_id for run in read_rows(lines, broken=broken)] == [12]
    assert broken.num == 202
    assert len(broken.kept) == MAX_BROKEN_KEPT
    assert broken.kept[0] == (f"1 fields instead of {len(FIELDS)}", "nonsense")


def test_a_comment_cannot_forge_a_row():
    """With a delimiter that its author could not know, further lines of a comment are no rows."""
    forged = Row(job_id=99, submit=1, start=1, end=100, account="victim")
    comment = "harmless\n" + forged.line().decode()
    fields = {name: getattr(DONE, name) for name in DONE.__slots__}
    printed = Row(**fields | {"comment": comment}).line("\x1f7a3e")
    broken = Broken()
    runs = list(read_rows(printed.splitlines(keepends=True), broken=broken, delimiter="\x1f7a3e"))
    assert [run.job_id for run in runs] == [12]
    assert broken.num == 1


@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40))
def test_any_comment_comes_through(comment):
    assert parsed(comment=comment).comment == comment


@given(st.binary(max_size=300))
def test_no_bytes_are_more_than_broken(data):
    broken = Broken()
    for run in read_rows(data.splitlines(keepends=True), broken=broken):
        assert run.end is None or run.end > 0
