"""A record from a source file, whole or broken, and what every reader of a format shares."""

from collections.abc import Iterator
from dataclasses import dataclass

from fucina.data.mojibake import repair

MAX_RECORD_BYTES = 64 << 20
"""A larger line or document is set aside unread."""

TEXT_FIELDS = ("text", "content")

BROKEN: dict[str, str] = {
    "not-json": "the line is not a JSON object",
    "not-csv": "the row does not follow the rules of CSV",
    "wrong-columns": "the row has more or fewer cells than the header",
    "no-text": "there is no `text` or `content` field with a string",
    "empty": "the text is empty",
    "not-text": "the bytes are binary, not text",
    "too-large": "the record has more than 64 MiB",
    "nested-too-deep": "the HTML has more than 1,000 elements inside each other",
    "truncated": "the compressed file ends too early",
    "corrupt-compression": "the compressed file is damaged",
    "expands-too-much": "the compressed file expands like a decompression bomb",
    "corrupt-parquet": "the Parquet file is damaged",
    "corrupt-warc": "the WARC file is damaged from here on",
    "corrupt-pdf": "the PDF is damaged",
    "corrupt-office": "the office document is damaged",
    "corrupt-zip": "the ZIP archive or this member is damaged",
    "encrypted": "the document or archive asks for a password",
    "no-text-layer": "the PDF holds images of pages, not text",
    "unsafe-name": "the name in the archive leads outside it, or is a link",
    "nested-archive": "there is an archive inside the archive",
    "too-many-members": "the archive has more than 100,000 members",
    "other-format": "there is no reader for this part of the file",
    "http-error": "the server answered with an error page",
    "opted-out": "the page or its server reserves it from text and data mining",
    "licence": "the licence is not among those that the recipe keeps",
    "unreadable": "the operating system refused to read the file",
}
"""Every reason to set a record aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record; `text` is None when it is broken."""

    id: str
    text: str | None
    encoding: str = ""
    broken: str = ""
    licence: str = ""
    """As the record itself states it; empty means that of its source file."""
    url: str = ""
    """Where the record says that it comes from."""


def broken(identifier: str, reason: str) -> Record:
    """A record that could not be read, and one of the reasons in BROKEN."""
    return Record(id=identifier, text=None, broken=reason)


def whole(identifier: str, text: str, *, encoding: str, licence: str = "", url: str = "") -> Record:
    """A record with its text, mojibake repaired; broken when there is nothing but white space."""
    if not text.strip():
        return broken(identifier, "empty")
    return Record(id=identifier, text=repair(text), encoding=encoding, licence=licence, url=url)


def identifier_of(value: object, *, default: str) -> str:
    """A record's own id where it is a word or a whole number."""
    if isinstance(value, str) and value.strip():
        return value.strip()[:500].encode("utf-8", "replace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return default


def stated(value: object) -> str:
    """A field such as the licence where it is a short string."""
    return value.strip()[:500].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def collect(pieces: Iterator[bytes]) -> bytes | None:
    """A whole file, or None when it is larger than a record may be."""
    parts, num_bytes = [], 0
    for piece in pieces:
        num_bytes += len(piece)
        if num_bytes > MAX_RECORD_BYTES:
            return None
        parts.append(piece)
    return b"".join(parts)
