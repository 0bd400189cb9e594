"""One walk over the UTF-8 of documents: what the quality rules count, and the words that tell duplicates.

A word is a run of letters and digits, lower-cased and without diacritics (`characters.fold`), known by a 64-bit hash;
a point or comma between two digits belongs to their number and is passed over.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fucina.data.characters import LETTER, SPACE, TABLE_SIZE, characters
from fucina.data.utf8 import decode, hash_slice

Hashes = NDArray[np.uint64]

CHARACTERS, TOKENS, TOKEN_CHARACTERS, TOKENS_WITH_LETTER, WORDS, LETTER_WORDS, FUNCTION_WORDS = range(7)
SYMBOLS, LINES, BULLET_LINES, CLOSED_LINES, CUT_OFF_LINES, LINE_CHARACTERS, REPEATED_LINE_CHARACTERS = range(7, 14)
FENCED, SUSPECT, TOP_2, TOP_3, TOP_4, REPEATED_5, REPEATED_10 = range(14, 21)
NUM_COUNTS = 21

MIN_RUNS = 20
"""With fewer runs of words in a document, their repetition says nothing."""

_SEED = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_BASE = np.uint64(0x9E3779B97F4A7C15)

# The kernel compares the last folded letters with the entry of the last one: of these, one is in every line that the
# patterns of the rule `boilerplate` match, or in "lorem ipsum". No two end with the same letter.
_SUSPECTS = ("scrip", "cooki", "privac", "terms", "reserv", "schutz", "confid", "ipsum")


class Words(NamedTuple):
    """Counts of each document and its words in order."""

    counts: NDArray[np.int64]
    """[documents, NUM_COUNTS]"""
    hashes: Hashes
    """Of the words of all documents, one after the other."""
    bounds: NDArray[np.int64]
    """[documents + 1] in `hashes`."""


class WordSets(NamedTuple):
    """Sets of word hashes in one flat table; a set is searched from hash modulo its size."""

    table: Hashes
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    """Powers of two."""


def hash_words(folded: bytes) -> Hashes:
    """Hashes of space-separated folded words."""
    data = np.frombuffer(folded, np.uint8)
    return count_words(data, np.array([0, data.size]), np.array([-1]), word_sets([])).hashes


def word_sets(sets: list[Hashes]) -> WordSets:
    """Tables of the given sets, each at most half full."""
    sizes = [1 << max(3, int(2 * members.size - 1).bit_length()) for members in sets]
    starts = np.cumsum([0, *sizes])
    table = np.zeros(max(1, int(starts[-1])), np.uint64)
    for members, start, size in zip(sets, starts.tolist(), sizes, strict=False):
        for member in members.tolist():
            place = member & (size - 1)
            while table[start + place]:
                place = (place + 1) & (size - 1)
            table[start + place] = member
    return WordSets(table, starts[:-1].astype(np.int64), np.array(sizes, np.int64))


def count_words(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], set_numbers: NDArray[np.int64], sets: WordSets
) -> Words:
    """Walk over each text between two offsets; its FUNCTION_WORDS are those in its set, none for the number -1."""
    tables = characters()
    counts = np.zeros((offsets.size - 1, NUM_COUNTS), np.int64)
    bounds = np.zeros(offsets.size, np.int64)
    hashes = np.empty((data.size + offsets.size) // 2 + 8, np.uint64)
    _count(data, offsets, set_numbers, sets, tables, _ASCII, _SUSPECT_KEYS, counts, hashes, bounds)
    return Words(counts, hashes[: bounds[-1]].copy(), bounds)


def _ascii_folds() -> NDArray[np.uint8]:
    folds = np.full(256, 32, np.uint8)
    for code in range(128):
        if chr(code).isalnum():
            folds[code] = ord(chr(code).lower())
    return folds


def _suspect_keys() -> Hashes:
    """[256, 2]: by last letter the letters as a number, and the bits of it that count."""
    keys = np.zeros((256, 2), np.uint64)
    keys[:, 0] = 1
    for word in _SUSPECTS:
        keys[ord(word[-1])] = (int.from_bytes(word.encode(), "big"), (1 << 8 * len(word)) - 1)
    return keys


_ASCII = _ascii_folds()
_SUSPECT_KEYS = _suspect_keys()


@njit(cache=True, nogil=True, inline="always")
def mix(value):  # type: ignore[no-untyped-def]
    """Spread every bit over all bits (the finalizer of SplitMix64); uint64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _in_set(table, start, size, value):  # type: ignore[no-untyped-def]
    place = np.int64(value & np.uint64(size - 1))
    while table[start + place] != 0:
        if table[start + place] == value:
            return 1
        place = (place + 1) & (size - 1)
    return 0


