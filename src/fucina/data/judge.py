"""Second step: which documents are prose in a wanted language, and the numbers that tell duplicates."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fucina.data.language import identify_batch
from fucina.data.quality import RULES, SCORES, first_failures, measure
from fucina.data.readers import BROKEN
from fucina.data.recipe import PrepareRecipe, QualityProfile
from fucina.data.runs import banding, bands_of
from fucina.data.sampling import SAMPLED_OUT
from fucina.data.screen import BLOCKED_WORDS, CONTAMINATED, PERSONAL
from fucina.data.screening import Screening
from fucina.data.shards import Texts, join_texts, texts_of
from fucina.data.signatures import DIGEST_BYTES, write_signatures
from fucina.data.words import CHARACTERS, Hashes
from fucina.errors import BadInput, Unavailable

TOO_SHORT = "too-short"
TOO_LONG = "too-long"
OTHER_LANGUAGE = "other-language"
EXACT_DUPLICATE = "exact-duplicate"
NEAR_DUPLICATE = "near-duplicate"

PEER_FILTERS = ("gopher-repetition", "gopher-quality", "c4", "fineweb")
"""Of the profile `datatrove`; a reason is the filter, a colon and the filter's own word for it."""

MIN_SURVIVORS = 2
"""One document to train on and one to hold out."""


_STEPS = {
    TOO_SHORT: "length",
    TOO_LONG: "length",
    OTHER_LANGUAGE: "language",
    EXACT_DUPLICATE: "duplicates",
    NEAR_DUPLICATE: "duplicates",
    BLOCKED_WORDS: "screening",
    CONTAMINATED: "screening",
    PERSONAL: "screening",
    SAMPLED_OUT: "sampling",
}


def step_of(reason: str) -> str:
    """The step that drops documents for a reason; empty for what is kept."""
    if reason in BROKEN:
        return "read"
    of_peer = reason.partition(":")[0] in PEER_FILTERS
    return "quality" if reason in RULES or of_peer else _STEPS.get(reason, "")


class NothingSurvives(BadInput):
    """The rules leave fewer documents than a training and a validation set need."""

    code = "nothing_survives"


class ParityMissing(Unavailable):
    """The profile `datatrove` without the words that it counts."""

    code = "parity_missing"


def peer_rules() -> ModuleType:
    """The rules of the profile `datatrove`, which are an extra of their own.

    Raises ParityMissing.
    """
    try:
        return import_module("fucina.data.datatrove_rules")
    except ImportError as error:
        raise ParityMissing(
            f"The quality profile `datatrove` cannot be loaded: {error}.",
            hint="Run pip install 'fucina[parity]', or leave quality_profile out.",
        ) from error


class Judged(NamedTuple):
    """What documents are, each on its own."""

    reasons: list[str]
    """Why each is dropped; empty where it stays."""
    languages: list[str]
    scores: pa.Table
    """What the reasons rest on."""
    hashes: Hashes
    """Words of all documents."""
    bounds: NDArray[np.int64]
    """[documents + 1] in `hashes`."""


def judge_texts(texts: Texts, *, recipe: PrepareRecipe) -> Judged:
    """Length, language and quality of normalised texts."""
    identified = identify_batch(texts.data, texts.offsets, languages=recipe.languages)
    languages = [each.language for each in identified]
    measured = measure(texts.data, texts.offsets, languages)
    characters = measured.counts[:, CHARACTERS]
    reasons = np.full(len(languages), "", object)
    if recipe.languages:
        reasons[~np.isin(np.array(languages, str), recipe.languages)] = OTHER_LANGUAGE
    peer: dict[str, list[str]] = {}
    if recipe.quality and recipe.quality_profile is QualityProfile.DATATROVE:
        peer = _peer_decisions(texts, languages)
        for name in reversed(PEER_FILTERS):
            for row, reason in enumerate(peer[name]):
                reasons[row] = f"{name}:{reason}" if reason else reasons[row]
    elif recipe.quality:
        # Over the language: junk has none, and the card should say junk.
        failures = first_failures(measured, languages)
        reasons[failures >= 0] = np.array(list(RULES), object)[failures[failures >= 0]]
    short, long = characters < recipe.min_characters, characters > recipe.max_characters
    reasons[short], reasons[long] = TOO_SHORT, TOO_LONG
    scores = {"characters": pa.array(characters), "language_confidence": _floats([e.confidence for e in identified])}
    scores |= {name: _floats(score(measured)) for name, score in SCORES.items()}
    scores |= {name: pa.array(decisions, pa.string()) for name, decisions in peer.items()}
    known = ["" if skipped else code for skipped, code in zip((short | long).tolist(), languages, strict=True)]
    return Judged(reasons.tolist(), known, pa.table(scores), measured.hashes, measured.bounds)


