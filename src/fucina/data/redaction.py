"""Fourth step: plant the canaries, then redact what is personal in every kept document."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from fucina.data.canaries import Record, has_sentences, make_record, plant
from fucina.data.decide import TRAIN, hash64
from fucina.data.personal import Redacted, redact
from fucina.data.recipe import PersonalData, PrepareRecipe

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
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("language", pa.string()),
        ("split", pa.string()),
        ("findings", pa.list_(_FINDING)),
        ("canaries", pa.list_(_CANARY)),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planting:
    """A canary and the record of the whole corpus into which it goes."""

    row: int
    number: int
    language: str


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


def public_name(name: str) -> str:
    """A source name or document id as it may be shown: what is personal in it gives way to a digest."""
    redacted = redact(name, kinds=_ALL_KINDS)
    if not redacted.findings:
        return name
    return f"{redacted.text}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"


def sample_of(text: str) -> str:
    """The beginning of a dropped document on one line, everything personal redacted."""
    safe = redact(text[:_SAMPLE_SOURCE_CHARACTERS], kinds=_ALL_KINDS).text
    # What touches the cut may be half of a value that no rule recognises.
    words = safe.split()[: -1 if len(text) > _SAMPLE_SOURCE_CHARACTERS else None]
    return " ".join(words)[:_SAMPLE_CHARACTERS]


def redact_shard(
    documents: pa.Table, *, rows: Sequence[int], plantings: Mapping[int, list[Planting]], recipe: PrepareRecipe
) -> pa.Table:
    """Kept documents (id, text, language, split) after planting and redaction, with what was found in them."""
    out: list[dict[str, Any]] = []
    for row, document in zip(rows, documents.to_pylist(), strict=True):
        records = [
            make_record(number=planting.number, language=planting.language, seed=recipe.seed)
            for planting in plantings.get(row, ())
        ]
        out.append(_redact_document(document, records, [p.number for p in plantings.get(row, ())], recipe=recipe))
    return pa.Table.from_pylist(out, schema=SCHEMA)


def _redact_document(
    document: dict[str, Any], records: list[Record], numbers: list[int], *, recipe: PrepareRecipe
) -> dict[str, Any]:
    planted = plant(document["text"], records) if records else None
    redacted = redact(planted.text if planted else document["text"], kinds=frozenset(recipe.redact))
    values = {record.value for record in records}
    found = {finding.value for finding in redacted.findings}
    return {
        "id": public_name(document["id"]),
        "text": redacted.text,
        "language": document["language"],
        "split": document["split"],
        "findings": _findings(redacted, but=values) if document["split"] == TRAIN else _kinds_only(redacted),
        "canaries": [
            {
                "number": number,
                "kind": record.kind.value,
                "value": record.value,
                "prefix": prefix,
                "found": record.value in found,
            }
            for number, record, prefix in zip(numbers, records, planted.prefixes if planted else (), strict=True)
        ],
    }


def _findings(redacted: Redacted, *, but: set[str]) -> list[dict[str, str]]:
    return [
        {"kind": finding.kind.value, "value": finding.value, "prefix": finding.prefix}
        for finding in redacted.findings
        if finding.value not in but
    ]


def _kinds_only(redacted: Redacted) -> list[dict[str, str]]:
    """Held-out documents: nothing trains on them, so their values are counted and forgotten."""
    return [{"kind": finding.kind.value, "value": "", "prefix": ""} for finding in redacted.findings]
