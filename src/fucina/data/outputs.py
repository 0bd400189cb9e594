"""Last step: the files in `out/`, written as the shards come by."""

import heapq
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fucina.compute.record import StageResult
from fucina.data.card import (
    CANARIES_FILE,
    CARD_FILE,
    DECISIONS_FILE,
    PERSONAL_FILE,
    SPANS_FILE,
    Canary,
    DatasetCard,
    PersonalValue,
    canaries_json,
    personal_json,
)
from fucina.data.decide import TRAIN, VALIDATION, Decisions
from fucina.data.hashing import hash64
from fucina.data.ingest import Shard
from fucina.data.judge import PEER_FILTERS, step_of
from fucina.data.pack import TokenShards
from fucina.data.quality import SCORES
from fucina.data.recipe import PersonalData, PrepareRecipe, QualityProfile, SourceFile
from fucina.data.redaction import public_name, public_names
from fucina.data.report import Report
from fucina.data.shards import Scratch, read_table, texts_of, write_atomically
from fucina.data.tables import GrowingTable

MAX_PERSONAL_VALUES = 10_000
"""Redacted values kept for the evaluation; of more, those with the lowest hashes."""

_DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("language", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("url", pa.string()),
        ("num_tokens", pa.int64()),
    ]
)
_REJECTED = pa.schema([(name, pa.string()) for name in ("id", "source", "licence", "url", "step", "reason")])
_DECISIONS = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("url", pa.string()),
        ("kept", pa.bool_()),
        ("split", pa.string()),
        ("step", pa.string()),
        ("reason", pa.string()),
        ("cluster", pa.int64()),
        ("language", pa.string()),
        ("characters", pa.int64()),
        ("language_confidence", pa.float32()),
        *((name, pa.float32()) for name in SCORES),
    ]
)
_SPANS = pa.schema(
    [
        ("id", pa.string()),
        ("row", pa.int64()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("kind", pa.string()),
        ("action", pa.string()),
    ]
)
_SPLITS = ("", TRAIN, VALIDATION)
REDACTED = "redacted"


class Outputs:
    """Fed with every shard in order, then finished once."""

    def __init__(
        self,
        *,
        out: Path,
        scratch: Scratch,
        recipe: PrepareRecipe,
        sources: tuple[SourceFile, ...],
        vocabulary_size: int,
    ) -> None:
        self._out = out
        self._scratch = scratch
        self._recipe = recipe
        self._names = [public_name(source.name) for source in sources]
        self._vocabulary_size = vocabulary_size
        self._report = Report(recipe=recipe, sources=sources)
        self._splits = {
            split: (
                GrowingTable(out / f"{split}.parquet", schema=_DOCUMENTS, scratch=scratch, sized_by="text"),
                TokenShards(out, split=split, vocabulary_size=vocabulary_size, scratch=scratch),
            )
            for split in (TRAIN, VALIDATION)
        }
        self._rejected = GrowingTable(out / "rejected.parquet", schema=_REJECTED, scratch=scratch)
        peer = recipe.quality and recipe.quality_profile is QualityProfile.DATATROVE
        self._measures = ("language", "characters", "language_confidence", *SCORES, *(PEER_FILTERS if peer else ()))
        schema = pa.schema([*_DECISIONS, *((name, pa.string()) for name in PEER_FILTERS if peer)])
        self._decisions = GrowingTable(out / DECISIONS_FILE, schema=schema, scratch=scratch)
        self._spans = GrowingTable(out / SPANS_FILE, schema=_SPANS, scratch=scratch)
        self._canaries: list[tuple[int, Canary]] = []
        self._personal: list[tuple[int, int, PersonalValue]] = []
        self._num_personal = 0

    def add(
        self, shard: Shard, *, decisions: Decisions, judged: pa.Table, redacted: pa.Table, encoded: pa.Table
    ) -> None:
        """Write what one shard came to."""
        records = self._add_records(shard, decisions, judged)
        kept = records.take(pa.array(redacted["row"].to_numpy() - shard.first_row))
        tokens = encoded["tokens"].combine_chunks()
        lengths = np.diff(tokens.offsets.to_numpy())
        # Text that was redacted does not keep its length; characters are those that a reader of the text sees.
        documents = pa.table(
            {
                **{name: kept[name] for name in ("id", "source", "licence", "url")},
                "text": redacted["text"],
                "language": redacted["language"],
                "num_tokens": pa.array(lengths, pa.int64()),
                "split": pa.array([_SPLITS[split] for split in redacted["split"].to_pylist()], pa.string()),
                "characters": pc.utf8_length(redacted["text"]),
                "tokens": pa.array(lengths, pa.int64()),
            }
        )
        ids, ends = tokens.values.to_numpy(), tokens.offsets.to_numpy()
        for split, (table, shards) in self._splits.items():
            chosen = np.array(pc.equal(documents["split"], split))
            table.add(documents.filter(pa.array(chosen)))
            every = np.repeat(chosen, lengths)
            shards.add(ids[ends[0] : ends[-1]][every], lengths[chosen])
        self._report.add_kept(source=shard.source, documents=documents)
        self._report.num_repeats_removed += pc.sum(redacted["num_repeats"]).as_py() or 0
        self._add_findings(redacted, documents["id"].to_pylist())

    def _add_records(self, shard: Shard, decisions: Decisions, judged: pa.Table) -> pa.Table:
        """Count and list all records; returns what was listed, with public ids and addresses."""
        table = read_table(shard.path, columns=["id", "text", "encoding", "licence", "url"])
        reasons = decisions.reason_names()
        self._report.add_records(
            source=shard.source, texts=texts_of(table["text"]), encodings=table["encoding"].to_pylist(), reasons=reasons
        )
        names = public_names(table["id"].to_pylist())
        steps = {reason: step_of(reason) for reason in decisions.names}
        listed = pa.table(
            {
                "id": pa.array(names, pa.string()),
                "source": pa.array([self._names[shard.source]] * len(names), pa.string()),
                "licence": table["licence"],
                "url": pa.array(public_names(table["url"].to_pylist()), pa.string()),
                "kept": pa.array(decisions.splits > 0),
                "split": pa.array([_SPLITS[split] for split in decisions.splits.tolist()], pa.string()),
                "step": pa.array([steps[reason] for reason in reasons], pa.string()),
                "reason": pa.array(reasons, pa.string()),
                "cluster": pa.array(decisions.clusters, pa.int64()),
                **{name: judged[name] for name in self._measures},
            }
        )
        self._decisions.add(listed)
        self._rejected.add(listed.filter(pa.array(decisions.splits == 0)))
        return listed

    def _add_findings(self, redacted: pa.Table, names: list[str]) -> None:
        num_canaries = np.array(pc.list_value_length(redacted["canaries"]))
        for finding in redacted["findings"].combine_chunks().flatten().to_pylist():
            self._add_finding(finding)
        for place in np.flatnonzero(num_canaries).tolist():
            for canary in redacted["canaries"][place].as_py():
                self._add_canary(canary, language=redacted["language"][place].as_py())
        lists = redacted["spans"].combine_chunks()
        places, spans = pc.list_parent_indices(lists), lists.flatten()
        columns = {field.name: spans.field(field.name) for field in spans.type}
        whose = {"id": pa.array(names, pa.string()).take(places), "row": redacted["row"].take(places)}
        self._spans.add(pa.table({**whose, **columns, "action": pa.repeat(REDACTED, len(spans))}))

    def _add_finding(self, finding: Mapping[str, str]) -> None:
        self._report.redactions[finding["kind"]] += 1
        if not finding["value"]:
            return
        self._num_personal += 1
        value = PersonalValue(kind=PersonalData(finding["kind"]), value=finding["value"], prefix=finding["prefix"])
        rank = hash64("personal", self._recipe.seed, value.kind, value.value, value.prefix)
        # A heap with the largest rank on top: the number that came first breaks ties.
        heapq.heappush(self._personal, (-rank, -self._num_personal, value))
        if len(self._personal) > MAX_PERSONAL_VALUES:
            heapq.heappop(self._personal)

    def _add_canary(self, canary: Mapping[str, object], *, language: str) -> None:
        fields = {key: value for key, value in canary.items() if key not in ("number", "found")}
        planted = Canary.model_validate({**fields, "language": language, "redacted": canary["found"]})
        self._canaries.append((int(str(canary["number"])), planted))
        self._report.num_canaries += 1
        self._report.num_canaries_redacted += planted.redacted

    def finish(self, *, tokenizer_files: Mapping[str, bytes], given_tokenizer_sha256: str) -> StageResult:
        """Give every file its name, the card last."""
        for documents, tokens in self._splits.values():
            documents.close()
            tokens.flush()
        for table in (self._rejected, self._decisions, self._spans):
            table.close()
        for name, data in tokenizer_files.items():
            self._write(f"tokenizer/{name}", data)
        canaries = [canary for _, canary in sorted(self._canaries, key=lambda item: item[0])]
        personal = [value for _, _, value in sorted(self._personal, key=lambda item: (-item[1], item[0]))]
        self._write(CANARIES_FILE, canaries_json(tuple(canaries)))
        self._write(PERSONAL_FILE, personal_json(tuple(personal)))
        card = self._report.card(vocabulary_size=self._vocabulary_size, given_tokenizer_sha256=given_tokenizer_sha256)
        self._write(CARD_FILE, card.model_dump_json(indent=1).encode() + b"\n")
        return _result(card)

    def _write(self, name: str, data: bytes) -> None:
        write_atomically(self._out / name, lambda path: path.write_bytes(data), scratch=self._scratch.root)


def _result(card: DatasetCard) -> StageResult:
    return StageResult(
        counts={
            "records": card.num_records,
            "broken_records": card.num_broken,
            "dropped_documents": sum(card.drops.values()),
            "exact_duplicates": card.num_exact_duplicates,
            "near_duplicates": card.num_near_duplicates,
            "documents": card.num_documents,
            "train_documents": card.train.num_documents,
            "validation_documents": card.validation.num_documents,
            "characters": card.train.num_characters + card.validation.num_characters,
            "train_tokens": card.train.num_tokens,
            "validation_tokens": card.validation.num_tokens,
            "redactions": sum(card.redactions.values()),
            "canaries": card.num_canaries,
            "canaries_redacted": card.num_canaries_redacted,
            "vocabulary": card.vocabulary_size,
        },
        seeds={"prepare": card.seed},
        measurements={"tokens_per_character": card.tokens_per_character},
    )
