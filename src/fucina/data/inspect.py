"""Reading what `prepare` left: the funnel, every decision on one document, and what changed between two versions."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from fucina.data.card import CARD_FILE, DECISIONS_FILE, SPANS_FILE, DatasetCard, read_card
from fucina.data.description import curation_of
from fucina.data.drift import Drift, drift
from fucina.errors import BadInput, NotVisible

_SCORES_FROM = "language_confidence"


class NotPrepared(BadInput):
    """A folder holds no outputs of `prepare`."""

    code = "not_prepared"


class UnknownDocument(NotVisible):
    """No document of that id."""

    code = "unknown_document"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class FunnelRow(_Part):
    """One reason at one step."""

    step: str
    """`kept` for what stays."""
    reason: str
    num_documents: int
    num_characters: int


class Funnel(_Part):
    """What became of every record."""

    num_records: int
    rows: tuple[FunnelRow, ...]


class SpanFound(_Part):
    """A personal value in the original text, in characters."""

    start: int
    end: int
    kind: str
    action: str


class Explanation(_Part):
    """Every decision on one document."""

    id: str
    row: int
    """Its place among all records."""
    source: str
    kept: bool
    split: str
    step: str
    reason: str
    language: str
    characters: int | None
    scores: dict[str, float]
    filters: dict[str, str]
    """What each filter of the profile `datatrove` says on its own; empty in any other profile."""
    cluster: int
    alike: tuple[str, ...]
    """Ids of the documents in its cluster, the first one first; at most 20."""
    spans: tuple[SpanFound, ...]


class Change(_Part):
    """A number in two versions."""

    name: str
    before: int
    after: int


class Difference(_Part):
    """What changed between two versions."""

    numbers: tuple[Change, ...]
    num_added: int
    """Documents of the second version whose id the first does not keep."""
    num_removed: int
    sources_added: tuple[str, ...]
    sources_removed: tuple[str, ...]
    drift: tuple[Drift, ...]


def card_of(out: Path) -> DatasetCard:
    """The card of a prepared folder.

    Raises NotPrepared.
    """
    if not (out / CARD_FILE).is_file() or not (out / DECISIONS_FILE).is_file():
        raise NotPrepared(
            f"{out} holds no prepared data: {CARD_FILE} or {DECISIONS_FILE} is missing.",
            hint="Give the folder that `fucina data prepare` or the prepare stage wrote.",
        )
    try:
        return read_card(out)
    except ValueError as error:
        raise NotPrepared(f"{out / CARD_FILE} cannot be read.", hint="Run the prepare stage again.") from error


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise NotPrepared(f"{path} cannot be read.", hint="Run the prepare stage again.") from error


def funnel(out: Path) -> Funnel:
    """Counts by step and reason, in the order of the steps.

    Raises NotPrepared.
    """
    card_of(out)
    table = _read(out / DECISIONS_FILE, ["step", "reason", "characters"])
    groups = table.group_by(["step", "reason"]).aggregate([("reason", "count"), ("characters", "sum")]).to_pylist()
    steps = ("read", "length", "quality", "language", "screening", "sampling", "duplicates", "")
    order = {step: place for place, step in enumerate(steps)}
    rows = [
        FunnelRow(
            step=group["step"] or "kept",
            reason=group["reason"],
            num_documents=group["reason_count"],
            num_characters=group["characters_sum"] or 0,
        )
        for group in sorted(groups, key=lambda group: (order[group["step"]], -group["reason_count"], group["reason"]))
    ]
    return Funnel(num_records=table.num_rows, rows=tuple(rows))


def explain(out: Path, identifier: str) -> tuple[Explanation, ...]:
    """Every decision on the documents of an id, usually one.

    Raises NotPrepared, UnknownDocument.
    """
    card_of(out)
    table = _read(out / DECISIONS_FILE)
    rows = pc.indices_nonzero(pc.equal(table["id"], identifier)).to_pylist()
    if not rows:
        raise UnknownDocument(
            f"None of {table.num_rows} records has the id {identifier!r}.",
            hint="Ids stand in decisions.parquet; a record without one is called FILE#LINE.",
        )
    spans = _read(out / SPANS_FILE)
    return tuple(_explanation(table, spans, row) for row in rows)


def _explanation(table: pa.Table, spans: pa.Table, row: int) -> Explanation:
    record = table.slice(row, 1).to_pylist()[0]
    alike = table.filter(pc.equal(table["cluster"], record["cluster"]))["id"].slice(0, 20).to_pylist()
    own = spans.filter(pc.equal(spans["row"], row)).select(["start", "end", "kind", "action"]).to_pylist()
    names = table.column_names[table.column_names.index(_SCORES_FROM) :]
    fields = ("id", "source", "kept", "split", "step", "reason", "language", "characters", "cluster")
    return Explanation(
        row=row,
        **{name: record[name] for name in fields},
        scores={name: round(record[name], 4) for name in names if isinstance(record[name], float)},
        filters={name: record[name] or "keep" for name in names if isinstance(record[name], str)},
        alike=tuple(alike) if len(alike) > 1 else (),
        spans=tuple(SpanFound(**span) for span in own),
    )


def diff(before: Path, after: Path) -> Difference:
    """What changed from one version to another.

    Raises NotPrepared.
    """
    cards = card_of(before), card_of(after)
    numbers = [_numbers(card) for card in cards]
    names = [*numbers[0], *(name for name in numbers[1] if name not in numbers[0])]
    kept = [_kept(folder) for folder in (before, after)]
    sources = [{(source.name, source.sha256) for source in card.sources} for card in cards]
    changes = (Change(name=name, before=numbers[0].get(name, 0), after=numbers[1].get(name, 0)) for name in names)
    return Difference(
        numbers=tuple(change for change in changes if change.before != change.after),
        num_added=len(kept[1] - kept[0]),
        num_removed=len(kept[0] - kept[1]),
        sources_added=tuple(sorted(name for name, _ in sources[1] - sources[0])),
        sources_removed=tuple(sorted(name for name, _ in sources[0] - sources[1])),
        drift=drift(curation_of(cards[0]), curation_of(cards[1])),
    )


def _kept(out: Path) -> set[str]:
    table = _read(out / DECISIONS_FILE, ["id", "kept"])
    return set(table.filter(table["kept"])["id"].to_pylist())


def _numbers(card: DatasetCard) -> dict[str, int]:
    return {
        "records": card.num_records,
        "broken records": card.num_broken,
        "documents": card.num_documents,
        **{f"dropped: {reason}": count for reason, count in card.drops.items()},
        **{f"redacted: {kind}": count for kind, count in card.redactions.items()},
        **{f"language: {code}": tally.num_documents for code, tally in card.languages.items()},
        **{f"licence: {name}": tally.num_documents for name, tally in card.licences.items()},
        "characters": card.train.num_characters + card.validation.num_characters,
        "tokens": card.train.num_tokens + card.validation.num_tokens,
    }
