"""The `prepare` stage: from documents to token shards, a tokenizer and a card."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from fucina.compute.record import Progress, StageResult
from fucina.data.decide import Decider, Decisions
from fucina.data.executors import Checkpoint, Executor, LocalExecutor, ShareDone
from fucina.data.ingest import ReadSource, Shard, ingest, locate, ordered_sources, verify
from fucina.data.judge import judge_shard, peer_rules, raise_unless_enough
from fucina.data.language import check_languages
from fucina.data.names import Gazetteer, read_gazetteer
from fucina.data.outputs import Outputs
from fucina.data.pack import encode_shard, training_texts
from fucina.data.personal import Replacement, plain
from fucina.data.pseudonyms import Pseudonyms, read_key
from fucina.data.recipe import PersonalData, PrepareRecipe, QualityProfile, SourceFile
from fucina.data.redaction import Plantings, choose_places, redact_shard
from fucina.data.screening import Screening, load_screening
from fucina.data.shards import Scratch, digest_of, read_table, texts_of, write_table
from fucina.data.sources import digest_file
from fucina.data.tokens import load_tokenizer, tokenizer_files, train_tokenizer

ENGINE_VERSION = 3
"""Raised when a step changes what it makes, so that an old scratch folder is not taken for the new one's."""

_PLACES = {"sources", "tokenizer", "pseudonym_key", "test_sets", "blocked_words", "names"}
"""Fields of a recipe that say where something lies; what lies there counts."""

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
class _Judge:
    """The step: a shard to its judgements and signatures."""

    recipe: PrepareRecipe
    scratch: Scratch
    screening: Screening

    def paths(self, shard: Shard) -> tuple[Path, Path]:
        """Judgements and signatures."""
        name = shard.path.name
        return self.scratch.path("judge", name), self.scratch.path("signatures", name, suffix=".bin")

    def __call__(self, shard: Shard, _: Checkpoint) -> None:
        judgements, signatures = self.paths(shard)
        if judgements.exists() and signatures.exists():
            return
        table = read_table(shard.path, columns=["text", "broken"])
        judged = judge_shard(table, recipe=self.recipe, screening=self.screening)
        self.scratch.run(signatures, judged.write_signatures)
        self.scratch.run(judgements, partial(write_table, judged.judgements))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Redact:
    """The step: a shard's kept documents, planted and redacted."""

    recipe: PrepareRecipe
    scratch: Scratch
    decisions: Decisions
    plantings: Plantings
    judge: _Judge
    replacement: Replacement
    gazetteer: Gazetteer | None

    def path(self, shard: Shard) -> Path:
        """What it makes."""
        return self.scratch.path("redact", shard.path.name)

    def __call__(self, shard: Shard, _: Checkpoint) -> None:
        self.scratch.run(self.path(shard), partial(self._make, shard))

    def _make(self, shard: Shard, path: Path) -> None:
        table = redact_shard(
            read_table(shard.path, columns=["text", "shifts"]),
            first_row=shard.first_row,
            languages=read_table(self.judge.paths(shard)[0], columns=["language"])["language"].to_pylist(),
            splits=self.decisions.of(shard).splits.tolist(),
            plantings=self.plantings,
            recipe=self.recipe,
            replacement=self.replacement,
            more=((PersonalData.NAME, self.gazetteer.search),) if self.gazetteer else (),
        )
        write_table(table, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Encode:
    """The step: the tokens of a shard's redacted documents."""

    scratch: Scratch
    redact: _Redact
    tokenizer: Path

    def path(self, shard: Shard) -> Path:
        """What it makes."""
        return self.scratch.path("encode", shard.path.name)

    def __call__(self, shard: Shard, _: Checkpoint) -> None:
        self.scratch.run(self.path(shard), partial(self._make, shard))

    def _make(self, shard: Shard, path: Path) -> None:
        texts = texts_of(read_table(self.redact.path(shard), columns=["text"])["text"])
        write_table(encode_shard(texts, tokenizer=self.tokenizer), path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    recipe: PrepareRecipe
    sources: tuple[SourceFile, ...]
    workdir: Path
    scratch: Scratch
    progress: Progress
    executor: Executor

    def report(self, step: int, *, done: int, total: int) -> None:
        self.progress.report(
            done=done, total=total, unit="documents", message=f"step {step + 1} of {len(_STEPS)}: {_STEPS[step]}"
        )

    def map(self, number: int, step: Callable[[Shard, Checkpoint], None], shards: tuple[Shard, ...]) -> None:
        """Run a step on every shard and report how far it is."""
        num_done = 0

        def done(shard: Shard, _: None) -> None:
            nonlocal num_done
            num_done += shard.num_records
            self.report(number, done=num_done, total=_total(shards))

        self.executor.map(step, shards, checkpoint=self.progress.raise_if_stopping, done=done)


def prepare(
    recipe: PrepareRecipe, *, workdir: Path, out: Path, scratch: Path, progress: Progress,
    executor: Executor | None = None,
) -> StageResult:  # fmt: skip
    """Read, clean, deduplicate, redact, split, tokenize and pack.

    What each step leaves in `scratch` is found again after an interruption; the outputs depend neither on that nor on
    the executor, threads of this process by default.
    Raises NothingSurvives, SourceMissing, SourceChanged, UnknownLanguage, BadTokenizer, BadKey, BadWordList,
    ParityMissing, Interrupted; ShareDone in a process that does a share only.
    """
    check_languages(recipe.languages)
    if recipe.quality_profile is QualityProfile.DATATROVE:
        peer_rules()
    scratch.mkdir(parents=True, exist_ok=True)
    tokenizer_sha256 = ""
    if recipe.tokenizer:
        load_tokenizer(workdir / recipe.tokenizer)
        tokenizer_sha256 = digest_file(workdir / recipe.tokenizer)[0]
    key = read_key(workdir / recipe.pseudonym_key) if recipe.pseudonym_key else b""
    run = _Run(
        recipe=recipe,
        sources=ordered_sources(recipe),
        workdir=workdir,
        scratch=Scratch(root=scratch, recipe_digest=_recipe_digest(recipe, tokenizer_sha256, key)),
        progress=progress,
        executor=executor or LocalExecutor(),
    )
    screening = load_screening(recipe, workdir=workdir)
    shards = _read(run)
    judge = _Judge(recipe=recipe, scratch=run.scratch, screening=screening)
    run.map(1, judge, shards)
    decisions = _decide(run, shards, judge)
    redact = _Redact(
        recipe=recipe,
        scratch=run.scratch,
        decisions=decisions,
        plantings=_plantings(run, shards, judge, decisions),
        judge=judge,
        replacement=Pseudonyms(key).of if key else plain,
        gazetteer=_gazetteer(run),
    )
    run.map(3, redact, shards)
    path = _tokenizer(run, [redact.path(shard) for shard in shards], total=_total(shards))
    encode = _Encode(scratch=run.scratch, redact=redact, tokenizer=path)
    run.map(5, encode, shards)
    if run.executor.replaying:
        raise ShareDone
    return _write(run, shards, encode, tokenizer_sha256=tokenizer_sha256, out=out)


def _gazetteer(run: _Run) -> Gazetteer | None:
    names = run.recipe.names
    if names is None:
        return None
    verify(names, workdir=run.workdir)
    return read_gazetteer(locate(names, workdir=run.workdir))


def _write(run: _Run, shards: tuple[Shard, ...], encode: _Encode, *, tokenizer_sha256: str, out: Path) -> StageResult:
    tokenizer: Tokenizer = load_tokenizer(encode.tokenizer)
    outputs = Outputs(
        out=out,
        scratch=run.scratch,
        recipe=run.recipe,
        sources=run.sources,
        vocabulary_size=tokenizer.get_vocab_size(),
    )
    num_done = 0
    for shard in shards:
        run.progress.raise_if_stopping()
        outputs.add(
            shard,
            decisions=encode.redact.decisions.of(shard),
            judged=read_table(encode.redact.judge.paths(shard)[0]),
            redacted=read_table(encode.redact.path(shard)),
            encoded=read_table(encode.path(shard)),
        )
        num_done += shard.num_records
        run.report(6, done=num_done, total=_total(shards))
    return outputs.finish(tokenizer_files=tokenizer_files(tokenizer), given_tokenizer_sha256=tokenizer_sha256)


def _recipe_digest(recipe: PrepareRecipe, tokenizer_sha256: str, key: bytes) -> str:
    """Of everything that decides outputs: where a source lies does not, nor does the order of the sources."""
    fields = recipe.model_dump(mode="json", exclude=_PLACES)
    files = [file.sha256 for file in recipe.test_sets]
    lists = [file.sha256 if file else "" for file in (recipe.blocked_words, recipe.names)]
    sources = [(source.name, source.sha256, source.licence) for source in ordered_sources(recipe)]
    key_sha256 = hashlib.sha256(key).hexdigest() if key else ""
    return digest_of(ENGINE_VERSION, fields, sources, files, lists, tokenizer_sha256, key_sha256)


def _total(shards: tuple[Shard, ...]) -> int:
    return sum(shard.num_records for shard in shards)


def _read(run: _Run) -> tuple[Shard, ...]:
    step = ReadSource(
        sources=run.sources,
        workdir=run.workdir,
        scratch=run.scratch,
        html=run.recipe.html,
        licences=run.recipe.licences,
        replaying=run.executor.replaying,
    )
    shards = ingest(
        step,
        executor=run.executor,
        checkpoint=run.progress.raise_if_stopping,
        report=lambda done, total: run.report(0, done=done, total=total),
    )
    return tuple(shards)


def _decide(run: _Run, shards: tuple[Shard, ...], judge: _Judge) -> Decisions:
    total = _total(shards)
    if not shards:
        raise_unless_enough(0, reasons={}, recipe=run.recipe)
    run.report(2, done=0, total=total)
    paths = [judge.paths(shard) for shard in shards]
    decisions = Decider(
        shards=shards,
        judged=tuple(judgements for judgements, _ in paths),
        signatures=tuple(signatures for _, signatures in paths),
        sources=run.sources,
        recipe=run.recipe,
        scratch=run.scratch,
        executor=run.executor,
        checkpoint=run.progress.raise_if_stopping,
    ).decide()
    run.report(2, done=total, total=total)
    counts = np.bincount(decisions.reasons, minlength=len(decisions.names)).tolist()
    reasons = Counter(dict(zip(decisions.names, counts, strict=True)))
    kept = np.unique(decisions.clusters[decisions.splits > 0]).size
    raise_unless_enough(kept, reasons=+reasons, recipe=run.recipe)
    return decisions


def _plantings(run: _Run, shards: tuple[Shard, ...], judge: _Judge, decisions: Decisions) -> Plantings:
    if not run.recipe.num_canaries:
        return {}
    rows: list[int] = []
    identifiers: list[str] = []
    languages: list[str] = []
    for shard in shards:
        chosen = np.flatnonzero(decisions.of(shard).splits == 1)
        take = pa.array(chosen, pa.int64())
        rows += (chosen + shard.first_row).tolist()
        identifiers += read_table(shard.path, columns=["id"])["id"].take(take).to_pylist()
        languages += read_table(judge.paths(shard)[0], columns=["language"])["language"].take(take).to_pylist()
    return choose_places(rows=rows, identifiers=identifiers, languages=languages, recipe=run.recipe)


def _tokenizer(run: _Run, redacted: list[Path], *, total: int) -> Path:
    if run.recipe.tokenizer:
        return run.workdir / run.recipe.tokenizer
    run.progress.raise_if_stopping()
    run.report(4, done=0, total=total)

    def make(path: Path) -> None:
        num_bytes = sum(int(texts_of(read_table(each, columns=["text"])["text"]).data.size) for each in redacted)
        size = run.recipe.vocabulary_size
        texts = training_texts(redacted, num_bytes=num_bytes, vocabulary_size=size)
        path.write_text(train_tokenizer(texts, vocabulary_size=size).to_str(), encoding="utf-8")

    path = run.scratch.run(run.scratch.path("tokenizer", suffix=".json"), make)
    run.report(4, done=total, total=total)
    return path
