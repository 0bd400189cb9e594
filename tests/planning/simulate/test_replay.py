import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from fucina.cli.main import app
from fucina.planning.simulate.compiled import COMPILED
from fucina.planning.simulate.replay import Policy, UnknownSize, replay, start_times
from fucina.planning.simulate.swf import read_swf
from fucina.planning.simulate.trace import BadTrace, Trace, column

REFERENCE = next(
    (folder / "shared" / "traces" for folder in Path(__file__).parents if (folder / "shared" / "traces").is_dir()),
    Path("shared"),
)
"""Public traces with their exact schedules; they may not be shipped; without them their tests are skipped."""


def trace(jobs):
    """A trace of (gap, run, estimate, size)."""
    submit = np.cumsum([gap for gap, _, _, _ in jobs])
    return Trace(
        submit_s=submit.astype(np.int64),
        run_s=column([min(run, estimate) for _, run, estimate, _ in jobs]),
        estimate_s=column([estimate for _, _, estimate, _ in jobs]),
        size=column([size for *_, size in jobs]),
        line=column(list(range(1, len(jobs) + 1))),
    )


def swf(*jobs):
    """SWF text of (submit, run, size, estimate)."""
    return "; MaxProcs: 10\n" + "".join(
        f"{i} {submit} -1 {run} {size} -1 -1 {size} {estimate} -1 1 1 1 1 1 1 -1 -1\n"
        for i, (submit, run, size, estimate) in enumerate(jobs, start=1)
    )


JOBS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 40), st.integers(1, 60), st.integers(1, 8)), min_size=1, max_size=60
)


@pytest.mark.skipif(not COMPILED, reason="numba is not installed")
@pytest.mark.parametrize("policy", Policy)
@given(jobs=JOBS)
@settings(max_examples=150, deadline=None)
def test_compiled_and_plain_schedules_are_identical(policy, jobs):
    given_trace = trace(jobs)
    compiled = start_times(given_trace, machine_size=8, policy=policy)
    plain = start_times(given_trace, machine_size=8, policy=policy, compiled=False)
    assert compiled.tolist() == plain.tolist()


def used_at_most(given_trace, start):
    """The most processors in use at any instant."""
    end = start + given_trace.run_s
    return max(int(given_trace.size[(start <= at) & (at < end)].sum()) for at in start)


@pytest.mark.parametrize("policy", Policy)
@given(jobs=JOBS)
@settings(max_examples=60, deadline=None)
def test_a_schedule_never_uses_more_than_there_is_and_never_starts_early(policy, jobs):
    given_trace = trace(jobs)
    start = start_times(given_trace, machine_size=8, policy=policy)
    assert (start >= given_trace.submit_s).all()
    assert used_at_most(given_trace, start) <= 8


@given(jobs=JOBS)
@settings(max_examples=60, deadline=None)
def test_fcfs_starts_in_order_and_conservative_keeps_its_first_promise_when_estimates_are_exact(jobs):
    exact = trace([(gap, run, run, size) for gap, run, _, size in jobs])
    fcfs = start_times(exact, machine_size=8, policy=Policy.FCFS)
    assert (np.diff(fcfs) >= 0).all()
    conservative = start_times(exact, machine_size=8, policy=Policy.CONSERVATIVE)
    assert (conservative <= fcfs).all()  # with exact estimates nobody is put behind where strict order would have them


def test_easy_fills_holes_that_fcfs_leaves_and_does_not_delay_the_head():
    jobs = trace([(0, 100, 100, 6), (1, 50, 50, 8), (1, 20, 20, 2), (1, 200, 200, 2)])
    assert start_times(jobs, machine_size=8, policy=Policy.FCFS).tolist() == [0, 100, 150, 150]
    assert start_times(jobs, machine_size=8, policy=Policy.EASY).tolist() == [0, 100, 2, 150]


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference traces are not here")
@pytest.mark.parametrize("policy", [Policy.FCFS, Policy.EASY])
@pytest.mark.parametrize(
    "name",
    [
        "KTH-SP2-1996-2.2.swf.gz",
        "NASA-iPSC-1993-3.1-cln.swf.gz",
        "CEA-Curie-2011-slice30k.swf.gz",
        "HPC2N-2002-first3k.swf.gz",
    ],
)
def test_start_times_are_those_of_the_reference_schedules(name, policy):
    known = yaml.safe_load((REFERENCE / "reference-results.yaml").read_text())["batched_semantics"][name]
    found = replay(read_swf(REFERENCE / "pwa" / name), machine_size=known["processors"], policy=policy)
    assert found.jobs == known["jobs"]
    assert {key: getattr(found, key) for key in known[policy]} == known[policy]


