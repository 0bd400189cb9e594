"""Finding documents by id or by a person's name in prepared tables, and writing the tables without them."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fucina.data.description import Curation, Share
from fucina.data.tabular import BadTable

BATCH_ROWS = 4096
ERASED = "erased-on-request"
"""The reason under which erased documents are counted."""
_PLAIN = re.compile(r"[^\W_]", re.UNICODE)


class Sought(NamedTuple):
    """What is looked for: a document's id, or words of its text."""

    kind: Literal["document", "person"]
    text: str


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


def curation_without(found: Curation, removed: Removed) -> Curation:
    """The numbers of a version after documents left it; what is not told by document stays."""
    num = sum(counts["num_documents"] for counts in removed.splits.values())
    parts = {
        name: {key: _less(share, getattr(removed, name).get(key)) for key, share in getattr(found, name).items()}
        for name in ("languages", "licences", "sources")
    }
    return found.model_copy(
        update={
            "num_documents": found.num_documents - num,
            "drops": {**found.drops, ERASED: found.drops.get(ERASED, 0) + num},
            "train": _less(found.train, removed.splits.get("train")),
            "validation": _less(found.validation, removed.splits.get("validation")),
            **{
                name: {key: share for key, share in shares.items() if share.num_documents}
                for name, shares in parts.items()
            },
        }
    )


def sha256_of(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _less(share: Share, counts: Counter[str] | None) -> Share:
    if not counts:
        return share
    return Share.model_validate({name: max(0, value - counts[name]) for name, value in share.model_dump().items()})


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