def _peer_decisions(texts: Texts, languages: Sequence[str]) -> dict[str, list[str]]:
    """By filter the reason for each document, each filter asked on its own."""
    rules = peer_rules()
    decisions: dict[str, list[str]] = {name: [] for name in PEER_FILTERS}
    for row, language in enumerate(languages):
        text = texts.bytes_of(row).decode()
        found = rules.judge(text, language=language) if text else {}
        for name in PEER_FILTERS:
            decisions[name].append(found.get(name, ""))
    return decisions


def _floats(values: object) -> pa.Array:
    return pa.array(np.asarray(values, np.float32))


def judge_text(text: str, *, recipe: PrepareRecipe) -> str:
    """Why one normalised text is dropped; empty when it stays."""
    return judge_texts(join_texts([text.encode()]), recipe=recipe).reasons[0]


class JudgedShard(NamedTuple):
    """What a shard comes to on its own."""

    judgements: pa.Table
    """One row for each record: reason, language, scores."""
    standing: NDArray[np.int64]
    """Rows that stay."""
    digests: bytes
    """DIGEST_BYTES for each that stays."""
    bands: Hashes
    """MinHash of each that stays: [documents, bands]."""

    def write_signatures(self, path: Path) -> None:
        """The file that tells duplicates."""
        write_signatures(path, rows=self.standing, digests=self.digests, bands=self.bands)


def judge_shard(table: pa.Table, *, recipe: PrepareRecipe, screening: Screening | None = None) -> JudgedShard:
    """Judge the records (text, broken) of a shard; of documents that stay also the digest and the MinHash bands."""
    texts = texts_of(table["text"])
    judged = judge_texts(texts, recipe=recipe)
    broken = table["broken"].to_pylist()
    reasons = [was or reason for was, reason in zip(broken, judged.reasons, strict=True)]
    if screening is not None:
        reasons = screening.screen(texts, hashes=judged.hashes, bounds=judged.bounds, reasons=reasons)
    languages = ["" if was else language for was, language in zip(broken, judged.languages, strict=True)]
    standing = np.array([row for row, reason in enumerate(reasons) if not reason], np.int64)
    digests = [hashlib.blake2b(texts.bytes_of(row), digest_size=DIGEST_BYTES).digest() for row in standing.tolist()]
    bands = bands_of(judged.hashes, judged.bounds, standing, shape=banding(recipe.near_duplicate_threshold))
    columns = {"reason": pa.array(reasons, pa.string()), "language": pa.array(languages, pa.string())}
    judgements = pa.table(columns | {name: judged.scores[name] for name in judged.scores.column_names})
    return JudgedShard(judgements, standing, b"".join(digests), bands)


def raise_unless_enough(num_survivors: int, *, reasons: Mapping[str, int], recipe: PrepareRecipe) -> None:
    """Raises NothingSurvives when there are fewer documents than MIN_SURVIVORS."""
    if num_survivors >= MIN_SURVIVORS:
        return
    counts = Counter({reason: count for reason, count in reasons.items() if reason})
    total = sum(counts.values()) + num_survivors
    if not counts:
        raise NothingSurvives(
            f"There {'is one document' if num_survivors else 'are no documents'}; two are needed, "
            "one to train on and one to hold out.",
            hint="Add documents to data.sources.",
        )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{reason} {count}" for reason, count in ranked)
    raise NothingSurvives(
        f"Of {total} documents {num_survivors or 'none'} would remain; two are needed. Dropped: {listed}.",
        hint=f"Most were dropped as {ranked[0][0]}: {_advice(ranked[0][0], recipe=recipe)}",
    )


def _advice(reason: str, *, recipe: PrepareRecipe) -> str:
    """What to change in the project file when most documents are dropped for one reason."""
    if reason == TOO_SHORT:
        return f"lower data.min_characters (now {recipe.min_characters}) or join short records into documents."
    if reason == TOO_LONG:
        return f"split documents of more than {recipe.max_characters} characters."
    if reason == OTHER_LANGUAGE:
        return (
            f"data.languages keeps {', '.join(recipe.languages)}; add the language of the documents or leave it empty."
        )
    if reason in (EXACT_DUPLICATE, NEAR_DUPLICATE):
        return "the documents repeat each other; add different ones."
    if reason in BROKEN:
        return f"{BROKEN[reason]}; repair or replace the files."
    if reason in RULES:
        return "look at the documents; set data.quality to false only if they are what you want to train on."
    return "look at the documents."
