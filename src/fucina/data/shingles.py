"""Words of a text as 64-bit numbers, runs of words, and their MinHash; NumPy does the whole text at once."""

import re
import unicodedata
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

WORDS_PER_SHINGLE = 5
_NUM_HASHES = 128
_CHUNK = 4096

_COMBINING = re.compile("[\u0300-\u036f]+")
_NOT_WORD = re.compile(r"[\W_]+")
_ASCII_NOT_WORD = bytes(c + 32 if 65 <= c <= 90 else c if 48 <= c <= 57 or 97 <= c <= 122 else 32 for c in range(256))

# Odd constants: powers of BASE modulo 2**64 have an inverse, so that the hash of any slice comes from prefix sums.
_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class Words(NamedTuple):
    """Folded words of a text, in order."""

    hashes: Hashes
    lengths: NDArray[np.int64]
    """In bytes of the folded text."""


class Banding(NamedTuple):
    """How MinHash values are grouped: two documents are compared when all rows of one band agree."""

    num_bands: int
    num_rows: int


def fold(text: str) -> bytes:
    """Lower case without diacritics, words parted by single spaces, everything else gone; UTF-8."""
    if text.isascii():
        return b" ".join(text.encode().translate(_ASCII_NOT_WORD).split())
    folded = _COMBINING.sub("", unicodedata.normalize("NFKD", text.lower()))
    return _NOT_WORD.sub(" ", folded).strip().encode("utf-8", "ignore")


def words_of(folded: bytes) -> Words:
    """Hashes and lengths of space-separated words."""
    if not folded:
        return Words(np.empty(0, np.uint64), np.empty(0, np.int64))
    data = np.frombuffer(folded, np.uint8)
    spaces = np.flatnonzero(data == 32)
    starts = np.concatenate(([0], spaces + 1))
    ends = np.concatenate((spaces, [data.size]))
    # One polynomial over the whole text; a word is the difference of two prefix sums, shifted back to its own start.
    prefix = np.empty(data.size + 1, np.uint64)
    prefix[0] = 0
    np.cumsum((data + np.uint64(1)) * _powers(_BASE, data.size), dtype=np.uint64, out=prefix[1:])
    hashes = (prefix[ends] - prefix[starts]) * _powers(_INVERSE, data.size)[starts]
    return Words(mix(hashes), ends - starts)


_TABLES: dict[int, Hashes] = {}
_TABLE_SIZE = 1 << 16


def _powers(base: np.uint64, size: int) -> Hashes:
    """The first `size` powers of an odd number modulo 2**64, kept for the next call up to a bounded size."""
    key = int(base)
    table = _TABLES.get(key)
    if table is None or table.size < size:
        length = max(size, _TABLE_SIZE)
        table = np.full(length, base, np.uint64)
        table[0] = 1
        table = np.cumprod(table, dtype=np.uint64)
        if length <= _TABLE_SIZE:
            _TABLES[key] = table
    return table[:size]


def mix(values: Hashes) -> Hashes:
    """Spread every bit over all bits (the finalizer of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))


def runs(hashes: Hashes, *, length: int) -> Hashes:
    """A hash for each run of `length` successive words; empty when there are fewer words."""
    count = hashes.size - length + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    combined = hashes[:count].copy()
    for offset in range(1, length):
        combined = combined * _BASE + hashes[offset : offset + count]
    return mix(combined)


def shingles(hashes: Hashes) -> Hashes:
    """The set of word 5-grams as sorted hashes; a shorter text is one shingle."""
    length = max(1, min(WORDS_PER_SHINGLE, hashes.size))
    return np.unique(runs(hashes, length=length))


def jaccard(left: Hashes, right: Hashes) -> float:
    """Shared shingles over all shingles of two sorted sets; 1 when both are empty."""
    if not left.size and not right.size:
        return 1.0
    shared = np.intersect1d(left, right, assume_unique=True).size
    return shared / (left.size + right.size - shared)


def banding(threshold: float) -> Banding:
    """The longest bands that miss fewer than one in two thousand pairs at the threshold."""
    for num_rows in range(16, 0, -1):
        num_bands = _NUM_HASHES // num_rows
        if (1 - threshold**num_rows) ** num_bands < 5e-4:
            return Banding(num_bands, num_rows)
    return Banding(_NUM_HASHES, 1)


def bands_of(shingle_set: Hashes, *, shape: Banding) -> Hashes:
    """One hash for each band of the MinHash signature."""
    count = shape.num_bands * shape.num_rows
    multipliers = mix(np.arange(1, count + 1, dtype=np.uint64) * _BASE) | np.uint64(1)
    minima = np.full(count, np.iinfo(np.uint64).max, np.uint64)
    for start in range(0, shingle_set.size, _CHUNK):
        chunk = shingle_set[start : start + _CHUNK]
        values = (chunk[:, None] ^ (chunk[:, None] >> np.uint64(32))) * multipliers[None, :]
        np.minimum(minima, values.min(axis=0), out=minima)
    rows = minima.reshape(shape.num_bands, shape.num_rows)
    combined = np.arange(shape.num_bands, dtype=np.uint64)
    for row in range(shape.num_rows):
        combined = combined * _BASE + rows[:, row]
    return mix(combined)
