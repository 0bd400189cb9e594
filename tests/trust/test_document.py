import hashlib
import json
from pathlib import Path

import pytest

from fucina.trust.document import document
from fucina.trust.evidence import BadEvidence, fact_words, gather, percent, scientific
from fucina.trust.ruleset import UnknownRuleSet
from tests.trust.synthetic import RECIPE, make_documents, make_run

DOCUMENTS = {
    "README.md",
    "data/croissant.json",
    "data/dataset.json",
    "data/datasheet.md",
    "dossier/dossier.json",
    "dossier/dossier.pdf",
    "ml-bom.cdx.json",
}


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def evidence_of(run, recipe=RECIPE):
    return gather(recipe, records=run.records, data=run.data, train=run.train, evaluation=run.evaluation)


def test_every_document_is_written_and_two_builds_are_identical(run):
    first = tree(make_documents(run))

    assert first.keys() == DOCUMENTS
    assert tree(make_documents(run, name="again")) == first


def test_a_second_start_over_half_written_outputs_ends_the_same(run):
    whole = tree(make_documents(run))
    out = run.folder / "killed" / "out"
    (out / "data").mkdir(parents=True)
    (out / "data" / "croissant.json").write_text('{"half": ')
    (run.folder / "killed" / "scratch").mkdir()
    (run.folder / "killed" / "scratch" / "README.md.new").write_text("half")

    assert tree(make_documents(run, name="killed")) == whole


def test_what_stays_the_same_for_the_same_weights_carries_no_time(run):
    out = make_documents(run)

    for name in ("data/croissant.json", "data/datasheet.md"):
        assert "2026-11-20" not in (out / name).read_text(), name


def test_other_times_change_no_content_file(run, tmp_path):
    before = tree(make_documents(run))
    later = {
        stage: record.model_copy(update={"wall_s": 321.0, "ended_at": record.ended_at.replace(hour=23)})
        for stage, record in run.records.items()
    }
    out = tmp_path / "later"
    document(
        RECIPE, records=later, data=run.data, train=run.train, evaluation=run.evaluation, out=out,
        scratch=tmp_path / "scratch", progress=run.progress(),
    )  # fmt: skip
    after = tree(out)

    assert {name for name in before if before[name] != after[name]} == DOCUMENTS - {
        "data/croissant.json",
        "data/dataset.json",
        "data/datasheet.md",
    }


def test_nothing_private_and_no_path_is_written(run):
    out = make_documents(run)

    for path in out.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"SECRET" not in content
            assert b"private/" not in content
            assert str(run.folder).encode() not in content


def test_no_document_says_that_a_law_is_met(run):
    out = make_documents(run)

    for name in DOCUMENTS - {"dossier/dossier.pdf"}:
        text = (out / name).read_text().lower()
        assert "compliant" not in text
        assert "complies" not in text


def test_compute_is_counted_both_ways(run):
    facts = evidence_of(run).facts

    assert facts["training_architecture_flop"] == pytest.approx(
        (6 * (2 * (4 * 8 * 8 + 3 * 8 * 16 + 2 * 8) + 8 + 300 * 8) + 12 * 2 * 8 * 64) * 12_000_000
    )
    assert facts["training_hardware_flop"] == pytest.approx(200.0 * 1e12 * 0.21)
    assert facts["share_of_gpai_mark"] == facts["training_architecture_flop"] / 1e23
    assert facts["share_of_systemic_mark"] == facts["training_architecture_flop"] / 1e25


@pytest.mark.parametrize("without", ["mfu", "peak", "accelerator"])
def test_compute_by_hardware_is_unknown_without_each_of_its_factors(run, without):
    train, recipe = run.records["train"], RECIPE
    if without == "mfu":
        train = train.model_copy(update={"measurements": {}})
    elif without == "peak":
        recipe = RECIPE.model_copy(update={"accelerator_peak_tflops": 0.0})
    else:
        train = train.model_copy(update={"num_gpus": 0, "accelerator_s": 0.0})
    records = {**run.records, "train": train}

    facts = gather(recipe, records=records, data=run.data, train=run.train, evaluation=run.evaluation).facts

    assert facts["training_hardware_flop"] is None
    assert facts["training_architecture_flop"] is not None


