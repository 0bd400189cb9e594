"""Third step, over all documents: duplicates, and who trains and who is held out."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fucina.data.duplicates import candidates, join_near, same_bytes
from fucina.data.executors import Checkpoint, Executor
from fucina.data.hashing import hash64
from fucina.data.ingest import Shard
from fucina.data.judge import EXACT_DUPLICATE, NEAR_DUPLICATE
from fucina.data.recipe import PrepareRecipe, SourceFile
from fucina.data.runs import banding, shingles
from fucina.data.sampling import SAMPLED_OUT, sampled_out
from fucina.data.shards import Scratch, read_table, texts_of, write_atomically
from fucina.data.signatures import Signatures
from fucina.data.words import Hashes, count_words, word_sets

_SLACK = 0.01
"""Whoever measures similarity cuts words a little differently: apostrophes, hyphens, numbers."""

TRAIN = "train"
VALIDATION = "validation"


class Decisions(NamedTuple):
    """One entry for each record of all shards."""

    reasons: NDArray[np.int16]
    """Index in `names`."""
    splits: NDArray[np.int8]
    """0 dropped, 1 training, 2 validation."""
    clusters: NDArray[np.int32]
    """The first row of those alike."""
    names: tuple[str, ...]
    """Final reasons; the first is "" for kept."""

    def of(self, shard: Shard) -> "Decisions":
        """The entries of a shard."""
        rows = slice(shard.first_row, shard.first_row + shard.num_records)
        return Decisions(self.reasons[rows], self.splits[rows], self.clusters[rows], self.names)

    def reason_names(self) -> list[str]:
        """The final reason of each record, "" when it was kept."""
        return [self.names[number] for number in self.reasons.tolist()]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSets:
    """The step: exact shingle sets of a shard's candidates.

    The file: int64 count; int64 rows[count]; int64 bounds[count + 1]; uint64 sets.
    """

    shards: tuple[Shard, ...]
    marks: Path
    scratch: Scratch

    def __call__(self, index: int, _: Checkpoint) -> Path:
        """Write the sets of one shard."""
        shard = self.shards[index]
        return self.scratch.run(self.scratch.path("sets", shard.path.name, suffix=".bin"), partial(self._make, shard))

    def _make(self, shard: Shard, path: Path) -> None:
        marked = np.load(self.marks, mmap_mode="r", allow_pickle=False)
        rows = np.flatnonzero(marked[shard.first_row : shard.first_row + shard.num_records])
        texts = texts_of(read_table(shard.path, columns=["text"])["text"].take(pa.array(rows)))
        words = count_words(texts.data, texts.offsets, np.full(rows.size, -1, np.int64), word_sets([]))
        sets = [shingles(words.hashes[words.bounds[i] : words.bounds[i + 1]]) for i in range(rows.size)]
        with path.open("wb") as file:
            file.write(np.array([rows.size, *(rows + shard.first_row)], np.int64).tobytes())
            file.write(np.cumsum([0, *(each.size for each in sets)], dtype=np.int64).tobytes())
            for each in sets:
                file.write(each.tobytes())


class _Sets:
    """Reads one set at a time from the files of WriteSets."""

    def __init__(self, paths: list[Path]) -> None:
        self._files = [path.open("rb") for path in paths]
        rows, numbers, starts, sizes = [], [], [], []
        for number, file in enumerate(self._files):
            count = int(np.frombuffer(file.read(8), np.int64)[0])
            rows.append(np.frombuffer(file.read(8 * count), np.int64))
            bounds = np.frombuffer(file.read(8 * (count + 1)), np.int64)
            numbers.append(np.full(count, number, np.int32))
            starts.append(bounds[:-1] * 8 + 8 * (2 * count + 2))
            sizes.append(np.diff(bounds).astype(np.int32))
        self._rows, self._numbers = np.concatenate(rows), np.concatenate(numbers)
        self._starts, self._sizes = np.concatenate(starts), np.concatenate(sizes)

    def sizes(self, rows: NDArray[np.int32]) -> NDArray[np.int64]:
        """See ShingleSets."""
        return self._sizes[np.searchsorted(self._rows, rows)].astype(np.int64)

    def load(self, rows: NDArray[np.int32]) -> Hashes:
        """See ShingleSets."""
        places = np.searchsorted(self._rows, rows)
        files, starts, sizes = self._numbers[places], self._starts[places], 8 * self._sizes[places].astype(np.int64)
        parts = [
            os.pread(self._files[file].fileno(), size, start)
            for file, start, size in zip(files.tolist(), starts.tolist(), sizes.tolist(), strict=True)
        ]
        return np.frombuffer(b"".join(parts), np.uint64)

    def close(self) -> None:
        for file in self._files:
            file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """The whole step."""

    shards: tuple[Shard, ...]
    judged: tuple[Path, ...]
    signatures: tuple[Path, ...]
    sources: tuple[SourceFile, ...]
    recipe: PrepareRecipe
    scratch: Scratch
    executor: Executor
    checkpoint: Checkpoint

    def decide(self) -> Decisions:
        """Final reasons, clusters and splits; what was decided before an interruption is read back."""
        names: list[str] = [""]
        reasons = self._reasons(names)
        names += [EXACT_DUPLICATE, NEAR_DUPLICATE, SAMPLED_OUT]
        exact_number, near_number, sampled_number = range(len(names) - 3, len(names))
        path = self.scratch.path("decide", suffix=".npy")
        if not path.exists():
            first, exact = self._clusters(reasons.size)
            standing = reasons == 0
            later = standing & (first != np.arange(first.size))
            if self.recipe.drop_duplicates:
                reasons[later & exact], reasons[later & ~exact] = exact_number, near_number
            if self.recipe.sample:
                reasons[(reasons == 0) & self._sampled_out()] = sampled_number
            splits = self._splits(reasons == 0, first)
            table = np.stack([reasons.astype(np.int32), splits.astype(np.int32), first])
            write_atomically(path, partial(_save, table), scratch=self.scratch.root)
        found = np.load(path, allow_pickle=False)
        return Decisions(found[0].astype(np.int16), found[1].astype(np.int8), found[2], tuple(names))

    def _reasons(self, names: list[str]) -> NDArray[np.int16]:
        """Of the earlier steps, as numbers; fills `names`."""
        parts = []
        for path in self.judged:
            encoded = read_table(path, columns=["reason"])["reason"].combine_chunks().dictionary_encode()
            own = encoded.dictionary.to_pylist()
            names += [name for name in own if name not in names]
            parts.append(np.array([names.index(name) for name in own], np.int16)[encoded.indices.to_numpy()])
        return np.concatenate(parts) if parts else np.empty(0, np.int16)

    def _clusters(self, num_rows: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        files = [
            Signatures(path=path, first_row=shard.first_row)
            for path, shard in zip(self.signatures, self.shards, strict=True)
        ]
        num_bands = banding(self.recipe.near_duplicate_threshold).num_bands
        clusters = same_bytes(files, num_rows=num_rows, checkpoint=self.checkpoint)
        marks = self.scratch.path("marks", suffix=".npy")
        if not marks.exists():
            marked = candidates(files, clusters, num_bands=num_bands, checkpoint=self.checkpoint)
            write_atomically(marks, partial(_save, marked), scratch=self.scratch.root)
        write = WriteSets(shards=self.shards, marks=marks, scratch=self.scratch)
        paths = self.executor.map(
            write, range(len(self.shards)), checkpoint=self.checkpoint, done=lambda _index, _path: None
        )
        sets = _Sets(paths)
        try:
            join_near(
                files,
                clusters,
                num_bands=num_bands,
                sets=sets,
                threshold=alike_from(self.recipe.near_duplicate_threshold),
                checkpoint=self.checkpoint,
            )
        finally:
            sets.close()
        return clusters

    def _sampled_out(self) -> NDArray[np.bool_]:
        parts = []
        for shard, judged in zip(self.shards, self.judged, strict=True):
            self.checkpoint()
            table = read_table(shard.path, columns=["id", "licence"])
            parts.append(
                sampled_out(
                    table["id"].to_pylist(),
                    source=self.sources[shard.source].name,
                    licences=table["licence"].to_pylist(),
                    judged=read_table(judged),
                    rules=self.recipe.sample,
                    seed=self.recipe.seed,
                )
            )
        return np.concatenate(parts)

    def _splits(self, kept: NDArray[np.bool_], first: NDArray[np.int32]) -> NDArray[np.int8]:
        """1 for training, 2 for validation; documents that are alike are on one side."""
        values = np.zeros(kept.size, np.uint64)
        leading = np.zeros(kept.size, np.bool_)
        leading[first[kept]] = True
        for shard in self.shards:
            rows = np.flatnonzero(leading[shard.first_row : shard.first_row + shard.num_records])
            identifiers = read_table(shard.path, columns=["id"])["id"].take(pa.array(rows)).to_pylist()
            values[rows + shard.first_row] = [hash64("split", self.recipe.seed, name) for name in identifiers]
        sides = np.zeros(kept.size, np.int8)
        leaders = np.flatnonzero(leading)
        sides[leaders] = split(values[leaders], share=self.recipe.validation_share)
        return np.where(kept, sides[first], np.int8(0))


def alike_from(threshold: float) -> float:
    """Similarity from which two documents are taken for copies, given what the recipe asks for."""
    return threshold - _SLACK if threshold < 1 else threshold


def split(values: Hashes, *, share: float) -> NDArray[np.int8]:
    """1 for training or 2 for validation by the hash of each document; each side gets one where there are two."""
    sides = np.where(values < np.uint64(share * 2**64), 2, 1).astype(np.int8)
    if values.size > 1:
        order = np.argsort(values, kind="stable")
        sides[order[0]], sides[order[-1]] = 2, 1
    return sides


def _save(values: NDArray, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=False)
