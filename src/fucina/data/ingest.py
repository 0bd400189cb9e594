"""First step: from source files to shards of normalised text."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from fucina.data.executors import Checkpoint, Executor
from fucina.data.normalize import normalize, normalize_batch
from fucina.data.readers import Record, read_records
from fucina.data.recipe import HtmlProfile, PrepareRecipe, SourceFile
from fucina.data.records import broken
from fucina.data.screen import licence_allowed
from fucina.data.shards import Scratch, column_of, join_texts, write_atomically, write_table
from fucina.data.sources import SourceMissing, digest_file
from fucina.errors import BadInput

SHARD_CHARACTERS = 4_000_000
SHARD_RECORDS = 20_000


class SourceChanged(BadInput):
    """A source is not the file that the recipe fixed."""

    code = "source_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A few megabytes of records of one source."""

    source: int
    """Index in the ordered sources."""
    number: int
    """Within the source."""
    path: Path
    num_records: int
    first_row: int
    """Its place among all records."""


def ordered_sources(recipe: PrepareRecipe) -> tuple[SourceFile, ...]:
    """The sources in the order that decides which of two duplicates stays, whatever their order in the recipe."""
    return tuple(sorted(recipe.sources, key=lambda source: (source.name, source.sha256)))


def locate(source: SourceFile, *, workdir: Path) -> Path:
    """Where a source lies.

    Raises SourceMissing.
    """
    path = workdir / source.path
    if not path.is_file():
        raise SourceMissing(
            f"The source {source.name} is gone.", hint="Put it back, or start a new run from the project file."
        )
    return path


def verify(source: SourceFile, *, workdir: Path) -> None:
    """Raises SourceChanged unless the file has the digest that the recipe fixed, SourceMissing if it is gone."""
    sha256, num_bytes = digest_file(locate(source, workdir=workdir))
    if sha256 != source.sha256:
        raise SourceChanged(
            f"{source.name} changed since the run was planned: SHA-256 {sha256[:12]}... ({num_bytes} bytes) "
            f"instead of {source.sha256[:12]}... ({source.num_bytes} bytes).",
            hint="Put the former file back, or start a new run from the project file.",
        )


def read_source(source: SourceFile, *, workdir: Path) -> Iterator[Record]:
    """Records of a source, their text normalised."""
    for record in read_records(locate(source, workdir=workdir), name=source.name):
        if record.text is not None:
            text = normalize(record.text)
            yield replace(record, text=text) if text else replace(record, text=None, encoding="", broken="empty")
        else:
            yield record


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSource:
    """The step: a source to shards; what was read to its end is not read again."""

    sources: tuple[SourceFile, ...]
    workdir: Path
    scratch: Scratch
    html: HtmlProfile = HtmlProfile.FAST
    licences: tuple[str, ...] = ()
    """To keep; empty keeps all."""
    replaying: bool = False
    """Whether a source that was read to its end is taken as read, without a look at its digest."""

    def __call__(self, index: int, checkpoint: Checkpoint) -> list[int]:
        """Read one source; returns the number of records of each shard."""
        source = self.sources[index]
        manifest = self.scratch.path("read", source.sha256, source.name, suffix=".json")
        if not (self.replaying and manifest.exists()):
            verify(source, workdir=self.workdir)
        if not manifest.exists():
            counts: list[int] = []
            records = self._records(source)
            for number, batch in enumerate(_batches(records, limit=SHARD_RECORDS)):
                checkpoint()
                path = shard_path(self.scratch, source, number)
                self.scratch.run(path, partial(_write_shard, batch, source.licence))
                counts.append(len(batch))
            write_atomically(manifest, partial(_write_json, counts), scratch=self.scratch.root)
        return list(json.loads(manifest.read_bytes()))

    def _records(self, source: SourceFile) -> Iterator[Record]:
        for record in read_records(locate(source, workdir=self.workdir), name=source.name, profile=self.html):
            if record.text is None or licence_allowed(record.licence or source.licence, allowed=self.licences):
                yield record
            else:
                yield broken(record.id, "licence")


def ingest(
    step: ReadSource, *, executor: Executor, checkpoint: Checkpoint, report: Callable[[int, int], None]
) -> list[Shard]:
    """Read every source into shards; `report` hears of records read and of their likely total.

    The total is an estimate from the share of bytes read until the last source is in.
    """
    sources = step.sources
    num_bytes_total = sum(source.num_bytes for source in sources) or 1
    num_bytes = num_records = 0

    def done(index: int, counts: list[int]) -> None:
        nonlocal num_bytes, num_records
        num_bytes += sources[index].num_bytes
        num_records += sum(counts)
        report(num_records, max(num_records, num_records * num_bytes_total // max(1, num_bytes)))

    counts = executor.map(step, range(len(sources)), checkpoint=checkpoint, done=done)
    shards: list[Shard] = []
    first_row = 0
    for index, source in enumerate(sources):
        for number, count in enumerate(counts[index]):
            path = shard_path(step.scratch, source, number)
            shards.append(Shard(source=index, number=number, path=path, num_records=count, first_row=first_row))
            first_row += count
    return shards


def shard_path(scratch: Scratch, source: SourceFile, number: int) -> Path:
    """Where the records of a shard lie."""
    return scratch.path("read", source.sha256, source.name, number)


def _write_shard(records: list[Record], licence: str, path: Path) -> None:
    normalized = normalize_batch([record.text or "" for record in records])
    broken = [
        record.broken or ("" if normal.text else "empty") for record, normal in zip(records, normalized, strict=True)
    ]
    kept = [not reason for reason in broken]
    encodings = [record.encoding if keep else "" for record, keep in zip(records, kept, strict=True)]
    shift_bounds = np.cumsum([0, *(normal.shifts.size for normal in normalized)], dtype=np.int64)
    shifts = np.concatenate([normal.shifts.reshape(-1) for normal in normalized])
    table = pa.table(
        {
            "id": pa.array([record.id for record in records], pa.string()),
            "text": column_of(join_texts([normal.text for normal in normalized])),
            "encoding": pa.array(encodings, pa.string()),
            "broken": pa.array(broken, pa.string()),
            "licence": pa.array([record.licence or licence for record in records], pa.string()),
            "url": pa.array([record.url for record in records], pa.string()),
            "shifts": pa.LargeListArray.from_arrays(shift_bounds, pa.array(shifts, pa.int32())),
        }
    )
    write_table(table, path)


def _write_json(value: object, path: Path) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _batches(records: Iterator[Record], *, limit: int) -> Iterator[list[Record]]:
    batch: list[Record] = []
    num_characters = 0
    for record in records:
        batch.append(record)
        num_characters += len(record.text or "")
        if num_characters >= SHARD_CHARACTERS or len(batch) >= limit:
            yield batch
            batch, num_characters = [], 0
    if batch:
        yield batch
