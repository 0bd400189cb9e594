"""What each character of Unicode is, as tables that kernels read; built from Python's own database, once a process."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SPACE = 1
LETTER = 2
"""Part of a word and no decimal digit."""
NUMBER = 4
"""Categories Nd, Nl and No."""
WORD = 8
"""Letter, digit or number."""
ALPHABETIC = 16
"""Categories L: what a byte-level tokenizer calls a letter."""
UNASSIGNED = 32
"""Perhaps a letter in a later version of Unicode."""
WHITE = 64
"""Unicode's White_Space, without the separators that only Python counts."""

KEEP = 0
DROP = 1
TO_SPACE = 2
TO_NEWLINE = 3
COMPOSE = 4
"""May change together with its neighbours when text is composed (NFC)."""

TABLE_SIZE = 0x32400
"""Above stand private and unassigned characters and invisible tags only."""

_LINE_ENDS = frozenset("\r\x0c\x85\u2028\u2029")
_SPACES = frozenset("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000")
# Control characters but tab and newline; soft hyphen, zero-width and bidirectional marks, byte-order mark, surrogates.
# The zero-width joiners stay: scripts outside Europe need them.
_UNSEEN = frozenset(
    (*range(0x09), 0x0B, *range(0x0E, 0x20), *range(0x7F, 0x85), *range(0x86, 0xA0), 0xAD, 0x200B, 0x200E, 0x200F,
     *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC),
     *range(0xD800, 0xE000))
)  # fmt: skip
_PYTHON_ONLY_SPACES = frozenset("\x1c\x1d\x1e\x1f")
_IN_NUMBER = re.compile("(?<=[0-9])[.,](?=[0-9])")
_SAME_WHEN_FOLDED = ((0x3400, 0xA000), (0xAC00, 0xD7A4), (0x17000, 0x18D10), (0x20000, 0x2F800))
"""Ideographs and syllables: neither case nor diacritics, nothing to compose."""


class Characters(NamedTuple):
    """Tables by code point."""

    flags: NDArray[np.uint8]
    actions: NDArray[np.uint8]
    """What normalisation does with it."""
    fold_start: NDArray[np.int32]
    """Where its folded form begins in `fold_bytes`, a space there ends a word; -1 where it is its own folded form."""
    fold_end: NDArray[np.int32]
    fold_bytes: NDArray[np.uint8]


@lru_cache(maxsize=1)
def characters() -> Characters:
    """The tables."""
    flags = np.zeros(TABLE_SIZE, np.uint8)
    actions = np.zeros(TABLE_SIZE, np.uint8)
    start = np.zeros(TABLE_SIZE, np.int32)
    end = np.zeros(TABLE_SIZE, np.int32)
    same = {code for first, last in _SAME_WHEN_FOLDED for code in range(first, last)}
    pool = bytearray()
    known: dict[bytes, tuple[int, int]] = {}
    for code in range(TABLE_SIZE):
        character = chr(code)
        category = unicodedata.category(character)
        flags[code] = _flags(character, category)
        if category[0] == "L" and code in same:
            start[code] = -1
            continue
        actions[code] = _action(code, character, category)
        folded = b"" if category in ("Cs", "Mn") and code < 0x370 else _folded(character)
        if folded not in known:
            known[folded] = (len(pool), len(pool) + len(folded))
            pool += folded
        start[code], end[code] = known[folded]
    return Characters(flags, actions, start, end, np.frombuffer(bytes(pool), np.uint8))


def fold(text: str) -> bytes:
    """Lower case without diacritics, words parted by single spaces, everything else gone; UTF-8.

    What groups digits or parts their decimals goes too, so that 1.000,50 is one word. Kernels see
    words in this form without writing it down.
    """
    return b" ".join(b"".join(map(_folded, _IN_NUMBER.sub("", text))).split())


def _flags(character: str, category: str) -> int:
    flags = SPACE if character.isspace() else 0
    if flags and character not in _PYTHON_ONLY_SPACES:
        flags |= WHITE
    if character.isalnum():
        flags |= WORD if character.isdecimal() else WORD | LETTER
    if category[0] == "N":
        flags |= NUMBER
    elif category[0] == "L":
        flags |= ALPHABETIC
    elif category == "Cn":
        flags |= UNASSIGNED
    return flags


def _action(code: int, character: str, category: str) -> int:
    if character in _SPACES:
        return TO_SPACE
    if character in _LINE_ENDS:
        return TO_NEWLINE
    if code in _UNSEEN:
        return DROP
    jamo = 0x1100 <= code < 0x1200
    if category == "Cn":
        return KEEP
    if category[0] == "M" or jamo or unicodedata.normalize("NFC", character) != character:
        return COMPOSE
    return KEEP


def _folded(character: str) -> bytes:
    """Word characters of one character after lower-casing and decomposition; a space for what parts words."""
    if character.isalpha() and any(first <= ord(character) < last for first, last in _SAME_WHEN_FOLDED):
        return character.encode()
    parts = []
    for part in unicodedata.normalize("NFKD", character.lower()):
        if "\u0300" <= part <= "\u036f":
            continue
        # The Greek sigma at the end of a word is the same letter.
        parts.append("σ" if part == "ς" else part if part.isalnum() else " ")
    return "".join(parts).encode("utf-8", "ignore")
