"""Records from files: one function for each format; a broken record carries its reason and stops nothing."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from resiliparse.extract.html2text import extract_plain_text

from fucina.data.encodings import Decoded, decode
from fucina.data.sources import format_of
from fucina.data.streams import FREE_BYTES, MAX_EXPANSION, BrokenStream, read_lines, read_pieces

MAX_RECORD_BYTES = 64 << 20
"""A larger line or file is set aside unread."""

TEXT_FIELDS = ("text", "content")

BROKEN: dict[str, str] = {
    "not-json": "the line is not a JSON object",
    "no-text": "there is no `text` or `content` field with a string",
    "empty": "the text is empty",
    "not-text": "the bytes are binary, not text",
    "too-large": "the record has more than 64 MiB",
    "nested-too-deep": "the HTML has more than 1,000 elements inside each other",
    "truncated": "the compressed file ends too early",
    "corrupt-compression": "the compressed file is damaged",
    "expands-too-much": "the compressed file expands like a decompression bomb",
    "corrupt-parquet": "the Parquet file is damaged",
    "unreadable": "the operating system refused to read the file",
}
"""Every reason for a broken record."""

_FRONT_MATTER = re.compile(r"\A---\n.{0,20000}?\n(?:---|\.\.\.)\n", re.DOTALL)
_PARQUET_ROWS = 256

# Elements that stay open until they are closed; paragraphs, list items and cells close themselves.
_CONTAINER = re.compile(
    r"<(/?)(?:a|article|aside|b|big|blockquote|center|code|details|div|dl|em|fieldset|figure|font|footer|form|header|i|main"
    r"|nav|ol|section|small|span|strong|sub|sup|table|tt|u|ul)\b",
    re.IGNORECASE,
)
_MAX_NESTING = 1000
"""The parser's time grows with the square of the depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record; `text` is None when it is broken."""

    id: str
    text: str | None
    encoding: str = ""
    broken: str = ""


def read_records(path: Path, *, name: str) -> Iterator[Record]:
    """Records of one source file in their order; ids are the record's own, else the source's name and the position."""
    reader, compression = format_of(name)
    try:
        if reader == "parquet":
            yield from _parquet(path, name=name)
        elif reader == "jsonl":
            yield from _json_lines(path, name=name, compression=compression)
        else:
            yield _whole_file(path, name=name, reader=reader, compression=compression)
    except BrokenStream as error:
        yield Record(id=f"{name}#end", text=None, broken=str(error))
    except OSError:
        yield Record(id=f"{name}#end", text=None, broken="unreadable")


