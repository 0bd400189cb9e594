import numpy as np
import pytest

from fucina.data.screen import BadWordList, TestSet, licence_allowed, make_test_set, ngrams, read_word_list

OPEN = ("CC0-1.0", "CC-BY-4.0", "public-domain", "MIT")


@pytest.mark.parametrize(
    "licence", ["CC0-1.0", " cc-by-4.0 ", "public-domain", "MIT OR GPL-3.0-only", "CC-BY-4.0 AND MIT", "(MIT)"]
)
def test_an_allowed_licence(licence):
    assert licence_allowed(licence, allowed=OPEN)
    assert licence_allowed(licence, allowed=())


@pytest.mark.parametrize(
    "licence",
    [
        "",
        "all rights reserved",
        "CC-BY-NC-4.0",
        "MIT AND GPL-3.0-only",
        "GPL-3.0-only OR",
        "(MIT OR X) AND Y",
        "MIT MIT",
    ],
)
def test_a_licence_that_is_not(licence):
    assert not licence_allowed(licence, allowed=OPEN)


def _list(tmp_path, text):
    path = tmp_path / "words.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_list_of_words_blocks_from_its_share_on(tmp_path):
    words = read_word_list(_list(tmp_path, "# rude\nZounds\nfie # archaic\n\n"), max_share=0.1)

    assert words.blocks("Zounds! said he, and «FIE» again, but nothing more came.")
    assert not words.blocks("Zounds! said he, and then for a long while nothing more came of it at all.")
    assert not words.blocks("zoundsman fiery")
    assert not words.blocks("")


@pytest.mark.parametrize(
    ("text", "match"),
    [("", "has 0 words"), ("# x\n", "has 0 words"), ("two words\n", "'two words'"), (b"\xff", "cannot")],
)
def test_a_bad_list_is_refused(tmp_path, text, match):
    with pytest.raises(BadWordList, match=match):
        read_word_list(_list(tmp_path, text), max_share=0.1)


def test_a_missing_list_is_refused(tmp_path):
    with pytest.raises(BadWordList, match="cannot be read"):
        read_word_list(tmp_path / "none.txt", max_share=0.1)


def _hashes(*words: int) -> np.ndarray:
    return np.array(words, np.uint64) * np.uint64(0x123456789ABCDEF)


def _quoted(test_set: TestSet, *documents: np.ndarray) -> list[bool]:
    bounds = np.cumsum([0, *(document.size for document in documents)])
    return list(test_set.quoted_in(np.concatenate([np.empty(0, np.uint64), *documents]), bounds))


def test_a_document_that_quotes_a_test_set_is_told():
    question = _hashes(*range(100, 130))
    test_set = make_test_set([question, _hashes(1, 2)], length=13)
    quoting = np.concatenate([_hashes(*range(50)), question[5:18], _hashes(*range(9))])
    nearly = np.concatenate([_hashes(*range(50)), question[5:17], _hashes(*range(9))])

    assert _quoted(test_set, quoting, nearly, _hashes(), question, question[::-1].copy()) == [
        True,
        False,
        False,
        True,
        False,
    ]


def test_no_test_set_is_quoted_nowhere():
    assert _quoted(make_test_set([]), _hashes(*range(40))) == [False]


def test_runs_do_not_depend_on_what_is_around_them():
    words = _hashes(*range(40))

    assert (ngrams(words, length=13)[7:9] == ngrams(words[7:21], length=13)).all()
    assert ngrams(words[:12], length=13).size == 0
