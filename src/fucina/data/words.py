"""One walk over the UTF-8 of documents: what the quality rules count, and the words that tell duplicates.

A word is a run of letters and digits, lower-cased and without diacritics (`characters.fold`), known by a 64-bit hash.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fucina.data.characters import LETTER, SPACE, TABLE_SIZE, characters

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
    _count(data, offsets, set_numbers, *sets, *tables, _ASCII, _SUSPECT_KEYS, counts, hashes, bounds)
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
def _count(  # type: ignore[no-untyped-def]  # noqa: C901, PLR0915
    data, offsets, set_numbers, set_table, set_starts, set_sizes, flags, actions, fold_start, fold_end, fold_bytes,
    ascii_folds, suspect_keys, counts, hashes, bounds,
):  # fmt: skip
    """data: uint8[bytes]; offsets: int64[documents + 1]; set_numbers: int64[documents]; the tables of `characters`;
    counts: int64[documents, NUM_COUNTS], zeros; hashes: uint64[words]; bounds: int64[documents + 1]."""
    num_words = 0
    line_table = np.zeros(64, np.uint64)
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        num_characters = tokens = token_characters = tokens_with_letter = letter_words = function_words = symbols = (
            lines
        ) = bullet_lines = closed_lines = cut_off_lines = line_characters = repeated_characters = 0
        fenced = suspect = False
        first_word = num_words
        set_number = set_numbers[document]
        set_start = set_starts[set_number] if set_number >= 0 else 0
        set_size = set_sizes[set_number] if set_number >= 0 else 0
        word = _SEED
        word_open = word_letter = False
        recent = np.uint64(0)
        token_open = token_letter = False
        dots = ticks = 0
        after_space = True
        line = line_solid = _SEED
        line_length = line_solid_length = 0
        bullet = closed = blank_since = cut_off = False
        closed_kind = 0
        line_table[:] = 0
        num_seen = 0
        position = begin
        while position <= end:
            # Behind the last byte a line feed closes word, token and line.
            byte = data[position] if position < end else np.uint8(10)
            folded = ascii_folds[byte]
            if folded != 32:
                # The way of nearly every byte: letters and digits of ASCII.
                run = position
                letters = np.uint8(0)
                while folded != 32:
                    word = (word ^ np.uint64(folded)) * _PRIME
                    line = (line ^ np.uint64(byte)) * _PRIME
                    letters |= folded
                    recent = (recent << np.uint64(8)) | np.uint64(folded)
                    if recent & suspect_keys[folded, 1] == suspect_keys[folded, 0]:
                        suspect = True
                    position += 1
                    byte = data[position] if position < end else np.uint8(10)
                    folded = ascii_folds[byte]
                run = position - run
                num_characters += run
                token_characters += run
                line_length += run
                line_solid, line_solid_length = line, line_length
                # Letters have a bit that digits lack.
                letter = letters & 0x40 != 0
                word_letter |= letter
                token_letter |= letter
                word_open = token_open = True
                closed = cut_off = blank_since = after_space = False
                closed_kind = dots = ticks = 0
                continue
            if byte < 0x80:
                code, size = np.int64(byte), 1
                letter = False
                space = byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31
                if word_open:
                    hashes[num_words] = mix(word)
                    num_words += 1
                    letter_words += word_letter
                    if set_size:
                        function_words += _in_set(set_table, set_start, set_size, hashes[num_words - 1])
                    word = _SEED
                    word_open = word_letter = False
            else:
                if byte < 0xE0:
                    code, size = (np.int64(byte) & 0x1F) << 6 | (np.int64(data[position + 1]) & 0x3F), 2
                elif byte < 0xF0:
                    code = (np.int64(byte) & 0x0F) << 12 | (np.int64(data[position + 1]) & 0x3F) << 6
                    code, size = code | (np.int64(data[position + 2]) & 0x3F), 3
                else:
                    code = (np.int64(byte) & 0x07) << 18 | (np.int64(data[position + 1]) & 0x3F) << 12
                    code = code | (np.int64(data[position + 2]) & 0x3F) << 6 | (np.int64(data[position + 3]) & 0x3F)
                    size = 4
                flag = flags[code] if code < TABLE_SIZE else 0
                letter = flag & LETTER != 0
                space = flag & SPACE != 0
                own = code < TABLE_SIZE and fold_start[code] < 0
                first = 0 if own or code >= TABLE_SIZE else fold_start[code]
                last = size if own else (1 if code >= TABLE_SIZE else fold_end[code])
                for place in range(first, last):
                    if code >= TABLE_SIZE:
                        folded = np.uint8(32)
                    else:
                        folded = data[position + place] if own else fold_bytes[place]
                    if folded != 32:
                        word = (word ^ np.uint64(folded)) * _PRIME
                        word_open = True
                        word_letter |= not 48 <= folded <= 57
                        recent = (recent << np.uint64(8)) | np.uint64(folded)
                        if recent & suspect_keys[folded, 1] == suspect_keys[folded, 0]:
                            suspect = True
                    elif word_open:
                        hashes[num_words] = mix(word)
                        num_words += 1
                        letter_words += word_letter
                        if set_size:
                            function_words += _in_set(set_table, set_start, set_size, hashes[num_words - 1])
                        word = _SEED
                        word_open = word_letter = False
            num_characters += 1
            if code != 46:
                dots = 0
            if code == 10:
                if token_open:
                    tokens += 1
                    tokens_with_letter += token_letter
                    token_open = token_letter = False
                if line_solid_length:
                    lines += 1
                    bullet_lines += bullet
                    closed_lines += closed
                    cut_off_lines += cut_off
                    line_characters += line_solid_length
                    # Lines seen before: an open-addressing set that doubles.
                    if 2 * num_seen >= line_table.size:
                        line_table = _grown(line_table)
                    key = mix(line_solid) | np.uint64(1)
                    if _insert(line_table, key):
                        num_seen += 1
                    else:
                        repeated_characters += line_solid_length
                line = line_solid = _SEED
                line_length = line_solid_length = 0
                bullet = closed = blank_since = cut_off = False
                ticks = 0
                after_space = True
            elif space:
                if token_open:
                    tokens += 1
                    tokens_with_letter += token_letter
                    token_open = token_letter = False
                if line_solid_length:
                    # A line that opens with one of the marks and a blank.
                    if line_solid_length == 1 and line_length == 1:
                        bullet = closed_kind >= 3
                    line = (line ^ np.uint64(code)) * _PRIME
                    line_length += 1
                    blank_since = True
                after_space = True
                ticks = 0
            else:
                token_open = True
                token_letter |= letter
                token_characters += 1
                line = (line ^ np.uint64(code)) * _PRIME
                line_length += 1
                line_solid, line_solid_length = line, line_length
                closed_kind = 0
                cut_off = False
                if not letter and not 48 <= code <= 57:
                    closed_kind = _closing(code)
                    if code == 46:
                        dots += 1
                        if dots >= 3:
                            cut_off = True
                            if dots % 3 == 0:
                                symbols += 1
                    elif code == 0x2026:
                        cut_off = True
                        symbols += 1
                    elif code == 35:
                        following = data[position + 1] if position + 1 < end else np.uint8(10)
                        if not after_space or following >= 0x80 or following == 95 or ascii_folds[following] != 32:
                            symbols += 1
                    elif code == 96:
                        ticks += 1
                        if ticks >= 3:
                            fenced = True
                    if code != 96:
                        ticks = 0
                else:
                    ticks = 0
                if closed_kind == 1:
                    closed = True
                elif (closed_kind != 2 and closed_kind != 4) or blank_since:
                    closed = False
                blank_since = False
                after_space = False
            position += size
        row = counts[document]
        row[CHARACTERS] = num_characters - 1
        row[TOKENS] = tokens
        row[TOKEN_CHARACTERS] = token_characters
        row[TOKENS_WITH_LETTER] = tokens_with_letter
        row[LETTER_WORDS] = letter_words
        row[FUNCTION_WORDS] = function_words
        row[SYMBOLS] = symbols
        row[LINES] = lines
        row[BULLET_LINES] = bullet_lines
        row[CLOSED_LINES] = closed_lines
        row[CUT_OFF_LINES] = cut_off_lines
        row[LINE_CHARACTERS] = line_characters
        row[REPEATED_LINE_CHARACTERS] = repeated_characters
        row[FENCED], row[SUSPECT] = fenced, suspect
        row[WORDS] = num_words - first_word
        bounds[document + 1] = num_words


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
