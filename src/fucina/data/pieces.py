"""Kernels of byte-level BPE: text is cut into pieces as GPT-2 does, and a piece met before is not merged again.

A piece is an optional blank and letters, numbers or marks, a run of white space, or an English contraction; see
Radford et al. 2019 and the pattern in `tokenizers`' ByteLevel, which these kernels follow to the byte.
"""

import numpy as np
from numba import njit

from fucina.data.characters import ALPHABETIC, NUMBER, TABLE_SIZE, UNASSIGNED, WHITE
from fucina.data.utf8 import decode, load_8

LONGEST_PIECE = 2000
"""Bytes; merging takes the square of it."""

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_LETTERS, _NUMBERS, _WHITE, _MARKS, _END = 1, 2, 3, 4, 5


@njit(cache=True, nogil=True)
def _class_table(flags):  # type: ignore[no-untyped-def]
    """uint8[TABLE_SIZE] of the classes above, 0 for characters of which a later Unicode may think differently."""
    classes = np.empty(TABLE_SIZE, np.uint8)
    for code in range(TABLE_SIZE):
        flag = flags[code]
        if flag & UNASSIGNED:
            classes[code] = 0
        elif flag & ALPHABETIC:
            classes[code] = _LETTERS
        elif flag & NUMBER:
            classes[code] = _NUMBERS
        elif flag & WHITE:
            classes[code] = _WHITE
        else:
            classes[code] = _MARKS
    return classes


@njit(cache=True, nogil=True)
def _run_end(data, position, end, classes, kind):  # type: ignore[no-untyped-def]
    """End of the run of characters of one class, and where its last character begins; -1 for an unknown character."""
    last = position
    while position < end:
        while data[position] < 0x80 and classes[data[position]] == kind:
            last = position
            position += 1
            if position == end:
                return position, last
        code, size = decode(data, position)
        found = classes[code] if code < TABLE_SIZE else np.uint8(0)
        if found == 0:
            return -1, last
        if found != kind:
            break
        last = position
        position += size
    return position, last


@njit(cache=True, nogil=True)
def _contraction(data, position, end):  # type: ignore[no-untyped-def]
    """Bytes of the contraction at an apostrophe, or 0."""
    left = end - position
    if left >= 2 and data[position + 1] in (115, 116, 109, 100):
        return 2
    if left >= 3:
        first, second = data[position + 1], data[position + 2]
        if (first == 114 or first == 118) and second == 101:
            return 3
        if first == 108 and second == 108:
            return 3
    return 0


@njit(cache=True, nogil=True)
def _piece_end(data, position, end, classes, single_numbers):  # type: ignore[no-untyped-def]
    """Where the piece that begins at a position ends; -1 for an unknown character."""
    code, size = decode(data, position)
    kind = classes[code] if code < TABLE_SIZE else 0
    if kind == 0:
        return -1
    if kind == _NUMBERS and single_numbers:
        return position + size
    if code == 39:
        length = _contraction(data, position, end)
        if length:
            return position + length
    if kind != _WHITE:
        return _run_end(data, position, end, classes, kind)[0]
    after, last = _run_end(data, position, end, classes, _WHITE)
    if after < 0 or after == end:
        return after
    following, _ = decode(data, after)
    following = classes[following] if following < TABLE_SIZE else 0
    if following == 0:
        return -1
    if following == _NUMBERS and single_numbers:
        return after
    if last > position:
        # All white space but the last goes alone; the last may open the next piece.
        return last
    if code == 32:
        return _run_end(data, after, end, classes, following)[0]
    return after