@njit(cache=True, nogil=True)
def _count(data, offsets, set_numbers, sets, tables, ascii_folds, suspect_keys, counts, hashes, bounds):  # type: ignore[no-untyped-def]
    """data: uint8[bytes]; offsets: int64[documents + 1]; set_numbers: int64[documents]; sets: WordSets; tables:
    Characters; counts: int64[documents, NUM_COUNTS], zeros; hashes: uint64[words]; bounds: int64[documents + 1]."""
    num_words = 0
    lines = np.zeros(64, np.uint64)
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        number = set_numbers[document]
        row = counts[document]
        start = sets.starts[number] if number >= 0 else 0
        size = sets.sizes[number] if number >= 0 else 0
        last = _walk_words(data, begin, end, tables, ascii_folds, suspect_keys, hashes, num_words, row)
        if size:
            for place in range(num_words, last):
                row[FUNCTION_WORDS] += _in_set(sets.table, start, size, hashes[place])
        num_words = last
        lines[:] = 0
        lines = _walk_lines(data, begin, end, tables.flags, ascii_folds, lines, row)
        bounds[document + 1] = num_words


@njit(cache=True, nogil=True)
def _walk_words(data, begin, end, tables, ascii_folds, suspect_keys, hashes, num_words, row):  # type: ignore[no-untyped-def]
    """Note the words of one document from `num_words` on; returns their new number. row: int64[NUM_COUNTS]."""
    first = num_words
    position = begin
    word, letters, recent = _SEED, np.uint8(0), np.uint64(0)
    suspect = False
    letter_words = 0
    while position <= end:
        # Behind the last byte a line feed closes the word.
        byte = data[position] if position < end else np.uint8(10)
        folded = ascii_folds[byte]
        while folded != 32:
            # The way of nearly every byte: letters and digits of ASCII.
            word = (word ^ np.uint64(folded)) * _PRIME
            letters |= folded
            recent = (recent << np.uint64(8)) | np.uint64(folded)
            if recent & suspect_keys[folded, 1] == suspect_keys[folded, 0]:
                suspect = True
            position += 1
            byte = data[position] if position < end else np.uint8(10)
            folded = ascii_folds[byte]
        if byte < 0x80:
            if (byte == 46 or byte == 44) and _in_number(data, position, begin, end):
                position += 1
                continue
            if word != _SEED:
                hashes[num_words] = mix(word)
                num_words += 1
                # Letters have a bit that digits lack.
                letter_words += letters & 0x40 != 0
                word, letters = _SEED, np.uint8(0)
            position += 1
            continue
        code, size = decode(data, position)
        code = code if code < TABLE_SIZE else np.int64(32)
        own = tables.fold_start[code] < 0
        start = position if own else np.int64(tables.fold_start[code])
        stop = position + size if own else np.int64(tables.fold_end[code])
        for place in range(start, stop):
            folded = data[place] if own else tables.fold_bytes[place]
            if folded != 32:
                word = (word ^ np.uint64(folded)) * _PRIME
                letters |= folded if folded < 0x80 else np.uint8(0x40)
                recent = (recent << np.uint64(8)) | np.uint64(folded)
                if recent & suspect_keys[folded, 1] == suspect_keys[folded, 0]:
                    suspect = True
            elif word != _SEED:
                hashes[num_words] = mix(word)
                num_words += 1
                letter_words += letters & 0x40 != 0
                word, letters = _SEED, np.uint8(0)
        position += size
    row[WORDS], row[LETTER_WORDS], row[SUSPECT] = num_words - first, letter_words, suspect
    return num_words


@njit(cache=True, nogil=True, inline="always")
def _in_number(data, position, begin, end):  # type: ignore[no-untyped-def]
    """Whether digits of ASCII touch a byte on both sides."""
    if position == begin or position + 1 >= end:
        return False
    return 48 <= data[position - 1] <= 57 and 48 <= data[position + 1] <= 57


