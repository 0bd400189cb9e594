import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from fucina.data import encoder as encoder_module
from fucina.data.encoder import Encoder
from fucina.data.shards import join_texts
from fucina.data.tokens import (
    END_OF_DOCUMENT,
    BadTokenizer,
    load_tokenizer,
    token_type,
    tokenizer_files,
    train_tokenizer,
)


def encode(tokenizer, texts):
    encoded = Encoder(tokenizer).encode(*join_texts([text.encode() for text in texts]))
    return [encoded.ids[start:end] for start, end in pairwise(encoded.bounds)]


@pytest.fixture(scope="module")
def tokenizer(italian, english):
    return train_tokenizer(iter(italian + english), vocabulary_size=500)


def test_training_twice_gives_the_same_tokenizer(tokenizer, italian, english):
    again = train_tokenizer(iter(italian + english), vocabulary_size=500)

    assert again.to_str() == tokenizer.to_str()
    assert tokenizer.get_vocab_size() == 500


def test_transformers_loads_it_and_agrees(tokenizer, tmp_path, italian):
    for name, data in tokenizer_files(tokenizer).items():
        (tmp_path / name).write_bytes(data)

    loaded = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)

    assert loaded.eos_token == loaded.bos_token == loaded.pad_token == END_OF_DOCUMENT
    ids = encode(tokenizer, [italian[0]])[0]
    assert loaded(italian[0])["input_ids"] == ids[:-1].tolist()
    assert loaded.eos_token_id == ids[-1]
    assert loaded.decode(ids[:-1]) == italian[0]


@settings(deadline=None)
@given(st.text())
def test_any_text_survives_and_ends_once(tokenizer, text):
    ids = encode(tokenizer, [text])[0]
    end = tokenizer.token_to_id(END_OF_DOCUMENT)

    assert tokenizer.decode(ids[:-1].tolist(), skip_special_tokens=False) == text
    assert ids.tolist().count(end) == 1


@settings(deadline=None, max_examples=500)
@given(
    st.lists(
        st.text()
        | st.text("ab'sltmdrve 12½\n\t\u00a0!?.,èЖ中\u0301\U0001f600", max_size=30)
        | st.sampled_from(["'ll ", "  \n x"])
    ).map("".join)
)
@pytest.mark.parametrize("digits", [True, False])
def test_kernels_give_the_tokens_of_the_library(tokenizer, digits, text):
    content = json.loads(tokenizer.to_str())
    if not digits:
        content["pre_tokenizer"] = content["pre_tokenizer"]["pretokenizers"][1]
    library = Tokenizer.from_str(json.dumps(content))
    encoder = Encoder(library)

    assert encoder.by_kernel
    ids = encoder.encode(*join_texts([text.encode()])).ids
    assert ids[:-1].tolist() == library.encode(text, add_special_tokens=False).ids


def test_another_kind_of_tokenizer_is_left_to_the_library(tokenizer, italian):
    content = json.loads(tokenizer.to_str())
    content["normalizer"] = {"type": "Lowercase"}
    library = Tokenizer.from_str(json.dumps(content))
    encoder = Encoder(library)

    assert not encoder.by_kernel
    encoded = encoder.encode(*join_texts([text.encode() for text in italian[:3]]))
    expected = [library.encode(text, add_special_tokens=False).ids for text in italian[:3]]
    assert [encoded.ids[s : e - 1].tolist() for s, e in pairwise(encoded.bounds)] == expected


def test_more_pieces_than_are_remembered_change_nothing(tokenizer, italian, english, monkeypatch):
    monkeypatch.setattr(encoder_module, "_MAX_PIECES", 50)
    monkeypatch.setattr(encoder_module, "_FIRST_PIECES", 16)
    encoder = Encoder(tokenizer)

    for text in [*italian[:5], *english[:5], *italian[:5]]:
        assert encoder.encode(*join_texts([text.encode()])).ids[:-1].tolist() == tokenizer.encode(text).ids


def test_the_end_mark_inside_a_text_is_plain_text(tokenizer):
    ids = encode(tokenizer, [f"before {END_OF_DOCUMENT} after"])[0]

    assert ids.tolist().count(tokenizer.token_to_id(END_OF_DOCUMENT)) == 1
    assert ids[-1] == tokenizer.token_to_id(END_OF_DOCUMENT)


def test_a_given_tokenizer_without_an_end_gets_one(tokenizer, tmp_path):
    content = json.loads(tokenizer.to_str().replace(END_OF_DOCUMENT, "[OTHER]"))
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content))

    loaded = load_tokenizer(path)

    assert loaded.token_to_id(END_OF_DOCUMENT) == 500


@pytest.mark.parametrize("data", [b"", b"{}", b"\x80\x04pickle", b'{"model": {"type": "Nothing"}}'])
def test_what_is_no_tokenizer_is_refused(tmp_path, data):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(data)

    with pytest.raises(BadTokenizer, match="no tokenizer"):
        load_tokenizer(path)
    with pytest.raises(BadTokenizer, match="There is no tokenizer"):
        load_tokenizer(tmp_path / "missing.json")


def test_the_smallest_type_is_chosen():
    assert token_type(65536) is np.uint16
    assert token_type(65537) is np.uint32
