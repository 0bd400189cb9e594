"""Rules that tell prose from what only looks like text. Each rule names the reason for which it drops a document.

The rules follow the families of Gopher (Rae et al. 2021, appendix A) and C4 (Raffel et al. 2020, section 2.2); the
limits are ours, set so that literature with its dialogues, statutes with their lists and technical pages with their
code stay.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from fucina.data.function_words import FUNCTION_WORDS
from fucina.data.shingles import Hashes, Words, fold, runs, words_of

_LETTERS = re.compile(r"[^\W\d_]+")
_LETTER = re.compile(r"[^\W\d_]")
_SYMBOL = re.compile(r"(?<=\S)#|#(?=\w)|…|\.\.\.")
_BULLET = re.compile(r"^\s*[-*•‣◦▪·–+]\s")
_ENDS_SENTENCE = re.compile(r"""[.!?:;…]["'”’»)\]*_]*$""")
_BOILERPLATE = re.compile(
    r"(?i)(?:enable|activate|activer|attivare?|aktivieren|habilit\w+) (?:le |il |el |o |your )?java ?script"
    r"|java ?script (?:is |must |muss |deve |doit |\w+ )?(?:disabled|required|enabled|deaktiviert|disabilitato)"
    r"|(?:uses?|utilizza|utilise|usa|verwendet|verwenden|utiliza) (?:i |des |de |los |os |our |di )?cookies?"
    r"|cookie (?:policy|preferences|settings)|privacy policy|terms (?:of use|and conditions)|all rights reserved"
    r"|informativa sulla privacy|datenschutzerklärung|política de privacidad|politique de confidentialité"
)
_FENCED_CODE = re.compile(r"^[ \t>]*```.*?^[ \t>]*```[^\n]*$", re.DOTALL | re.MULTILINE)
_BOILERPLATE_WORDS = (
    "script",
    "cookie",
    "privacy",
    "terms",
    "rights reserved",
    "datenschutz",
    "privacidad",
    "confident",
)
"""At least one stands in every line that the pattern above matches; looking for them first is cheap."""

MIN_WORDS = 20
MEAN_WORD_CHARACTERS = (2.5, 14.0)
MIN_SHARE_WITH_LETTERS = 0.4
MIN_FUNCTION_WORD_SHARE = 0.05
MAX_SYMBOLS_PER_WORD = 0.2
MAX_BULLET_SHARE = 0.9
MAX_ELLIPSIS_SHARE = 0.75
MAX_REPEATED_LINE_SHARE = 0.3
"""Characters in lines that occurred before, over all characters."""
MAX_TOP_RUN_SHARE = {2: 0.2, 3: 0.18, 4: 0.16}
"""Words in the most frequent run of this many words, over all words."""
MAX_REPEATED_RUN_SHARE = {5: 0.45, 10: 0.3}
"""Words in runs that occurred before, over all words."""
MAX_BOILERPLATE_SHARE = 0.25
"""Lines about cookies, scripts and terms of use, over all lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the rules look at, computed once."""

    text: str
    lowered: str
    language: str
    tokens: list[str]
    """Split at white space."""
    lines: list[str]
    """Not empty, stripped; without fenced code, which repeats itself by nature."""
    words: Words
    """Of the text without fenced code."""


def page_of(text: str, *, language: str, words: Words) -> Page:
    """Prepare a normalised text, whose folded words are known, for the rules."""
    prose = _FENCED_CODE.sub("\n", text) if "```" in text else text
    if prose is not text:
        words = words_of(fold(prose))
    lines = [stripped for line in prose.split("\n") if (stripped := line.strip())]
    return Page(text=text, lowered=text.lower(), language=language, tokens=text.split(), lines=lines, words=words)


def _too_few_words(page: Page) -> bool:
    return len(page.tokens) < MIN_WORDS


def _word_length(page: Page) -> bool:
    mean = sum(map(len, page.tokens)) / len(page.tokens)
    return not MEAN_WORD_CHARACTERS[0] <= mean <= MEAN_WORD_CHARACTERS[1]


def _no_letters(page: Page) -> bool:
    with_letters = sum(1 for token in page.tokens if _LETTER.search(token))
    return with_letters < MIN_SHARE_WITH_LETTERS * len(page.tokens)


