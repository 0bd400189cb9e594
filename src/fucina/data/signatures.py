"""What a shard tells about duplicates, in one file from which any band can be read alone.

int64 count; uint64 digests[count, 2]; uint32 rows[count]; uint64 bands[bands, count].
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from fucina.data.words import Hashes

DIGEST_BYTES = 16
_HEADER_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """The file of one shard."""

    path: Path
    first_row: int
    """Of the shard, in the whole set."""

    def count(self) -> int:
        """Documents in it."""
        with self.path.open("rb") as file:
            return int(np.frombuffer(file.read(_HEADER_BYTES), np.int64)[0])

    def rows(self) -> NDArray[np.int64]:
        """Of each document, in the whole set."""
        with self.path.open("rb") as file:
            count = int(np.frombuffer(file.read(_HEADER_BYTES), np.int64)[0])
            file.seek(_HEADER_BYTES + DIGEST_BYTES * count)
            return _read(file, np.dtype(np.uint32), count).astype(np.int64) + self.first_row

    def digests(self) -> Hashes:
        """[documents, 2]"""
        with self.path.open("rb") as file:
            count = int(np.frombuffer(file.read(_HEADER_BYTES), np.int64)[0])
            return _read(file, np.dtype(np.uint64), 2 * count).reshape(count, 2)

    def band(self, number: int) -> Hashes:
        """One band of each document."""
        with self.path.open("rb") as file:
            count = int(np.frombuffer(file.read(_HEADER_BYTES), np.int64)[0])
            file.seek(_HEADER_BYTES + count * (DIGEST_BYTES + 4 + 8 * number))
            return _read(file, np.dtype(np.uint64), count)


def _read(file: BinaryIO, kind: np.dtype, count: int) -> NDArray:
    return np.frombuffer(file.read(kind.itemsize * count), kind)


def write_signatures(path: Path, *, rows: NDArray[np.int64], digests: bytes, bands: Hashes) -> None:
    """`rows` within the shard, ascending; `digests` of DIGEST_BYTES each; `bands` [documents, bands]."""
    with path.open("wb") as file:
        file.write(np.array([rows.size], np.int64).tobytes())
        file.write(digests)
        file.write(rows.astype(np.uint32).tobytes())
        file.write(np.ascontiguousarray(bands.T).tobytes())
