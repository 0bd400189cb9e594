"""Fifth step: token ids of each shard; and the files that the trainer maps into memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tokenizers import Tokenizer

from fucina.data.decide import TRAIN
from fucina.data.shards import Scratch, read_table, write_atomically
from fucina.data.tokens import MAX_TRAINING_BYTES, encode, token_type

TOKENS_PER_SHARD = 1 << 26

_DOCUMENTS_PER_BATCH = 64


def training_texts(paths: Sequence[Path]) -> Iterator[str]:
    """Texts that the tokenizer learns from: all of the training split, or evenly spread documents of a large one."""
    stride = max(1, -(-sum(map(_text_bytes, paths)) // MAX_TRAINING_BYTES))
    number = 0
    for path in paths:
        table = read_table(path, columns=["text", "split"])
        for text, split in zip(table["text"].to_pylist(), table["split"].to_pylist(), strict=True):
            if split == TRAIN:
                if number % stride == 0:
                    yield text
                number += 1


def _text_bytes(path: Path) -> int:
    """Size of the texts of a shard, from the footer alone."""
    footer = pq.read_metadata(path)
    column = footer.schema.names.index("text")
    return sum(footer.row_group(group).column(column).total_uncompressed_size for group in range(footer.num_row_groups))


def encode_shard(texts: list[str], *, tokenizer: Tokenizer) -> pa.Table:
    """One row per document: its token ids with the end of the document."""
    ids: list[NDArray[np.uint32]] = []
    for start in range(0, len(texts), _DOCUMENTS_PER_BATCH):
        ids += encode(tokenizer, texts[start : start + _DOCUMENTS_PER_BATCH])
    offsets = np.cumsum([0, *(len(document) for document in ids)], dtype=np.int64)
    flat = np.concatenate(ids) if ids else np.empty(0, np.uint32)
    return pa.table({"tokens": pa.LargeListArray.from_arrays(offsets, pa.array(flat))})


class TokenShards:
    """Writes `SPLIT-00000.tokens.npy` and `SPLIT-00000.offsets.npy`; a document never straddles two shards."""

    def __init__(self, out: Path, *, split: str, vocabulary_size: int, scratch: Scratch) -> None:
        self._out = out
        self._split = split
        self._type = token_type(vocabulary_size)
        self._scratch = scratch
        self._parts: list[NDArray[np.unsignedinteger]] = []
        self._lengths: list[int] = []
        self._size = 0
        self._num_shards = 0

    def add(self, tokens: NDArray[np.uint32]) -> None:
        """Append one document."""
        if self._size and self._size + tokens.size > TOKENS_PER_SHARD:
            self.flush()
        self._parts.append(tokens.astype(self._type))
        self._lengths.append(tokens.size)
        self._size += tokens.size

    def flush(self) -> None:
        """Write what is left."""
        if not self._parts:
            return
        name = f"{self._split}-{self._num_shards:05d}"
        self._save(f"{name}.tokens.npy", np.concatenate(self._parts))
        self._save(f"{name}.offsets.npy", np.cumsum([0, *self._lengths], dtype=np.int64))
        self._parts, self._lengths, self._size = [], [], 0
        self._num_shards += 1

    def _save(self, name: str, values: NDArray[np.generic]) -> None:
        def make(path: Path) -> None:
            with path.open("wb") as file:
                np.save(file, values, allow_pickle=False)

        write_atomically(self._out / name, make, scratch=self._scratch.root)
