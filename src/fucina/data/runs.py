"""Runs of words: how much of a document repeats itself, its MinHash, and its exact set of shingles."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fucina.data.words import MIN_RUNS, REPEATED_5, REPEATED_10, TOP_2, TOP_3, TOP_4, Hashes, Words, mix

WORDS_PER_SHINGLE = 5
_NUM_HASHES = 128
_BASE = np.uint64(0x9E3779B97F4A7C15)


class Banding(NamedTuple):
    """How MinHash values are grouped: two documents are compared when all rows of one band agree."""

    num_bands: int
    num_rows: int


def banding(threshold: float) -> Banding:
    """The longest bands that miss fewer than one in two thousand pairs at the threshold."""
    for num_rows in range(16, 0, -1):
        num_bands = _NUM_HASHES // num_rows
        if (1 - threshold**num_rows) ** num_bands < 5e-4:
            return Banding(num_bands, num_rows)
    return Banding(_NUM_HASHES, 1)


def count_runs(words: Words, *, limits: tuple[int, ...]) -> None:
    """Fill TOP_2 to TOP_4 (occurrences of the most frequent run) and REPEATED_5 and REPEATED_10 (words in runs that
    occurred before) of each document's counts.

    `limits` holds, in thousandths of the words, the lowest limits that rules set for each of the five: what cannot
    reach its limit is left 0.
    """
    _count_runs(words.hashes, words.bounds, np.array(limits, np.int64), words.counts)


def bands_of(hashes: Hashes, bounds: NDArray[np.int64], documents: NDArray[np.int64], *, shape: Banding) -> Hashes:
    """One hash for each band of the MinHash signature: [documents, bands]."""
    numbers = np.arange(1, 2 * shape.num_bands * shape.num_rows + 1, dtype=np.uint64) * _BASE
    salts = np.array([mix(number) for number in numbers], np.uint64).astype(np.uint32)
    half = salts.size // 2
    bands = np.zeros((documents.size, shape.num_bands), np.uint64)
    _bands(hashes, bounds, documents, salts[:half], salts[half:] | np.uint32(1), shape.num_rows, bands)
    return bands


def shingles(hashes: Hashes) -> Hashes:
    """The set of word 5-grams of a document as sorted hashes; a shorter text is one shingle."""
    return _shingles(hashes)


def jaccard(left: Hashes, right: Hashes) -> float:
    """Shared shingles over all shingles of two sorted sets; 1 when both are empty."""
    return float(_jaccard(left, right))


@njit(cache=True, nogil=True, inline="always")
def _run(hashes, first, length):  # type: ignore[no-untyped-def]
    combined = hashes[first]
    for place in range(first + 1, first + length):
        combined = combined * _BASE + hashes[place]
    return mix(combined)


@njit(cache=True, nogil=True)
def _top(hashes, first, last, length, keys, tallies, mask):  # type: ignore[no-untyped-def]
    """Occurrences of the most frequent run; keys: uint64[mask + 1], tallies: int32[mask + 1], both overwritten."""
    keys[: mask + 1] = 0
    top = 0
    for place in range(first, last - length + 1):
        key = _run(hashes, place, length) | np.uint64(1)
        slot = np.int64(key >> np.uint64(1)) & mask
        while keys[slot] != 0 and keys[slot] != key:
            slot = (slot + 1) & mask
        if keys[slot] == 0:
            keys[slot] = key
            tallies[slot] = 0
        tallies[slot] += 1
        top = max(top, tallies[slot])
    return top


@njit(cache=True, nogil=True)
def _repeated(hashes, first, last, length, keys, mask):  # type: ignore[no-untyped-def]
    """Words that lie in a run which occurred before."""
    keys[: mask + 1] = 0
    covered, behind = 0, first
    for place in range(first, last - length + 1):
        key = _run(hashes, place, length) | np.uint64(1)
        slot = np.int64(key >> np.uint64(1)) & mask
        while keys[slot] != 0 and keys[slot] != key:
            slot = (slot + 1) & mask
        if keys[slot] == 0:
            keys[slot] = key
        else:
            covered += place + length - max(place, behind)
            behind = place + length
    return covered


@njit(cache=True, nogil=True)
def _count_runs(hashes, bounds, limits, counts):  # type: ignore[no-untyped-def]
    """hashes: uint64[words]; bounds: int64[documents + 1]; limits: int64[5]; counts: int64[documents, NUM_COUNTS]."""
    keys = np.zeros(1024, np.uint64)
    tallies = np.zeros(1024, np.int32)
    for document in range(bounds.size - 1):
        first, last = bounds[document], bounds[document + 1]
        size = last - first
        while keys.size < 2 * size:
            keys = np.zeros(2 * keys.size, np.uint64)
            tallies = np.zeros(keys.size, np.int32)
        mask = 64
        while mask < 2 * size:
            mask *= 2
        mask -= 1
        row = counts[document]
        if size - 1 >= MIN_RUNS:
            top = _top(hashes, first, last, 2, keys, tallies, mask)
            row[TOP_2] = top
            if size - 2 >= MIN_RUNS and 3000 * top > limits[1] * size:
                row[TOP_3] = _top(hashes, first, last, 3, keys, tallies, mask)
            if size - 3 >= MIN_RUNS and 4000 * top > limits[2] * size:
                row[TOP_4] = _top(hashes, first, last, 4, keys, tallies, mask)
        if size - 4 >= MIN_RUNS:
            row[REPEATED_5] = _repeated(hashes, first, last, 5, keys, mask)
            if size - 9 >= MIN_RUNS and 1000 * row[REPEATED_5] > limits[4] * size:
                row[REPEATED_10] = _repeated(hashes, first, last, 10, keys, mask)


@njit(cache=True, nogil=True)
def _bands(hashes, bounds, documents, salts, multipliers, num_rows, bands):  # type: ignore[no-untyped-def]
    """salts, multipliers: uint32[bands x rows]; bands: uint64[documents, bands], written."""
    minima = np.empty(salts.size, np.uint32)
    for number in range(documents.size):
        first, last = bounds[documents[number]], bounds[documents[number] + 1]
        length = max(1, min(WORDS_PER_SHINGLE, last - first))
        minima[:] = np.uint32(0xFFFFFFFF)
        for place in range(first, last - length + 1):
            shingle = np.uint32(_run(hashes, place, length) >> np.uint64(32))
            for index in range(minima.size):
                value = np.uint32(np.uint32(shingle ^ salts[index]) * multipliers[index])
                minima[index] = min(minima[index], value)
        for band in range(bands.shape[1]):
            combined = np.uint64(band)
            for row in range(num_rows):
                combined = combined * _BASE + np.uint64(minima[band * num_rows + row])
            bands[number, band] = mix(combined)


@njit(cache=True, nogil=True)
def _shingles(hashes):  # type: ignore[no-untyped-def]
    if hashes.size == 0:
        return np.empty(0, np.uint64)
    length = max(1, min(WORDS_PER_SHINGLE, hashes.size))
    found = np.empty(hashes.size - length + 1, np.uint64)
    for place in range(found.size):
        found[place] = _run(hashes, place, length)
    found.sort()
    kept = 0
    for place in range(found.size):
        if place == 0 or found[place] != found[place - 1]:
            found[kept] = found[place]
            kept += 1
    return found[:kept].copy()


@njit(cache=True, nogil=True)
def _jaccard(left, right):  # type: ignore[no-untyped-def]
    if left.size == 0 and right.size == 0:
        return 1.0
    shared = i = j = 0
    while i < left.size and j < right.size:
        if left[i] == right[j]:
            shared += 1
            i += 1
            j += 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
    return shared / (left.size + right.size - shared)
