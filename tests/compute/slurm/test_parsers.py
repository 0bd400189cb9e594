"""Parsers on outputs recorded from real clusters, and on what a strict reader must survive.

Each file in `recorded/` begins with the command that produced it, on Slurm of the version in its name.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.compute.slurm import sacct, sacctmgr, sbatch, scontrol, sinfo, squeue
from fucina.compute.slurm.refusals import SlurmFailed, SlurmLimit, SlurmRefused, in_words
from fucina.compute.slurm.rows import DELIMITER, NotSlurmOutput, epoch, seconds, size_bytes, task_indices
from fucina.compute.slurm.states import STATES, end_in_words, exit_code, reason_in_words, state_of
from fucina.compute.slurm.transport import LostAnswer, Unreachable
from fucina.compute.spec import FINAL, JobState

RECORDED = Path(__file__).parent / "recorded"
VERSIONS = ["22.05", "24.11"]
FAILED = "sbatch: error: Batch job submission failed: "


def recorded(name: str, version: str) -> str:
    """The output without its first line, the command; recorded with a delimiter that could be guessed."""
    text = (RECORDED / f"{name}-{version}.txt").read_text(encoding="utf-8").split("\n", 1)[1]
    return text.replace("\x1f", DELIMITER)


@pytest.mark.parametrize("version", VERSIONS)
def test_squeue(version):
    listing = squeue.read(recorded("squeue", version))
    assert listing.broken == ()
    by_comment = {row.comment: row for row in listing.rows}
    failed = by_comment["fucina:rec.failed"]
    assert (failed.state, failed.exit_cell, failed.reason) == (
        "FAILED",
        "768" if version == "22.05" else "3:0",
        "NonZeroExitCode",
    )
    assert failed.start_at and failed.end_at and failed.submit_at
    held = by_comment["fucina:rec.held|with a bar"]
    assert (held.state, held.reason, held.start_at) == ("PENDING", "JobHeldUser", None)
    tasks = {row.task: row for row in listing.rows if row.comment == "fucina:rec.array"}
    assert set(tasks) == {0, 1, 2, 3}
    assert len({row.base_id for row in tasks.values()}) == 1
    again = by_comment["fucina:rec.again"]
    assert (again.state, again.reason, again.num_restarts) == ("PENDING", "BeginTime", 1)
    assert by_comment["fucina:rec.after"].reason == "DependencyNeverSatisfied"


@pytest.mark.parametrize("version", VERSIONS)
def test_sacct(version):
    listing = sacct.read(recorded("sacct", version))
    assert listing.broken == ()
    jobs = [row for row in listing.rows if not row.step]
    failed = [row for row in jobs if row.comment == "fucina:rec.failed"]
    assert [(row.state, row.exit_cell) for row in failed] == [("FAILED", "3:0")]
    steps = [row for row in listing.rows if row.step and row.job_id == failed[0].job_id]
    assert steps[0].step == "batch"
    again = [row for row in jobs if row.comment == "fucina:rec.again"]
    assert [row.state for row in again] == ["REQUEUED"]
    # Accounting learns the comment of a job when it ends: those that wait or run have none.
    array = [row for row in jobs if row.tasks]
    assert len({row.base_id for row in array}) == 1
    assert {task for row in array for task in row.tasks} == {0, 1, 2, 3}


@pytest.mark.parametrize("version", VERSIONS)
def test_sinfo(version):
    listing = sinfo.read(recorded("sinfo", version))
    assert listing.broken == ()
    nodes = {row.node: row for row in listing.rows if row.partition == "gpu"}
    assert len(nodes) == 4
    assert all(sinfo.num_devices(row.gres, "h200") == 4 for row in nodes.values())
    assert not nodes["alpha-4"].works
    assert sum(sinfo.num_devices(row.gres_used) for row in nodes.values()) >= 2


@pytest.mark.parametrize("version", VERSIONS)
def test_scontrol_config(version):
    facts = scontrol.read_config(recorded("config", version))
    assert (facts.cluster, facts.version[:5], facts.min_job_age_s) == ("alpha", version, 300)
    assert facts.comments_stored and facts.limits_enforced


@pytest.mark.parametrize("version", VERSIONS)
def test_sacctmgr(version):
    listing = sacctmgr.read(recorded("sacctmgr", version))
    assert listing.broken == ()
    assert ("projx", "alice") in {(row.account, row.user) for row in listing.rows}
    assert all(row.cluster == "alpha" for row in listing.rows)


@pytest.mark.parametrize(("text", "number"), [("12\n", 12), ("12;beta\n", 12), ("warning: slow\n12\n", 12)])
def test_the_answer_of_sbatch(text, number):
    assert sbatch.parse_answer(text) == number


@pytest.mark.parametrize("text", ["", "Submitted batch job 12", "12 34", "x12"])
def test_an_answer_that_sbatch_never_gives(text):
    with pytest.raises(NotSlurmOutput):
        sbatch.parse_answer(text)


def test_a_row_that_cannot_be_read_hides_no_other():
    good = recorded("squeue", "22.05").splitlines()[0]
    torn = good.replace(DELIMITER, " ", 3)
    odd = DELIMITER.join(["not-a-number", *good.split(DELIMITER)[1:]])
    listing = squeue.read("\n".join([torn, good, odd, "slurm_load_jobs error", ""]))
    assert len(listing.rows) == 1
    assert len(listing.broken) == 3


@pytest.mark.parametrize("comment", ["two\nlines", "\n\nfour\n", "forged\n7\x1f7\x1fN/A\x1fRUNNING\x1f"])
def test_a_comment_with_line_breaks_breaks_no_row(comment):
    first, second = recorded("squeue", "22.05").splitlines()[:2]
    cells = first.split(DELIMITER)
    cells[-2] = comment
    listing = squeue.read("\n".join([second, DELIMITER.join(cells), second, ""]))
    assert listing.broken == ()
    assert [row.comment for row in listing.rows][1] == comment.strip()
    assert listing.rows[0] == listing.rows[2]


@given(st.text())
def test_no_text_breaks_a_parser(text):
    for module in (squeue, sacct, sinfo, sacctmgr):
        listing = module.read(text)
        assert len(listing.rows) + len(listing.broken) <= text.count("\n") + 1


@given(st.lists(st.integers(0, 5000), min_size=1, unique=True))
def test_indices_written_out_are_read_back(indices):
    assert task_indices(",".join(map(str, indices)) + "%7") == tuple(indices)


@pytest.mark.parametrize(
    ("text", "indices"), [("0-3%2", (0, 1, 2, 3)), ("1", (1,)), ("0-9:4", (0, 4, 8)), ("1,4-5", (1, 4, 5))]
)
def test_array_notation(text, indices):
    assert task_indices(text) == indices


@pytest.mark.parametrize(
    ("cell", "value"),
    [("00:00.001", 0.001), ("01:02:03", 3723), ("2-00:00:01", 172801), ("05:06", 306), ("", 0), ("00:00:00", 0)],
)
def test_durations(cell, value):
    assert seconds(cell) == pytest.approx(value)


@pytest.mark.parametrize(("cell", "value"), [("4252K", 4252 * 1024), ("1.5G", 1610612736), ("0", 0), ("", 0), ("7", 7)])
def test_sizes(cell, value):
    assert size_bytes(cell) == value


@pytest.mark.parametrize(
    ("cell", "value"), [("1795221296", 1795221296), ("None", None), ("Unknown", None), ("N/A", None), ("0", None)]
)
def test_times(cell, value):
    assert epoch(cell) == value


@pytest.mark.parametrize(
    ("cell", "devices"),
    [
        ("gpu:h200:4", 4),
        ("gpu:h200:4(S:0-1)", 4),
        ("gpu:h200:2(IDX:0-1)", 2),
        ("gpu:h200:0(IDX:N/A)", 0),
        ("gpu:4", 4),
        ("gres/gpu:h200=3", 3),
        ("gres:gpu:h200:3", 3),
        ("gpu:a100:4,gpu:h200:2,craynetwork:4", 2),
        ("", 0),
        ("(null)", 0),
    ],
)
def test_devices_of_a_node(cell, devices):
    assert sinfo.num_devices(cell, "h200") == devices


@pytest.mark.parametrize(
    ("cell", "seconds_"), [("10:00", 600), ("2-00:00:00", 172800), ("1:00:00", 3600), ("UNLIMITED", 0)]
)
def test_time_limits(cell, seconds_):
    assert squeue.limit_seconds(cell) == seconds_


@pytest.mark.parametrize(("cell", "code"), [("44:0", 44), ("0:9", -9), ("0:0", 0), ("", None), ("0:125", -125)])
def test_exit_codes(cell, code):
    assert exit_code(cell) == code


def test_every_state_of_slurm_has_its_place():
    assert state_of("CANCELLED by 1001") is JobState.CANCELLED
    assert state_of("COMPLETED+") is JobState.SUCCEEDED
    assert state_of("SOMETHING_NEW") is JobState.UNKNOWN
    assert {state_of(word) for word in STATES} >= FINAL
    for word, state in STATES.items():
        if state in FINAL and state is not JobState.SUCCEEDED:
            assert end_in_words(word, 1)


def test_reasons_are_sentences_whatever_slurm_says():
    assert reason_in_words("Resources").startswith("It is next in line")
    assert reason_in_words("(ReqNodeNotAvail, UnavailableNodes:n[1-3])").startswith("Nodes that it needs")
    assert reason_in_words("BrandNewReason") == "Slurm says: BrandNewReason."


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (FAILED + "Invalid account or account/partition combination specified", SlurmRefused),
        (FAILED + "Requested node configuration is not available", SlurmRefused),
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit\n" + FAILED + "Job violates accounting/QOS policy", SlurmLimit),
        (FAILED + "Unable to contact slurm controller (connect failure)", Unreachable),
        (FAILED + "Socket timed out on send/recv operation", LostAnswer),
        ("slurmstepd: strange", SlurmFailed),
        ("", SlurmFailed),
    ],
)  # fmt: skip
def test_refusals_are_told_apart(said, kind):
    error = in_words("sbatch", said=said, rc=1)
    assert type(error) is kind
    assert error.message and error.hint
