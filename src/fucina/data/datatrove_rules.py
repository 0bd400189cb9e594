"""Quality rules that decide as datatrove's filters do, for whoever must compare with a set that it filtered.

Four filters, each asked on its own about the whole text, with the limits of datatrove 0.10: repetition and quality
after Gopher (Rae et al. 2021, appendix A) without the rule of stop words, C4 (Raffel et al. 2020, section 2.2) without
the rule of closing marks, and FineWeb (Penedo et al. 2024, section 3.5). Words are spaCy's, punctuation marks among
them: our own rules take words between blanks, as the paper does. The extra `parity` installs spaCy.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.language import Language

_TOKENIZERS = {"no": "nb", "nn": "nb", "bs": "sr"}
"""The language whose rules of words serve for one that has none of its own."""
_ANY_LANGUAGE = "xx"

# Marks and control characters that make no word by themselves.
_MARKS = frozenset(
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«´»–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～"
    + "".join(chr(code) for first, last in ((0, 9), (11, 32), (127, 160)) for code in range(first, last))
)
_ENDS_OF_SENTENCES = tuple("!.?։‼‽⁇⁈⁉。！．？｡")
_CITATION = re.compile(r"\[(?:\d*|edit|citation needed)\]")
_POLICY = re.compile("terms of use|(?:privacy|cookie) policy|uses? cookies|use of cookies")
_LONGEST_WORD = 1000
_TOP_RUNS = ((2, 0.20), (3, 0.18), (4, 0.16))
_REPEATED_RUNS = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))


class Text(NamedTuple):
    """A text and its words, which take most of the time."""

    text: str
    words: Sequence[str]
    count_sentences: Callable[[str], int]


class Share(NamedTuple):
    """Of parts of a text those that occurred before."""

    parts: float
    characters: int


def _repeated(parts: Sequence[str]) -> Share:
    seen: set[str] = set()
    number = characters = 0
    for part in parts:
        if part in seen:
            number += 1
            characters += len(part)
        seen.add(part)
    return Share(number / len(parts), characters)


def _repetition(given: Text) -> str:
    text, words = given.text, given.words
    for name, limit, parts in (
        ("dup_para", 0.3, re.split(r"\n{2,}", text.strip())),
        ("dup_line", 0.3, re.split(r"\n+", text)),
    ):
        share = _repeated(parts)
        if share.parts > limit:
            return f"{name}_frac"
        if share.characters / len(text) > 0.2:
            return f"{name}_char_frac"
    for length, limit in _TOP_RUNS:
        runs = Counter(zip(*(words[start:] for start in range(length)), strict=False))
        if runs:
            run, count = runs.most_common(1)[0]
            if len(" ".join(run)) * count / len(text) > limit:
                return f"top_{length}_gram"
    sizes = np.cumsum([0, *map(len, words)])
    joined = "".join(words)
    for length, limit in _REPEATED_RUNS:
        if _repeated_characters(joined, sizes, length) / len(text) > limit:
            return f"duplicated_{length}_n_grams"
    return ""


def _repeated_characters(joined: str, sizes: NDArray[np.int64], length: int) -> int:
    """Characters in runs of words that occurred before; such runs do not overlap."""
    bounds = sizes.tolist()
    seen: set[str] = set()
    place = characters = 0
    while place + length < len(bounds):
        run = joined[bounds[place] : bounds[place + length]]
        if run in seen:
            characters += len(run)
            place += length
        else:
            seen.add(run)
            place += 1
    return characters


def _quality(given: Text) -> str:
    return next((reason for reason, fails in _quality_findings(given) if fails), "")


def _quality_findings(given: Text) -> Iterator[tuple[str, bool]]:
    text, words = given.text, given.words
    plain = [word for word in words if not _MARKS.issuperset(word)]
    yield "gopher_short_doc", len(plain) < 50
    yield "gopher_long_doc", len(plain) > 100_000
    mean = sum(map(len, plain)) / max(1, len(plain))
    yield "gopher_below_avg_threshold", mean < 3
    yield "gopher_above_avg_threshold", mean > 10
    yield "gopher_too_many_hashes", text.count("#") > 0.1 * len(words)
    yield "gopher_too_many_ellipsis", text.count("...") + text.count("…") > 0.1 * len(words)
    lines = text.splitlines()
    yield "gopher_too_many_bullets", sum(line.lstrip().startswith(("•", "-")) for line in lines) > 0.9 * len(lines)
    cut_off = sum(line.rstrip().endswith(("...", "…")) for line in lines)
    yield "gopher_too_many_end_ellipsis", cut_off > 0.3 * len(lines)
    with_letters = sum(any(map(str.isalpha, word)) for word in words)
    yield "gopher_below_alpha_threshold", with_letters / max(1, len(words)) < 0.8


def _c4(given: Text) -> str:
    num_sentences = 0
    for whole in given.text.splitlines():
        words = whole.split()
        if len(words) < 3 or max(map(len, words)) > _LONGEST_WORD:
            continue
        line = _CITATION.sub("", whole.strip())
        lower = line.lower()
        if "lorem ipsum" in lower:
            return "lorem_ipsum"
        if "javascript" in lower:
            continue
        if "{" in line:
            return "curly_bracket"
        if not _POLICY.search(lower):
            num_sentences += given.count_sentences(line)
    return "too_few_sentences" if num_sentences < 5 else ""


def _fineweb(given: Text) -> str:
    text = given.text
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return "empty"
    if sum(line.endswith(_ENDS_OF_SENTENCES) for line in lines) < 0.12 * len(lines):
        return "line_punct_ratio"
    if sum(len(line) <= 30 for line in lines) > 0.67 * len(lines):
        return "short_line_ratio"
    if _repeated(lines).characters > 0.01 * (len(text) - text.count("\n")):
        return "char_dup_ratio"
    return "list_ratio" if text.count("\n") > 0.3 * len(given.words) else ""


FILTERS: dict[str, Callable[[Text], str]] = {
    "gopher-repetition": _repetition,
    "gopher-quality": _quality,
    "c4": _c4,
    "fineweb": _fineweb,
}
"""By name, in the order in which datatrove's own pipelines ask them."""


@lru_cache(maxsize=64)
def _pipeline(language: str) -> Language:
    try:
        found = spacy.blank(_TOKENIZERS.get(language, language))
    except ImportError:
        found = spacy.blank(_ANY_LANGUAGE)
    found.add_pipe("sentencizer")
    return found


def judge(text: str, *, language: str) -> dict[str, str]:
    """The reason of each filter to drop a text, as datatrove words it; empty where it keeps it."""
    pipeline = _pipeline(language)
    with pipeline.memory_zone():
        pipeline.max_length = len(text) + 10
        words = [word for token in pipeline.make_doc(text) if (word := token.text.strip())]

    def count_sentences(line: str) -> int:
        with pipeline.memory_zone():
            return max(1, sum(1 for _ in pipeline(line).sents))

    given = Text(text, words, count_sentences)
    return {name: ask(given) for name, ask in FILTERS.items()}
