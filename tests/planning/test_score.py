import math
import statistics
from pathlib import Path

import pytest
import yaml

from benchmarks import plan_fit, plan_layouts, plan_table
from fucina.planning.ask import TrainingQuestion
from fucina.planning.machines import find_accelerator, usual_system
from fucina.planning.rates import Precision, Stack, calibration, fitted, rates
from fucina.planning.runs import BadRuns, read_runs
from fucina.planning.score import quantile, score
from fucina.planning.training import plan_training

RUNS = Path(plan_table.RUNS)


@pytest.fixture(scope="module")
def rows():
    return yaml.safe_load(RUNS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def held_out():
    return score(*read_runs(RUNS), held_out=True)


def errors(scored, group):
    return next(line for line in scored.summary if line.group.startswith(group))


def test_dense_steps_left_out_of_the_fit_are_predicted_well(held_out):
    found = errors(held_out, "dense")

    assert found.num_rows >= 100
    assert found.median <= 0.08
    assert found.mean <= 0.12
    assert found.p90 <= 0.25


def test_mixtures_of_experts_left_out_of_the_fit(held_out):
    found = errors(held_out, "mixture")

    assert found.num_rows >= 10
    assert found.median <= 0.15


@pytest.mark.parametrize(("kind", "most"), [("dense", (0.08, 0.12, 0.25)), ("sparse", (0.15, None, None))])
def test_each_family_left_out_alone_is_predicted_well(kind, most):
    wrong = sorted(abs(math.expm1(value)) for value in calibration()["residuals"][kind])
    found = (statistics.median(wrong), statistics.fmean(wrong), quantile(wrong, 0.9))

    assert len(wrong) >= (100 if kind == "dense" else 10)
    assert all(limit is None or value <= limit for value, limit in zip(found, most, strict=True)), found


@pytest.mark.slow
def test_the_shipped_residuals_are_what_leaving_a_family_out_gives():
    runs, _ = read_runs(RUNS)
    fitting = [run for run in runs if plan_fit.usable(run)]
    some = [run for run in runs if run.family.startswith(("skywork", "mb/Qwen", "smollm3"))]
    rows = plan_fit.leave_out(some, fitting, lambda run: run.family, fitted())

    for row in rows:
        shipped = calibration()["residuals"]["sparse" if row.sparse else "dense"]
        assert min(abs(math.log1p(row.error) - value) for value in shipped) < 0.01, row.id


@pytest.mark.parametrize(
    ("source", "year"),
    [
        ("release v25.05.05", 2025 + 4 / 12), ("25.11 container", 2025 + 10 / 12), ("NeMo 24.12", 2024 + 11 / 12),
        ("Somebody (arXiv 2104.04473), Table 1", None), ("llama3_h100_202412", None), ("version 25.13", None),
    ],
)  # fmt: skip
def test_the_release_of_the_software(rows, tmp_path, source, year):
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump([{**rows[0], "source": source}]), encoding="utf-8")
    (run,), _ = read_runs(tmp_path / "runs.yaml")

    assert run.release == (None if year is None else pytest.approx(year))


def test_a_vendor_s_first_release_for_a_generation_is_slower_and_a_later_one_is_not():
    chip = find_accelerator("GB200")

    def matrix(stack, release):
        return rates(
            chip, usual_system(chip), precision=Precision.BF16, stack=stack, constants=fitted(), release=release
        ).matrix

    assert matrix(Stack.TUNED, 2025.3) == pytest.approx(fitted().early * matrix(Stack.TUNED, None))
    assert matrix(Stack.TUNED, 2025.9) == matrix(Stack.TUNED, None)
    assert matrix(Stack.FUSED, 2025.3) == matrix(Stack.FUSED, None)


def test_the_layout_of_a_published_search_is_within_three_percent_of_our_best():
    runs, _ = read_runs(RUNS)
    searched = [run for run in runs if run.id.split("-")[0] in plan_layouts.SEARCHES]

    assert searched
    for run in searched:
        gap, theirs, ours = plan_layouts.compare(run)
        assert (theirs.tp, theirs.pp) == (8, 64)
        assert abs(gap) <= 0.03, (theirs, ours)


@pytest.mark.parametrize(
    ("parallel", "said"),
    [
        ({"framework": "Megatron-DeepSpeed", "note": "tuned TP/PP; 1T used TP8 PP64"}, (8, 64, 1)),
        ({"tp": 4, "note": "TP8 PP2"}, (4, 2, None)),
        ({"note": "tuned TP/PP"}, (None, None, None)),
        ({"tp": 2, "pp": 4, "vp": 2, "framework": "DeepSpeed"}, (2, 4, 2)),
    ],
)
def test_what_a_row_says_of_its_layout_in_words(rows, tmp_path, parallel, said):
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump([{**rows[0], "parallelism": parallel}]), encoding="utf-8")
    (run,), _ = read_runs(tmp_path / "runs.yaml")

    assert (run.asked.tp, run.asked.pp, run.asked.vp) == said


def test_no_configuration_that_ran_is_refused(held_out):
    assert held_out.refused == []


