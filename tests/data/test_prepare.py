import gzip
import io
import json
import shutil
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from transformers import AutoTokenizer

from fucina.compute.record import Interrupted, Progress
from fucina.data import ingest, outputs, pack
from fucina.data.card import read_canaries, read_card, read_personal
from fucina.data.ingest import SourceChanged
from fucina.data.judge import NothingSurvives
from fucina.data.language import UnknownLanguage
from fucina.data.pipeline import prepare
from fucina.data.preflight import preflight
from fucina.data.recipe import FOUND_BY_SHAPE, PersonalData, PrepareRecipe
from fucina.data.sources import SourceMissing, resolve

SECRET = "mario.rossi@esempio-privato.it"
PHONE = "+39 326 842 4886"


def _rows(path):
    return pq.read_table(path).to_pylist()


def _recipe(tmp_path, **fields):
    sources = resolve([("*.jsonl", "CC0-1.0", "")], base=tmp_path)
    return PrepareRecipe.model_validate({"sources": sources, "vocabulary_size": 400, **fields})


def _prepare(recipe, workdir, name="work"):
    progress = Progress(workdir / f"{name}.ndjson", stage="prepare")
    out = workdir / name / "out"
    prepare(recipe, workdir=workdir, out=out, scratch=workdir / name / "scratch", progress=progress)
    return out


@pytest.fixture
def corpus(tmp_path, jsonl, italian, english):
    """Prose in two languages with a duplicate, junk, a foreign page, broken lines and personal data."""
    private = f"{italian[0]}\n\nScrivere a {SECRET} o chiamare {PHONE}.\n\n{italian[1]}"
    junk = f"Buy now {SECRET}. " + " ".join(f"lantern{c} copper{c}" for c in "abcdefghijklmnopqrst") * 3
    jsonl(tmp_path / "it.jsonl", [private, *italian[2:14]])
    jsonl(tmp_path / "en.jsonl", [*english[:12], english[0], english[1].upper(), junk])
    with (tmp_path / "en.jsonl").open("a") as file:
        file.write('{broken\n{"text": 5}\n')
    return tmp_path


def test_outputs_agree_with_each_other_and_with_the_card(corpus, run):
    out, result, card = run("*.jsonl", languages=["it", "en"])

    assert card.num_records == 30
    assert card.broken == {"no-text": 1, "not-json": 1}
    assert (card.num_exact_duplicates, card.num_near_duplicates) == (1, 1)
    assert sum(card.drops.values()) + card.num_broken + card.num_documents == card.num_records
    assert card.drops["no-function-words"] == 1
    assert set(card.languages) == {"it", "en"}
    assert result.counts["documents"] == card.num_documents == 25
    tokenizer = AutoTokenizer.from_pretrained(out / "tokenizer", local_files_only=True)
    for split, tally in (("train", card.train), ("validation", card.validation)):
        rows = _rows(out / f"{split}.parquet")
        tokens = np.load(out / f"{split}-00000.tokens.npy", allow_pickle=False)
        offsets = np.load(out / f"{split}-00000.offsets.npy", allow_pickle=False)
        assert (tokens.dtype, offsets.dtype) == (np.uint16, np.int64)
        assert (offsets[0], offsets[-1], len(offsets)) == (0, len(tokens), len(rows) + 1)
        assert (tally.num_documents, tally.num_tokens) == (len(rows), len(tokens))
        assert tally.num_characters == sum(len(row["text"]) for row in rows)
        for (start, end), row in zip(pairwise(offsets), rows, strict=True):
            assert row["num_tokens"] == end - start
            assert tokens[end - 1] == tokenizer.eos_token_id
            assert tokenizer.decode(tokens[start : end - 1]) == row["text"]
    assert len(_rows(out / "rejected.parquet")) == 5
    assert {row["reason"] for row in _rows(out / "rejected.parquet")} == {*card.drops, *card.broken}


