"""The engine below `prepare`: a step is a pure function from a shard to one file, named by what it was made from.

A file appears under its final name only when it is whole, so that a step that was killed is simply done again, and a
step that was done is never done twice.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def digest_of(*parts: object) -> str:
    """A short name for anything that JSON can write."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def write_atomically(path: Path, make: Callable[[Path], object], *, scratch: Path) -> None:
    """Let `make` write a file elsewhere on the same file system, then give it its name in one move."""
    temporary = scratch / f".{digest_of(str(path))}.part"
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

    def path(self, step: str, *inputs: object, suffix: str = ".parquet") -> Path:
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
    """Parquet with the settings that every file of the engine has."""
    pq.write_table(table, path, compression="zstd", compression_level=1, store_schema=True)


def read_table(path: Path, *, columns: list[str] | None = None) -> pa.Table:
    """A table that a step left."""
    return pq.read_table(path, columns=columns, memory_map=False)
