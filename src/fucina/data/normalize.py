"""One spelling of each text: Unicode form, line ends, and characters that nobody sees."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fucina.data.characters import COMPOSE, DROP, SPACE, TABLE_SIZE, TO_NEWLINE, TO_SPACE, characters
from fucina.data.utf8 import decode

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_LINE_ENDS = re.compile("\r\n|[\r\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_LINE_TAIL = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")


_COMPOSES, _NO_ROOM = -1, -2


class Normalized(NamedTuple):
    """A text in its one spelling, and where it came from."""

    text: bytes
    """UTF-8."""
    shifts: NDArray[np.int32]
    """Rows (place, lead), in characters: from `place` on, a character stood `lead` further on in the original."""


def normalize(text: str) -> str:
    """NFC, line feeds, plain spaces, nothing invisible, no space at line ends, one blank line at most."""
    return normalize_batch([text])[0].text.decode()


def normalize_batch(texts: Sequence[str]) -> list[Normalized]:
    """`normalize` of each text, with the way back to the places of the original."""
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    offsets = np.zeros(len(raw) + 1, np.int64)
    np.cumsum([len(data) for data in raw], out=offsets[1:])
    data = np.frombuffer(b"".join(raw), np.uint8)
    tables = characters()
    out = np.empty(data.size, np.uint8)
    bounds = np.zeros((len(raw), 2), np.int64)
    shift_bounds = np.zeros((len(raw), 2), np.int64)
    shifts = np.empty((max(1024, data.size // 8), 2), np.int32)
    first = 0
    while first < len(raw):
        first = _normalize(data, offsets, first, tables.actions, tables.flags, out, bounds, shifts, shift_bounds)
        if first < len(raw):
            shifts = np.concatenate((shifts, np.empty_like(shifts)))
    found = []
    for index, text in enumerate(texts):
        start, end = bounds[index]
        if start < 0:
            found.append(_composed(text))
        else:
            begin, stop = shift_bounds[index]
            found.append(Normalized(out[start:end].tobytes(), shifts[begin:stop].copy()))
    return found


@njit(cache=True, nogil=True)
def _normalize(data, offsets, first, actions, flags, out, bounds, shifts, shift_bounds):  # type: ignore[no-untyped-def]
    """Documents from `first` on; returns the number of the one that found no room in `shifts`, or their count.

    data: uint8[bytes], surrogates passed; offsets: int64[documents + 1]; out: uint8[bytes];
    bounds, shift_bounds: int64[documents, 2], a first bound of -1 asks for composition; shifts: int32[any, 2].
    """
    num_shifts = shift_bounds[first - 1, 1] if first else 0
    for document in range(first, offsets.size - 1):
        begin, end = offsets[document], offsets[document + 1]
        text_end, count = _normalize_one(data, begin, end, actions, flags, out, shifts, num_shifts)
        if text_end == _NO_ROOM:
            return document
        bounds[document, 0], bounds[document, 1] = begin if text_end >= 0 else -1, text_end
        shift_bounds[document, 0], shift_bounds[document, 1] = num_shifts, count
        num_shifts = count
    return offsets.size - 1


@njit(cache=True, nogil=True)
def _normalize_one(data, begin, end, actions, flags, out, shifts, first_shift):  # type: ignore[no-untyped-def]  # noqa: C901, PLR0915
    """One document to the same place of `out`; returns where it ends there, and the number of shifts behind it."""
    position = write = solid = text_end = begin
    # What was written and read so far, in characters; `solid` is the end of the last one that is no blank.
    num_in = num_out = solid_out = newlines = lead = 0
    num_shifts = first_shift
    while position < end:
        if num_in - num_out == lead and 0x20 < data[position] < 0x7F:
            run = position
            position, write = _copy_words(data, position, end, out, write)
            num_in += position - run
            num_out += position - run
            back = 1 if data[position - 1] == 0x20 else 0
            solid, solid_out, text_end, newlines = write - back, num_out - back, write - back, 0
            continue
        code, size = decode(data, position)
        action = actions[code] if code < TABLE_SIZE else np.uint8(0)
        space = code < TABLE_SIZE and flags[code] & SPACE != 0
        place = num_in
        num_in += 1
        position += size
        if action == COMPOSE:
            return np.int64(_COMPOSES), first_shift
        newline = code == 10 or action == TO_NEWLINE
        blank = code == 9 or code == 32 or action == TO_SPACE
        if newline and code == 13 and position < end and data[position] == 10:
            position += 1
            num_in += 1
        if action == DROP or (space and num_out == 0):
            continue
        if newline:
            # Blanks at the end of the line go, and their shifts.
            write, num_out = solid, solid_out
            while num_shifts > first_shift and shifts[num_shifts - 1, 0] >= num_out:
                num_shifts -= 1
            lead = shifts[num_shifts - 1, 1] if num_shifts > first_shift else 0
            newlines += 1
            if newlines > 2:
                continue
        elif not blank:
            newlines = 0
        if place - num_out != lead:
            if num_shifts == shifts.shape[0]:
                return np.int64(_NO_ROOM), first_shift
            lead = place - num_out
            shifts[num_shifts, 0], shifts[num_shifts, 1] = num_out, lead
            num_shifts += 1
        if newline or blank:
            out[write] = 10 if newline else data[position - 1] if action != TO_SPACE else 32
            size = 1
        else:
            for offset in range(size):
                out[write + offset] = data[position - size + offset]
        write += size
        num_out += 1
        if not blank:
            solid, solid_out = write, num_out
            text_end = text_end if space else write
    return text_end, num_shifts


@njit(cache=True, nogil=True, inline="always")
def _copy_words(data, position, end, out, write):  # type: ignore[no-untyped-def]
    """The way of nearly every byte: words of ASCII and the single blanks between them."""
    byte = data[position]
    while 0x20 < byte < 0x7F or (byte == 0x20 and data[position - 1] != 0x20):
        out[write] = byte
        write += 1
        position += 1
        if position == end:
            break
        byte = data[position]
    return position, write


def _composed(text: str) -> Normalized:
    """The same for a text whose characters may combine: slower, with composition in between."""
    spaced = _SPACES.sub(" ", text)
    composed = unicodedata.normalize("NFC", spaced)
    done = composed
    done = _LINE_ENDS.sub("\n", done)
    done = _UNSEEN.sub("", done)
    done = _LINE_TAIL.sub("", done)
    done = _BLANK_LINES.sub("\n\n", done).strip()
    return Normalized(done.encode(), _align(text, done))


def _align(original: str, done: str) -> NDArray[np.int32]:
    """Shifts between an original and its normal form, found by walking both: one is the other but for what was
    dropped, composed or turned into a plain blank."""
    rows: list[tuple[int, int]] = []
    lead = place = 0
    for index, character in enumerate(done):
        start = place
        moved = unicodedata.combining(character) and index and not done[index - 1].isspace()
        kinds = "M" if moved else "MCZ"
        while place < len(original) and not _became(original[place], character):
            if unicodedata.category(original[place])[0] not in kinds:
                break
            place += 1
        found = place < len(original) and _became(original[place], character)
        # A mark that composition moved stands with the character before it.
        origin = place if found else max(start - 1, 0)
        place = place + 1 if found else start
        if origin - index != lead:
            lead = origin - index
            rows.append((index, lead))
    return np.array(rows, np.int32).reshape(len(rows), 2)


def _became(there: str, character: str) -> bool:
    """Whether a character of the normal form can have come from one of the original."""
    if there == character:
        return True
    if character == " ":
        return _SPACES.match(there) is not None
    if character == "\n":
        return _LINE_ENDS.match(there) is not None
    return unicodedata.normalize("NFD", there)[:1] == unicodedata.normalize("NFD", character)[:1]