@njit(cache=True, nogil=True)
def _walk_lines(data, begin, end, flags, ascii_folds, lines, row):  # type: ignore[no-untyped-def]  # noqa: PLR0915
    """Count tokens and lines of one document; lines: uint64[power of two], zeros, returned as it grew."""
    position, num_characters, num_marks, num_lines = begin, -1, 0, 0
    token_open = token_letter = blank = closed = bullet = cut_off = False
    kind = dots = length = solid_length = 0
    # The line without blanks at its ends.
    first = solid = begin
    while position <= end:
        solid_end, letters = _word_end(data, position, end, ascii_folds)
        if solid_end > position:
            first = position if solid_length == 0 else first
            run = solid_end - position
            solid = position = solid_end
            token_letter = bool(token_letter or letters >= 64)
            num_characters += run
            row[TOKEN_CHARACTERS] += run
            length += run
            solid_length = length
            token_open, closed, cut_off, blank, kind, dots = True, False, False, False, 0, 0
        code, size = decode(data, position) if position < end else (np.int64(10), 1)
        flag = flags[code] if code < TABLE_SIZE else np.uint8(0)
        position += size
        num_characters += 1
        if flag & SPACE:
            row[TOKENS] += token_open
            row[TOKENS_WITH_LETTER] += token_letter
            token_open = token_letter = False
            # A line that opens with one of the marks and a blank.
            bullet |= solid_length == 1 and length == 1 and kind >= 3 and code != 10
            blank = True
            dots = 0
            if code == 10:
                if solid_length:
                    key = hash_slice(data, first, solid)
                    lines, num_lines = _end_line(lines, num_lines, key, solid_length, bullet, closed, cut_off, row)
                closed = bullet = cut_off = False
                kind = length = solid_length = 0
            length = length + 1 if solid_length else 0
            continue
        token_open = True
        token_letter = bool(token_letter or flag & LETTER != 0)
        row[TOKEN_CHARACTERS] += 1
        first = position - size if solid_length == 0 else first
        solid = position
        length += 1
        solid_length = length
        kind = _closing(code)
        dots = dots + 1 if code == 46 else 0
        cut_off = dots >= 3 or code == 0x2026
        num_marks += code == 0x2026 or (dots > 0 and dots % 3 == 0)
        if code == 35:
            num_marks += _marks(data, begin, position, end, blank, ascii_folds)
        elif code == 96 and position - begin >= 3 and data[position - 2] == 96 and data[position - 3] == 96:
            row[FENCED] = 1
        closed = kind == 1 or (closed and (kind == 2 or kind == 4) and not blank)
        blank = False
    row[CHARACTERS], row[SYMBOLS] = num_characters, num_marks
    return lines


@njit(cache=True, nogil=True, inline="always")
def _word_end(data, position, end, ascii_folds):  # type: ignore[no-untyped-def]
    """Where letters and digits of ASCII end, and their bits together."""
    letters = np.uint8(0)
    while position < end and ascii_folds[data[position]] != 32:
        letters |= data[position]
        position += 1
    return position, letters


@njit(cache=True, nogil=True)
def _marks(data, begin, position, end, blank, ascii_folds):  # type: ignore[no-untyped-def]
    """Whether a # touches a word or the end of one."""
    if position == end:
        return position - 1 > begin and not blank
    following = data[position]
    return (position - 1 > begin and not blank) or following >= 0x80 or following == 95 or ascii_folds[following] != 32


@njit(cache=True, nogil=True)
def _end_line(lines, num_lines, key, length, bullet, closed, cut_off, row):  # type: ignore[no-untyped-def]
    """Count a line that its key tells from others; returns the set of lines seen, which doubles when it is half full,
    and their number."""
    row[LINES] += 1
    row[BULLET_LINES] += bullet
    row[CLOSED_LINES] += closed
    row[CUT_OFF_LINES] += cut_off
    row[LINE_CHARACTERS] += length
    if 2 * num_lines >= lines.size:
        lines = _grown(lines)
    if _insert(lines, mix(key) | np.uint64(1)):
        return lines, num_lines + 1
    row[REPEATED_LINE_CHARACTERS] += length
    return lines, num_lines


@njit(cache=True, nogil=True)
def _closing(code):  # type: ignore[no-untyped-def]
    """1 for what ends a sentence, 2 for what may follow it, 3 for what opens the item of a list."""
    if code == 46 or code == 33 or code == 63 or code == 58 or code == 59 or code == 0x2026:
        return 1
    if code == 34 or code == 39 or code == 0x201D or code == 0x2019 or code == 0xBB or code == 41 or code == 93:
        return 2
    if code == 45 or code == 43 or code == 0x2022 or code == 0x2023 or code == 0x25E6 or code == 0x25AA:
        return 3
    if code == 0xB7 or code == 0x2013:
        return 3
    # A star may close emphasis behind a sentence, and opens items.
    return 4 if code == 42 else 2 if code == 95 else 0


@njit(cache=True, nogil=True)
def _insert(table, key):  # type: ignore[no-untyped-def]
    """Put a key that is not 0 into an open-addressing set; whether it was new."""
    place = np.int64(key >> np.uint64(1)) & (table.size - 1)
    while table[place] != 0:
        if table[place] == key:
            return False
        place = (place + 1) & (table.size - 1)
    table[place] = key
    return True


@njit(cache=True, nogil=True)
def _grown(table):  # type: ignore[no-untyped-def]
    larger = np.zeros(4 * table.size, np.uint64)
    for key in table:
        if key != 0:
            _insert(larger, key)
    return larger
