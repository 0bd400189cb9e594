import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from fucina.models.tokens import BadShard
from fucina.trust.prepared import (
    BadPreparedData,
    BadPrivateFile,
    NothingHeldOut,
    check_same_tokenizer,
    open_prepared,
    sha256_of_files,
)
from tests.trust.specimen import CANARY, HELD_OUT_TEXTS, make_tokenizer, write_prepared, write_split

VOCABULARY_SIZE = make_tokenizer().get_vocab_size()


@pytest.fixture
def data(tmp_path: Path, prepared_data: Path) -> Path:
    return Path(shutil.copytree(prepared_data, tmp_path / "prepared"))


def test_documents_languages_and_counts(data: Path):
    prepared = open_prepared(data, vocabulary_size=VOCABULARY_SIZE)

    assert prepared.languages == ("it", "en", "it", "en")
    assert prepared.texts == tuple(HELD_OUT_TEXTS.values()) * 2
    tokens = np.load(data / "train-00000.tokens.npy")
    assert prepared.train_counts_V.tolist() == [int((tokens == token).sum()) for token in range(VOCABULARY_SIZE)]
    assert prepared.held_out_sha256 == sha256_of_files([data / "validation-00000.tokens.npy"])
    assert [canary.value for canary in prepared.canaries] == [CANARY["value"]]


def test_nothing_held_out_is_refused(data: Path):
    write_split(data, "validation", [], make_tokenizer())

    with pytest.raises(NothingHeldOut, match="0 tokens in 0 documents"):
        open_prepared(data, vocabulary_size=VOCABULARY_SIZE)


def test_a_missing_folder_is_refused(tmp_path: Path):
    with pytest.raises(BadPreparedData, match="no folder nowhere/"):
        open_prepared(tmp_path / "nowhere", vocabulary_size=VOCABULARY_SIZE)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\x00" * 100, "testo".encode("utf-16")])
def test_a_broken_table_is_refused(data: Path, content: bytes):
    (data / "validation.parquet").write_bytes(content)

    with pytest.raises(BadPreparedData, match=rf"validation.parquet cannot be read \({len(content)} bytes\)"):
        open_prepared(data, vocabulary_size=VOCABULARY_SIZE)


def test_a_table_that_does_not_fit_the_shards_is_refused(data: Path):
    path = data / "validation.parquet"
    table = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(table.slice(0, 3), path)
    with pytest.raises(BadPreparedData, match="holds 3 documents, the held-out shards 4"):
        open_prepared(data, vocabulary_size=VOCABULARY_SIZE)

    pyarrow.parquet.write_table(table.drop_columns(["text"]), path)
    with pytest.raises(BadPreparedData, match="has 5 columns but lacks text"):
        open_prepared(data, vocabulary_size=VOCABULARY_SIZE)

    numbers = table.set_column(1, "text", pyarrow.array([1, 2, 3, 4]))
    pyarrow.parquet.write_table(numbers, path)
    with pytest.raises(BadPreparedData, match="without text or language"):
        open_prepared(data, vocabulary_size=VOCABULARY_SIZE)

    path.unlink()
    with pytest.raises(BadPreparedData, match="missing"):
        open_prepared(data, vocabulary_size=VOCABULARY_SIZE)


def test_tokens_outside_the_vocabulary_are_refused(data: Path):
    with pytest.raises((BadPreparedData, BadShard), match="the tokenizer has 300"):
        open_prepared(data, vocabulary_size=300)


def test_a_pickle_in_the_place_of_a_shard_is_never_opened(data: Path, tmp_path: Path):
    np.save(data / "validation-00000.tokens.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)

    with pytest.raises(BadShard, match="validation-00000.tokens.npy cannot be read"):
        open_prepared(data, vocabulary_size=VOCABULARY_SIZE)


SECRET = "ada.segreta1234@example.org"


@pytest.mark.parametrize("name", ["private/canaries.json", "private/personal.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        f'{{"value": "{SECRET}"}}'.encode(),
        f'[{{"kind": "email", "value": "{SECRET}"}}]'.encode(),
        f'[{{"kind": "{SECRET}", "value": "{SECRET}", "prefix": "", "{SECRET}": 1}}]'.encode(),
        f'[{{"kind": "email", "value": "{SECRET}", "pre'.encode(),
        f'["{SECRET}"]'.encode("utf-16"),
        b"\xff\xfe\x00\x00",
    ],
)
def test_a_broken_private_file_is_refused_without_repeating_what_stands_in_it(data: Path, name: str, content: bytes):
    (data / name).write_bytes(content)

    with pytest.raises(BadPrivateFile, match=rf"{name} \({len(content)} bytes\) has \d+ faults") as caught:
        open_prepared(data, vocabulary_size=VOCABULARY_SIZE)

    assert "segreta" not in str(caught.value) + caught.value.hint
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_a_missing_private_file_is_refused(data: Path):
    (data / "private" / "personal.json").unlink()

    with pytest.raises(BadPrivateFile, match="private/personal.json is missing"):
        open_prepared(data, vocabulary_size=VOCABULARY_SIZE)


def test_lists_may_be_empty(tmp_path: Path):
    prepared = open_prepared(
        write_prepared(tmp_path / "prepared", canaries=(), personal=()), vocabulary_size=VOCABULARY_SIZE
    )

    assert prepared.canaries == prepared.personal == ()


def test_another_tokenizer_is_refused(data: Path):
    vocabulary = make_tokenizer().get_vocab()
    check_same_tokenizer(data, vocabulary)
    with pytest.raises(BadPreparedData, match=f"{VOCABULARY_SIZE} tokens, the model has one of {VOCABULARY_SIZE - 1}"):
        check_same_tokenizer(data, dict(list(vocabulary.items())[1:]))
    for content in (b"", b"{}", json.dumps({"model": 7}).encode(), b"\x80\x04K\x01."):
        (data / "tokenizer" / "tokenizer.json").write_bytes(content)
        with pytest.raises(BadPreparedData, match=rf"cannot be read \({len(content)} bytes\)"):
            check_same_tokenizer(data, vocabulary)
