"""The `prepare` stage: from documents to token shards, a tokenizer and a card."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
from tokenizers import Tokenizer

from fucina.compute.record import Progress, StageResult
from fucina.data.decide import TRAIN, decide
from fucina.data.ingest import Shard, ingest, ordered_sources
from fucina.data.judge import judge_shard, raise_unless_enough
from fucina.data.language import check_languages
from fucina.data.outputs import Outputs
from fucina.data.pack import encode_shard, training_texts
from fucina.data.recipe import PrepareRecipe, SourceFile
from fucina.data.redaction import Planting, choose_places, redact_shard
from fucina.data.shards import Scratch, digest_of, read_table, write_table
from fucina.data.sources import digest_file
from fucina.data.tokens import load_tokenizer, tokenizer_files, train_tokenizer

ENGINE_VERSION = 1
"""Raised when a step changes what it makes, so that an old scratch folder is not taken for the new one's."""

_STEPS = (
    "reading",
    "judging language and quality",
    "finding duplicates",
    "redacting personal data",
    "training the tokenizer",
    "encoding",
    "writing",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    recipe: PrepareRecipe
    sources: tuple[SourceFile, ...]
    workdir: Path
    scratch: Scratch
    progress: Progress

    def report(self, step: int, *, done: int, total: int) -> None:
        self.progress.report(
            done=done, total=total, unit="documents", message=f"step {step + 1} of {len(_STEPS)}: {_STEPS[step]}"
        )


def prepare(recipe: PrepareRecipe, *, workdir: Path, out: Path, scratch: Path, progress: Progress) -> StageResult:
    """Read, clean, deduplicate, redact, split, tokenize and pack.

    What each step leaves in `scratch` is found again after an interruption; the outputs do not depend on it.
    Raises NothingSurvives, SourceMissing, SourceChanged, UnknownLanguage, BadTokenizer, Interrupted.
    """
    check_languages(recipe.languages)
    scratch.mkdir(parents=True, exist_ok=True)
    tokenizer_sha256 = ""
    if recipe.tokenizer:
        load_tokenizer(workdir / recipe.tokenizer)
        tokenizer_sha256 = digest_file(workdir / recipe.tokenizer)[0]
    run = _Run(
        recipe=recipe,
        sources=ordered_sources(recipe),
        workdir=workdir,
        scratch=Scratch(root=scratch, recipe_digest=_recipe_digest(recipe, tokenizer_sha256)),
        progress=progress,
    )
    message = f"step 1 of {len(_STEPS)}: {_STEPS[0]}"
    shards = ingest(run.sources, workdir=workdir, scratch=run.scratch, progress=progress, message=message)
    judged = _judge(run, shards)
    decisions = _decide(run, shards, judged)
    redacted = _redact(run, shards, judged, decisions)
    tokenizer = _tokenizer(run, redacted, total=_total(shards))
    encoded = _encode(run, shards, redacted, tokenizer)
    outputs = Outputs(
        out=out, scratch=run.scratch, recipe=recipe, sources=run.sources, vocabulary_size=tokenizer.get_vocab_size()
    )
    num_done, total = 0, _total(shards)
    for shard, reasons, table, tokens in zip(shards, _per_shard(shards, decisions), redacted, encoded, strict=True):
        progress.raise_if_stopping()
        outputs.add(
            shard, reasons=reasons["reason"].to_pylist(), redacted=read_table(table), encoded=read_table(tokens)
        )
        num_done += shard.num_records
        run.report(6, done=num_done, total=total)
    return outputs.finish(tokenizer_files=tokenizer_files(tokenizer), given_tokenizer_sha256=tokenizer_sha256)


def _recipe_digest(recipe: PrepareRecipe, tokenizer_sha256: str) -> str:
    """Of everything that decides outputs: where a source lies does not, nor does the order of the sources."""
    fields = recipe.model_dump(mode="json", exclude={"sources", "tokenizer"})
    sources = [(source.name, source.sha256, source.licence) for source in ordered_sources(recipe)]
    return digest_of(ENGINE_VERSION, fields, sources, tokenizer_sha256)


def _total(shards: list[Shard]) -> int:
    return sum(shard.num_records for shard in shards)


def _judge(run: _Run, shards: list[Shard]) -> list[Path]:
    paths, num_done = [], 0
    for shard in shards:
        run.progress.raise_if_stopping()

        def make(path: Path, shard: Shard = shard) -> None:
            table = read_table(shard.path, columns=["text", "broken"])
            write_table(judge_shard(table["text"].to_pylist(), table["broken"].to_pylist(), recipe=run.recipe), path)

        paths.append(run.scratch.run(run.scratch.path("judge", shard.path.name), make))
        num_done += shard.num_records
        run.report(1, done=num_done, total=_total(shards))
    return paths


def _decide(run: _Run, shards: list[Shard], judged: list[Path]) -> pa.Table:
    total = _total(shards)
    if not shards:
        raise_unless_enough(0, reasons={}, recipe=run.recipe)
    run.report(2, done=0, total=total)
    checkpoint = run.progress.raise_if_stopping
    decisions = run.scratch.run_table(
        run.scratch.path("decide"), lambda: decide(shards, judged, recipe=run.recipe, checkpoint=checkpoint)
    )
    run.report(2, done=total, total=total)
    reasons = Counter(decisions["reason"].to_pylist())
    raise_unless_enough(reasons[""], reasons=reasons, recipe=run.recipe)
    return decisions


def _per_shard(shards: list[Shard], table: pa.Table) -> list[pa.Table]:
    """The rows of a table over all records, one part for each shard."""
    parts, start = [], 0
    for shard in shards:
        parts.append(table.slice(start, shard.num_records))
        start += shard.num_records
    return parts


def _redact(run: _Run, shards: list[Shard], judged: list[Path], decisions: pa.Table) -> list[Path]:
    plantings = _plantings(run, shards, judged, decisions)
    paths: list[Path] = []
    start = 0
    for shard, judgement, part in zip(shards, judged, _per_shard(shards, decisions), strict=True):
        run.progress.raise_if_stopping()
        make = partial(_redact_one, run, shard, judgement, part, start, plantings)
        paths.append(run.scratch.run(run.scratch.path("redact", shard.path.name), make))
        start += shard.num_records
        run.report(3, done=start, total=_total(shards))
    return paths


def _redact_one(
    run: _Run,
    shard: Shard,
    judgement: Path,
    part: pa.Table,
    start: int,
    plantings: dict[int, list[Planting]],
    path: Path,
) -> None:
    kept = [row for row, reason in enumerate(part["reason"].to_pylist()) if not reason]
    documents = (
        read_table(shard.path, columns=["id", "text"])
        .append_column("language", read_table(judgement, columns=["language"])["language"])
        .append_column("split", part["split"])
        .take(pa.array(kept, pa.int64()))
    )
    rows = [start + row for row in kept]
    write_table(redact_shard(documents, rows=rows, plantings=plantings, recipe=run.recipe), path)


def _plantings(run: _Run, shards: list[Shard], judged: list[Path], decisions: pa.Table) -> dict[int, list[Planting]]:
    rows: list[int] = []
    identifiers: list[str] = []
    languages: list[str] = []
    start = 0
    for shard, judgement, part in zip(shards, judged, _per_shard(shards, decisions), strict=True):
        chosen = [row for row, split in enumerate(part["split"].to_pylist()) if split == TRAIN]
        take = pa.array(chosen, pa.int64())
        rows += [start + row for row in chosen]
        identifiers += read_table(shard.path, columns=["id"])["id"].take(take).to_pylist()
        languages += read_table(judgement, columns=["language"])["language"].take(take).to_pylist()
        start += shard.num_records
    return choose_places(rows=rows, identifiers=identifiers, languages=languages, recipe=run.recipe)


def _tokenizer(run: _Run, redacted: list[Path], *, total: int) -> Tokenizer:
    if run.recipe.tokenizer:
        return load_tokenizer(run.workdir / run.recipe.tokenizer)
    run.progress.raise_if_stopping()
    run.report(4, done=0, total=total)

    def make(path: Path) -> None:
        tokenizer = train_tokenizer(training_texts(redacted), vocabulary_size=run.recipe.vocabulary_size)
        path.write_text(tokenizer.to_str(), encoding="utf-8")

    path = run.scratch.run(run.scratch.path("tokenizer", suffix=".json"), make)
    run.report(4, done=total, total=total)
    return load_tokenizer(path)


def _encode(run: _Run, shards: list[Shard], redacted: list[Path], tokenizer: Tokenizer) -> list[Path]:
    paths: list[Path] = []
    num_done = 0
    for shard, source in zip(shards, redacted, strict=True):
        run.progress.raise_if_stopping()

        def make(path: Path, source: Path = source) -> None:
            texts = read_table(source, columns=["text"])["text"].to_pylist()
            write_table(encode_shard(texts, tokenizer=tokenizer), path)

        paths.append(run.scratch.run(run.scratch.path("encode", source.name), make))
        num_done += shard.num_records
        run.report(5, done=num_done, total=_total(shards))
    return paths
