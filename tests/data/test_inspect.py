"""What `prepare` says about every document, and the commands that show it."""

import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from fucina.cli.main import app
from fucina.data.inspect import NotPrepared, UnknownDocument, diff, explain, funnel

SECRET = "mario.rossi@esempio-privato.it"
RAW = f"Prima\u00a0riga,\r\nseconda ri\u00adga:   \r\n\r\n\r\n\r\nscrivere a {SECRET}, poi "


@pytest.fixture
def corpus(tmp_path, jsonl, italian, english):
    jsonl(tmp_path / "it.jsonl", [RAW + italian[0], *italian[1:12], italian[3], italian[4].upper(), "short"])
    jsonl(tmp_path / "en.jsonl", english[:6])
    (tmp_path / "bad.jsonl").write_text("{broken\n")
    return tmp_path


def test_the_funnel_adds_up(corpus, run):
    out, _, card = run("*.jsonl")

    found = funnel(out)

    assert found.num_records == card.num_records == sum(row.num_documents for row in found.rows)
    by_reason = {(row.step, row.reason): row.num_documents for row in found.rows}
    assert by_reason == {
        ("read", "not-json"): 1,
        ("length", "too-short"): 1,
        ("duplicates", "exact-duplicate"): 1,
        ("duplicates", "near-duplicate"): 1,
        ("kept", ""): card.num_documents,
    }


def test_spans_lie_in_the_original_text(corpus, run):
    out, _, _ = run("*.jsonl")

    (span,) = [row for row in pq.read_table(out / "spans.parquet").to_pylist() if row["id"] == "it-0"]

    assert RAW[span["start"] : span["end"]] == SECRET
    assert (span["kind"], span["action"]) == ("email", "redacted")


def test_every_decision_on_a_document_is_told(corpus, run):
    out, _, _ = run("*.jsonl")

    (kept,) = explain(out, "it-0")
    (copy,) = explain(out, "it-13")

    assert (kept.kept, kept.reason, kept.language, len(kept.spans)) == (True, "", "it", 1)
    assert (copy.kept, copy.step, copy.reason) == (False, "duplicates", "near-duplicate")
    assert copy.alike == ("it-4", "it-13")
    assert copy.cluster == explain(out, "it-4")[0].row
    with pytest.raises(UnknownDocument, match="None of 22 records has the id 'nobody'"):
        explain(out, "nobody")


def test_two_versions_are_compared(corpus, run, jsonl, english):
    before, _, _ = run("*.jsonl")
    jsonl(corpus / "more.jsonl", english[6:9])
    after, _, _ = run("*.jsonl")

    found = diff(before, after)

    assert (found.num_added, found.num_removed, found.sources_added) == (3, 0, ("more.jsonl",))
    assert {change.name: change.after - change.before for change in found.numbers}["documents"] == 3
    assert diff(after, after).numbers == ()


@pytest.mark.parametrize("name", ["card.json", "decisions.parquet", "spans.parquet"])
def test_what_was_not_prepared_or_is_damaged_is_said(corpus, run, name):
    out, _, _ = run("*.jsonl")
    with pytest.raises(NotPrepared):
        funnel(corpus)
    (out / name).write_bytes(b"damaged")

    with pytest.raises(NotPrepared):
        explain(out, "it-0")


@pytest.fixture
def recipe_file(corpus):
    path = corpus / "recipe.yaml"
    path.write_text("sources: [{path: '*.jsonl', licence: CC0-1.0}]\nvocabulary_size: 400\nnum_canaries: 2\n")
    return path


def _cli(*arguments):
    return CliRunner().invoke(app, ["data", *map(str, arguments)], catch_exceptions=False)


def test_the_commands_from_recipe_to_explanation(recipe_file, corpus):
    done = _cli("prepare", recipe_file, "--threads", 1)
    assert done.exit_code == 0
    assert "near-duplicate" in done.output
    out = corpus / "recipe.prepared"
    assert (out / "card.json").is_file()
    assert not (out / ".scratch").exists()

    assert "dropped at duplicates: near-duplicate" in _cli("inspect", out, "--explain", "it-13").output
    assert json.loads(_cli("card", out, "--format", "json").output)["num_records"] == 22
    assert "documents" in _cli("card", out).output
    assert "Documents kept now and not before: 0" in _cli("diff", out, out).output
    assert json.loads(_cli("inspect", out, "--format", "json").output)["num_records"] == 22


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no recipe"),
        ("[1]", "holds no recipe"),
        ("sources: []", "sources"),
        ("sources: [{path: '*.jsonl'}]", "licence"),
        ("sources: [{path: '*.jsonl', licence: CC0}]\nsurprise: 1", "surprise"),
        ("sources: [{path: '../x.jsonl', licence: CC0}]", "leads outside"),
        ("sources: [{path: none.jsonl, licence: CC0}]", "no file"),
        ("sources: [{path: '*.jsonl', licence: CC0}]\nvalidation_share: 2", "validation_share"),
        ("a: [", "YAML"),
        ("\x80", "YAML"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_explained(corpus, content, words):
    path = corpus / "bad.yaml"
    path.write_bytes(content.encode("latin-1"))

    done = _cli("prepare", path)

    assert done.exit_code == 2
    assert words in done.output
    assert not (corpus / "bad.prepared").exists()


def test_a_missing_recipe_folder_or_document_is_explained(corpus, recipe_file):
    assert _cli("prepare", corpus / "nothing.yaml").exit_code == 2
    assert _cli("inspect", corpus).exit_code == 2
    assert _cli("diff", corpus, corpus).exit_code == 2
    assert _cli("card", corpus).exit_code == 2
