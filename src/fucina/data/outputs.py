"""Last step: the files in `out/`, written as the shards come by."""

import heapq
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fucina.compute.record import StageResult
from fucina.data.card import (
    CANARIES_FILE,
    CARD_FILE,
    PERSONAL_FILE,
    Canary,
    DatasetCard,
    PersonalValue,
    canaries_json,
    personal_json,
)
from fucina.data.decide import TRAIN, VALIDATION, hash64
from fucina.data.ingest import Shard
from fucina.data.pack import TokenShards
from fucina.data.recipe import PersonalData, PrepareRecipe, SourceFile
from fucina.data.redaction import public_name
from fucina.data.report import Report
from fucina.data.shards import Scratch, read_table, write_atomically

MAX_PERSONAL_VALUES = 10_000
"""Redacted values kept for the evaluation; of more, those with the lowest hashes."""

_DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("language", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("num_tokens", pa.int64()),
    ]
)
_REJECTED = pa.schema([("id", pa.string()), ("source", pa.string()), ("reason", pa.string())])


class _Documents:
    """A Parquet file that grows shard by shard and gets its name when it is whole."""

    def __init__(self, path: Path, *, schema: pa.Schema, scratch: Scratch) -> None:
        self._path = path
        self._schema = schema
        self._scratch = scratch
        self._temporary = scratch.root / f".{path.name}.growing"
        self._writer = pq.ParquetWriter(self._temporary, schema, compression="zstd", compression_level=3)

    def add(self, columns: Mapping[str, list[object]]) -> None:
        if columns["id"]:
            self._writer.write_table(pa.table(dict(columns), schema=self._schema))

    def close(self) -> None:
        self._writer.close()
        write_atomically(self._path, self._temporary.replace, scratch=self._scratch.root)


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
        self._sources = sources
        self._names = [public_name(source.name) for source in sources]
        self._vocabulary_size = vocabulary_size
        self._report = Report(recipe=recipe, sources=sources)
        self._splits = {
            split: (
                _Documents(out / f"{split}.parquet", schema=_DOCUMENTS, scratch=scratch),
                TokenShards(out, split=split, vocabulary_size=vocabulary_size, scratch=scratch),
            )
            for split in (TRAIN, VALIDATION)
        }
        self._rejected = _Documents(out / "rejected.parquet", schema=_REJECTED, scratch=scratch)
        self._canaries: list[tuple[int, Canary]] = []
        self._personal: list[tuple[int, int, PersonalValue]] = []
        self._num_personal = 0

    def add(self, shard: Shard, *, reasons: list[str], redacted: pa.Table, encoded: pa.Table) -> None:
        """Write what one shard came to."""
        self._add_records(shard, reasons)
        tokens = encoded["tokens"].combine_chunks()
        lengths: list[int] = []
        for document, ids in zip(redacted.to_pylist(), tokens, strict=True):
            values = ids.values.to_numpy()
            lengths.append(values.size)
            self._splits[document["split"]][1].add(values)
            self._report.add_kept(
                source=shard.source,
                language=document["language"],
                split=document["split"],
                num_characters=len(document["text"]),
                num_tokens=values.size,
            )
            for finding in document["findings"]:
                self._add_finding(finding)
            for canary in document["canaries"]:
                self._add_canary(canary, language=document["language"])
        self._add_documents(shard, redacted, lengths)

    def _add_records(self, shard: Shard, reasons: list[str]) -> None:
        records = read_table(shard.path).to_pylist()
        rejected: dict[str, list[object]] = {"id": [], "source": [], "reason": []}
        for record, reason in zip(records, reasons, strict=True):
            self._report.add_record(
                source=shard.source, text=record["text"], encoding=record["encoding"], reason=reason
            )
            if reason:
                rejected["id"].append(public_name(record["id"]))
                rejected["source"].append(self._names[shard.source])
                rejected["reason"].append(reason)
        self._rejected.add(rejected)

    def _add_documents(self, shard: Shard, redacted: pa.Table, lengths: list[int]) -> None:
        source = self._sources[shard.source]
        splits = redacted["split"].to_pylist()
        for split, (documents, _) in self._splits.items():
            rows = [row for row, name in enumerate(splits) if name == split]
            part = redacted.take(pa.array(rows, pa.int64()))
            documents.add(
                {
                    "id": part["id"].to_pylist(),
                    "text": part["text"].to_pylist(),
                    "language": part["language"].to_pylist(),
                    "source": [self._names[shard.source]] * len(rows),
                    "licence": [source.licence] * len(rows),
                    "num_tokens": [lengths[row] for row in rows],
                }
            )

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
        self._rejected.close()
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
