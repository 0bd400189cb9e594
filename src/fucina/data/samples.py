"""Beginnings of prepared documents, masked, as a catalogue shows them."""

from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from fucina.data.redaction import sample_of

NUM_SAMPLES = 5


class Beginning(NamedTuple):
    """The masked beginning of a document."""

    language: str
    text: str


def beginnings(documents: Path, *, num: int = NUM_SAMPLES) -> tuple[Beginning, ...]:
    """The first documents of a table, as many of each language as there is room for; the same every time."""
    found: dict[str, list[str]] = {}
    for batch in pq.ParquetFile(documents).iter_batches(256, columns=["text", "language"]):
        for row in batch.to_pylist():
            texts = found.setdefault(row["language"], [])
            if len(texts) < num:
                texts.append(sample_of(row["text"]))
        if sum(map(len, found.values())) >= 8 * num:
            break
    turns = [
        Beginning(language, texts[turn])
        for turn in range(num)
        for language, texts in sorted(found.items())
        if turn < len(texts)
    ]
    return tuple(turns[:num])