@njit(cache=True, nogil=True)
def _cut(  # type: ignore[no-untyped-def]
    data, offsets, first, classes, single_numbers, slots, starts, pool, sizes, numbers, bounds, odd,
):  # fmt: skip
    """Number the pieces of documents from `first` on; returns the document for which there was no room, or their count.

    slots: uint64[power of two, 2], key and number of a piece from 1 on; starts: int64[pieces + 1] in pool;
    pool: uint8[bytes]; sizes: int64[2], pieces and numbers so far; numbers: int32[any]; bounds: int64[documents + 1];
    odd: bool[documents], set where the kernel does not know a character.
    """
    mask = slots.shape[0] - 1
    for document in range(first, offsets.size - 1):
        position, end = offsets[document], offsets[document + 1]
        count = bounds[document]
        while position < end:
            after, key = _letters_end(data, position, end, classes)
            if after == position:
                after = _piece_end(data, position, end, classes, single_numbers)
                key = _key(data, position, after)
            if after < 0 or after - position > LONGEST_PIECE:
                odd[document] = True
                count = bounds[document]
                break
            slot = np.int64((key * _PRIME) >> np.uint64(24)) & mask
            short = after - position < 8
            while slots[slot, 1] != 0 and not (
                slots[slot, 0] == key and (short or _same(data, position, after, slots[slot, 1] - 1, starts, pool))
            ):
                slot = (slot + 1) & mask
            if slots[slot, 1] == 0:
                piece = sizes[0]
                full = 2 * piece >= slots.shape[0]
                if full or piece + 1 >= starts.size or starts[piece] + LONGEST_PIECE > pool.size:
                    return document
                slots[slot, 0] = key
                slots[slot, 1] = piece + 1
                for place in range(position, after):
                    pool[starts[piece] + place - position] = data[place]
                starts[piece + 1] = starts[piece] + after - position
                sizes[0] = piece + 1
            if count == numbers.size:
                return document
            numbers[count] = np.int64(slots[slot, 1]) - 1
            count += 1
            position = after
        bounds[document + 1] = count
    return offsets.size - 1


@njit(cache=True, nogil=True, inline="always")
def _letters_end(data, position, end, classes):  # type: ignore[no-untyped-def]
    """The way of nearly every piece: where an optional blank and letters end, and the key; no move without letters."""
    after = position
    key = np.uint64(0)
    if data[after] == 32:
        key = np.uint64(32)
        after += 1
    first = after
    while after < end:
        byte = data[after]
        if byte < 0x80:
            if classes[byte] != _LETTERS:
                break
            key = _add(key, after - position, byte)
            after += 1
            continue
        code, size = decode(data, after)
        if code >= TABLE_SIZE or classes[code] != _LETTERS:
            break
        for _ in range(size):
            key = _add(key, after - position, data[after])
            after += 1
    if after == first:
        return position, key
    return after, _closed(key, after - position)


@njit(cache=True, nogil=True, inline="always")
def _add(key, place, byte):  # type: ignore[no-untyped-def]
    """The key with one more byte: the bytes themselves where they fit, else a hash of them."""
    if place < 7:
        return key << np.uint64(8) | np.uint64(byte)
    return (key ^ np.uint64(byte)) * _PRIME


@njit(cache=True, nogil=True, inline="always")
def _closed(key, size):  # type: ignore[no-untyped-def]
    """The bytes of a piece of up to seven and their number, so that no two have one key; else the hash."""
    return key | np.uint64(size) << np.uint64(56) if size < 8 else key | np.uint64(1 << 63)


@njit(cache=True, nogil=True)
def _key(data, position, after):  # type: ignore[no-untyped-def]
    key = np.uint64(0)
    for place in range(position, after):
        key = _add(key, place - position, data[place])
    return _closed(key, after - position)


@njit(cache=True, nogil=True)
def _same(data, position, after, piece, starts, pool):  # type: ignore[no-untyped-def]
    """Whether a slice of eight bytes or more is a piece met before."""
    start = starts[np.int64(piece)]
    size = after - position
    if starts[np.int64(piece) + 1] - start != size:
        return False
    offset = 0
    while offset + 8 <= size:
        if load_8(pool, start + offset) != load_8(data, position + offset):
            return False
        offset += 8
    return load_8(pool, start + size - 8) == load_8(data, after - 8)


