"""Finding documents by id or by a person's name in prepared tables, and writing the tables without them."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fucina.data.description import Share
from fucina.data.erasure import Done, Sought, Task
from fucina.data.tabular import BadTable
from fucina.errors import FactoryError

BATCH_ROWS = 4096
_PLAIN = re.compile(r"[^\W_]", re.UNICODE)


@dataclass(slots=True, kw_only=True)
class Removed:
    """What left the tables of one version."""

    ids: set[str] = field(default_factory=set)
    languages: dict[str, Counter[str]] = field(default_factory=dict)
    licences: dict[str, Counter[str]] = field(default_factory=dict)
    sources: dict[str, Counter[str]] = field(default_factory=dict)
    splits: dict[str, Counter[str]] = field(default_factory=dict)


def find(path: Path, sought: Sought) -> set[str]:
    """Ids of documents of a table that hold what is sought. Raises BadTable."""
    found: set[str] = set()
    for batch in _batches(path):
        hits = batch.filter(_hits(batch, sought))
        found.update(hits["id"].to_pylist())
    return found


def without(path: Path, target: Path, ids: set[str], *, split: str = "", removed: Removed | None = None) -> int:
    """Write a table without the rows of these ids, in row groups of the same kind; returns how many rows went.

    Raises BadTable.
    """
    wanted = pa.array(sorted(ids), pa.string())
    num_removed = 0
    schema = _schema(path)
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in _batches(path):
            gone = pc.is_in(batch["id"], value_set=wanted)
            if removed is not None:
                _count(removed, batch.filter(gone), split=split)
            kept = batch.filter(pc.invert(gone))
            num_removed += batch.num_rows - kept.num_rows
            if kept.num_rows:
                writer.write_table(kept)
    return num_removed


def _schema(path: Path) -> pa.Schema:
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise BadTable(f"{path.name} cannot be read as Parquet.", hint="Publish the version again.") from error
    if "id" not in schema.names:
        raise BadTable(f"{path.name} has no column `id`.", hint="Publish what `fucina data prepare` wrote.")
    return schema


def _batches(path: Path) -> Iterator[pa.Table]:
    schema = _schema(path)
    try:
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
            yield pa.Table.from_batches([batch], schema=schema)
    except (OSError, pa.ArrowException) as error:
        raise BadTable(f"{path.name} cannot be read as Parquet.", hint="Publish the version again.") from error


def _hits(batch: pa.Table, sought: Sought) -> pa.ChunkedArray:
    if sought.kind == "document":
        return pc.equal(batch["id"], sought.text)
    if "text" not in batch.column_names:
        return pa.chunked_array([pa.repeat(pa.scalar(False), batch.num_rows)])
    return pc.match_substring_regex(batch["text"], _pattern(sought.text), ignore_case=True)


def _pattern(text: str) -> str:
    """Whole words in any case, whatever white space stands between them."""
    words = ["".join(letter if _PLAIN.match(letter) else f"\\x{{{ord(letter):x}}}" for letter in word)
             for word in text.split()]  # fmt: skip
    return r"(^|[^\pL\pN])" + r"\s+".join(words) + r"($|[^\pL\pN])"


def _count(removed: Removed, rows: pa.Table, *, split: str) -> None:
    removed.ids.update(rows["id"].to_pylist())
    names = set(rows.column_names)
    characters = pc.utf8_length(rows["text"]).to_pylist() if "text" in names else [0] * rows.num_rows
    tokens = rows["num_tokens"].to_pylist() if "num_tokens" in names else [0] * rows.num_rows
    columns = {
        "languages": rows["language"].to_pylist() if "language" in names else [],
        "licences": rows["licence"].to_pylist() if "licence" in names else [],
        "sources": rows["source"].to_pylist() if "source" in names else [],
        "splits": [split] * rows.num_rows,
    }
    for place, (num_characters, num_tokens) in enumerate(zip(characters, tokens, strict=True)):
        for name, values in columns.items():
            if values:
                counts = getattr(removed, name).setdefault(values[place], Counter())
                counts.update(num_documents=1, num_characters=num_characters, num_tokens=num_tokens or 0)


def work(task: Task) -> Done:
    """Search the tables, or write them without some documents. Raises BadTable."""
    if task.sought is not None:
        found = [find(Path(table.path), task.sought) for table in task.tables]
        return Done(ids=frozenset().union(*found))
    removed = Removed()
    num_removed = tuple(
        without(
            Path(table.path),
            Path(table.target),
            set(task.ids),
            split=table.split,
            removed=removed if table.is_documents else None,
        )
        for table in task.tables
    )
    told = {
        name: {value: Share.model_validate(counts) for value, counts in getattr(removed, name).items()}
        for name in ("languages", "licences", "sources", "splits")
    }
    return Done(num_removed=num_removed, removed=told)


def main() -> int:
    """A task on standard input, what was done on standard output, or an error on standard error and exit status 2."""
    try:
        sys.stdout.write(work(Task.model_validate_json(sys.stdin.read())).model_dump_json())
    except FactoryError as error:
        sys.stderr.write(error.body().model_dump_json())
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