def _no_function_words(page: Page) -> bool:
    known = FUNCTION_WORDS.get(page.language)
    if known is None:
        if page.language != "und":
            return False
        known = _ALL_FUNCTION_WORDS
    words = _LETTERS.findall(page.lowered)
    return sum(word in known for word in words) < MIN_FUNCTION_WORD_SHARE * len(words)


_ALL_FUNCTION_WORDS = frozenset(chain.from_iterable(FUNCTION_WORDS.values()))


def _symbols(page: Page) -> bool:
    return len(_SYMBOL.findall(page.text)) > MAX_SYMBOLS_PER_WORD * len(page.tokens)


def _bullets(page: Page) -> bool:
    """Lists of fragments; a dialogue opens its lines with dashes too, but closes them like sentences."""
    if sum(1 for line in page.lines if _BULLET.match(line)) < MAX_BULLET_SHARE * len(page.lines):
        return False
    return sum(1 for line in page.lines if _ENDS_SENTENCE.search(line)) < 0.3 * len(page.lines)


def _cut_off_lines(page: Page) -> bool:
    cut_off = sum(1 for line in page.lines if line.endswith(("...", "…")))
    return len(page.lines) >= 8 and cut_off > MAX_ELLIPSIS_SHARE * len(page.lines)


def _repeated_lines(page: Page) -> bool:
    seen: set[str] = set()
    repeated = 0
    for line in page.lines:
        if line in seen:
            repeated += len(line)
        seen.add(line)
    return repeated > MAX_REPEATED_LINE_SHARE * sum(map(len, page.lines))


def _repeated_runs(page: Page) -> bool:
    hashes = page.words.hashes
    for length, limit in MAX_TOP_RUN_SHARE.items():
        if _top_run_share(hashes, length=length) > limit:
            return True
    return any(_repeated_run_share(hashes, length=length) > limit for length, limit in MAX_REPEATED_RUN_SHARE.items())


def _top_run_share(hashes: Hashes, *, length: int) -> float:
    run_hashes = runs(hashes, length=length)
    if run_hashes.size < MIN_WORDS:
        return 0.0
    run_hashes.sort()
    edges = np.flatnonzero(run_hashes[1:] != run_hashes[:-1])
    counts = np.diff(np.concatenate(([-1], edges, [run_hashes.size - 1])))
    top = int(counts.max())
    return top * length / hashes.size if top > 2 else 0.0


def _repeated_run_share(hashes: Hashes, *, length: int) -> float:
    run_hashes = runs(hashes, length=length)
    if run_hashes.size < MIN_WORDS:
        return 0.0
    order = np.argsort(run_hashes, kind="stable")
    ordered = run_hashes[order]
    again = order[1:][ordered[1:] == ordered[:-1]]
    # A run covers `length` words: +1 where it starts, -1 behind its end, then a running sum.
    edges: NDArray[np.int64] = np.zeros(hashes.size + 1, np.int64)
    edges[again] += 1
    edges[again + length] -= 1
    return float(np.count_nonzero(np.cumsum(edges)[:-1])) / hashes.size


def _boilerplate(page: Page) -> bool:
    if not any(word in page.lowered for word in _BOILERPLATE_WORDS):
        return False
    found = sum(1 for line in page.lines if len(line) < 400 and _BOILERPLATE.search(line))
    return found > MAX_BOILERPLATE_SHARE * len(page.lines)


def _lorem_ipsum(page: Page) -> bool:
    return "lorem ipsum" in page.lowered


RULES: dict[str, Callable[[Page], bool]] = {
    "too-few-words": _too_few_words,
    "word-length": _word_length,
    "few-letters": _no_letters,
    "no-function-words": _no_function_words,
    "symbols": _symbols,
    "bullet-list": _bullets,
    "cut-off-lines": _cut_off_lines,
    "repeated-lines": _repeated_lines,
    "repeated-runs": _repeated_runs,
    "boilerplate": _boilerplate,
    "lorem-ipsum": _lorem_ipsum,
}
"""Every rule by the reason that it gives, in the order in which they are asked."""


def first_failure(page: Page) -> str:
    """The reason to drop a document, or "" when every rule holds."""
    for reason, fails in RULES.items():
        if fails(page):
            return reason
    return ""
