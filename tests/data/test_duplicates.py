import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fucina.data import duplicates
from fucina.data.characters import fold
from fucina.data.duplicates import candidates, join_near, same_bytes
from fucina.data.runs import banding, bands_of, jaccard, shingles
from fucina.data.shards import join_texts
from fucina.data.signatures import Signatures, write_signatures
from fucina.data.words import count_words, hash_words, word_sets

WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in ("la", "ro", "ti", "ne")]
ALPHABET = st.text("abcXYZ .,\n-_'0129èÀßſςΣΩ½ﬁ中ж\u0301\u1680", max_size=40)


def _exact_jaccard(left: str, right: str) -> float:
    def grams(text: str) -> set[tuple[str, ...]]:
        words = fold(text).decode().split()
        length = max(1, min(5, len(words)))
        return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}

    a, b = grams(left), grams(right)
    return len(a & b) / len(a | b) if a | b else 1.0


class _Sets:
    def __init__(self, sets):
        self._sets = sets

    def sizes(self, rows):
        return np.array([self._sets[row].size for row in rows.tolist()])

    def load(self, rows):
        return np.concatenate([self._sets[row] for row in rows.tolist()])


def _clusters(tmp_path, texts, *, threshold=0.8, per_file=7):
    """First row of each text's cluster, and whether it is an exact copy; signatures lie in several files."""
    shape = banding(threshold)
    files, sets = [], {}
    for first in range(0, len(texts), per_file):
        part = [text.encode() for text in texts[first : first + per_file]]
        joined = join_texts(part)
        words = count_words(joined.data, joined.offsets, np.full(len(part), -1), word_sets([]))
        rows = np.arange(len(part))
        digests = b"".join(hashlib.blake2b(each, digest_size=16).digest() for each in part)
        bands = bands_of(words.hashes, words.bounds, rows, shape=shape)
        write_signatures(tmp_path / f"{first}.bin", rows=rows, digests=digests, bands=bands)
        files.append(Signatures(path=tmp_path / f"{first}.bin", first_row=first))
        for row in rows.tolist():
            sets[first + row] = shingles(words.hashes[words.bounds[row] : words.bounds[row + 1]])
    clusters = same_bytes(files, num_rows=len(texts), checkpoint=lambda: None)
    marked = candidates(files, clusters, num_bands=shape.num_bands, checkpoint=lambda: None)
    join_near(
        files,
        clusters,
        num_bands=shape.num_bands,
        sets=_Sets({row: each for row, each in sets.items() if marked[row]}),
        threshold=threshold,
        checkpoint=lambda: None,
    )
    return clusters.first.tolist(), clusters.exact.tolist()


def _noisy_copies():
    draw = np.random.default_rng(7)
    texts: list[str] = []
    for _ in range(15):
        words = [str(word) for word in draw.choice(WORDS, 200)]
        texts.append(" ".join(words))
        for share in (0.002, 0.01, 0.03, 0.06):
            noisy = [str(draw.choice(WORDS)) if draw.random() < share else word for word in words]
            texts.append(" ".join(noisy))
    return [texts[index] for index in draw.permutation(len(texts))] + texts[:3]


def test_folding():
    assert fold("L'Università, perché NO?! città_nuova") == b"l universita perche no citta nuova"
    assert fold("Plain ASCII-text 42.") == b"plain ascii text 42"
    assert fold("ΟΔΥΣΣΕΥΣ") == fold("οδυσσευς")
    assert fold("") == fold(" ... ") == b""


@settings(deadline=None)
@given(st.lists(ALPHABET | st.text(max_size=20), max_size=5))
def test_the_kernel_sees_the_words_of_the_folded_text(texts):
    joined = join_texts([text.encode() for text in texts])
    words = count_words(joined.data, joined.offsets, np.full(len(texts), -1), word_sets([]))

    for number, text in enumerate(texts):
        found = words.hashes[words.bounds[number] : words.bounds[number + 1]].tolist()
        assert found == hash_words(fold(text)).tolist()
        assert len(found) == len(fold(text).split())


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "bb", "ccc", "è", "straße", "42"]), max_size=30))
def test_equal_words_have_equal_hashes_wherever_they_stand(words):
    hashes = hash_words(fold(" ".join(words))).tolist()

    assert len(hashes) == len(words)
    assert len(set(hashes)) == len(set(words))
    assert all(hashes[i] == hashes[words.index(word)] for i, word in enumerate(words))


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS[:6]), max_size=40), st.lists(st.sampled_from(WORDS[:6]), max_size=40))
def test_jaccard_of_hashes_is_jaccard_of_words(left, right):
    a, b = " ".join(left), " ".join(right)

    assert jaccard(*(shingles(hash_words(fold(text))) for text in (a, b))) == pytest.approx(_exact_jaccard(a, b))


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_miss_next_to_nothing_at_the_threshold(threshold):
    bands, rows = banding(threshold)

    assert (1 - threshold**rows) ** bands < 1e-3


def test_clusters_are_the_components_of_pairs_that_are_alike(tmp_path):
    texts = _noisy_copies()

    first, _ = _clusters(tmp_path, texts)

    expected = list(range(len(texts)))
    for later in range(len(texts)):
        for earlier in range(later):
            if _exact_jaccard(texts[later], texts[earlier]) >= 0.8:
                old, new = sorted((expected[later], expected[earlier]), reverse=True)
                expected = [new if root == old else root for root in expected]
    assert first == expected
    assert len(set(first)) < len(texts) - 20


@pytest.mark.parametrize(("rows_per_pass", "pairs_at_once", "per_file"), [(5, 64, 1), (1 << 20, 40, 100), (16, 33, 9)])
def test_clusters_do_not_depend_on_how_the_work_is_cut(tmp_path, monkeypatch, rows_per_pass, pairs_at_once, per_file):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    expected = _clusters(whole, _noisy_copies())
    monkeypatch.setattr(duplicates, "ROWS_PER_PASS", rows_per_pass)
    monkeypatch.setattr(duplicates, "_PAIRS_AT_ONCE", pairs_at_once)
    monkeypatch.setattr(duplicates, "SHINGLES_AT_ONCE", 10 * pairs_at_once)

    assert _clusters(parts, _noisy_copies(), per_file=per_file) == expected


def test_the_first_of_equal_documents_stays(tmp_path):
    text = " ".join(WORDS[:50])

    first, exact = _clusters(tmp_path, [text, text, text.upper(), " ".join(WORDS[60:120])])

    assert first == [0, 0, 0, 3]
    assert exact == [False, True, False, False]


def test_texts_shorter_than_a_shingle_and_empty_ones(tmp_path):
    assert _clusters(tmp_path, ["one two", "one three", "One, two!", "", "..."])[0] == [0, 1, 0, 3, 3]


def test_documents_that_share_boilerplate_only_all_stay(tmp_path):
    boilerplate = " ".join(WORDS[:100])
    draw = np.random.default_rng(3)
    texts = [f"{boilerplate} {' '.join(draw.choice(WORDS, 60))}" for _ in range(300)]

    assert _clusters(tmp_path, texts)[0] == list(range(300))
