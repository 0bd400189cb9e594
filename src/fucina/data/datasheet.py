"""The datasheet of prepared data: what was dropped and redacted, what is in it, and how far it moved from a version
before.

Everything is read from what `prepare` left. Samples are of text that was redacted before it was written.
"""

import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from fucina.data.card import DECISIONS_FILE, DatasetCard
from fucina.data.decide import TRAIN, VALIDATION
from fucina.data.inspect import Difference, Funnel, card_of, diff, funnel
from fucina.data.recipe import PersonalData

SAMPLES_PER_KIND = 3
_AROUND_CHARACTERS = 70
_LENGTHS = (0, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000)
_SIZES = (1, 2, 3, 4, 6, 11, 101)
_MARK = re.compile(rf"\[(?P<kind>{'|'.join(kind.value.upper() for kind in PersonalData)})(?:_[a-z]+)?\]")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bar(_Part):
    """One value of a distribution."""

    name: str
    num_documents: int
    num_characters: int


class Distribution(_Part):
    """Kept documents by one property."""

    name: str
    bars: tuple[Bar, ...]


class Drift(_Part):
    """How far one distribution moved between two versions."""

    name: str
    distance: float
    """Total variation: the share of documents that would have to change their value, between 0 and 1."""
    most: str
    """The value whose share changed most."""
    before: float
    """Its share of documents; likewise `after`."""
    after: float


class Comparison(_Part):
    """An earlier version beside this one."""

    drifts: tuple[Drift, ...]
    difference: Difference


class Datasheet(_Part):
    """`datasheet.json`."""

    card: DatasetCard
    funnel: Funnel
    distributions: tuple[Distribution, ...]
    redacted_samples: dict[str, tuple[str, ...]]
    """By kind, text around what was redacted."""
    comparison: Comparison | None = None


def make_datasheet(out: Path, *, before: Path | None = None) -> Datasheet:
    """The datasheet of a prepared folder, with the drift from an earlier version where one is given.

    Raises NotPrepared.
    """
    card = card_of(out)
    distributions = _distributions(out)
    comparison = None
    if before is not None:
        card_of(before)
        former = {each.name: each for each in _distributions(before)}
        drifts = tuple(_drift(former[each.name], each) for each in distributions)
        comparison = Comparison(drifts=drifts, difference=diff(before, out))
    return Datasheet(
        card=card,
        funnel=funnel(out),
        distributions=distributions,
        redacted_samples=_redacted_samples(out),
        comparison=comparison,
    )


def _distributions(out: Path) -> tuple[Distribution, ...]:
    columns = ["kept", "language", "source", "licence", "characters", "cluster", "reason", "split"]
    table = pq.read_table(out / DECISIONS_FILE, columns=columns)
    sizes = table.group_by("cluster").aggregate([("cluster", "count")])
    kept = table.filter(table["kept"])
    places = pc.index_in(kept["cluster"], value_set=sizes["cluster"].combine_chunks())
    kept = kept.append_column("cluster_size", sizes["cluster_count"].combine_chunks().take(places.combine_chunks()))
    found = [_by_name(kept, name) for name in ("language", "source", "licence", "split")]
    found.append(_by_range(kept, "characters", _LENGTHS, name="length in characters"))
    found.append(_by_range(kept, "cluster_size", _SIZES, name="documents alike"))
    return tuple(found)


def _by_name(kept: pa.Table, name: str) -> Distribution:
    groups = kept.group_by(name).aggregate([("characters", "count"), ("characters", "sum")]).to_pylist()
    bars = [
        Bar(name=group[name] or "none", num_documents=group["characters_count"], num_characters=group["characters_sum"])
        for group in groups
    ]
    return Distribution(name=name, bars=tuple(sorted(bars, key=lambda bar: (-bar.num_documents, bar.name))))


def _by_range(kept: pa.Table, column: str, limits: tuple[int, ...], *, name: str) -> Distribution:
    """Half-open ranges; the last has no end."""
    bars = []
    for low, high in zip(limits, (*limits[1:], None), strict=True):
        inside = pc.greater_equal(kept[column], low)
        if high is not None:
            inside = pc.and_(inside, pc.less(kept[column], high))
        chosen = kept.filter(inside)
        label = f"{low:,}" if high == low + 1 else f"{low:,} to {high - 1:,}" if high else f"{low:,} and more"
        characters = pc.sum(chosen["characters"]).as_py() or 0
        bars.append(Bar(name=label, num_documents=chosen.num_rows, num_characters=characters))
    return Distribution(name=name, bars=tuple(bars))


def _redacted_samples(out: Path) -> dict[str, tuple[str, ...]]:
    """The first few of each kind, in the order of the documents."""
    found: dict[str, list[str]] = {kind.value: [] for kind in PersonalData}
    for split in (TRAIN, VALIDATION):
        with pq.ParquetFile(out / f"{split}.parquet") as file:
            for batch in file.iter_batches(columns=["text"], batch_size=256):
                marked = batch.column("text").filter(pc.match_substring(batch.column("text"), "["))
                for text in marked.to_pylist():
                    _collect(text, found)
                if all(len(samples) >= SAMPLES_PER_KIND for samples in found.values()):
                    break
    return {kind: tuple(samples) for kind, samples in found.items() if samples}


def _collect(text: str, found: dict[str, list[str]]) -> None:
    for match in _MARK.finditer(text):
        samples = found[match["kind"].lower()]
        if len(samples) < SAMPLES_PER_KIND:
            start, end = max(0, match.start() - _AROUND_CHARACTERS), match.end() + _AROUND_CHARACTERS
            samples.append(" ".join(text[start:end].split()))


def _drift(before: Distribution, after: Distribution) -> Drift:
    shares = [
        Counter(
            {bar.name: bar.num_documents / max(1, sum(each.num_documents for each in part.bars)) for bar in part.bars}
        )
        for part in (before, after)
    ]
    changes = {name: shares[1][name] - shares[0][name] for name in sorted({*shares[0], *shares[1]})}
    most = max(changes, key=lambda name: abs(changes[name]), default="")
    distance = sum(map(abs, changes.values())) / 2
    return Drift(name=after.name, distance=distance, most=most, before=shares[0][most], after=shares[1][most])
