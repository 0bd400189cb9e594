"""Token shards as an endless, shuffled stream of documents, cut into rows. Axes: B rows, T tokens.

The stream is a pure function of the seed and the position in it: pass after pass over all documents, each pass in an
order of its own. A row is a stretch of the stream; every position of the stream lies in exactly one row, so no token is
skipped or seen twice in a pass, whatever the row length, the number of ranks or the step from which a run goes on.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fucina.errors import BadInput

TOKENS_SUFFIX = ".tokens.npy"
OFFSETS_SUFFIX = ".offsets.npy"


class BadShard(BadInput):
    """A token shard is missing, cut short or not what it should be."""

    code = "bad_shard"


class Rows(NamedTuple):
    """Rows of the stream: what the model reads and what it must say next."""

    inputs_BT: NDArray[np.int64]
    """The token before each label in its document; the end-of-document token where a document begins."""
    labels_BT: NDArray[np.int64]
    positions_BT: NDArray[np.int64]
    """Places within the document, counted from where the document or the row begins."""


class TokenSplit:
    """The documents of one split over all of its shards, mapped into memory."""

    def __init__(self, folder: Path, split: str, *, vocabulary_size: int) -> None:
        """Raises BadShard."""
        self.name = split
        self._vocabulary_size = vocabulary_size
        self._shards: list[NDArray[np.integer]] = []
        begins, lengths, owners = [], [], []
        for number, path in enumerate(sorted(folder.glob(f"{split}-*{TOKENS_SUFFIX}"))):
            tokens, offsets = _read_shard(path)
            self._shards.append(tokens)
            begins.append(offsets[:-1])
            lengths.append(np.diff(offsets))
            owners.append(np.full(len(offsets) - 1, number, dtype=np.int64))
        self._begins = np.concatenate(begins) if begins else np.zeros(0, dtype=np.int64)
        self._lengths = np.concatenate(lengths) if lengths else np.zeros(0, dtype=np.int64)
        self._owners = np.concatenate(owners) if owners else np.zeros(0, dtype=np.int64)
        self.num_tokens = int(self._lengths.sum())
        self.num_documents = len(self._lengths)

    def document(self, index: int) -> NDArray[np.integer]:
        """The tokens of one document, as the shard holds them."""
        begin = self._begins[index]
        return self._shards[self._owners[index]][begin : begin + self._lengths[index]]

    def check(self, tokens: NDArray[np.integer]) -> None:
        """Raises BadShard when a token is not in the vocabulary."""
        if len(tokens) and int(tokens.max()) >= self._vocabulary_size:
            raise BadShard(
                f"The {self.name} split holds token {int(tokens.max())}; the tokenizer has {self._vocabulary_size}.",
                hint="Run the prepare stage again; tokens and tokenizer must come from the same run.",
            )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each document."""
        return self._lengths


class Stream:
    """A split read again and again, each pass in an order that only the seed and the pass decide."""

    def __init__(self, split: TokenSplit, *, seed: int, end_token: int, shuffled: bool = True) -> None:
        """Raises BadShard when there is nothing to read."""
        if split.num_tokens == 0:
            raise BadShard(
                f"The {split.name} split holds 0 tokens in {split.num_documents} documents.",
                hint="Give the prepare stage more documents, or loosen its filters.",
            )
        self._split = split
        self._seed = seed
        self._end_token = end_token
        self._shuffled = shuffled
        self._pass = -1
        self._order = np.zeros(0, dtype=np.int64)
        self._ends = np.zeros(0, dtype=np.int64)

    def rows(self, first: int, count: int, length: int) -> Rows:
        """`count` rows of `length` tokens, from row number `first` of the stream on.

        Raises BadShard.
        """
        inputs = np.full(count * length, self._end_token, dtype=np.int64)
        labels = np.empty(count * length, dtype=np.int64)
        positions = np.empty(count * length, dtype=np.int64)
        filled, at = 0, first * length
        while filled < count * length:
            document, inside = self._locate(at)
            # A stretch ends with the document or with the row, whichever comes first.
            size = min(len(document) - inside, length - filled % length)
            labels[filled : filled + size] = document[inside : inside + size]
            skip = 1 if inside == 0 else 0
            inputs[filled + skip : filled + size] = document[inside + skip - 1 : inside + size - 1]
            positions[filled : filled + size] = np.arange(size)
            filled, at = filled + size, at + size
        self._split.check(labels)
        shape = (count, length)
        return Rows(inputs.reshape(shape), labels.reshape(shape), positions.reshape(shape))

    def _locate(self, at: int) -> tuple[NDArray[np.integer], int]:
        """The document under a position of the stream, and the place in it."""
        number, inside = divmod(at, self._split.num_tokens)
        if number != self._pass:
            lengths = self._split.lengths
            self._order = (
                order_of(len(lengths), seed=self._seed, number=number) if self._shuffled else np.arange(len(lengths))
            )
            self._ends = np.cumsum(lengths[self._order])
            self._pass = number
        place = int(np.searchsorted(self._ends, inside, side="right"))
        index = int(self._order[place])
        return self._split.document(index), inside - int(self._ends[place] - self._split.lengths[index])


def order_of(count: int, *, seed: int, number: int) -> NDArray[np.int64]:
    """A shuffled order of `count` things for pass `number`: sorted by a hash (splitmix64), on every version alike."""
    with np.errstate(over="ignore"):
        start = np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(number) * np.uint64(
            0xD1B54A32D192ED03
        )
        x = start + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return np.argsort(x, kind="stable").astype(np.int64)


def _read_shard(path: Path) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    offsets_path = path.with_name(path.name.removesuffix(TOKENS_SUFFIX) + OFFSETS_SUFFIX)
    tokens, offsets = _map(path), _map(offsets_path)
    again = "Run the prepare stage again."
    if tokens.ndim != 1 or tokens.dtype not in (np.dtype(np.uint16), np.dtype(np.uint32)):
        raise BadShard(
            f"{path.name} holds {tokens.dtype} of shape {tokens.shape}; expected uint16 or uint32.", hint=again
        )
    if offsets.ndim != 1 or offsets.dtype != np.dtype(np.int64) or len(offsets) < 1:
        raise BadShard(
            f"{offsets_path.name} holds {offsets.dtype} of shape {offsets.shape}; expected int64, at least one.",
            hint=again,
        )
    if offsets[0] != 0 or offsets[-1] != len(tokens) or (np.diff(offsets) < 0).any():
        raise BadShard(
            f"{offsets_path.name} runs from {offsets[0]} to {offsets[-1]}; {path.name} holds {len(tokens)} tokens.",
            hint=f"One of the two was cut short or mixed up. {again}",
        )
    return tokens, np.array(offsets)


def _map(path: Path) -> NDArray[np.integer]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        size = f"{path.stat().st_size} bytes" if path.is_file() else "missing"
        reason = (error.strerror or "not readable") if isinstance(error, OSError) else error
        raise BadShard(
            f"{path.name} cannot be read ({size}): {reason}",
            hint="It was cut short or removed. Run the prepare stage again.",
        ) from error
