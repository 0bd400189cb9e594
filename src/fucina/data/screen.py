"""Reasons to drop a document that do not lie in its prose: its licence, a list of words, a test set that it quotes."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fucina.errors import BadInput

Hashes = NDArray[np.uint64]

BLOCKED_WORDS = "blocked-words"
CONTAMINATED = "test-set"
PERSONAL = "personal-data"

DEFAULT_NGRAM = 13
"""Words in a row that a document may not share with a test set (Brown et al. 2020, appendix C)."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_MAX_WORDS = 1_000_000


class BadWordList(BadInput):
    """A list of words that cannot be read or holds none."""

    code = "bad_word_list"


def licence_allowed(licence: str, *, allowed: Collection[str]) -> bool:
    """Whether a licence is among the allowed ones, or an SPDX expression that they satisfy; an empty list allows all.

    `OR` needs one side, `AND` every one. Case and surrounding white space make no difference.
    """
    if not allowed:
        return True
    known = {each.strip().casefold() for each in allowed}
    plain = licence.strip().casefold()
    if plain in known:
        return True
    words = plain.replace("(", " ").replace(")", " ").split()
    if not words or ("(" in plain and "and" in words and "or" in words):
        # A nested expression is the owner's words until a person has looked at it.
        return False
    choices = " ".join(words).split(" or ")
    return any(all(part.strip() in known for part in choice.split(" and ")) for choice in choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class WordList:
    """Words of which a document may hold only so many."""

    words: frozenset[str]
    max_share: float
    """Of the words of a document."""

    def blocks(self, text: str) -> bool:
        """Whether more than the allowed share of the words of a text are on the list."""
        tokens = [token.strip(_EDGES) for token in text.casefold().split()]
        found = sum(token in self.words for token in tokens)
        return found > self.max_share * max(1, len(tokens))


_EDGES = ".,;:!?…\"'“”„«»‹›()[]{}*_-–—"


def read_word_list(path: Path, *, max_share: float) -> WordList:
    """One word a line, `#` before a comment.

    Raises BadWordList.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadWordList(
            f"The list of words {path.name} cannot be read.", hint="Give a text file in UTF-8 with one word a line."
        ) from error
    words = frozenset(word for line in lines if (word := line.partition("#")[0].strip().casefold()))
    wrong = next((word for word in sorted(words) if len(word.split()) > 1), "")
    if not words or wrong or len(words) > _MAX_WORDS:
        reason = f"has {wrong!r} in one line" if wrong else f"has {len(words)} words"
        raise BadWordList(
            f"The list of words {path.name} {reason}.", hint=f"Write one word a line, 1 to {_MAX_WORDS} of them."
        )
    return WordList(words=words, max_share=max_share)


def ngrams(hashes: Hashes, *, length: int) -> Hashes:
    """One hash for every run of so many words; none when there are fewer."""
    count = hashes.size - length + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    runs = np.zeros(count, np.uint64)
    with np.errstate(over="ignore"):
        for place in range(length):
            runs = runs * _BASE + hashes[place : place + count]
    return runs


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSet:
    """The runs of words of texts that a model will be examined with."""

    runs: Hashes
    """Sorted, each once."""
    length: int
    __test__ = False

    def quoted_in(self, hashes: Hashes, bounds: NDArray[np.int64]) -> Iterator[bool]:
        """Whether each document of `bounds` ([documents + 1] in the hashes of their words) shares a run."""
        for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            runs = ngrams(hashes[first:last], length=self.length)
            if not runs.size or not self.runs.size:
                yield False
                continue
            places = np.minimum(np.searchsorted(self.runs, runs), self.runs.size - 1)
            yield bool((self.runs[places] == runs).any())


def make_test_set(hashes: Iterable[Hashes], *, length: int = DEFAULT_NGRAM) -> TestSet:
    """The test set of texts, given the hashes of their words; a text shorter than a run counts for nothing."""
    runs = [ngrams(each, length=length) for each in hashes]
    return TestSet(runs=np.unique(np.concatenate([np.empty(0, np.uint64), *runs])), length=length)
