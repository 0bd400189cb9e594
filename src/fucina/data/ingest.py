"""First step: from source files to shards of normalised text."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from fucina.compute.record import Progress
from fucina.data.normalize import normalize
from fucina.data.readers import Record, read_records
from fucina.data.recipe import PrepareRecipe, SourceFile
from fucina.data.shards import Scratch, write_atomically, write_table
from fucina.data.sources import SourceMissing, digest_file
from fucina.errors import BadInput

SHARD_CHARACTERS = 4_000_000
SHARD_RECORDS = 20_000

_SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string()), ("encoding", pa.string()), ("broken", pa.string())])


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
        if record.text is None:
            yield record
            continue
        text = normalize(record.text)
        if text:
            yield Record(id=record.id, text=text, encoding=record.encoding)
        else:
            yield Record(id=record.id, text=None, broken="empty")


def ingest(
    sources: tuple[SourceFile, ...], *, workdir: Path, scratch: Scratch, progress: Progress, message: str
) -> list[Shard]:
    """Read every source into shards; a source that was read to its end is not read again.

    The total is an estimate from the share of bytes read until the last source is in.
    """
    shards: list[Shard] = []
    num_bytes_total = sum(source.num_bytes for source in sources) or 1
    num_bytes = num_records = 0
    for index, source in enumerate(sources):
        progress.raise_if_stopping()
        verify(source, workdir=workdir)
        manifest = scratch.path("read", source.sha256, source.name, suffix=".json")
        if not manifest.exists():
            _read_to_shards(source, workdir=workdir, scratch=scratch, progress=progress, manifest=manifest)
        counts: list[int] = json.loads(manifest.read_bytes())
        shards += [
            Shard(source=index, number=number, path=_shard_path(scratch, source, number), num_records=count)
            for number, count in enumerate(counts)
        ]
        num_bytes += source.num_bytes
        num_records += sum(counts)
        total = max(num_records, num_records * num_bytes_total // max(1, num_bytes))
        progress.report(done=num_records, total=total, unit="documents", message=message)
    return shards


def _shard_path(scratch: Scratch, source: SourceFile, number: int) -> Path:
    return scratch.path("read", source.sha256, source.name, number)


def _read_to_shards(source: SourceFile, *, workdir: Path, scratch: Scratch, progress: Progress, manifest: Path) -> None:
    counts: list[int] = []
    for number, records in enumerate(_batches(read_source(source, workdir=workdir))):
        progress.raise_if_stopping()
        scratch.run(_shard_path(scratch, source, number), partial(_write_shard, records))
        counts.append(len(records))
    write_atomically(manifest, partial(_write_json, counts), scratch=scratch.root)


def _write_shard(records: list[Record], path: Path) -> None:
    write_table(_table(records), path)


def _write_json(value: object, path: Path) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    num_characters = 0
    for record in records:
        batch.append(record)
        num_characters += len(record.text or "")
        if num_characters >= SHARD_CHARACTERS or len(batch) >= SHARD_RECORDS:
            yield batch
            batch, num_characters = [], 0
    if batch:
        yield batch


def _table(records: list[Record]) -> pa.Table:
    return pa.table(
        {
            "id": [record.id for record in records],
            "text": [record.text for record in records],
            "encoding": [record.encoding for record in records],
            "broken": [record.broken for record in records],
        },
        schema=_SCHEMA,
    )
