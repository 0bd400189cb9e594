"""The recipe's own reasons to drop documents, and pseudonyms, through the whole of `prepare`."""

import json

import pyarrow.parquet as pq
import pytest

from fucina.data.pseudonyms import BadKey
from fucina.data.recipe_file import BadRecipe, load_recipe
from fucina.data.sources import resolve

MAIL = "ada.bianchi@example.org"


def _lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _reasons(out):
    rows = pq.read_table(out / "decisions.parquet").to_pylist()
    return {row["document_id" if "document_id" in row else "id"]: row["reason"] for row in rows}


@pytest.fixture
def corpus(tmp_path, italian):
    texts = list(italian[:14])
    texts[1] += f" Scrivere a {MAIL} per altro."
    texts[2] = " ".join(["perbacco"] * 8) + " " + texts[2]
    rows = [{"id": f"d{number}", "text": text} for number, text in enumerate(texts)]
    rows[3]["licence"] = "all rights reserved"
    _lines(tmp_path / "a.jsonl", rows)
    (tmp_path / "words.txt").write_text("perbacco\n")
    quoted = " ".join(texts[4].split()[20:50])
    _lines(tmp_path / "test.jsonl", [{"text": f"Domanda: {quoted}?"}])
    return tmp_path


def test_each_reason_is_told(corpus, run):
    words, tests = (resolve([(name, "", "")], base=corpus) for name in ("words.txt", "test.jsonl"))

    out, _, card = run(
        "a.jsonl", blocked_words=words[0], test_sets=tests, drop_with=["email"], licences=["CC0-1.0"], num_canaries=0
    )

    reasons = _reasons(out)
    expected = {"d1": "personal-data", "d2": "blocked-words", "d3": "licence", "d4": "test-set"}
    assert {name: reasons[name] for name in expected} == expected
    assert reasons["d0"] == ""


def test_without_them_all_stay(corpus, run):
    out, _, _ = run("a.jsonl", num_canaries=0)

    assert {
        name: reason for name, reason in _reasons(out).items() if name in {"d1", "d2", "d3", "d4"}
    } == dict.fromkeys(("d1", "d2", "d3", "d4"), "")


def test_pseudonyms_stand_for_values(corpus, run):
    (corpus / "key").write_text("0123456789abcdef0123456789abcdef")

    out, _, _ = run("a.jsonl", pseudonym_key=str(corpus / "key"), num_canaries=0)

    texts = " ".join(
        row["text"] for name in ("train", "validation") for row in pq.read_table(out / f"{name}.parquet").to_pylist()
    )
    assert "[EMAIL_" in texts and MAIL not in texts
    assert not [path for path in out.rglob("*") if path.is_file() and b"0123456789abcdef" in path.read_bytes()]


def test_a_missing_key_stops_the_run(corpus, run):
    with pytest.raises(BadKey):
        run("a.jsonl", pseudonym_key=str(corpus / "none"))


def test_a_recipe_file_names_them(corpus):
    (corpus / "key").write_text("0123456789abcdef")
    (corpus / "recipe.yaml").write_text(
        "sources: [{path: a.jsonl, licence: CC0-1.0}]\nblocked_words: words.txt\ntest_sets: [test.jsonl]\n"
        "pseudonym_key: key\nhtml: best\nlicences: [CC0-1.0]\n"
    )

    recipe = load_recipe(corpus / "recipe.yaml")

    assert recipe.blocked_words.name == "words.txt"
    assert [each.name for each in recipe.test_sets] == ["test.jsonl"]
    assert recipe.pseudonym_key == str(corpus / "key")


@pytest.mark.parametrize(
    "line", ["blocked_words: 5", "test_sets: test.jsonl", "html: nice", "licences: CC0-1.0", "drop_with: [x]"]
)
def test_a_bad_field_is_refused(corpus, line):
    (corpus / "recipe.yaml").write_text(f"sources: [{{path: a.jsonl, licence: CC0-1.0}}]\n{line}\n")

    with pytest.raises(BadRecipe):
        load_recipe(corpus / "recipe.yaml")