def _identifier(value: object, *, default: str) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()[:500].encode("utf-8", "replace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return default


def _json_lines(path: Path, *, name: str, compression: str) -> Iterator[Record]:
    """Lines are told apart in UTF-8 and its relatives; a UTF-16 file is read whole first."""
    pieces = read_pieces(path, compression=compression)
    first = next(pieces, b"")
    if first[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in first[:64]:
        record = _collect(_chain(first, pieces))
        decoded = decode(record) if record is not None else None
        if decoded is None or not decoded.encoding:
            yield Record(id=f"{name}#1", text=None, broken="too-large" if record is None else "not-text")
            return
        lines: Iterator[bytes | None] = (line.encode("utf-8", "replace") for line in decoded.text.split("\n"))
        encoding = decoded.encoding
    else:
        lines = read_lines(_chain(first.removeprefix(b"\xef\xbb\xbf"), pieces), max_bytes=MAX_RECORD_BYTES)
        encoding = ""
    for number, line in enumerate(lines, start=1):
        if line is None:
            yield Record(id=f"{name}#{number}", text=None, broken="too-large")
        elif line.strip():
            yield _json_record(line, default=f"{name}#{number}", encoding=encoding)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _collect(pieces: Iterator[bytes]) -> bytes | None:
    """The whole file, or None when it is larger than a record may be."""
    parts, num_bytes = [], 0
    for piece in pieces:
        num_bytes += len(piece)
        if num_bytes > MAX_RECORD_BYTES:
            return None
        parts.append(piece)
    return b"".join(parts)


def _json_record(line: bytes, *, default: str, encoding: str) -> Record:
    try:
        decoded = Decoded(text=line.decode(), encoding="utf-8")
    except UnicodeDecodeError:
        decoded = decode(line)
    if not decoded.encoding:
        return Record(id=default, text=None, broken="not-text")
    try:
        record = json.loads(decoded.text)
    except (ValueError, RecursionError):
        return Record(id=default, text=None, broken="not-json")
    if not isinstance(record, dict):
        return Record(id=default, text=None, broken="not-json")
    identifier = _identifier(record.get("id"), default=default)
    for field in TEXT_FIELDS:
        text = record.get(field)
        if isinstance(text, str):
            return _record(identifier, text, encoding=encoding or decoded.encoding)
    return Record(id=identifier, text=None, broken="no-text")


def _record(identifier: str, text: str, *, encoding: str) -> Record:
    if not text.strip():
        return Record(id=identifier, text=None, broken="empty")
    return Record(id=identifier, text=text, encoding=encoding)


def _parquet(path: Path, *, name: str) -> Iterator[Record]:
    limit = FREE_BYTES + MAX_EXPANSION * path.stat().st_size
    num_bytes = 0
    number = 0
    try:
        with pq.ParquetFile(path, memory_map=False) as file:
            columns = [column for column in ("id", *TEXT_FIELDS) if column in file.schema_arrow.names]
            if not set(columns) & set(TEXT_FIELDS):
                yield Record(id=f"{name}#1", text=None, broken="no-text")
                return
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS, columns=columns):
                num_bytes += batch.nbytes
                if num_bytes > limit:
                    raise BrokenStream("expands-too-much")
                for row in batch.to_pylist():
                    number += 1
                    yield _parquet_record(row, default=f"{name}#{number}")
    except (pa.ArrowException, UnicodeDecodeError):
        yield Record(id=f"{name}#{number + 1}", text=None, broken="corrupt-parquet")


def _parquet_record(row: dict[str, object], *, default: str) -> Record:
    identifier = _identifier(row.get("id"), default=default)
    for field in TEXT_FIELDS:
        value = row.get(field)
        if isinstance(value, bytes) and len(value) <= MAX_RECORD_BYTES:
            decoded = decode(value)
            if not decoded.encoding:
                return Record(id=identifier, text=None, broken="not-text")
            return _record(identifier, decoded.text, encoding=decoded.encoding)
        if isinstance(value, str):
            if len(value) > MAX_RECORD_BYTES:
                return Record(id=identifier, text=None, broken="too-large")
            return _record(identifier, value, encoding="utf-8")
    return Record(id=identifier, text=None, broken="no-text")


def _whole_file(path: Path, *, name: str, reader: str, compression: str) -> Record:
    data = _collect(read_pieces(path, compression=compression))
    if data is None:
        return Record(id=name, text=None, broken="too-large")
    if not data.strip():
        return Record(id=name, text=None, broken="empty")
    decoded = decode(data, html=reader == "html")
    if not decoded.encoding:
        return Record(id=name, text=None, broken="not-text")
    if reader == "html" and _nests_too_deep(decoded.text):
        return Record(id=name, text=None, broken="nested-too-deep")
    text = _html_text(decoded.text) if reader == "html" else decoded.text
    if reader == "markdown":
        text = _FRONT_MATTER.sub("", text.replace("\r\n", "\n"))
    return _record(name, text, encoding=decoded.encoding)


def _nests_too_deep(html: str) -> bool:
    depth = 0
    for match in _CONTAINER.finditer(html):
        depth = max(0, depth - 1) if match.group(1) else depth + 1
        if depth > _MAX_NESTING:
            return True
    return False


def _html_text(html: str) -> str:
    """The main content of a page; all its text where the heuristics see no main content."""
    text: str = extract_plain_text(html, main_content=True, alt_texts=False)
    if not text.strip():
        text = extract_plain_text(html, main_content=False, alt_texts=False)
    return text
