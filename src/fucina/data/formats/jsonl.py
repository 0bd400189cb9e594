"""JSON Lines: one object a line."""

import json
from collections.abc import Iterator

from fucina.data.encodings import Decoded, decode
from fucina.data.formats.lines import UnreadableLines, byte_lines
from fucina.data.records import TEXT_FIELDS, Record, broken, identifier_of, stated, whole


def read(pieces: Iterator[bytes], *, name: str) -> Iterator[Record]:
    """The records of a file; ids are their own, else the name and the number of the line."""
    try:
        lines, encoding = byte_lines(pieces)
    except UnreadableLines as error:
        yield broken(f"{name}#1", str(error))
        return
    for number, line in enumerate(lines, start=1):
        if line is None:
            yield broken(f"{name}#{number}", "too-large")
        elif line.strip():
            yield _record(line, default=f"{name}#{number}", encoding=encoding)


def _record(line: bytes, *, default: str, encoding: str) -> Record:
    try:
        decoded = Decoded(text=line.decode(), encoding="utf-8")
    except UnicodeDecodeError:
        decoded = decode(line)
    if not decoded.encoding:
        return broken(default, "not-text")
    try:
        fields = json.loads(decoded.text)
    except (ValueError, RecursionError):
        return broken(default, "not-json")
    if not isinstance(fields, dict):
        return broken(default, "not-json")
    identifier = identifier_of(fields.get("id"), default=default)
    for field in TEXT_FIELDS:
        text = fields.get(field)
        if isinstance(text, str):
            return whole(
                identifier,
                text,
                encoding=encoding or decoded.encoding,
                licence=stated(fields.get("licence") or fields.get("license")),
                url=stated(fields.get("url")),
            )
    return broken(identifier, "no-text")
