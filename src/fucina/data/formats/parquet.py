"""Parquet: a column `text` or `content`, row group by row group."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fucina.data import records
from fucina.data.encodings import decode
from fucina.data.records import TEXT_FIELDS, Record, broken, identifier_of, stated, whole
from fucina.data.streams import FREE_BYTES, MAX_EXPANSION, BrokenStream

_ROWS = 256
_COLUMNS = ("id", *TEXT_FIELDS, "licence", "license", "url")


def read(path: Path, *, name: str) -> Iterator[Record]:
    """The records of a file; a damaged one ends with a broken record.

    Raises BrokenStream when columns expand like a decompression bomb.
    """
    limit = FREE_BYTES + MAX_EXPANSION * path.stat().st_size
    num_bytes = 0
    number = 0
    try:
        with pq.ParquetFile(path, memory_map=False) as file:
            columns = [column for column in _COLUMNS if column in file.schema_arrow.names]
            if not set(columns) & set(TEXT_FIELDS):
                yield broken(f"{name}#1", "no-text")
                return
            for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
                num_bytes += batch.nbytes
                if num_bytes > limit:
                    raise BrokenStream("expands-too-much")
                for row in batch.to_pylist():
                    number += 1
                    yield _record(row, default=f"{name}#{number}")
    except (pa.ArrowException, UnicodeDecodeError):
        yield broken(f"{name}#{number + 1}", "corrupt-parquet")


def _record(row: dict[str, object], *, default: str) -> Record:
    identifier = identifier_of(row.get("id"), default=default)
    licence, url = stated(row.get("licence") or row.get("license")), stated(row.get("url"))
    for field in TEXT_FIELDS:
        value = row.get(field)
        if isinstance(value, bytes | str) and len(value) > records.MAX_RECORD_BYTES:
            return broken(identifier, "too-large")
        if isinstance(value, bytes):
            decoded = decode(value)
            if not decoded.encoding:
                return broken(identifier, "not-text")
            return whole(identifier, decoded.text, encoding=decoded.encoding, licence=licence, url=url)
        if isinstance(value, str):
            return whole(identifier, value, encoding="utf-8", licence=licence, url=url)
    return broken(identifier, "no-text")
