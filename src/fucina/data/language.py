"""The language of a document."""

from collections.abc import Sequence
from copy import copy
from functools import lru_cache
from typing import NamedTuple

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from fucina.errors import BadInput

UNKNOWN = "und"
"""ISO 639-2 code of text in no language that could be told."""

# The 24 of the Union, the rest of the continent's official languages with a writing system that the model knows, and
# Latin. Asking the model about all its languages loses Italian to Corsican-like neighbours on short texts.
_EUROPEAN = frozenset((
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "it", "lt", "lv", "mt", "nl",
    "pl", "pt", "ro", "sk", "sl", "sv", "be", "bs", "ca", "cy", "eu", "gl", "is", "la", "lb", "mk", "nn", "no",
    "ru", "sq", "sr", "tr", "uk"
))  # fmt: skip
_WINDOW_CHARACTERS = 600
_MIN_CONFIDENCE = 0.5


class UnknownLanguage(BadInput):
    """No language of that code."""

    code = "unknown_language"


class Identified(NamedTuple):
    """Code and the model's probability among the languages asked about."""

    language: str
    confidence: float


@lru_cache(maxsize=1)
def _model() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@lru_cache(maxsize=8)
def _identifier(languages: frozenset[str]) -> LanguageIdentifier:
    identifier = copy(_model())
    identifier.set_languages(sorted((languages | _EUROPEAN) & set(identifier.labels)))
    return identifier


def check_languages(languages: Sequence[str]) -> None:
    """Raises UnknownLanguage for a code that the model cannot tell."""
    known = set(_model().labels) if languages else set()
    for language in languages:
        if language not in known:
            raise UnknownLanguage(
                f"Documents in the language {language!r} cannot be told from others.",
                hint=f"data.languages takes ISO 639-1 codes such as {', '.join(sorted(_EUROPEAN & known)[:8])}.",
            )


def identify(text: str, *, languages: Sequence[str] = ()) -> Identified:
    """The language of three windows of a text, among Europe's and those given; UNKNOWN where the model is unsure."""
    language, confidence = _identifier(frozenset(languages)).classify(_windows(text))
    return Identified(language if confidence >= _MIN_CONFIDENCE else UNKNOWN, confidence)


def _windows(text: str) -> str:
    if len(text) <= 3 * _WINDOW_CHARACTERS:
        return text
    middle = (len(text) - _WINDOW_CHARACTERS) // 2
    last = len(text) - _WINDOW_CHARACTERS
    return " ".join(text[start : start + _WINDOW_CHARACTERS] for start in (0, middle, last))
