"""The language of a document."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from fucina.data.telling import log_odds
from fucina.errors import BadInput

UNKNOWN = "und"
"""ISO 639-2 code of text in no language that could be told."""

_UNION = frozenset((
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "it", "lt", "lv", "mt", "nl",
    "pl", "pt", "ro", "sk", "sl", "sv"
))  # fmt: skip

# The 24 of the Union, the rest of the continent's official languages with a writing system that the model knows, and
# Latin. Asking the model about all its languages loses Italian to Corsican-like neighbours on short texts.
_EUROPEAN = _UNION | frozenset((
    "be", "bs", "ca", "cy", "eu", "gl", "is", "la", "lb", "mk", "nn", "no", "ru", "sq", "sr", "tr", "uk"
))  # fmt: skip
_FIRST_WINDOW_BYTES = 128
_WINDOW_BYTES = 600
_SURE = 0.9
_TELLING_BYTES = 600
"""Where the windows leave a doubt, so much of the beginning is looked at for words and letters."""
_FEATURE_BITS = 20
_MIN_CONFIDENCE = 0.1
_PRIOR_ODDS = 20.0
"""How much likelier a language of the Union or one that was asked for is than a neighbour, before the text is seen.

A long text outweighs it at once; a short one in Portuguese is not taken for Galician.
"""


class UnknownLanguage(BadInput):
    """No language of that code."""

    code = "unknown_language"


class Identified(NamedTuple):
    """Code and the model's probability among the languages asked about."""

    language: str
    confidence: float


class _Model(NamedTuple):
    """py3langid's automaton and its naive Bayes weights for the languages asked about, as arrays."""

    languages: tuple[str, ...]
    next_state: NDArray[np.int32]
    """By row of the state and byte."""
    states: NDArray[np.int64]
    """Of each its row, and in the low bits the feature that it has seen plus 1, else 0."""
    weights: NDArray[np.float32]
    """[features, classes]"""
    priors: NDArray[np.float32]
    label: NDArray[np.int32]
    """Index in `languages` of each class: some languages have one for each script."""


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@lru_cache(maxsize=2)
def _model(asked: frozenset[str]) -> _Model:
    whole = _identifier()
    chosen = [index for index, code in enumerate(whole.nb_classes) if code in asked | _EUROPEAN]
    languages = tuple(sorted({whole.nb_classes[index] for index in chosen}))
    states = np.asarray(whole.tk_row).astype(np.int64) << _FEATURE_BITS | (np.asarray(whole.tk_output, np.int64) + 1)
    _identifier.cache_clear()  # Its own arrays take a hundred megabytes that nothing reads again.
    return _Model(
        languages=languages,
        next_state=np.asarray(whole.tk_nextmove).astype(np.int32),
        states=states,
        weights=np.ascontiguousarray(whole.nb_ptc[:, chosen].astype(np.float32)),
        priors=whole.nb_pc[chosen].astype(np.float32),
        label=np.array([languages.index(whole.nb_classes[index]) for index in chosen], np.int32),
    )


def check_languages(languages: Sequence[str]) -> None:
    """Raises UnknownLanguage for a code that the model cannot tell."""
    known = set(_identifier().labels) if languages else set()
    for language in languages:
        if language not in known:
            raise UnknownLanguage(
                f"Documents in the language {language!r} cannot be told from others.",
                hint=f"data.languages takes ISO 639-1 codes such as {', '.join(sorted(_EUROPEAN & known)[:8])}.",
            )


def identify(text: str, *, languages: Sequence[str] = ()) -> Identified:
    """The language of three windows of a text, among Europe's and those given; UNKNOWN where the model is unsure."""
    data = text.encode("utf-8", "replace")
    return identify_batch(np.frombuffer(data, np.uint8), np.array([0, len(data)]), languages=languages)[0]