@njit(cache=True, nogil=True)
def _rehash(old, new):  # type: ignore[no-untyped-def]
    """Move every piece to a larger table."""
    mask = new.shape[0] - 1
    for place in range(old.shape[0]):
        if old[place, 1] != 0:
            slot = np.int64((old[place, 0] * _PRIME) >> np.uint64(24)) & mask
            while new[slot, 1] != 0:
                slot = (slot + 1) & mask
            new[slot, 0], new[slot, 1] = old[place, 0], old[place, 1]


@njit(cache=True, nogil=True)
def _pair_slots(pairs, slots):  # type: ignore[no-untyped-def]
    """Fill slots: int32[power of two] with the number of each pair: uint64[merges], left << 32 | right."""
    mask = slots.size - 1
    for number in range(pairs.size):
        slot = np.int64((pairs[number] * _PRIME) >> np.uint64(20)) & mask
        while slots[slot] >= 0 and pairs[slots[slot]] != pairs[number]:
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            slots[slot] = number


@njit(cache=True, nogil=True)
def _rank(left, right, pairs, slots):  # type: ignore[no-untyped-def]
    """The number of the merge of two tokens; a large one when there is none."""
    pair = np.uint64(left) << np.uint64(32) | np.uint64(right)
    mask = slots.size - 1
    slot = np.int64((pair * _PRIME) >> np.uint64(20)) & mask
    while slots[slot] >= 0:
        if pairs[slots[slot]] == pair:
            return slots[slot]
        slot = (slot + 1) & mask
    return np.int32(0x7FFFFFFF)


@njit(cache=True, nogil=True)
def _merge(first, last, starts, pool, byte_ids, pairs, pair_slots, merged, ids, id_starts):  # type: ignore[no-untyped-def]
    """Tokens of pieces `first` to `last`: merge the earliest learned pair, the leftmost of equals, until none is left.

    byte_ids: uint32[256]; merged: uint32[merges], the token that each makes; ids: uint32[bytes of the pool], written;
    id_starts: int64[pieces + 1], written.
    """
    tokens = np.empty(LONGEST_PIECE, np.uint32)
    ranks = np.empty(LONGEST_PIECE, np.int32)
    for piece in range(first, last):
        size = starts[piece + 1] - starts[piece]
        for place in range(size):
            tokens[place] = byte_ids[pool[starts[piece] + place]]
        for place in range(size - 1):
            ranks[place] = _rank(tokens[place], tokens[place + 1], pairs, pair_slots)
        while size > 1:
            best = 0
            for place in range(1, size - 1):
                if ranks[place] < ranks[best]:
                    best = place
            if ranks[best] == 0x7FFFFFFF:
                break
            tokens[best] = merged[ranks[best]]
            for place in range(best + 1, size - 1):
                tokens[place] = tokens[place + 1]
                ranks[place - 1] = ranks[place]
            size -= 1
            if best > 0:
                ranks[best - 1] = _rank(tokens[best - 1], tokens[best], pairs, pair_slots)
            if best < size - 1:
                ranks[best] = _rank(tokens[best], tokens[best + 1], pairs, pair_slots)
        start = id_starts[piece]
        for place in range(size):
            ids[start + place] = tokens[place]
        id_starts[piece + 1] = start + size


@njit(cache=True, nogil=True)
def _write(numbers, bounds, ids, id_starts, end_id, odd, out, out_bounds):  # type: ignore[no-untyped-def]
    """Tokens of each document and its end; out: uint32[tokens]; a document that is odd gets none."""
    count = 0
    for document in range(bounds.size - 1):
        if not odd[document]:
            for place in range(bounds[document], bounds[document + 1]):
                piece = numbers[place]
                for token in range(id_starts[piece], id_starts[piece + 1]):
                    out[count] = ids[token]
                    count += 1
            out[count] = end_id
            count += 1
        out_bounds[document + 1] = count
