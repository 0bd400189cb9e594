"""Parquet files that grow row by row and come out the same, however the rows were handed over."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fucina.data.shards import Scratch, write_atomically

ROWS_PER_GROUP = 1 << 14
BYTES_PER_GROUP = 1 << 22


class GrowingTable:
    """Written in groups whose borders depend on the rows alone; gets its name when it is whole."""

    def __init__(self, path: Path, *, schema: pa.Schema, scratch: Scratch, sized_by: str = "") -> None:
        self._path = path
        self._schema = schema
        self._scratch = scratch
        self._sized_by = sized_by
        """A column of strings whose bytes also end a group."""
        self._temporary = scratch.root / f".{path.name}.growing"
        large = [field.name for field in schema if pa.types.is_large_string(field.type)]
        plain = [field.name for field in schema if field.name not in (*large, "id") and pa.types.is_string(field.type)]
        self._writer = pq.ParquetWriter(
            self._temporary, schema, compression="zstd", compression_level=1, use_dictionary=plain
        )
        self._waiting: list[pa.Table] = []
        self._num_rows = 0
        self._num_bytes = 0

    def add(self, table: pa.Table) -> None:
        """Append rows."""
        table = table.select(self._schema.names).cast(self._schema)
        while table.num_rows:
            count, whole = self._room(table)
            part = table.slice(0, count)
            self._waiting.append(part)
            self._num_rows += count
            if self._sized_by:
                self._num_bytes += pc.sum(pc.binary_length(part[self._sized_by])).as_py() or 0
            table = table.slice(count)
            if whole:
                self._write()

    def _room(self, table: pa.Table) -> tuple[int, bool]:
        """How many rows still belong to this group, and whether they end it."""
        count = ROWS_PER_GROUP - self._num_rows
        if self._sized_by:
            sizes = pc.binary_length(table[self._sized_by]).to_numpy()
            behind = self._num_bytes + np.cumsum(sizes)
            # The row that reaches the size is the last of its group.
            count = min(count, int(np.searchsorted(behind, BYTES_PER_GROUP, side="left")) + 1)
        return min(count, table.num_rows), count <= table.num_rows

    def _write(self) -> None:
        self._writer.write_table(pa.concat_tables(self._waiting).combine_chunks(), row_group_size=ROWS_PER_GROUP)
        self._waiting, self._num_rows, self._num_bytes = [], 0, 0

    def close(self) -> None:
        """Write what waits and give the file its name."""
        if self._waiting:
            self._write()
        self._writer.close()
        write_atomically(self._path, self._temporary.replace, scratch=self._scratch.root)