def test_the_halves_share_no_family_and_hold_all_rows():
    runs, _ = read_runs(RUNS)
    halves = calibration()["families"]

    assert not set(halves["a"]) & set(halves["b"])
    assert set(halves["a"]) | set(halves["b"]) == {run.family for run in runs}
    assert halves == plan_fit.split([run.family for run in runs])


@pytest.mark.slow
def test_the_shipped_constants_are_what_the_fit_gives():
    runs, _ = read_runs(RUNS)
    half = set(calibration()["families"]["a"])
    found = plan_fit.fit([run for run in runs if plan_fit.usable(run) and run.family in half])

    shipped = calibration()["fits"]["a"]
    assert found.model_dump() == pytest.approx(shipped, rel=0.02)


def test_measured_fields_are_not_looked_at(rows, held_out, tmp_path):
    for row in rows:
        row["measured"] = {"tokens_per_s_per_gpu": 1, "memory_gib": 1}
        row["derived"] = {"tokens_per_s_per_gpu": 7.0}
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump(rows), encoding="utf-8")
    blind = score(*read_runs(tmp_path / "runs.yaml"), held_out=True)

    before = [(row.id, row.layout, row.tokens_per_s_per_device) for row in held_out.rows]
    assert [(row.id, row.layout, row.tokens_per_s_per_device) for row in blind.rows] == before


def test_the_table_in_the_docs_is_the_code_s(held_out):
    page = plan_table.PAGE.read_text(encoding="utf-8")

    assert plan_table.page_with(plan_table.table(held_out), page) == page, "run `python benchmarks/plan_table.py`"


def test_a_row_that_says_too_little_is_left_out_with_its_reason(rows, tmp_path):
    broken = [
        rows[0],
        {"id": "no-model", "hardware": {"accelerator": "H100-80GB", "count": 8}},
        {**rows[0], "id": "odd-chip", "hardware": {"accelerator": "Z80", "count": 8}},
        {**rows[0], "id": "odd-heads", "model": {**rows[0]["model"], "kv_heads": 5}},
        {**rows[0], "id": "words", "hardware": {**rows[0]["hardware"], "count": "many"}},
        "text",
        None,
    ]
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump(broken), encoding="utf-8")
    runs, skipped = read_runs(tmp_path / "runs.yaml")

    assert [run.id for run in runs] == [rows[0]["id"]]
    reasons = {one.id: one.reason for one in skipped}
    assert set(reasons) == {"no-model", "odd-chip", "odd-heads", "words", "row 6", "row 7"}
    assert "layers" in reasons["no-model"] and "Z80" in reasons["odd-chip"] and "evenly" in reasons["odd-heads"]


@pytest.mark.parametrize("text", ["", "[]", "a: b", "- [", "\x00", "just words"])
def test_a_file_without_runs(tmp_path, text):
    (tmp_path / "runs.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(BadRuns):
        read_runs(tmp_path / "runs.yaml")


def test_keys_that_nobody_knows_change_nothing_and_huge_numbers_are_left_out(rows, tmp_path):
    told = {**rows[0], "mood": "good", "hardware": {**rows[0]["hardware"], "colour": "green"}}
    huge = [
        {**rows[0], "id": "layers", "model": {**rows[0]["model"], "layers": 10**12}},
        {**rows[0], "id": "width", "model": {**rows[0]["model"], "hidden": 10**15}},
        {**rows[0], "id": "devices", "hardware": {**rows[0]["hardware"], "count": 10**18}},
        {**rows[0], "id": "sequence", "model": {**rows[0]["model"], "seq": 10**15}},
        {**rows[0], "id": "batch", "batch": {"global_batch_seqs": 10**18}},
        {**rows[0], "id": "tp", "parallelism": {**rows[0]["parallelism"], "tp": 0}},
        {**rows[0], "id": "words", "parallelism": {**rows[0]["parallelism"], "tp": "many"}},
        {**rows[0], "id": "negative", "hardware": {**rows[0]["hardware"], "count": -8}},
    ]
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump([rows[0], told, *huge]), encoding="utf-8")
    scored = score(*read_runs(tmp_path / "runs.yaml"))

    first, second = scored.rows[:2]
    assert first.tokens_per_s_per_device == second.tokens_per_s_per_device
    assert {"layers", "width", "devices", "sequence", "batch", "tp", "words", "negative"} == {
        one.id for one in scored.skipped
    }


def test_an_absent_file_and_a_binary_one(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x01")
    for name in ("absent", "binary", "."):
        with pytest.raises(BadRuns):
            read_runs(tmp_path / name)


def test_deepseek_v3_s_hours_lie_in_the_interval_of_the_prediction():
    answer = plan_training(
        TrainingQuestion(
            model="deepseek-v3", num_tokens=14_800_000_000_000, system="H800-80GB", num_devices=2048, sequence=4096,
            batch_tokens=15360 * 4096, precision=Precision.FP8, stack=Stack.TUNED,
        )
    )  # fmt: skip
    assert answer.gpu_hours.low <= 2_664_000 <= answer.gpu_hours.high
    assert answer.gpu_hours.value == pytest.approx(2_664_000, rel=0.2)
