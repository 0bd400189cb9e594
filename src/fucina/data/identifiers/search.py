"""The search for national identifiers: one scan for announcements, one for shapes that speak for themselves."""

import re
from collections.abc import Iterator

import re2

from fucina.data.edges import character_after, character_before, stands_alone
from fucina.data.identifiers.table import ANNOUNCES_ANY, IDENTIFIERS, Identifier

_SEPARATOR = r"[ .\-/]?"
_LONGEST = 24
_FILLER = 32
"""Bytes other than digits between an announcement and its number."""


def _shape(pattern: str) -> str:
    return pattern.replace("_", _SEPARATOR)


def _letters(words: str) -> str:
    """A pattern over characters as one over bytes: a class with letters beyond ASCII becomes a choice."""
    return re.sub(r"\[([^\]\\-]*[^\x00-\x7f][^\]]*)\]", lambda match: f"(?:{'|'.join(match.group(1))})", words)


def _compile_all(patterns: list[str], *, ignore_case: bool) -> "re2._Regexp":
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = not ignore_case
    options.max_mem = 64 << 20
    return re2.compile("|".join(f"(?:{pattern})" for pattern in patterns).encode(), options)


_ANNOUNCED = [
    (
        identifier,
        re.compile(f"(?i)(?:{_letters(identifier.announced_by)}|{ANNOUNCES_ANY})\\Z".encode()),
        re.compile(_shape(identifier.shape).encode()),
    )
    for identifier in IDENTIFIERS
]
_ALONE = [(identifier, re.compile(identifier.alone.encode())) for identifier in IDENTIFIERS if identifier.alone]
_WORDS = _compile_all(
    [_letters(identifier.announced_by) for identifier in IDENTIFIERS] + [ANNOUNCES_ANY], ignore_case=True
)
_SHAPES = _compile_all(sorted({identifier.alone for identifier in IDENTIFIERS} - {""}), ignore_case=False)
_BEGINNING = re.compile(rb"[^0-9\n]{0,%d}?(?<![0-9A-Za-z])(?=[XYZxyz][ \-]?[0-9]|[0-9])" % _FILLER)


def search(data: bytes) -> Iterator[tuple[int, int]]:
    """Where national identifiers stand in UTF-8 text; in order, without overlap."""
    found = sorted({*_announced(data), *_self_evident(data)})
    last = -1
    for start, end in found:
        if start >= last:
            yield start, end
            last = end


def country_of(value: str) -> tuple[str, ...]:
    """The countries of which a number is a valid identifier, whatever stands before it."""
    data = value.encode()
    return tuple(
        sorted({identifier.country for identifier, _, shape in _ANNOUNCED if _fits(data, 0, shape, identifier)})
    )


def _announced(data: bytes) -> Iterator[tuple[int, int]]:
    for match in _WORDS.finditer(data):
        low, high = match.span()
        if not stands_alone(data, low, high):
            continue
        filler = _BEGINNING.match(data, high, min(len(data), high + _FILLER + _LONGEST))
        if not filler:
            continue
        word = data[low:high]
        for identifier, announcement, shape in _ANNOUNCED:
            if announcement.match(word):
                end = _fits(data, filler.end(), shape, identifier)
                if end:
                    yield filler.end(), end
                    break


def _self_evident(data: bytes) -> Iterator[tuple[int, int]]:
    for match in _SHAPES.finditer(data):
        start = match.start()
        if character_before(data, start).isalnum() or data[start - 1 : start] in (b".", b"-", b"/", b"+"):
            continue
        for identifier, shape in _ALONE:
            end = _fits(data, start, shape, identifier)
            if end:
                yield start, end
                break


def _fits(data: bytes, start: int, shape: re.Pattern[bytes], identifier: Identifier) -> int:
    """Where the identifier that begins here ends, or 0."""
    match = shape.match(data, start)
    if not match or character_after(data, match.end()).isalnum() or data[match.end() : match.end() + 2] in _GOES_ON:
        return 0
    return match.end() if identifier.valid(match.group().decode()) else 0


_GOES_ON = frozenset(bytes((mark, digit)) for mark in b"-/." for digit in b"0123456789")
