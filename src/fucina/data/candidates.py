"""Where personal data could stand: one walk over the bytes, so that patterns look at small windows only.

A window covers everything that a pattern or validator looks at, whatever a text holds elsewhere: the value and its
surroundings. These places ask for one:

- six digits or more with at most three joining characters between any two, or four with three dots: numbers of
  every kind, telephone, card, bank account, identity;
- two letters and two digits at the start of a word: bank accounts;
- an @ or a bracket with `at` in it: addresses;
- four hexadecimal digits before a colon: IPv6;
- the shape of an Italian tax code, whose digits may all be letters.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

_DIGIT, _JOINER, _AT, _BRACKET, _COLON, _LETTER = range(1, 7)
_BACK = 72
"""Bytes before a candidate: announcements such as "Tel." reach back 60."""
_AHEAD = 64
_BACK_ADDRESS = 96
_AHEAD_ADDRESS = 560
_MAX_EDGE = 64
"""A window ends at a blank, if there is one within so many bytes."""


class Windows(NamedTuple):
    """Slices of documents, in order and without overlap; byte positions in the buffer."""

    document: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


def windows_of(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Windows:
    """The windows of each text between two offsets of a buffer."""
    room = 1024 + data.size // 256
    while True:
        found = np.empty((room, 3), np.int64)
        count = _find(data, offsets, _CLASSES, found)
        if count <= room:
            return Windows(found[:count, 0], found[:count, 1], found[:count, 2])
        room = count


def _classes() -> NDArray[np.uint8]:
    classes = np.zeros(256, np.uint8)
    for kind, members in (
        (_DIGIT, b"0123456789"),
        (_JOINER, b" ./-()"),
        (_AT, b"@"),
        (_BRACKET, b"[{<"),
        (_COLON, b":"),
        (_LETTER, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ):
        classes[list(members)] = kind
    return classes


_CLASSES = _classes()


@njit(cache=True, nogil=True)
def _find(data, offsets, classes, found):  # type: ignore[no-untyped-def]  # noqa: C901, PLR0915
    """data: uint8[bytes]; offsets: int64[documents + 1]; classes: uint8[256]; found: int64[windows, 3], written as far
    as it reaches; returns how many there are."""
    count = 0
    for document in range(offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        digits = dots = new_dots = 0
        cluster = last_digit = position = begin
        start, stop = np.int64(-1), np.int64(-1)
        while position < end:
            byte = data[position]
            kind = classes[byte]
            if kind == _LETTER:
                low = high = position
                while position < end and classes[data[position]] == _LETTER:
                    position += 1
                digits = new_dots = 0
                if position - low != 3 and position - low < 6:
                    continue
                if not _is_code(data, low, begin, end, classes):
                    continue
                low, high = low - 8, low + _AHEAD
            elif kind == _DIGIT:
                if digits == 0 or position - last_digit > 4:
                    cluster, digits, dots = position, 0, 0
                digits += 1
                dots += new_dots
                new_dots = 0
                last_digit = position
                position += 1
                if digits >= 6 or (digits >= 4 and dots >= 3):
                    low, high = cluster - _BACK, position + _AHEAD
                elif _opens_account(data, begin, position - 1, classes):
                    low, high = position - 8, position + _AHEAD
                else:
                    continue
            elif kind == _JOINER and (byte != 40 or not _says_at(data, position, end)):
                new_dots = 1 if byte == 46 and last_digit == position - 1 else 0
                position += 1
                continue
            else:
                digits = new_dots = 0
                low, high = position - _BACK_ADDRESS, position + _AHEAD_ADDRESS
                position += 1
                if kind == 0:
                    continue
                if kind == _BRACKET and not _says_at(data, position - 1, end):
                    continue
                if kind == _COLON and not _ends_group(data, begin, position - 1):
                    continue
            if start >= 0 and high <= stop and low >= start:
                continue
            low, high = _to_blank(data, max(begin, low), begin, -1), _to_blank(data, min(end, high), end, 1)
            if start >= 0 and low > stop:
                count = _note(found, count, document, start, stop)
                start = np.int64(-1)
            start, stop = low if start < 0 else min(start, low), max(stop, high)
        if start >= 0:
            count = _note(found, count, document, start, stop)
    return count


@njit(cache=True, nogil=True)
def _note(found, count, document, start, stop):  # type: ignore[no-untyped-def]
    if count < found.shape[0]:
        found[count, 0], found[count, 1], found[count, 2] = document, start, stop
    return count + 1


@njit(cache=True, nogil=True)
def _to_blank(data, position, limit, step):  # type: ignore[no-untyped-def]
    """The nearest edge of a word from a position on, at most _MAX_EDGE bytes away, not beyond the limit."""
    for _ in range(_MAX_EDGE):
        if position == limit:
            break
        neighbour = data[position - 1] if step < 0 else data[position]
        if neighbour == 32 or neighbour == 10:
            break
        position += step
    return position


@njit(cache=True, nogil=True)
def _opens_account(data, begin, position, classes):  # type: ignore[no-untyped-def]
    """Whether a digit is the second behind two letters that begin a word."""
    if position - 3 < begin or classes[data[position - 1]] != _DIGIT:
        return False
    if classes[data[position - 2]] != _LETTER or classes[data[position - 3]] != _LETTER:
        return False
    return position - 4 < begin or (classes[data[position - 4]] != _LETTER and classes[data[position - 4]] != _DIGIT)


@njit(cache=True, nogil=True)
def _says_at(data, position, end):  # type: ignore[no-untyped-def]
    """Whether a bracket is followed by `at` or `chiocciola`."""
    position += 1
    if position < end and (data[position] == 32 or 9 <= data[position] <= 13):
        position += 1
    if position + 1 >= end:
        return False
    first, second = data[position] | 32, data[position + 1] | 32
    return (first == 97 and second == 116) or (first == 99 and second == 104)


@njit(cache=True, nogil=True)
def _ends_group(data, begin, position):  # type: ignore[no-untyped-def]
    """Whether the four bytes before a colon can be the first group of a global IPv6 address."""
    if position - 4 < begin or (data[position - 4] != 50 and data[position - 4] != 51):
        return False
    for place in range(position - 3, position):
        byte = data[place]
        if not (48 <= byte <= 57 or 97 <= byte | 32 <= 102):
            return False
    return True


@njit(cache=True, nogil=True)
def _is_code(data, position, begin, end, classes):  # type: ignore[no-untyped-def]
    """Whether sixteen letters and digits from the start of a word on have the shape LLLLLLddLddLdddL of a tax code."""
    if position > begin and classes[data[position - 1]] == _DIGIT:
        return False
    for place in range(16):
        if position >= end:
            return False
        byte = data[position]
        if (byte == 32 or byte == 45) and (place == 3 or place == 6 or place == 11 or place == 15):
            position += 1
            if position >= end:
                return False
            byte = data[position]
        kind = classes[byte]
        if place < 6 or place == 8 or place == 11 or place == 15:
            if kind != _LETTER:
                return False
        elif kind != _DIGIT and not 108 <= byte | 32 <= 118:
            return False
        position += 1
    return True
