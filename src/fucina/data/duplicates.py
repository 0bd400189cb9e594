"""Which documents repeat an earlier one, exactly or nearly."""

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from fucina.data.shingles import Hashes, jaccard

_MAX_NEIGHBOURS = 16
"""In one band, a document is compared with this many first and this many nearest earlier ones: boilerplate that
thousands share must not cost millions of comparisons, and a true copy meets its original in other bands too."""

_CACHED_SHINGLES = 1 << 24


class Verdict(IntEnum):
    """What a document is beside the earlier ones."""

    UNIQUE = 0
    EXACT = 1
    NEAR = 2


Verdicts = NDArray[np.int8]


def judge_duplicates(
    *,
    digests: NDArray[np.void],
    band_columns: Callable[[int], Hashes],
    num_bands: int,
    shingles_of: Callable[[int], Hashes],
    threshold: float,
    checkpoint: Callable[[], None],
) -> Verdicts:
    """Keep the first of equal documents, then drop each that is at least `threshold` like a kept earlier one.

    `digests` holds one value per document, `band_columns(b)` the MinHash of band b for every document,
    `shingles_of(i)` the sorted shingle set of document i; candidates from the bands are verified exactly.
    """
    verdicts: Verdicts = np.zeros(digests.size, np.int8)
    _, first = np.unique(digests, return_index=True)
    verdicts[:] = Verdict.EXACT
    verdicts[first] = Verdict.UNIQUE
    remaining = np.flatnonzero(verdicts == Verdict.UNIQUE)
    pairs = _candidates(remaining, band_columns=band_columns, num_bands=num_bands, checkpoint=checkpoint)
    shingles = _Cache(shingles_of)
    for number, (later, earlier) in enumerate(pairs):
        if number % 4096 == 0:
            checkpoint()
        if verdicts[later] or verdicts[earlier]:
            continue
        if jaccard(shingles.get(int(later)), shingles.get(int(earlier))) >= threshold:
            verdicts[later] = Verdict.NEAR
    return verdicts


def _candidates(
    documents: NDArray[np.intp],
    *,
    band_columns: Callable[[int], Hashes],
    num_bands: int,
    checkpoint: Callable[[], None],
) -> NDArray[np.int64]:
    """Pairs (later, earlier) that share a band, each once, ordered by the later one."""
    pairs: NDArray[np.int64] = np.empty((0, 2), np.int64)
    for band in range(num_bands):
        checkpoint()
        values = band_columns(band)[documents]
        order = np.argsort(values, kind="stable")
        edges = np.flatnonzero(np.diff(values[order])) + 1
        starts = np.concatenate(([0], edges))
        ends = np.concatenate((edges, [order.size]))
        found: list[tuple[int, int]] = []
        for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
            found += _neighbours(documents[order[start:end]].tolist())
        if found:
            pairs = np.unique(np.concatenate((pairs, np.array(found, np.int64))), axis=0)
    return pairs


def _neighbours(bucket: list[int]) -> list[tuple[int, int]]:
    """Each document of a bucket with its first and nearest predecessors."""
    found = []
    for place in range(1, len(bucket)):
        first = bucket[: min(place, _MAX_NEIGHBOURS)]
        nearest = bucket[max(len(first), place - _MAX_NEIGHBOURS) : place]
        found += [(bucket[place], earlier) for earlier in (*first, *nearest)]
    return found


class _Cache:
    """Shingle sets, the oldest forgotten first, up to a total size."""

    def __init__(self, load: Callable[[int], Hashes]) -> None:
        self._load = load
        self._kept: dict[int, Hashes] = {}
        self._size = 0

    def get(self, document: int) -> Hashes:
        found = self._kept.pop(document, None)
        if found is None:
            found = self._load(document)
            self._size += found.size
        self._kept[document] = found
        while self._size > _CACHED_SHINGLES and len(self._kept) > 2:
            self._size -= self._kept.pop(next(iter(self._kept))).size
        return found