def test_parameters_are_counted_in_the_weights(run):
    assert evidence_of(run).facts["num_parameters"] == 2400


def test_a_run_without_card_and_summary_is_documented_with_more_questions(run):
    whole = json.loads((make_documents(run) / "dossier" / "dossier.json").read_bytes())
    (run.data / "card.json").unlink()
    (run.train / "summary.json").unlink()

    out = make_documents(run, name="less")

    dossier = json.loads((out / "dossier" / "dossier.json").read_bytes())
    assert dossier["facts"]["num_documents"] is None
    assert dossier["facts"]["training_architecture_flop"] is None
    opened = {item["id"] for item in dossier["items"] if item["standing"] == "open"}
    before = {item["id"] for item in whole["items"] if item["standing"] == "open"}
    assert opened > before
    assert {"art-53-marks", "annex-xi-2d", "annex-xi-systemic", "annex-xii-2c"} <= opened
    assert "Open question" in (out / "data" / "datasheet.md").read_text()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("evaluate/out/results.json", b""),
        ("evaluate/out/results.json", b"\x00\xff\x00"),
        ("evaluate/out/results.json", b"[" * 200_000),
        ("evaluate/out/results.json", '{"suite": "général"}'.encode("utf-16")),
        ("prepare/out/card.json", b'{"num_records": "many"}'),
        ("prepare/out/card.json", b"{"),
        ("train/out/summary.json", b"[]"),
        ("train/out/model/config.json", b"[1]"),
        ("train/out/model/config.json", b"\xff\xfe{}"),
    ],
)
def test_an_unreadable_output_is_refused_by_name(run, name, content):
    (run.folder / name).write_bytes(content)

    with pytest.raises(BadEvidence):
        evidence_of(run)


def test_weights_that_are_not_safetensors_are_refused(run):
    weights = run.train / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])

    with pytest.raises(BadEvidence, match="safetensors"):
        evidence_of(run)


def test_an_evaluation_of_another_model_is_refused(run, tmp_path):
    other = make_run(tmp_path / "other", seed=2)

    with pytest.raises(BadEvidence, match="Evaluate this model again|evaluation is of weights"):
        gather(RECIPE, records=run.records, data=run.data, train=run.train, evaluation=other.evaluation)


def test_a_run_that_was_not_trained_is_refused(run):
    records = {stage: record for stage, record in run.records.items() if stage != "train"}

    with pytest.raises(BadEvidence, match="no record of the training"):
        gather(RECIPE, records=records, data=run.data, train=run.train, evaluation=run.evaluation)


@pytest.mark.parametrize("name", ["", "eu-ai-act/1999-01-01", "../recipe", "rules/../../../etc/passwd", "\0"])
def test_an_unknown_rule_set_is_refused(run, name):
    with pytest.raises(UnknownRuleSet, match="no rule set"):
        evidence_of(run, RECIPE.model_copy(update={"ruleset": name}))


def test_numbers_are_written_as_people_read_them():
    assert scientific(4.149e11) == "4.15 × 10¹¹"
    assert scientific(1e-7) == "1.00 × 10⁻⁷"
    assert percent(0.5) == "50 %"
    assert percent(4.15e-12) == "4.15 × 10⁻¹⁰ %"
    assert percent(0.0) == "0 %"
    assert fact_words("training_energy_kwh", 0.00167) == "1.67 Wh"
    assert fact_words("training_energy_kwh", 12.5) == "12.5 kWh"
    assert fact_words("training_wall_s", None) == "–"
    assert fact_words("num_documents", 0) == "0"