def test_nothing_private_leaves(corpus, run):
    out, _, card = run("*.jsonl", num_canaries=12)
    secrets = [SECRET, PHONE, *(canary.value for canary in read_canaries(out))]

    public = [path for path in out.rglob("*") if path.is_file() and path.parent.name != "private"]
    content = [path.read_bytes().decode("utf-8", "ignore") for path in public]
    content += [json.dumps(_rows(path), ensure_ascii=False) for path in public if path.suffix == ".parquet"]
    tokenizer = AutoTokenizer.from_pretrained(out / "tokenizer", local_files_only=True)
    content += [tokenizer.decode(np.load(path)) for path in public if path.name.endswith(".tokens.npy")]

    assert len(content) > 10
    for secret in secrets:
        assert not [text[:50] for text in content if secret in text]
    assert {(value.kind, value.value) for value in read_personal(out)} >= {
        (PersonalData.EMAIL, SECRET),
        (PersonalData.PHONE, PHONE),
    }
    assert card.redactions == {"email": 1, "phone": 1}
    assert (card.num_canaries, card.num_canaries_redacted) == (12, 12)


def test_canaries_are_planted_in_training_text_with_their_prefix(corpus, run):
    out, _, _ = run("*.jsonl", num_canaries=3 * len(FOUND_BY_SHAPE))
    train = [row["text"] for row in _rows(out / "train.parquet")]
    held_out = " ".join(row["text"] for row in _rows(out / "validation.parquet"))

    canaries = read_canaries(out)

    assert [canary.kind for canary in canaries] == [*FOUND_BY_SHAPE] * 3
    for canary in canaries:
        assert canary.redacted
        before = canary.prefix.split("\n\n")[-1]
        assert len(before) > 10
        assert any(before + f"[{canary.kind.value.upper()}]" in text for text in train)
        assert before not in held_out


def test_a_kind_that_is_not_redacted_stays_and_is_reported(corpus, run):
    out, _, card = run("*.jsonl", redact=["phone"], num_canaries=6)

    texts = " ".join(row["text"] for name in ("train", "validation") for row in _rows(out / f"{name}.parquet"))
    assert SECRET in texts
    assert PHONE not in texts
    assert card.num_canaries_redacted == 1
    assert SECRET not in card.model_dump_json()


def test_personal_names_of_files_and_ids_are_not_shown(tmp_path, run, italian):
    (tmp_path / f"{SECRET}.jsonl").write_text(
        "\n".join(json.dumps({"id": f"{PHONE} {n}", "text": text}) for n, text in enumerate(italian[:6]))
        + '\n{"id": "+39 326 842 4887", "text": "short"}\n'
    )

    out, _, card = run("*.jsonl")

    assert card.sources[0].name.startswith("[EMAIL]")
    ids = [row["id"] for name in ("train", "validation", "rejected") for row in _rows(out / f"{name}.parquet")]
    assert len(set(ids)) == 7
    assert not [identifier for identifier in ids if "326" in identifier]


def test_every_format_together(tmp_path, run, italian, english):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(italian[0].encode("latin-1", "replace")))
    (tmp_path / "b.md").write_bytes(italian[1].encode("utf-16"))
    (tmp_path / "c.html.zst").write_bytes(zstandard.compress(f"<p>{english[0]}</p>".encode()))
    sink = io.BytesIO()
    pq.write_table(pa.table({"content": english[1:4]}), sink)
    (tmp_path / "d.parquet").write_bytes(sink.getvalue())
    (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress((json.dumps({"text": english[5]}) + "\n").encode())[:-4])
    (tmp_path / "f.txt").write_bytes(bytes(range(256)) * 40)

    _, _, card = run("*")

    assert card.num_documents == 7
    assert card.broken == {"not-text": 1, "truncated": 1}
    assert card.encodings == {"cp1252": 1, "utf-16": 1, "utf-8": 5}
    assert [source.num_records for source in card.sources] == [1, 1, 1, 3, 2, 1]