def test_the_command_prints_waits_and_the_digest_of_the_start_times(tmp_path):
    path = tmp_path / "small.swf.gz"
    path.write_bytes(gzip.compress(swf((5, 100, 10, 100), (6, 30, 4, 30), (7, 30, 10, 30)).encode()))
    done = CliRunner().invoke(
        app, ["plan", "replay", str(path), "--procs", "10", "--policy", "fcfs", "--format", "json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["start_times_sha256"] == hashlib.sha256(b"5,105,135").hexdigest()[:16]
    assert (told["jobs"], told["max_wait_s"], told["makespan_s"]) == (3, 128, 160)
    plain = CliRunner().invoke(app, ["plan", "replay", str(path), "--policy", "fcfs", "--plain", "--format", "json"])
    assert json.loads(plain.stdout)["start_times_sha256"] == told["start_times_sha256"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (swf((10, 5, 1, 5), (9, 5, 1, 5)), ":3: time goes back: submitted at 9 s, after 10 s in line 2"),
        (swf((10, 5, 1, 5)) + "2 11 0 5 1\n", ":3: 5 fields where SWF has 18"),
        (swf((10, 5, 1, 5)).replace(" 5 ", " five ", 1), ":2: field 4 is 'five', not a number"),
        (swf((10, 5, 1, 5)).replace(" 5 ", " nan ", 1), ":2: field 4 is 'nan', out of range"),
        ("1 " * 2_000_000, ":1: 2,000,000 fields where SWF has 18"),
        ("x" * 3_000_000, ":1: 1 fields where SWF has 18"),
        ("9" * 5000 + " 1" * 17, ":1: field 1 is '9999999999999999999999999999999999999999', out of range"),
        ("", "is empty"),
        ("; only a comment\n", "no job that ran"),
        (swf((0, -1, 1, 5)), "no job that ran"),
        ("1 2\0 3\n", ":1: this is no text"),
    ],
)
def test_a_bad_trace_is_named_with_its_line(tmp_path, text, told):
    path = tmp_path / "bad.swf"
    path.write_text(text)
    with pytest.raises(BadTrace) as caught:
        read_swf(path)
    assert told in caught.value.message


def test_a_damaged_archive_and_a_missing_file_are_no_traceback(tmp_path):
    whole = gzip.compress(swf((0, 5, 1, 5)).encode() * 50)
    (tmp_path / "cut.swf.gz").write_bytes(whole[: len(whole) // 2])
    for path, told in (
        (tmp_path / "cut.swf.gz", "damaged"),
        (tmp_path / "none.swf", "no file"),
        (tmp_path, "cannot be read"),
    ):
        done = CliRunner().invoke(app, ["plan", "replay", str(path), "--procs", "8"])
        assert done.exit_code == 2
        assert told in " ".join(done.stderr.split())


def test_jobs_larger_than_the_machine_are_left_out_and_named(tmp_path):
    path = tmp_path / "wide.swf"
    path.write_text(swf((0, 5, 4, 5), (1, 5, 9, 5), (2, 5, 12, 5)))
    found = replay(read_swf(path), machine_size=8, policy=Policy.EASY)
    assert found.jobs == 1
    assert "2 jobs ask for more than the machine's 8 and are left out; the first in line 3 (9)" in found.notes[-1]
    with pytest.raises(BadTrace, match="No job fits"):
        replay(read_swf(path), machine_size=2, policy=Policy.EASY)


def test_a_hole_in_the_log_is_pointed_at_and_a_machine_needs_a_size(tmp_path):
    path = tmp_path / "hole.swf"
    path.write_text(swf((0, 5, 4, 5), (40 * 86400, 5, 4, 5)))
    assert "No job arrives for 40.0 days between lines 2 and 3" in " ".join(read_swf(path).notes)
    with pytest.raises(UnknownSize):
        replay(trace([(0, 1, 1, 1)]), machine_size=None, policy=Policy.FCFS)
    with pytest.raises(UnknownSize):
        replay(trace([(0, 1, 1, 1)]), machine_size=0, policy=Policy.FCFS)
