"""Fifth step: token ids of each shard; and the files that the trainer maps into memory."""

import io
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fucina.data.encoder import Encoder
from fucina.data.shards import Scratch, Texts, read_table, write_atomically
from fucina.data.tokens import MIN_TRAINING_BYTES, TRAINING_BYTES_PER_TOKEN, load_tokenizer, token_type

TOKENS_PER_SHARD = 1 << 26

_HEADER_BYTES = 128
_encoders = threading.local()


def training_texts(paths: Sequence[Path], *, num_bytes: int, vocabulary_size: int) -> Iterator[str]:
    """Texts that the tokenizer learns from: all of the training split, or evenly spread documents of a large one.

    `num_bytes` is the size of all texts.
    """
    wanted = max(MIN_TRAINING_BYTES, TRAINING_BYTES_PER_TOKEN * vocabulary_size)
    stride = max(1, -(-num_bytes // wanted))
    number = 0
    for path in paths:
        table = read_table(path, columns=["text", "split"])
        rows = [row for row, split in enumerate(table["split"].to_pylist()) if split == 1]
        chosen = [row for place, row in enumerate(rows, start=number) if place % stride == 0]
        number += len(rows)
        yield from table["text"].take(pa.array(chosen, pa.int64())).to_pylist()


def encoder_of(path: Path) -> Encoder:
    """The encoder of this thread for a tokenizer file."""
    if getattr(_encoders, "path", None) != path:
        _encoders.encoder, _encoders.path = Encoder(load_tokenizer(path)), path
    encoder: Encoder = _encoders.encoder
    return encoder


def encode_shard(texts: Texts, *, tokenizer: Path) -> pa.Table:
    """One row per document: its token ids with the end of the document."""
    encoder = encoder_of(tokenizer)
    encoded = encoder.encode(texts.data, texts.offsets)
    ids = encoded.ids.astype(token_type(encoder.vocabulary_size))
    return pa.table({"tokens": pa.LargeListArray.from_arrays(encoded.bounds, pa.array(ids))})


class TokenShards:
    """Writes `SPLIT-00000.tokens.npy` and `SPLIT-00000.offsets.npy` as tokens come; a document never straddles two."""

    def __init__(self, out: Path, *, split: str, vocabulary_size: int, scratch: Scratch) -> None:
        self._out = out
        self._split = split
        self._type = np.dtype(token_type(vocabulary_size))
        self._scratch = scratch
        self._growing = scratch.root / f".{split}.tokens.growing"
        self._file: io.BufferedWriter | None = None
        self._lengths: list[NDArray[np.int64]] = []
        self._size = 0
        self._num_shards = 0

    def add(self, ids: NDArray[np.unsignedinteger], lengths: NDArray[np.int64]) -> None:
        """Append documents: their tokens one after the other, and how many each has."""
        ends = np.cumsum(lengths)
        first = begin = 0
        while first < lengths.size:
            room = TOKENS_PER_SHARD - self._size + begin
            last = int(np.searchsorted(ends, room, side="right"))
            if last == first and not self._size:
                last = first + 1
            if last > first:
                self._append(ids[begin : ends[last - 1]], lengths[first:last])
                first, begin = last, int(ends[last - 1])
            if first < lengths.size:
                self.flush()

    def _append(self, ids: NDArray[np.unsignedinteger], lengths: NDArray[np.int64]) -> None:
        if self._file is None:
            self._file = self._growing.open("wb")
            self._file.write(bytes(_HEADER_BYTES))
        self._file.write(ids.astype(self._type).tobytes())
        self._lengths.append(lengths)
        self._size += ids.size

    def flush(self) -> None:
        """Give what was written its name."""
        if self._file is None:
            return
        self._file.seek(0)
        self._file.write(_npy_header(self._size, self._type))
        self._file.close()
        name = f"{self._split}-{self._num_shards:05d}"
        write_atomically(self._out / f"{name}.tokens.npy", self._growing.replace, scratch=self._scratch.root)
        offsets = np.concatenate(([0], np.cumsum(np.concatenate(self._lengths)))).astype(np.int64)
        write_atomically(
            self._out / f"{name}.offsets.npy", lambda path: _save(offsets, path), scratch=self._scratch.root
        )
        self._file, self._lengths, self._size = None, [], 0
        self._num_shards += 1


def _npy_header(size: int, kind: np.dtype) -> bytes:
    """The beginning of an npy file of one dimension, always _HEADER_BYTES long."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind.str, "fortran_order": False, "shape": (size,)})
    header = buffer.getvalue()
    if len(header) != _HEADER_BYTES:
        raise AssertionError(f"an npy header of {len(header)} bytes")
    return header


def _save(values: NDArray[np.int64], path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=False)
