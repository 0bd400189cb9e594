"""What a file in Parquet says about itself: its columns and how many rows it has."""

from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from fucina.data.description import Column, FileInfo, Sha256
from fucina.errors import BadInput

PARQUET = "application/vnd.apache.parquet"
_MEANINGS = {
    "id": "Identifier of the document in its source.",
    "text": "Text of the document, after normalisation and redaction.",
    "language": "ISO 639-1 code that was identified.",
    "source": "File that the document was read from.",
    "licence": "Licence under which the document was supplied.",
    "num_tokens": "Tokens, the end of the document included.",
}


class BadTable(BadInput):
    """A file that should be Parquet is not."""

    code = "bad_table"


def table_info(path: Path, *, name: str, sha256: Sha256, licence: str = "") -> FileInfo:
    """A Parquet file as the description has it. Raises BadTable."""
    try:
        found = pq.ParquetFile(path)
        schema, num_rows = found.schema_arrow, found.metadata.num_rows
    except (OSError, pa.ArrowException) as error:
        raise BadTable(f"{name} cannot be read as Parquet.", hint="Run the prepare stage again.") from error
    columns = tuple(
        Column(name=each.name, type=_type(each.type), description=_MEANINGS.get(each.name, "")) for each in schema
    )
    return FileInfo(
        path=name,
        sha256=sha256,
        num_bytes=path.stat().st_size,
        media_type=PARQUET,
        num_rows=num_rows,
        columns=columns,
        licence=licence,
    )


def _type(kind: pa.DataType) -> Literal["text", "integer", "number", "boolean"]:
    if kinds.is_integer(kind):
        return "integer"
    if kinds.is_floating(kind):
        return "number"
    return "boolean" if kinds.is_boolean(kind) else "text"