def test_the_same_inputs_give_the_same_bytes(corpus, tmp_path, tree_digests):
    recipe = _recipe(corpus)
    first = tree_digests(_prepare(recipe, tmp_path, "first"))
    shuffled = recipe.model_copy(update={"sources": recipe.sources[::-1]})

    assert tree_digests(_prepare(shuffled, tmp_path, "second")) == first
    assert len(first) == 15
    other = tree_digests(_prepare(recipe.model_copy(update={"seed": 1}), tmp_path, "third"))
    assert other["train.parquet"] != first["train.parquet"]


def test_small_shards_give_the_same_bytes(corpus, tmp_path, tree_digests, monkeypatch):
    recipe = _recipe(corpus)
    whole = _prepare(recipe, tmp_path, "whole")
    monkeypatch.setattr(ingest, "SHARD_RECORDS", 3)

    parts = _prepare(recipe, tmp_path, "parts")

    assert tree_digests(parts) == tree_digests(whole)


def test_token_shards_are_split_between_documents(corpus, tmp_path, monkeypatch):
    recipe = _recipe(corpus)
    whole = np.load(_prepare(recipe, tmp_path, "whole") / "train-00000.tokens.npy")
    monkeypatch.setattr(pack, "TOKENS_PER_SHARD", 4000)

    out = _prepare(recipe, tmp_path, "parts")

    shards = sorted(out.glob("train-*.tokens.npy"))
    assert len(shards) > 3
    assert np.array_equal(np.concatenate([np.load(shard) for shard in shards]), whole)
    for shard in shards:
        offsets = np.load(str(shard).replace(".tokens.", ".offsets."))
        assert offsets[-1] == np.load(shard).size
        assert np.load(shard).size <= 4000 or len(offsets) == 2


def test_stopped_at_any_report_it_goes_on_to_the_same_bytes(corpus, tmp_path, tree_digests, monkeypatch):
    monkeypatch.setattr(ingest, "SHARD_RECORDS", 8)
    recipe = _recipe(corpus)
    expected = tree_digests(_prepare(recipe, tmp_path, "whole"))
    num_reports = len((tmp_path / "whole.ndjson").read_text().splitlines())

    for stop_after in range(2, num_reports, 9):
        folder = tmp_path / f"stopped-{stop_after}"
        progress = _StopsAfter(stop_after, tmp_path / "stopped.ndjson")
        with pytest.raises(Interrupted):
            prepare(recipe, workdir=tmp_path, out=folder / "out", scratch=folder / "scratch", progress=progress)
        assert tree_digests(_prepare(recipe, tmp_path, folder.name)) == expected


class _StopsAfter(Progress):
    def __init__(self, count, path):
        super().__init__(path, stage="prepare")
        self._left = count

    def report(self, **fields):
        super().report(**fields)
        self._left -= 1
        self.stopping = self._left <= 0


def test_a_given_tokenizer_is_used(corpus, run, tmp_path):
    trained, _, _ = run("*.jsonl")
    shutil.copy(trained / "tokenizer" / "tokenizer.json", tmp_path / "given.json")

    out, _, card = run("*.jsonl", tokenizer=str(tmp_path / "given.json"), seed=5)

    given = json.loads((tmp_path / "given.json").read_text())
    assert json.loads((out / "tokenizer" / "tokenizer.json").read_text()) == given
    assert len(card.given_tokenizer_sha256) == 64


def test_more_personal_values_than_are_kept_leave_a_fixed_sample(corpus, run, monkeypatch):
    monkeypatch.setattr(outputs, "MAX_PERSONAL_VALUES", 1)

    first, _, card = run("*.jsonl", validation_share=0.01)
    second, _, _ = run("*.jsonl", validation_share=0.01)

    assert sum(card.redactions.values()) == 2
    assert read_personal(first) == read_personal(second)
    assert len(read_personal(first)) == 1


