"""Third step, over all documents: duplicates, and who trains and who is held out."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fucina.data.duplicates import Verdict, judge_duplicates
from fucina.data.ingest import Shard
from fucina.data.judge import DIGEST_BYTES, EXACT_DUPLICATE, NEAR_DUPLICATE
from fucina.data.recipe import PrepareRecipe
from fucina.data.shards import read_table
from fucina.data.shingles import Hashes, banding, fold, shingles, words_of

TRAIN = "train"
VALIDATION = "validation"

_VERDICT_REASONS = {Verdict.UNIQUE: "", Verdict.EXACT: EXACT_DUPLICATE, Verdict.NEAR: NEAR_DUPLICATE}
_SHARDS_IN_MEMORY = 4


def decide(
    shards: list[Shard], judged: list[Path], *, recipe: PrepareRecipe, checkpoint: Callable[[], None]
) -> pa.Table:
    """One row per record of all shards: the final reason ("" for kept) and the split ("" for dropped)."""
    reasons = np.array(_column(judged, "reason").to_pylist(), object)
    standing = np.flatnonzero(reasons == "")
    if standing.size:
        verdicts = _duplicates(shards, judged, standing, recipe=recipe, checkpoint=checkpoint)
        reasons[standing] = [_VERDICT_REASONS[Verdict(verdict)] for verdict in verdicts]
    splits = np.full(reasons.size, "", object)
    kept = np.flatnonzero(reasons == "")
    splits[kept] = split(_identifiers(shards, kept), share=recipe.validation_share, seed=recipe.seed)
    return pa.table({"reason": pa.array(reasons, pa.string()), "split": pa.array(splits, pa.string())})


def hash64(*parts: object) -> int:
    """A number from any values, the same on every machine."""
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def split(identifiers: list[str], *, share: float, seed: int) -> list[str]:
    """Training or validation for each document, by the hash of its id; each side gets one where there are two."""
    values = [hash64("split", seed, identifier) for identifier in identifiers]
    chosen = [VALIDATION if value < share * 2**64 else TRAIN for value in values]
    if len(values) > 1:
        order = sorted(range(len(values)), key=lambda index: (values[index], index))
        chosen[order[0]] = VALIDATION
        chosen[order[-1]] = TRAIN
    return chosen


def _column(paths: list[Path], name: str) -> pa.ChunkedArray:
    """One column over all shards."""
    return pa.concat_tables([read_table(path, columns=[name]) for path in paths])[name]


def _identifiers(shards: list[Shard], kept: NDArray[np.intp]) -> list[str]:
    found: list[str] = []
    start = 0
    for shard in shards:
        rows = kept[(kept >= start) & (kept < start + shard.num_records)] - start
        start += shard.num_records
        if rows.size:
            found += read_table(shard.path, columns=["id"])["id"].take(pa.array(rows)).to_pylist()
    return found


def _duplicates(
    shards: list[Shard],
    judged: list[Path],
    standing: NDArray[np.intp],
    *,
    recipe: PrepareRecipe,
    checkpoint: Callable[[], None],
) -> NDArray[np.int8]:
    starts = np.cumsum([0, *(shard.num_records for shard in shards)])

    @lru_cache(maxsize=_SHARDS_IN_MEMORY)
    def texts(shard: int) -> pa.ChunkedArray:
        return read_table(shards[shard].path, columns=["text"])["text"]

    def shingles_of(index: int) -> Hashes:
        row = int(standing[index])
        shard = int(np.searchsorted(starts, row, side="right")) - 1
        return shingles(words_of(fold(texts(shard)[row - int(starts[shard])].as_py())).hashes)

    def band_columns(band: int) -> Hashes:
        return _column(judged, f"band{band}").to_numpy()[standing]

    raw = b"".join(_column(judged, "digest").to_pylist())
    digests = np.frombuffer(raw, np.dtype((np.void, DIGEST_BYTES)))[standing]
    return judge_duplicates(
        digests=digests,
        band_columns=band_columns,
        num_bands=banding(recipe.near_duplicate_threshold).num_bands,
        shingles_of=shingles_of,
        threshold=recipe.near_duplicate_threshold,
        checkpoint=checkpoint,
    )
