"""Tokens of many documents: kernels for tokenizers of the GPT-2 family, the `tokenizers` library for every other."""

import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from fucina.data import pieces
from fucina.data.characters import characters
from fucina.data.tokens import END_OF_DOCUMENT, end_token

_MAX_PIECES = 1 << 20
"""More are forgotten together, so that memory stays bounded."""
_FIRST_PIECES = 1 << 14
_BYTES_PER_PIECE = 12


class Encoded(NamedTuple):
    """Token ids of documents, each with its end of document, one after the other."""

    ids: NDArray[np.uint32]
    bounds: NDArray[np.int64]
    """[documents + 1]"""


class _Merges(NamedTuple):
    """What a byte-level BPE model has learned."""

    byte_ids: NDArray[np.uint32]
    pairs: NDArray[np.uint64]
    pair_slots: NDArray[np.int32]
    merged: NDArray[np.uint32]
    single_numbers: bool


class Encoder:
    """Encodes with one tokenizer; remembers pieces, so that one instance serves one thread."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
        self._end = tokenizer.token_to_id(end_token(tokenizer) or END_OF_DOCUMENT)
        self.vocabulary_size: int = tokenizer.get_vocab_size()
        self._merges = _read_merges(json.loads(tokenizer.to_str()))
        self._classes = pieces._class_table(characters().flags)
        self._forget()

    @property
    def by_kernel(self) -> bool:
        """Whether the kernels know this tokenizer."""
        return self._merges is not None

    def _forget(self) -> None:
        self._slots = np.zeros((4 * _FIRST_PIECES, 2), np.uint64)
        self._starts = np.zeros(_FIRST_PIECES + 1, np.int64)
        self._pool = np.empty(_FIRST_PIECES * _BYTES_PER_PIECE + pieces.LONGEST_PIECE, np.uint8)
        self._ids = np.empty(0, np.uint32)
        self._id_starts = np.zeros(1, np.int64)
        self._sizes = np.zeros(2, np.int64)
        self._num_merged = 0

    def encode(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Encoded:
        """Tokens of each UTF-8 text of a buffer; marks of the tokenizer inside a text are read as plain characters."""
        num_documents = offsets.size - 1
        if self._merges is None:
            return self._encode_slowly(data, offsets, np.ones(num_documents, np.bool_))
        if self._sizes[0] > _MAX_PIECES:
            self._forget()
        numbers = np.empty((data.size + 1) // 3 + 1024, np.int32)
        bounds = np.zeros(num_documents + 1, np.int64)
        odd = np.zeros(num_documents, np.bool_)
        first = 0
        while True:
            first = pieces._cut(
                data, offsets, first, self._classes, self._merges.single_numbers, self._slots,
                self._starts, self._pool, self._sizes, numbers, bounds, odd,
            )  # fmt: skip
            if first == num_documents:
                break
            if numbers.size - bounds[first] < offsets[first + 1] - offsets[first]:
                numbers = np.concatenate((numbers, np.empty_like(numbers)))
            self._grow()
        self._merge(self._merges)
        lengths = self._id_starts[1:] - self._id_starts[:-1]
        num_tokens = int(lengths[numbers[: bounds[-1]]].sum()) + num_documents
        out = np.empty(num_tokens, np.uint32)
        out_bounds = np.zeros(num_documents + 1, np.int64)
        pieces._write(numbers, bounds, self._ids, self._id_starts, self._end, odd, out, out_bounds)
        encoded = Encoded(out[: out_bounds[-1]], out_bounds)
        return _join(encoded, self._encode_slowly(data, offsets, odd), odd) if odd.any() else encoded

    def _grow(self) -> None:
        count = int(self._sizes[0])
        if 2 * count >= self._starts.size:
            self._starts = np.concatenate((self._starts, np.zeros(self._starts.size - 1, np.int64)))
            slots = np.zeros((4 * (self._starts.size - 1), 2), np.uint64)
            pieces._rehash(self._slots, slots)
            self._slots = slots
        self._pool = np.concatenate((self._pool, np.empty_like(self._pool)))

    def _merge(self, merges: _Merges) -> None:
        """Tokens of the pieces that were met for the first time."""
        count = int(self._sizes[0])
        if count == self._num_merged:
            return
        ids = np.empty(int(self._starts[count]), np.uint32)
        ids[: self._id_starts[-1]] = self._ids[: self._id_starts[-1]]
        starts = np.zeros(count + 1, np.int64)
        starts[: self._id_starts.size] = self._id_starts
        pieces._merge(
            self._num_merged, count, self._starts, self._pool, merges.byte_ids, merges.pairs, merges.pair_slots,
            merges.merged, ids, starts,
        )  # fmt: skip
        self._ids, self._id_starts, self._num_merged = ids, starts, count

    def _encode_slowly(self, data: NDArray[np.uint8], offsets: NDArray[np.int64], odd: NDArray[np.bool_]) -> Encoded:
        """The same by the library, of the documents marked."""
        chosen = np.flatnonzero(odd).tolist()
        texts = [data[offsets[index] : offsets[index + 1]].tobytes().decode() for index in chosen]
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        lists = [np.array([*encoding.ids, self._end], np.uint32) for encoding in encodings]
        lengths = np.zeros(odd.size + 1, np.int64)
        lengths[np.array(chosen, np.int64) + 1] = [ids.size for ids in lists]
        return Encoded(np.concatenate(lists) if lists else np.empty(0, np.uint32), np.cumsum(lengths))


def _join(left: Encoded, right: Encoded, odd: NDArray[np.bool_]) -> Encoded:
    """Two encodings of which each has the documents that the other lacks."""
    lengths = np.diff(left.bounds) + np.diff(right.bounds)
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    out = np.empty(int(bounds[-1]), np.uint32)
    for document, is_odd in enumerate(odd.tolist()):
        source = right if is_odd else left
        out[bounds[document] : bounds[document + 1]] = source.ids[source.bounds[document] : source.bounds[document + 1]]
    return Encoded(out, bounds)


def _read_merges(content: dict[str, Any]) -> _Merges | None:
    """The model of a `tokenizer.json`, when it is one that the kernels follow exactly."""
    model = content["model"]
    single_numbers = _cuts_as_gpt2(content.get("pre_tokenizer"))
    plain = (
        model.get("type") == "BPE"
        and not any(model.get(key) for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"))
        and not model.get("ignore_merges")
        and not content.get("normalizer")
        and all(token["special"] for token in content.get("added_tokens", ()))
    )
    vocabulary: dict[str, int] = model.get("vocab", {}) if plain else {}
    alphabet = [_byte_character(byte) for byte in range(256)]
    if single_numbers is None or not plain or not all(character in vocabulary for character in alphabet):
        return None
    merges = [tuple(merge.split(" ", 1)) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]
    pairs = [vocabulary[left] << 32 | vocabulary[right] for left, right in merges]
    slots = np.full(1 << max(4, (4 * len(pairs)).bit_length()), -1, np.int32)
    pieces._pair_slots(np.array(pairs, np.uint64), slots)
    return _Merges(
        byte_ids=np.array([vocabulary[character] for character in alphabet], np.uint32),
        pairs=np.array(pairs, np.uint64),
        pair_slots=slots,
        merged=np.array([vocabulary[left + right] for left, right in merges], np.uint32),
        single_numbers=single_numbers,
    )


def _cuts_as_gpt2(pre_tokenizer: dict[str, Any] | None) -> bool | None:
    """Whether numbers stand alone in the cutting that the kernels know; None for any other cutting."""
    parts = (pre_tokenizer or {}).get("pretokenizers", [pre_tokenizer] if pre_tokenizer else [])
    if not parts or parts[-1].get("type") != "ByteLevel" or len(parts) > 2:
        return None
    if parts[-1].get("add_prefix_space") or not parts[-1].get("use_regex", True):
        return None
    if len(parts) == 1:
        return False
    return True if parts[0] == {"type": "Digits", "individual_digits": True} else None


def _byte_character(byte: int) -> str:
    """The letter that byte-level BPE writes for a byte: itself where it can be seen, else one from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    if byte in seen:
        return chr(byte)
    return chr(256 + [other for other in range(256) if other not in seen].index(byte))