def test_a_changed_or_missing_source_stops_the_run(corpus, tmp_path):
    recipe = _recipe(corpus)
    (corpus / "it.jsonl").write_text('{"text": "other"}\n')
    with pytest.raises(SourceChanged, match=r"it\.jsonl changed"):
        _prepare(recipe, tmp_path)
    (corpus / "it.jsonl").unlink()
    with pytest.raises(SourceMissing, match=r"it\.jsonl is gone"):
        _prepare(recipe, tmp_path)
    with pytest.raises(SourceMissing):
        preflight(recipe, workdir=tmp_path)


@pytest.mark.parametrize(
    ("fields", "reason", "advice"),
    [
        ({"languages": ["de"]}, "other-language 5", "data.languages keeps de"),
        ({"min_characters": 900_000}, "too-short 5", "lower data.min_characters"),
        ({"max_characters": 300}, "too-long 5", "split documents"),
    ],
)
def test_nothing_survives_is_said_with_counts_and_advice(tmp_path, jsonl, italian, fields, reason, advice):
    jsonl(tmp_path / "it.jsonl", italian[:5])
    recipe = _recipe(tmp_path, **fields)

    with pytest.raises(NothingSurvives, match=reason) as at_start:
        preflight(recipe, workdir=tmp_path)
    with pytest.raises(NothingSurvives) as in_stage:
        _prepare(recipe, tmp_path)

    assert (at_start.value.message, at_start.value.hint) == (in_stage.value.message, in_stage.value.hint)
    assert advice in at_start.value.hint
    assert not (tmp_path / "work" / "out").exists()


@pytest.mark.parametrize("lines", [[], ["{broken", "[]"], ['{"text": "short"}'], ['{"other": "x"}']])
def test_a_file_without_documents_is_said(tmp_path, lines):
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    recipe = _recipe(tmp_path)

    with pytest.raises(NothingSurvives) as at_start:
        preflight(recipe, workdir=tmp_path)
    with pytest.raises(NothingSurvives) as in_stage:
        _prepare(recipe, tmp_path)

    assert at_start.value.message == in_stage.value.message
    assert at_start.value.hint


def test_one_document_is_not_enough(tmp_path, jsonl, italian):
    jsonl(tmp_path / "a.jsonl", [italian[0], italian[0], italian[0]])

    with pytest.raises(NothingSurvives, match="exact-duplicate 2"):
        _prepare(_recipe(tmp_path), tmp_path)


def test_two_documents_are_one_for_each_side(tmp_path, jsonl, run, italian):
    jsonl(tmp_path / "a.jsonl", italian[:2])

    _, _, card = run("a.jsonl", num_canaries=3)

    assert (card.train.num_documents, card.validation.num_documents) == (1, 1)
    assert card.num_canaries_redacted == 3


def test_preflight_passes_what_can_run_and_refuses_unknown_languages(corpus, tmp_path):
    preflight(_recipe(corpus), workdir=tmp_path)
    with pytest.raises(UnknownLanguage):
        preflight(_recipe(corpus, languages=["qq"]), workdir=tmp_path)


def test_progress_names_the_step_and_reaches_its_total(corpus, run, tmp_path):
    run("*.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "attempt-1" / "progress.ndjson").read_text().splitlines()]

    last = {line["message"]: (line["done"], line["total"]) for line in lines}
    assert [message.split(":")[0] for message in last] == [f"step {n} of 7" for n in range(1, 8)]
    assert set(last.values()) == {(30, 30)}
    assert {line["unit"] for line in lines} == {"documents"}


def test_the_card_reads_back(corpus, run):
    out, _, card = run("*.jsonl")

    assert read_card(out) == card
    assert all(len(samples) <= 3 for samples in card.drop_samples.values())
    assert all(len(sample) <= 160 for samples in card.drop_samples.values() for sample in samples)
