"""Files below `prepare`: a step is a pure function from a shard to files, named by what they were made from.

A file appears under its final name only when it is whole, so that a step that was killed is simply done again, and a
step that was done is never done twice. Two workers that do one step at once write the same file twice, to no harm.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Texts(NamedTuple):
    """Documents in one buffer, as kernels read them."""

    data: NDArray[np.uint8]
    """UTF-8."""
    offsets: NDArray[np.int64]
    """[documents + 1]"""

    def bytes_of(self, document: int) -> bytes:
        """One document."""
        return self.data[self.offsets[document] : self.offsets[document + 1]].tobytes()


def texts_of(column: pa.ChunkedArray | pa.Array) -> Texts:
    """The buffer behind a column of strings; nulls are empty."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not len(array):
        return Texts(np.frombuffer(b"", np.uint8), np.zeros(1, np.int64))
    array = array.cast(pa.large_string())
    _, offset_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer or b"", np.uint8)[offsets[0] : offsets[-1]]
    return Texts(data, offsets - offsets[0])


def join_texts(parts: list[bytes]) -> Texts:
    """Documents put behind each other."""
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return Texts(np.frombuffer(b"".join(parts), np.uint8), offsets)


def column_of(texts: Texts) -> pa.Array:
    """The column of strings behind a buffer of valid UTF-8."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(texts.offsets)), pa.py_buffer(np.ascontiguousarray(texts.data))]
    return pa.Array.from_buffers(pa.large_string(), texts.offsets.size - 1, buffers)


def digest_of(*parts: object) -> str:
    """A short name for anything that JSON can write."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def write_atomically(path: Path, make: Callable[[Path], object], *, scratch: Path) -> None:
    """Let `make` write a file elsewhere on the same file system, then give it its name in one move."""
    temporary = scratch / f".{digest_of(str(path))}-{os.getpid()}-{threading.get_ident()}.part"
    make(temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """The folder in which steps leave their files."""

    root: Path
    recipe_digest: str

    def path(self, step: str, *inputs: object, suffix: str = ".arrow") -> Path:
        """Where a step leaves what it makes from these inputs."""
        return self.root / f"{step}-{digest_of(self.recipe_digest, step, *inputs)}{suffix}"

    def run(self, path: Path, make: Callable[[Path], object]) -> Path:
        """The file at `path`, made now unless it is there already."""
        if not path.exists():
            write_atomically(path, make, scratch=self.root)
        return path

    def run_table(self, path: Path, make: Callable[[], pa.Table]) -> pa.Table:
        """The table at `path`, made now unless it is there already."""
        self.run(path, lambda temporary: write_table(make(), temporary))
        return read_table(path)


def write_table(table: pa.Table, path: Path) -> None:
    """An Arrow file, not compressed: the next step reads it in place."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())


def read_table(path: Path, *, columns: list[str] | None = None) -> pa.Table:
    """A table that a step left, mapped into memory."""
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    return table.select(columns) if columns else table
