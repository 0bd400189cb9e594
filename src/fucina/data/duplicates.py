"""Which documents repeat an earlier one, exactly or nearly, over a set of any size.

Signatures stay in the files of their shards. They are read one band and one share of its values at a time and sorted,
so that memory holds a bounded share of one band and a few bytes for each document. What shares a band is a candidate;
candidates are verified on their exact sets of shingles, and what is verified is joined: clusters are the connected
components, whose first document stays.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fucina.data.signatures import Signatures
from fucina.data.words import Hashes

_MAX_NEIGHBOURS = 16
"""In one band, a document is compared with this many first and this many nearest earlier ones: boilerplate that
thousands share must not cost millions of comparisons, and a true copy meets its original in other bands too."""

ROWS_PER_PASS = 1 << 21
"""Signatures sorted at once."""

_PAIRS_AT_ONCE = 1 << 17
SHINGLES_AT_ONCE = 1 << 22


class Clusters(NamedTuple):
    """What became of each row of the whole set."""

    first: NDArray[np.int32]
    """The first row of its cluster; its own where it has no earlier like."""
    exact: NDArray[np.bool_]
    """Whether an earlier row has the same bytes."""


class ShingleSets(Protocol):
    """The sorted shingle sets of candidates."""

    def sizes(self, rows: NDArray[np.int32]) -> NDArray[np.int64]:
        """Shingles of each row."""

    def load(self, rows: NDArray[np.int32]) -> Hashes:
        """The sets of rows, ascending, one after the other."""


class _Part(NamedTuple):
    """A share of the values of one band, with the documents that have them, sorted by value and row."""

    values: Hashes
    rows: NDArray[np.int32]


def same_bytes(files: Sequence[Signatures], *, num_rows: int, checkpoint: Callable[[], None]) -> Clusters:
    """Clusters of equal documents."""
    first = np.arange(num_rows, dtype=np.int32)
    exact = np.zeros(num_rows, np.bool_)
    total = sum(file.count() for file in files)
    num_passes = _num_passes(total)
    for number in range(num_passes):
        checkpoint()
        digests, rows = [], []
        for file in files:
            found = file.digests()
            chosen = _in_share(found[:, 0], number, num_passes)
            digests.append(found[chosen])
            rows.append(file.rows()[chosen].astype(np.int32))
        if digests:
            together = np.concatenate(digests)
            order = np.argsort(together[:, 0], kind="stable")
            _join_equal(together[order], np.concatenate(rows)[order], first, exact)
    return Clusters(first, exact)


def candidates(
    files: Sequence[Signatures], clusters: Clusters, *, num_bands: int, checkpoint: Callable[[], None]
) -> NDArray[np.bool_]:
    """Rows that share a band with another."""
    marked = np.zeros(clusters.first.size, np.bool_)
    for part in _parts(files, clusters, num_bands=num_bands, checkpoint=checkpoint):
        equal = part.values[1:] == part.values[:-1]
        marked[part.rows[1:][equal]] = True
        marked[part.rows[:-1][equal]] = True
    return marked


def join_near(
    files: Sequence[Signatures],
    clusters: Clusters,
    *,
    num_bands: int,
    sets: ShingleSets,
    threshold: float,
    checkpoint: Callable[[], None],
) -> None:
    """Join the clusters of candidates that are at least `threshold` alike."""
    first = clusters.first
    for part in _parts(files, clusters, num_bands=num_bands, checkpoint=checkpoint):
        place = np.zeros(1, np.int64)
        while place[0] < part.rows.size:
            checkpoint()
            pairs = np.empty((_PAIRS_AT_ONCE, 2), np.int32)
            count = _pairs(part.values, part.rows, first, place, pairs)
            if count:
                _join_verified(pairs[:count], first, sets=sets, threshold=threshold)
    _settle(first)


def _num_passes(total: int) -> int:
    return max(1, -(-total // ROWS_PER_PASS))


def _in_share(values: Hashes, number: int, num_passes: int) -> NDArray[np.bool_]:
    if num_passes == 1:
        return np.ones(values.size, np.bool_)
    return (values >> np.uint64(33)) % np.uint64(num_passes) == number


def _parts(
    files: Sequence[Signatures], clusters: Clusters, *, num_bands: int, checkpoint: Callable[[], None]
) -> Iterator[_Part]:
    """Every band in shares, without documents that have an equal earlier one."""
    num_passes = _num_passes(sum(file.count() for file in files))
    for band in range(num_bands):
        for number in range(num_passes):
            checkpoint()
            values, rows = [], []
            for file in files:
                found, places = file.band(band), file.rows()
                chosen = _in_share(found, number, num_passes) & ~clusters.exact[places]
                values.append(found[chosen])
                rows.append(places[chosen].astype(np.int32))
            if values:
                together = np.concatenate(values)
                order = np.argsort(together, kind="stable")
                yield _Part(together[order], np.concatenate(rows)[order])


def _join_verified(pairs: NDArray[np.int32], first: NDArray[np.int32], *, sets: ShingleSets, threshold: float) -> None:
    """Join the pairs that are alike; as many sets in memory as fit."""
    rows, places = np.unique(pairs, return_inverse=True)
    sizes = sets.sizes(rows)
    places = places.reshape(pairs.shape)
    left, right = sizes[places[:, 0]], sizes[places[:, 1]]
    possible = np.minimum(left, right) >= threshold * np.maximum(left, right)
    if not possible.all():
        if possible.any():
            _join_verified(pairs[possible], first, sets=sets, threshold=threshold)
        return
    if sizes.sum() > SHINGLES_AT_ONCE and len(pairs) > 1:
        middle = len(pairs) // 2
        for half in (pairs[:middle], pairs[middle:]):
            _join_verified(half, first, sets=sets, threshold=threshold)
        return
    bounds = np.concatenate(([0], np.cumsum(sizes)))
    _join_alike(pairs, places, sets.load(rows), bounds, threshold, first)


@njit(cache=True, nogil=True)
def _root(first, row):  # type: ignore[no-untyped-def]
    """The first row of a cluster; halves the way there. first: int32[rows]."""
    while first[row] != row:
        first[row] = first[first[row]]
        row = first[row]
    return row


@njit(cache=True, nogil=True)
def _join(first, left, right):  # type: ignore[no-untyped-def]
    left, right = _root(first, left), _root(first, right)
    if left < right:
        first[right] = left
    else:
        first[left] = right


@njit(cache=True, nogil=True)
def _settle(first):  # type: ignore[no-untyped-def]
    for row in range(first.size):
        first[row] = _root(first, row)


@njit(cache=True, nogil=True)
def _join_equal(digests, rows, first, exact):  # type: ignore[no-untyped-def]
    """digests: uint64[documents, 2], sorted by the first half; rows: int32[documents]; exact: bool[rows]."""
    start = 0
    for place in range(1, rows.size):
        if digests[place, 0] != digests[start, 0]:
            start = place
            continue
        for other in range(start, place):
            if digests[place, 1] == digests[other, 1]:
                _join(first, rows[place], rows[other])
                exact[rows[place]] = True
                break


@njit(cache=True, nogil=True)
def _pairs(values, rows, first, place, pairs):  # type: ignore[no-untyped-def]
    """Pairs (later, earlier) that share a value and are not joined yet, until `pairs` is nearly full.

    values: uint64[documents], sorted; rows: int32[documents]; place: int64[1], where to go on; returns their number.
    """
    count = 0
    position = place[0]
    start = position
    while start > 0 and start < values.size and values[start - 1] == values[start]:
        start -= 1
    while position < values.size and count + 2 * _MAX_NEIGHBOURS <= pairs.shape[0]:
        if values[position] != values[start]:
            start = position
        own = _root(first, rows[position])
        nearest = max(start + _MAX_NEIGHBOURS, position - _MAX_NEIGHBOURS)
        other = start
        while other < position:
            if _root(first, rows[other]) != own:
                pairs[count, 0] = rows[position]
                pairs[count, 1] = rows[other]
                count += 1
            other += 1
            if other == start + _MAX_NEIGHBOURS:
                other = max(other, nearest)
        position += 1
    place[0] = position
    return count


@njit(cache=True, nogil=True)
def _join_alike(pairs, places, shingles, bounds, threshold, first):  # type: ignore[no-untyped-def]
    """pairs: int32[pairs, 2]; places: int64[pairs, 2] in bounds: int64[sets + 1]; shingles: uint64[any]."""
    for number in range(pairs.shape[0]):
        left, right = pairs[number]
        if _root(first, left) != _root(first, right):
            one = shingles[bounds[places[number, 0]] : bounds[places[number, 0] + 1]]
            other = shingles[bounds[places[number, 1]] : bounds[places[number, 1] + 1]]
            if _alike(one, other, threshold):
                _join(first, left, right)


@njit(cache=True, nogil=True)
def _alike(left, right, threshold):  # type: ignore[no-untyped-def]
    """Whether the Jaccard similarity of two sorted sets reaches a threshold; stops when it no longer can."""
    total = left.size + right.size
    if total == 0:
        return True
    shared = i = j = apart = 0
    # With `apart` elements in one set only, at best the rest is shared.
    most_apart = total * (1 - threshold) / (1 + threshold) + 1
    while i < left.size and j < right.size and apart <= most_apart:
        if left[i] == right[j]:
            shared += 1
            i += 1
            j += 1
        else:
            apart += 1
            if left[i] < right[j]:
                i += 1
            else:
                j += 1
    return shared >= threshold * (total - shared)
