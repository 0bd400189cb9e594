import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.data.duplicates import Verdict, judge_duplicates
from fucina.data.shingles import banding, bands_of, fold, jaccard, runs, shingles, words_of

WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in ("la", "ro", "ti", "ne")]


def _exact_jaccard(left: str, right: str) -> float:
    def grams(text: str) -> set[tuple[str, ...]]:
        words = fold(text).decode().split()
        length = max(1, min(5, len(words)))
        return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}

    a, b = grams(left), grams(right)
    return len(a & b) / len(a | b) if a | b else 1.0


def _verdicts(texts: list[str], threshold: float = 0.8) -> list[int]:
    shape = banding(threshold)
    sets = [shingles(words_of(fold(text)).hashes) for text in texts]
    bands = np.array([bands_of(s, shape=shape) for s in sets])
    raw = b"".join(hashlib.sha256(text.encode()).digest() for text in texts)
    verdicts = judge_duplicates(
        digests=np.frombuffer(raw, np.dtype((np.void, 32))),
        band_columns=lambda band: bands[:, band],
        num_bands=shape.num_bands,
        shingles_of=lambda index: sets[index],
        threshold=threshold,
        checkpoint=lambda: None,
    )
    return verdicts.tolist()


def test_folding():
    assert fold("L'Università, perché NO?! città_nuova") == b"l universita perche no citta nuova"
    assert fold("Plain ASCII-text 42.") == b"plain ascii text 42"
    assert fold("") == fold(" ... ") == b""


@given(st.lists(st.sampled_from(["a", "bb", "ccc", "è", "straße", "42"]), max_size=30))
def test_equal_words_have_equal_hashes_wherever_they_stand(words):
    hashes = words_of(" ".join(words).encode()).hashes.tolist()

    assert len(hashes) == len(words)
    assert len(set(hashes)) == len(set(words))
    assert all(hashes[i] == hashes[words.index(word)] for i, word in enumerate(words))


@given(st.lists(st.sampled_from(WORDS[:6]), max_size=40), st.lists(st.sampled_from(WORDS[:6]), max_size=40))
def test_jaccard_of_hashes_is_jaccard_of_words(left, right):
    a, b = " ".join(left), " ".join(right)

    assert jaccard(*(shingles(words_of(fold(text)).hashes) for text in (a, b))) == pytest.approx(_exact_jaccard(a, b))


def test_long_texts_hash_like_short_ones():
    text = " ".join(WORDS * 600)
    hashes = words_of(text.encode()).hashes

    assert hashes[-len(WORDS) :].tolist() == words_of(" ".join(WORDS).encode()).hashes.tolist()
    assert runs(hashes, length=5).size == hashes.size - 4


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_miss_next_to_nothing_at_the_threshold(threshold):
    bands, rows = banding(threshold)

    assert (1 - threshold**rows) ** bands < 1e-3


def test_duplicates_are_found_and_verified():
    draw = np.random.default_rng(7)
    texts: list[str] = []
    for _ in range(15):
        words = [str(word) for word in draw.choice(WORDS, 200)]
        texts.append(" ".join(words))
        for share in (0.002, 0.01, 0.03, 0.06):
            noisy = [str(draw.choice(WORDS)) if draw.random() < share else word for word in words]
            texts.append(" ".join(noisy))
    texts = [texts[index] for index in draw.permutation(len(texts))]

    verdicts = _verdicts(texts)

    kept = [index for index, verdict in enumerate(verdicts) if verdict == Verdict.UNIQUE]
    for position, later in enumerate(kept):
        assert all(_exact_jaccard(texts[later], texts[earlier]) < 0.8 for earlier in kept[:position])
    for index, verdict in enumerate(verdicts):
        if verdict == Verdict.NEAR:
            assert any(_exact_jaccard(texts[index], texts[earlier]) >= 0.8 for earlier in kept if earlier < index)


def test_the_first_of_equal_documents_stays():
    text = " ".join(WORDS[:50])

    assert _verdicts([text, text, text.upper(), " ".join(WORDS[60:120])]) == [
        Verdict.UNIQUE,
        Verdict.EXACT,
        Verdict.NEAR,
        Verdict.UNIQUE,
    ]


def test_texts_shorter_than_a_shingle_and_empty_ones():
    assert _verdicts(["one two", "one three", "One, two!"]) == [Verdict.UNIQUE, Verdict.UNIQUE, Verdict.NEAR]


def test_documents_that_share_boilerplate_only_all_stay():
    boilerplate = " ".join(WORDS[:100])
    draw = np.random.default_rng(3)
    texts = [f"{boilerplate} {' '.join(draw.choice(WORDS, 60))}" for _ in range(300)]

    assert sum(verdict == Verdict.UNIQUE for verdict in _verdicts(texts)) == 300
