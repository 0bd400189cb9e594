"""What goes into the card, counted while the outputs are written."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pyarrow as pa

from fucina.data.card import DatasetCard, SourceCard, Tally
from fucina.data.judge import EXACT_DUPLICATE, NEAR_DUPLICATE
from fucina.data.readers import BROKEN
from fucina.data.recipe import PrepareRecipe, SourceFile
from fucina.data.redaction import public_name, sample_of
from fucina.data.shards import Texts

SAMPLES_PER_REASON = 3


@dataclass(slots=True, kw_only=True)
class _Count:
    num_documents: int = 0
    num_characters: int = 0
    num_tokens: int = 0

    def add(self, *, num_documents: int, num_characters: int, num_tokens: int) -> None:
        self.num_documents += num_documents
        self.num_characters += num_characters
        self.num_tokens += num_tokens

    def tally(self) -> Tally:
        return Tally(num_documents=self.num_documents, num_characters=self.num_characters, num_tokens=self.num_tokens)


@dataclass(slots=True, kw_only=True)
class Report:
    """Counters over all shards; fed in order, so that the samples are always the same."""

    recipe: PrepareRecipe
    sources: tuple[SourceFile, ...]
    reasons: Counter[str] = field(default_factory=Counter)
    records: Counter[int] = field(default_factory=Counter)
    broken_records: Counter[int] = field(default_factory=Counter)
    encodings: Counter[str] = field(default_factory=Counter)
    redactions: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_source: dict[int, _Count] = field(default_factory=lambda: defaultdict(_Count))
    by_language: dict[str, _Count] = field(default_factory=lambda: defaultdict(_Count))
    by_licence: dict[str, _Count] = field(default_factory=lambda: defaultdict(_Count))
    by_split: dict[str, _Count] = field(default_factory=lambda: defaultdict(_Count))
    num_repeats_removed: int = 0
    num_canaries: int = 0
    num_canaries_redacted: int = 0

    def add_records(self, *, source: int, texts: Texts, encodings: list[str], reasons: list[str]) -> None:
        """Count records with their final reasons, "" where kept."""
        self.records[source] += len(reasons)
        self.encodings.update(encoding for encoding in encodings if encoding)
        for reason, count in Counter(reasons).items():
            if not reason:
                continue
            self.reasons[reason] += count
            if reason in BROKEN:
                self.broken_records[source] += count
                continue
            start = -1
            while len(self.samples[reason]) < SAMPLES_PER_REASON and reason in reasons[start + 1 :]:
                start = reasons.index(reason, start + 1)
                self.samples[reason].append(sample_of(texts.bytes_of(start).decode()))

    def add_kept(self, *, source: int, documents: pa.Table) -> None:
        """Count kept documents: language, split, characters, tokens."""
        groups = documents.group_by(["language", "licence", "split"]).aggregate(
            [("characters", "count"), ("characters", "sum"), ("tokens", "sum")]
        )
        for group in groups.to_pylist():
            for counter in (
                self.by_source[source],
                self.by_language[group["language"]],
                self.by_licence[group["licence"]],
                self.by_split[group["split"]],
            ):
                counter.add(
                    num_documents=group["characters_count"],
                    num_characters=group["characters_sum"],
                    num_tokens=group["tokens_sum"],
                )

    def card(self, *, vocabulary_size: int, given_tokenizer_sha256: str) -> DatasetCard:
        """The card of everything counted so far."""
        train, validation = self.by_split["train"].tally(), self.by_split["validation"].tally()
        num_characters = train.num_characters + validation.num_characters
        drops = {reason: count for reason, count in self.reasons.items() if reason not in BROKEN}
        return DatasetCard(
            num_records=self.records.total(),
            num_broken=self.broken_records.total(),
            num_documents=train.num_documents + validation.num_documents,
            broken=_sorted({reason: count for reason, count in self.reasons.items() if reason in BROKEN}),
            drops=_sorted(drops),
            drop_samples={reason: tuple(self.samples[reason]) for reason in sorted(drops)},
            num_exact_duplicates=self.reasons[EXACT_DUPLICATE],
            num_near_duplicates=self.reasons[NEAR_DUPLICATE],
            near_duplicate_threshold=self.recipe.near_duplicate_threshold,
            duplicates_dropped=self.recipe.drop_duplicates,
            redactions=_sorted(self.redactions),
            num_repeats_removed=self.num_repeats_removed,
            num_canaries=self.num_canaries,
            num_canaries_redacted=self.num_canaries_redacted,
            encodings=_sorted(self.encodings),
            languages={code: self.by_language[code].tally() for code in sorted(self.by_language)},
            licences={licence: self.by_licence[licence].tally() for licence in sorted(self.by_licence)},
            sources=tuple(self._source_card(index) for index in range(len(self.sources))),
            train=train,
            validation=validation,
            vocabulary_size=vocabulary_size,
            tokens_per_character=(train.num_tokens + validation.num_tokens) / num_characters,
            given_tokenizer_sha256=given_tokenizer_sha256,
            seed=self.recipe.seed,
        )

    def _source_card(self, index: int) -> SourceCard:
        source = self.sources[index]
        return SourceCard(
            name=public_name(source.name),
            sha256=source.sha256,
            num_bytes=source.num_bytes,
            licence=source.licence,
            origin=source.origin,
            num_records=self.records[index],
            num_broken=self.broken_records[index],
            kept=self.by_source[index].tally(),
        )


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return {key: counts[key] for key in sorted(counts) if counts[key]}