def identify_batch(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], *, languages: Sequence[str] = ()
) -> list[Identified]:
    """`identify` of each normalised text of a buffer: UTF-8, and where each begins.

    Small windows settle the language of most texts; the others are looked at again through large ones.
    """
    model = _model(frozenset(languages))
    confidences = np.empty((offsets.size - 1, len(model.languages)), np.float32)
    every = np.arange(offsets.size - 1)
    _score(data, offsets, every, _FIRST_WINDOW_BYTES, *model[1:], confidences)
    unsure = np.flatnonzero(confidences.max(axis=1, initial=0) < _SURE)
    _score(data, offsets, unsure, _WINDOW_BYTES, *model[1:], confidences)
    likely = np.array([code in _UNION or code in languages for code in model.languages])
    confidences[:, ~likely] /= np.float32(_PRIOR_ODDS)
    for document in np.flatnonzero(confidences.max(axis=1, initial=0) < _SURE * confidences.sum(axis=1)).tolist():
        gains = log_odds(
            bytes(data[offsets[document] : offsets[document + 1]][:_TELLING_BYTES]).decode("utf-8", "ignore")
        )
        confidences[document] *= np.exp(np.array([gains.get(code, 0.0) for code in model.languages], np.float32))
    confidences /= np.maximum(confidences.sum(axis=1, keepdims=True), np.float32(1e-30))
    best = confidences.argmax(axis=1)
    values = confidences[np.arange(best.size), best].tolist()
    return [
        Identified(model.languages[index] if confidence >= _MIN_CONFIDENCE else UNKNOWN, confidence)
        for index, confidence in zip(best.tolist(), values, strict=True)
    ]


@njit(cache=True, nogil=True)
def _score(data, offsets, documents, window_bytes, next_state, states, weights, priors, label, confidences):  # type: ignore[no-untyped-def]  # noqa: C901
    """Softmax of the log-posterior over the square root of the length, as py3langid defines it.

    data: uint8[bytes]; offsets: int64[all + 1]; documents: int64[some]; states: int64[states];
    weights: float32[features, classes]; label: int32[classes]; confidences: float32[all, languages], written for
    `documents`.
    """
    num_classes = priors.size
    counts = np.zeros(weights.shape[0], np.int32)
    touched = np.empty(weights.shape[0], np.int32)
    scores = np.empty(num_classes, np.float32)
    logarithms = np.log1p(np.arange(256).astype(np.float32))
    for document in documents:
        begin, end = offsets[document], offsets[document + 1]
        num_touched = length = 0
        state = states[0]
        step = (end - begin - window_bytes) // 2
        for window in range(3 if end - begin > 3 * window_bytes else 1):
            first, last = begin, end
            if end - begin > 3 * window_bytes:
                first = begin + window * step
                while data[first] & 0xC0 == 0x80:
                    first += 1
                last = min(end, first + window_bytes)
                state = states[next_state[(state >> _FEATURE_BITS << 8) + 32]] if window else state
            upper = True
            for position in range(first, last):
                if 97 <= data[position] <= 122 or data[position] >= 128:
                    upper = False
                    break
            for position in range(first, last):
                byte = data[position]
                if upper and 65 <= byte <= 90:
                    byte += 32
                state = states[next_state[(state >> _FEATURE_BITS << 8) + np.int64(byte)]]
                feature = (state & ((1 << _FEATURE_BITS) - 1)) - 1
                if feature >= 0:
                    if counts[feature] == 0:
                        touched[num_touched] = feature
                        num_touched += 1
                    counts[feature] += 1
            length += last - first
        confidences[document, :] = 0
        if num_touched == 0:
            confidences[document, :] = np.float32(1) / confidences.shape[1]
            continue
        scores[:] = priors
        for place in range(num_touched):
            feature = touched[place]
            weight = logarithms[min(counts[feature], logarithms.size - 1)]
            counts[feature] = 0
            for index in range(num_classes):
                scores[index] += weight * weights[feature, index]
        highest = scores.max()
        total = np.float32(0)
        for index in range(num_classes):
            scores[index] = np.exp((scores[index] - highest) / np.float32(np.sqrt(length)))
            total += scores[index]
        for index in range(num_classes):
            confidences[document, label[index]] += scores[index] / total
