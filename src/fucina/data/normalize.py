"""One spelling of each text: Unicode form, line ends, and characters that nobody sees."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fucina.data.characters import COMPOSE, DROP, SPACE, TABLE_SIZE, TO_NEWLINE, TO_SPACE, characters

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_LINE_ENDS = re.compile("\r\n|[\r\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_LINE_TAIL = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")


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
def _normalize(data, offsets, first, actions, flags, out, bounds, shifts, shift_bounds):  # type: ignore[no-untyped-def]  # noqa: C901, PLR0915
    """Documents from `first` on; returns the number of the one that found no room in `shifts`, or their count.

    data: uint8[bytes], surrogates passed; offsets: int64[documents + 1]; out: uint8[bytes];
    bounds, shift_bounds: int64[documents, 2], a first bound of -1 asks for composition; shifts: int32[any, 2].
    """
    num_shifts = shift_bounds[first - 1, 1] if first else 0
    for document in range(first, offsets.size - 1):
        position, end = offsets[document], offsets[document + 1]
        begin = position
        write = begin
        # End and length, in bytes and characters, of what was written up to the last character that is no blank.
        solid, solid_characters = begin, 0
        text_end = begin
        num_in = num_out = newlines = lead = 0
        first_shift = num_shifts
        composes = False
        while position < end:
            byte = data[position]
            if num_in - num_out == lead and 0x20 < byte < 0x7F:
                # The way of nearly every byte: words of ASCII, and the single blanks between them.
                run = position
                while position < end and (0x20 < byte < 0x7F or (byte == 0x20 and data[position - 1] != 0x20)):
                    out[write] = byte
                    write += 1
                    position += 1
                    if position < end:
                        byte = data[position]
                num_in += position - run
                num_out += position - run
                back = 1 if data[position - 1] == 0x20 else 0
                solid, solid_characters = write - back, num_out - back
                text_end = solid
                newlines = 0
                continue
            if byte < 0x80:
                code, size = np.int64(byte), 1
            elif byte < 0xE0:
                code, size = (np.int64(byte) & 0x1F) << 6 | (data[position + 1] & 0x3F), 2
            elif byte < 0xF0:
                code = (np.int64(byte) & 0x0F) << 12 | (np.int64(data[position + 1]) & 0x3F) << 6
                code, size = code | (data[position + 2] & 0x3F), 3
            else:
                code = (np.int64(byte) & 0x07) << 18 | (np.int64(data[position + 1]) & 0x3F) << 12
                code = code | (np.int64(data[position + 2]) & 0x3F) << 6 | (data[position + 3] & 0x3F)
                size = 4
            action = actions[code] if code < TABLE_SIZE else 0
            place = num_in
            num_in += 1
            position += size
            if action == COMPOSE:
                composes = True
                break
            if action == DROP:
                continue
            space = code < TABLE_SIZE and flags[code] & SPACE
            if code == 10 or action == TO_NEWLINE:
                if code == 13 and position < end and data[position] == 10:
                    position += 1
                    num_in += 1
                if write == begin and solid == begin and num_out == 0:
                    continue
                write, num_out = solid, solid_characters
                while num_shifts > first_shift and shifts[num_shifts - 1, 0] >= num_out:
                    num_shifts -= 1
                lead = shifts[num_shifts - 1, 1] if num_shifts > first_shift else 0
                newlines += 1
                if newlines > 2:
                    continue
            elif space and num_out == 0:
                continue
            elif code == 9 or code == 32 or action == TO_SPACE:
                pass
            else:
                newlines = 0
            if place - num_out != lead:
                if num_shifts == shifts.shape[0]:
                    return document
                lead = place - num_out
                shifts[num_shifts, 0] = num_out
                shifts[num_shifts, 1] = lead
                num_shifts += 1
            if action == TO_SPACE:
                out[write] = 32
                write += 1
            elif action == TO_NEWLINE:
                out[write] = 10
                write += 1
            else:
                for offset in range(position - size, position):
                    out[write] = data[offset]
                    write += 1
            num_out += 1
            if not (code == 9 or code == 32 or action == TO_SPACE):
                solid, solid_characters = write, num_out
                if not space and action != TO_NEWLINE:
                    text_end = write
        bounds[document, 0] = -1 if composes else begin
        bounds[document, 1] = text_end
        shift_bounds[document, 0] = first_shift
        if composes:
            num_shifts = first_shift
        shift_bounds[document, 1] = num_shifts
    return offsets.size - 1


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
        while place < len(original) and not _became(original, place, character):
            place += 1
        if place - index != lead:
            lead = place - index
            rows.append((index, lead))
        place += 1
    return np.array(rows, np.int32).reshape(len(rows), 2)


def _became(original: str, place: int, character: str) -> bool:
    """Whether a character of the normal form can have come from this place of the original."""
    there = original[place]
    if there == character:
        return True
    if character == " ":
        return bool(_SPACES.match(there))
    if character == "\n":
        return bool(_LINE_ENDS.match(there))
    return unicodedata.normalize("NFD", there)[:1] == unicodedata.normalize("NFD", character)[:1]
