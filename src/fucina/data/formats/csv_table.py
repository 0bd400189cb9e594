"""CSV and its relatives: a header that names `text` or `content`, then one record a row."""

import csv
from collections.abc import Iterator

from fucina.data import records
from fucina.data.encodings import decode
from fucina.data.formats.lines import UnreadableLines, byte_lines
from fucina.data.records import TEXT_FIELDS, Record, broken, identifier_of, whole

_DELIMITERS = ",;\t|"


class _Lines:
    """Decoded lines for the reader of rows; lines that are too large or no text are left out and remembered."""

    def __init__(self, lines: Iterator[bytes | None], *, encoding: str) -> None:
        self._lines = lines
        self.encoding = encoding
        self.lost: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            if line is None:
                self.lost.append("too-large")
                continue
            decoded = decode(line) if line else None
            if decoded is not None and not decoded.encoding:
                self.lost.append("not-text")
                continue
            if decoded is not None:
                self.encoding = self.encoding or decoded.encoding
            yield decoded.text + "\n" if decoded is not None else "\n"


def read(pieces: Iterator[bytes], *, name: str) -> Iterator[Record]:
    """The records of a table; the delimiter is the one that the header has most of."""
    try:
        lines, encoding = byte_lines(pieces)
    except UnreadableLines as error:
        yield broken(f"{name}#1", str(error))
        return
    source = _Lines(lines, encoding=encoding)
    texts = iter(source)
    header = next((line for line in texts if line.strip()), "")
    if not header:
        yield from (broken(f"{name}#1", reason) for reason in source.lost)
        return
    delimiter = max(_DELIMITERS, key=header.count)
    names = [cell.strip().lower() for cell in next(csv.reader([header], delimiter=delimiter))]
    text_column = next((names.index(field) for field in TEXT_FIELDS if field in names), None)
    if text_column is None:
        yield broken(f"{name}#1", "no-text")
        return
    number = 1
    for row in _rows(texts, delimiter=delimiter):
        number += 1
        for reason in source.lost:
            yield broken(f"{name}#{number}", reason)
            number += 1
        source.lost.clear()
        yield _record(
            row, names=names, text_column=text_column, default=f"{name}#{number}", encoding=source.encoding or "utf-8"
        )
    yield from (broken(f"{name}#{number + place}", reason) for place, reason in enumerate(source.lost, start=1))


def _rows(texts: Iterator[str], *, delimiter: str) -> Iterator[list[str] | None]:
    """Rows that are not blank; None stands for one that breaks the rules, after which reading goes on."""
    # The limit is the interpreter's; a quotation mark that nobody closes must not gather the rest of the file.
    csv.field_size_limit(records.MAX_RECORD_BYTES)
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None
            continue
        if row:
            yield row


def _record(row: list[str] | None, *, names: list[str], text_column: int, default: str, encoding: str) -> Record:
    if row is None:
        return broken(default, "not-csv")
    if len(row) != len(names):
        return broken(default, "wrong-columns")
    cells = dict(zip(names, row, strict=True))
    return whole(
        identifier_of(cells.get("id"), default=default),
        row[text_column],
        encoding=encoding,
        licence=(cells.get("licence") or cells.get("license") or "").strip()[:500],
        url=cells.get("url", "").strip()[:500],
    )
