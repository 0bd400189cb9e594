import json

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from fucina.data.inspect import funnel
from fucina.data.recipe import SampleRule
from fucina.data.repeats import without_repeats

LONG = "One long paragraph of the page."


def _decisions(prepared):
    return {row["id"]: row for row in pq.read_table(prepared.out / "decisions.parquet").to_pylist()}


def test_a_language_is_thinned_out_and_every_left_out_document_says_so(run, tmp_path, jsonl, italian, english):
    jsonl(tmp_path / "it.jsonl", italian)
    jsonl(tmp_path / "en.jsonl", english)

    few = run("*.jsonl", sample=({"language": "it", "share": 0.3},))
    more = run("*.jsonl", sample=({"language": "it", "share": 0.7},))

    rows = _decisions(few)
    left_out = {name for name, row in rows.items() if row["reason"] == "sampled-out"}
    assert {row["step"] for row in rows.values() if row["reason"] == "sampled-out"} == {"sampling"}
    assert {name[:2] for name in left_out} == {"it"}
    assert 0.4 < len(left_out) / len(italian) < 0.95
    assert {name for name, row in _decisions(more).items() if row["reason"] == "sampled-out"} < left_out
    assert ("sampling", "sampled-out") in {(row.step, row.reason) for row in funnel(few.out).rows}


def test_the_first_rule_that_fits_counts(run, tmp_path, jsonl, italian, english):
    jsonl(tmp_path / "web" / "it.jsonl", italian)
    jsonl(tmp_path / "books" / "en.jsonl", english)
    rules = ({"source": "web/*", "share": 1.0}, {"scores": {"function_word_share": (0.0, 1.0)}, "share": 0.0})

    with_books = run("web/*.jsonl", "books/*.jsonl", sample=rules)

    assert {name[:2] for name, row in _decisions(with_books).items() if row["kept"]} == {"it"}


@pytest.mark.parametrize("wrong", [{"share": 1.5}, {"share": -0.1}, {}, {"share": 0.5, "scores": {"beauty": (0, 1)}}])
def test_a_wrong_rule_is_refused(wrong):
    with pytest.raises(ValidationError):
        SampleRule.model_validate(wrong)


def test_licence_and_address_stay_with_a_document_to_the_end(run, tmp_path, italian):
    rows = [{"id": f"d{number}", "text": text} for number, text in enumerate([*italian[:10], "too short"])]
    for number in (1, 3, 5, 7, 9):
        rows[number] |= {"licence": "CC-BY-4.0", "url": f"https://example.org/{number}"}
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    prepared = run("a.jsonl")

    decided = _decisions(prepared)
    assert (decided["d1"]["licence"], decided["d1"]["url"]) == ("CC-BY-4.0", "https://example.org/1")
    assert (decided["d2"]["licence"], decided["d2"]["url"]) == ("CC0-1.0", "")
    kept = [
        row for split in ("train", "validation") for row in pq.read_table(prepared.out / f"{split}.parquet").to_pylist()
    ]
    assert {(row["licence"], row["url"]) for row in kept if row["id"] == "d3"} == {
        ("CC-BY-4.0", "https://example.org/3")
    }
    assert prepared.card.licences["CC-BY-4.0"].num_documents == sum(row["licence"] == "CC-BY-4.0" for row in kept)
    assert [
        row["reason"] for row in pq.read_table(prepared.out / "rejected.parquet").to_pylist() if row["id"] == "d10"
    ] == ["too-short"]


@pytest.mark.parametrize(
    ("text", "left", "num_removed"),
    [
        (f"{LONG}\n\nTwo.\n\n{LONG.upper()} \n\nThree.", f"{LONG}\n\nTwo.\n\nThree.", 1),
        ("A line that comes twice here.\nB\nA line that comes twice here.", "A line that comes twice here.\nB", 1),
        (f"* * *\n\n{LONG}\n\n* * *\n\nTwo.", f"* * *\n\n{LONG}\n\n* * *\n\nTwo.", 0),
        ("", "", 0),
        ("One line.", "One line.", 0),
    ],
)  # fmt: skip
def test_a_paragraph_is_said_once(text, left, num_removed):
    assert without_repeats(text) == (left, num_removed)


def test_prepare_takes_repeated_paragraphs_out(run, tmp_path, jsonl, italian):
    jsonl(tmp_path / "a.jsonl", [f"{text[:700]}\n\n{text[700:]}\n\n{text[:700]}" for text in italian[:6]])

    plain, without = run("a.jsonl", quality=False), run("a.jsonl", quality=False, remove_repeats=True)

    assert plain.card.num_repeats_removed == 0
    assert without.card.num_repeats_removed >= without.card.num_documents
    assert without.card.train.num_characters < plain.card.train.num_characters
