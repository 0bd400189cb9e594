"""Fourth step: plant the canaries, then redact what is personal in every kept document."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fucina.data.canaries import Planted, Record, has_sentences, make_record, plant
from fucina.data.hashing import hash64
from fucina.data.personal import Finding, Replacement, Searches, plain, redact, redact_batch
from fucina.data.recipe import FOUND_BY_SHAPE, PersonalData, PrepareRecipe
from fucina.data.repeats import without_repeats
from fucina.data.shards import column_of, join_texts, texts_of

_ALL_KINDS = frozenset(PersonalData)
_SAMPLE_CHARACTERS = 160
_SAMPLE_SOURCE_CHARACTERS = 2000

_FINDING = pa.struct([("kind", pa.string()), ("value", pa.string()), ("prefix", pa.string())])
_CANARY = pa.struct(
    [
        ("number", pa.int64()),
        ("kind", pa.string()),
        ("value", pa.string()),
        ("prefix", pa.string()),
        ("found", pa.bool_()),
    ]
)
_SPAN = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("kind", pa.string())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Planting:
    """A canary and the record of the whole corpus into which it goes."""

    row: int
    number: int
    language: str


Plantings = Mapping[int, list[Planting]]
"""By row of the whole corpus."""


def choose_places(
    *, rows: Sequence[int], identifiers: Sequence[str], languages: Sequence[str], recipe: PrepareRecipe
) -> dict[int, list[Planting]]:
    """Training documents, by row, that get canaries: in a language with sentences of its own first, else by hash."""
    order = sorted(
        range(len(rows)),
        key=lambda index: (
            not has_sentences(languages[index]),
            hash64("canary", recipe.seed, identifiers[index]),
            rows[index],
        ),
    )
    chosen: dict[int, list[Planting]] = {}
    for number in range(recipe.num_canaries if order else 0):
        index = order[number % len(order)]
        planting = Planting(row=rows[index], number=number, language=languages[index])
        chosen.setdefault(rows[index], []).append(planting)
    return chosen


def public_names(names: Sequence[str]) -> list[str]:
    """Source names or document ids as they may be shown: what is personal in one gives way to a digest."""
    raw = [name.encode("utf-8", "replace") for name in names]
    shown = []
    for name, data, redacted in zip(names, raw, redact_batch(raw, kinds=_ALL_KINDS), strict=True):
        digest = f"-{hashlib.sha256(data).hexdigest()[:8]}"
        shown.append(redacted.text.decode() + digest if redacted.findings else name)
    return shown


def public_name(name: str) -> str:
    """`public_names` of one."""
    return public_names([name])[0]


def sample_of(text: str) -> str:
    """The beginning of a dropped document on one line, everything personal redacted."""
    safe = redact(text[:_SAMPLE_SOURCE_CHARACTERS], kinds=_ALL_KINDS).text
    # What touches the cut may be half of a value that no rule recognises.
    words = safe.split()[: -1 if len(text) > _SAMPLE_SOURCE_CHARACTERS else None]
    return " ".join(words)[:_SAMPLE_CHARACTERS]


def redact_shard(
    table: pa.Table, *, first_row: int, languages: Sequence[str], splits: Sequence[int], plantings: Plantings,
    recipe: PrepareRecipe, replacement: Replacement = plain, more: Searches = (),
) -> pa.Table:  # fmt: skip
    """Kept documents of a shard after planting and redaction, with what was found in them.

    `table` holds the shard's text and shifts, `splits` 0 for dropped documents, 1 for training, 2 for validation;
    what `more` searches find is redacted as well.
    """
    texts = texts_of(table["text"])
    rows = [row for row, split in enumerate(splits) if split]
    parts = [texts.bytes_of(row) for row in rows]
    planted: dict[int, tuple[Planted, list[tuple[int, Record]]]] = {}
    for place, row in enumerate(rows):
        if chosen := plantings.get(first_row + row):
            records = [(p.number, make_record(number=p.number, language=p.language, seed=recipe.seed)) for p in chosen]
            planted[place] = plant(parts[place].decode(), [record for _, record in records]), records
            parts[place] = planted[place][0].text.encode()
    kinds = frozenset(recipe.redact).union(kind for kind, _ in more)
    redacted = redact_batch(parts, kinds=kinds, replacement=replacement, more=more)
    findings: list[list[dict[str, str]]] = [[] for _ in rows]
    spans: list[list[dict[str, object]]] = [[] for _ in rows]
    canaries: list[list[dict[str, object]]] = [[] for _ in rows]
    for place, (row, done) in enumerate(zip(rows, redacted, strict=True)):
        planting, records = planted.get(place, (None, []))
        if done.findings:
            own = {record.value for _, record in records}
            found = [finding for finding in done.findings if finding.value not in own]
            # Held-out documents: nothing trains on them, so their values are counted and forgotten.
            findings[place] = [_finding(each, whole=splits[row] == 1 and each.kind in FOUND_BY_SHAPE) for each in found]
            shifts = table["shifts"][row].values.to_numpy().reshape(-1, 2)
            spans[place] = _spans(found, parts[place], planting=planting, shifts=shifts)
        if planting:
            values = {finding.value for finding in done.findings}
            canaries[place] = [
                _canary(number, record, prefix, found=record.value in values)
                for (number, record), prefix in zip(records, planting.prefixes, strict=True)
            ]
    finished = [without_repeats(done.text.decode()) if recipe.remove_repeats else (done.text, 0) for done in redacted]
    return pa.table(
        {
            "row": pa.array(np.array(rows, np.int64) + first_row),
            "text": column_of(join_texts([_utf8(text) for text, _ in finished])),
            "num_repeats": pa.array([num_repeats for _, num_repeats in finished], pa.int64()),
            "language": pa.array([languages[row] for row in rows], pa.string()),
            "split": pa.array([splits[row] for row in rows], pa.int8()),
            "findings": pa.array(findings, pa.list_(_FINDING)),
            "spans": pa.array(spans, pa.list_(_SPAN)),
            "canaries": pa.array(canaries, pa.list_(_CANARY)),
        }
    )


def _utf8(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _finding(finding: Finding, *, whole: bool) -> dict[str, str]:
    return {
        "kind": finding.kind.value,
        "value": finding.value if whole else "",
        "prefix": finding.prefix if whole else "",
    }


def _canary(number: int, record: Record, prefix: str, *, found: bool) -> dict[str, object]:
    return {"number": number, "kind": record.kind.value, "value": record.value, "prefix": prefix, "found": found}


def _spans(
    findings: Sequence[Finding], data: bytes, *, planting: Planted | None, shifts: NDArray[np.int32]
) -> list[dict[str, object]]:
    """Where findings stood in the text before planting and normalisation, in characters."""
    spans: list[dict[str, object]] = []
    for finding in findings:
        start = len(data[: finding.start].decode())
        end = start + len(finding.value)
        if planting:
            start, end = planting.in_text(start), planting.in_text(end - 1) + 1
        if start >= 0 and end > 0:
            spans.append({"start": _original(start, shifts), "end": _original(end - 1, shifts) + 1,
                          "kind": finding.kind.value})  # fmt: skip
    return spans


def _original(place: int, shifts: NDArray[np.int32]) -> int:
    index = int(np.searchsorted(shifts[:, 0], place, side="right")) - 1
    return place + (int(shifts[index, 1]) if index >= 0 else 0)
