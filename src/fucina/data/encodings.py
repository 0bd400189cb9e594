"""Text from bytes whose encoding nobody stated."""

import codecs
import re
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 1 << 16
_MAX_CONTROL_SHARE = 0.02
_CONTROL = bytes(sorted({*range(32), 127} - set(b"\t\n\r\f\x0b\x1b")))


_HIGH_CONTROL = re.compile(rb"[\x80-\x84\x86-\x9f]")
_LATIN_9 = re.compile(rb"[A-Za-z\xc0-\xff][\xa6\xbc\xbd\xbe]|[\xa6\xbc\xbd\xbe][A-Za-z\xc0-\xff]")
_WINDOWS_TWIN = {
    "iso8859-1": "cp1252",
    "iso8859-15": "cp1252",
    "iso8859-2": "cp1250",
    "iso8859-7": "cp1253",
    "iso8859-9": "cp1254",
    "iso8859-13": "cp1257",
}


class Decoded(NamedTuple):
    """Text and what it was read as; `encoding` is empty when the bytes are no text."""

    text: str
    encoding: str


NOT_TEXT = Decoded(text="", encoding="")


def decode(data: bytes, *, html: bool = False, declared: str = "") -> Decoded:
    """Read bytes as text: its mark, UTF-8, UTF-16, else what a server or an HTML page declares or what is likely.

    The name is that of the encoding without its mark.
    """
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _try(data, codec, name=codec.removesuffix("-sig"))
    sample = data[:_SAMPLE_BYTES]
    wide = _wide(sample)
    if wide:
        return _try(data, wide, name="utf-16")
    if not looks_like_text(sample):
        return NOT_TEXT
    try:
        return Decoded(text=data.decode("utf-8"), encoding="utf-8")
    except UnicodeDecodeError:
        stated = _try(data, declared, name=declared) if declared else NOT_TEXT
        if stated.encoding:
            return stated
        name = detect_encoding(sample, from_html_meta=html) or "cp1252"
    name = _windows_or_iso(data, "cp1252" if name in {"utf-8", "ascii"} else name)
    # Western bytes that the guessed table leaves undefined still decode in the table that defines every byte.
    decoded = _try(data, name, name=name)
    return decoded if decoded.encoding else _try(data, "latin-1", name="latin-1")


def _windows_or_iso(data: bytes, name: str) -> str:
    """The one of two twin tables that the bytes speak for.

    No text has the control characters that ISO tables keep where Windows tables have quotation marks and dashes; a
    letter beside a fraction or a broken bar is French or Finnish in ISO 8859-15.
    """
    if _HIGH_CONTROL.search(data):
        return _WINDOWS_TWIN.get(name.lower(), name)
    return "iso8859-15" if name in {"cp1252", "iso8859-1", "latin-1"} and _LATIN_9.search(data) else name


def looks_like_text(sample: bytes) -> bool:
    """Whether bytes of an ASCII superset hold next to no control characters."""
    if b"\0" in sample:
        return False
    return len(sample) - len(sample.translate(None, _CONTROL)) <= _MAX_CONTROL_SHARE * len(sample)


def _wide(sample: bytes) -> str:
    """UTF-16 without a mark, told by the zero bytes that Latin letters leave on one side."""
    if len(sample) < 4:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) / 2
    if odd > 0.6 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.6 * half and odd < 0.05 * half:
        return "utf-16-be"
    return ""


def _try(data: bytes, codec: str, *, name: str) -> Decoded:
    try:
        return Decoded(text=data.decode(codec), encoding=name)
    except (UnicodeDecodeError, LookupError):
        return NOT_TEXT
