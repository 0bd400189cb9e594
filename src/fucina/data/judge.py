"""Second step: which documents are prose in a wanted language, and the numbers that tell duplicates."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from fucina.data.language import identify
from fucina.data.quality import RULES, first_failure, page_of
from fucina.data.readers import BROKEN
from fucina.data.recipe import PrepareRecipe
from fucina.data.shingles import Words, banding, bands_of, fold, shingles, words_of
from fucina.errors import BadInput

DIGEST_BYTES = 16

TOO_SHORT = "too-short"
TOO_LONG = "too-long"
OTHER_LANGUAGE = "other-language"
EXACT_DUPLICATE = "exact-duplicate"
NEAR_DUPLICATE = "near-duplicate"

MIN_SURVIVORS = 2
"""One document to train on and one to hold out."""


class NothingSurvives(BadInput):
    """The rules leave fewer documents than a training and a validation set need."""

    code = "nothing_survives"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one document is, on its own."""

    reason: str
    """Why it is dropped; empty when it stays."""
    language: str
    words: Words | None = None
    """Its folded words, when it stays."""


def judge_text(text: str, *, recipe: PrepareRecipe) -> Judgement:
    """Length, language and quality of a normalised text."""
    if len(text) < recipe.min_characters:
        return Judgement(reason=TOO_SHORT, language="")
    if len(text) > recipe.max_characters:
        return Judgement(reason=TOO_LONG, language="")
    language = identify(text, languages=recipe.languages).language
    words = words_of(fold(text))
    if recipe.quality:
        # Before the language: junk has none, and the card should say junk.
        reason = first_failure(page_of(text, language=language, words=words))
        if reason:
            return Judgement(reason=reason, language=language)
    if recipe.languages and language not in recipe.languages:
        return Judgement(reason=OTHER_LANGUAGE, language=language)
    return Judgement(reason="", language=language, words=words)


def judge_shard(texts: list[str | None], broken: list[str], *, recipe: PrepareRecipe) -> pa.Table:
    """One row per record: reason, language, and for documents that stay the digest and the MinHash bands."""
    shape = banding(recipe.near_duplicate_threshold)
    reasons, languages, digests, bands = [], [], [], []
    no_bands = np.zeros(shape.num_bands, np.uint64)
    for text, broken_reason in zip(texts, broken, strict=True):
        judgement = Judgement(reason=broken_reason, language="") if text is None else judge_text(text, recipe=recipe)
        reasons.append(judgement.reason)
        languages.append(judgement.language)
        if text is None or judgement.words is None:
            digests.append(bytes(DIGEST_BYTES))
            bands.append(no_bands)
        else:
            digests.append(hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest())
            bands.append(bands_of(shingles(judgement.words.hashes), shape=shape))
    matrix = np.array(bands, np.uint64).reshape(len(reasons), shape.num_bands)
    columns = {f"band{band}": pa.array(matrix[:, band]) for band in range(shape.num_bands)}
    return pa.table(
        {
            "reason": pa.array(reasons, pa.string()),
            "language": pa.array(languages, pa.string()),
            "digest": pa.array(digests, pa.binary(DIGEST_BYTES)),
            **columns,
        }
    )


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
