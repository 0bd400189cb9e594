"""Rules that tell prose from what only looks like text. Each rule names the reason for which it drops a document.

The counting is done by the kernels in `words` and `runs`; where the lines are drawn stands in `quality.yaml`.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import re2
from numpy.typing import NDArray

from fucina.data import runs, words
from fucina.data.characters import fold
from fucina.data.function_words import FUNCTION_WORDS
from fucina.data.language import UNKNOWN
from fucina.data.limits import Limits, limits_of
from fucina.data.words import Hashes, WordSets, count_words, hash_words, word_sets

_FENCED_CODE = re.compile(r"^[ \t>]*```.*?^[ \t>]*```[^\n]*$", re.DOTALL | re.MULTILINE)
_BOILERPLATE = re.compile(
    r"(?i)(?:enable|activate|activer|attivare?|aktivieren|habilit\w+) (?:le |il |el |o |your )?java ?script"
    r"|java ?script (?:is |must |muss |deve |doit |\w+ )?(?:disabled|required|enabled|deaktiviert|disabilitato)"
    r"|(?:uses?|utilizza|utilise|usa|verwendet|verwenden|utiliza) (?:i |des |de |los |os |our |di )?cookies?"
    r"|cookie (?:policy|preferences|settings)|privacy policy|terms (?:of use|and conditions)|all rights reserved"
    r"|informativa sulla privacy|datenschutzerklärung|política de privacidad|politique de confidentialité"
)
_BOILERPLATE_WORD = re2.compile(r"(?i)script|cookie|privacy|terms|reserved|datenschutz|privacidad|confident")
"""One stands in every line that the pattern above matches; looking for it first is cheap."""
_LONGEST_BOILERPLATE_LINE = 400

_LINE_COUNTS = [
    words.LINES,
    words.BULLET_LINES,
    words.CLOSED_LINES,
    words.CUT_OFF_LINES,
    words.LINE_CHARACTERS,
    words.REPEATED_LINE_CHARACTERS,
]
_RUN_COUNTS = [words.WORDS, words.TOP_2, words.TOP_3, words.TOP_4, words.REPEATED_5, words.REPEATED_10]
NUM_MEASURES = 15


class Measured(NamedTuple):
    """What the rules know about documents, and the words that tell duplicates."""

    counts: NDArray[np.int64]
    """[documents, NUM_COUNTS]; lines and runs without fenced code, which repeats itself by nature."""
    boilerplate_lines: NDArray[np.int64]
    lorem_ipsum: NDArray[np.bool_]
    function_words_known: NDArray[np.bool_]
    hashes: Hashes
    bounds: NDArray[np.int64]
    """[documents + 1] in `hashes`; of the whole texts."""


class Rule(NamedTuple):
    """One reason to drop a document."""

    measure: Callable[[Measured], NDArray[np.floating]]
    """One number for each document."""
    low: Callable[[Limits], float] | None = None
    """The least that is allowed."""
    high: Callable[[Limits], float] | None = None
    """The most that is allowed."""


@lru_cache(maxsize=1)
def _function_words() -> tuple[WordSets, dict[str, int]]:
    """Sets of folded function words, and which belongs to a language; all of them where it is unknown."""
    lists = {language: sorted(words) for language, words in FUNCTION_WORDS.items()}
    lists[UNKNOWN] = sorted(set(chain.from_iterable(FUNCTION_WORDS.values())))
    sets = [np.unique(hash_words(fold(" ".join(entries)))) for entries in lists.values()]
    return word_sets(sets), {language: number for number, language in enumerate(lists)}


def measure(data: NDArray[np.uint8], offsets: NDArray[np.int64], languages: Sequence[str]) -> Measured:
    """Measure each normalised text of a buffer; `languages` holds one code for each."""
    sets, numbers = _function_words()
    set_numbers = np.array([numbers.get(language, -1) for language in languages], np.int64)
    found = count_words(data, offsets, set_numbers, sets)
    runs.count_runs(found, limits=_run_limits())
    counts = found.counts
    fenced = np.flatnonzero(counts[:, words.FENCED])
    if fenced.size:
        _measure_without_code(data, offsets, fenced, counts)
    boilerplate = np.zeros(counts.shape[0], np.int64)
    lorem_ipsum = np.zeros(counts.shape[0], np.bool_)
    for document in np.flatnonzero(counts[:, words.SUSPECT]).tolist():
        text = data[offsets[document] : offsets[document + 1]].tobytes().decode()
        lorem_ipsum[document] = "lorem ipsum" in text.lower()
        boilerplate[document] = _count_boilerplate(_without_code(text))
    return Measured(counts, boilerplate, lorem_ipsum, set_numbers >= 0, found.hashes, found.bounds)


def _measure_without_code(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], fenced: NDArray[np.intp], counts: NDArray[np.int64]
) -> None:
    """Put the counts of lines and runs of the prose alone in the place of those of the whole text."""
    prose = [_without_code(data[offsets[i] : offsets[i + 1]].tobytes().decode()).encode() for i in fenced.tolist()]
    bounds = np.cumsum([0, *(len(text) for text in prose)], dtype=np.int64)
    buffer = np.frombuffer(b"".join(prose), np.uint8)
    found = count_words(buffer, bounds, np.full(fenced.size, -1, np.int64), word_sets([]))
    runs.count_runs(found, limits=_run_limits())
    chosen = _LINE_COUNTS + _RUN_COUNTS
    counts[fenced[:, None], chosen] = found.counts[:, chosen]


def _without_code(text: str) -> str:
    return _FENCED_CODE.sub("\n", text) if "```" in text else text


def _count_boilerplate(prose: str) -> int:
    found = behind = 0
    for match in _BOILERPLATE_WORD.finditer(prose):
        if match.start() < behind:
            continue
        start = prose.rfind("\n", 0, match.start()) + 1
        behind = prose.find("\n", match.end())
        behind = behind if behind >= 0 else len(prose)
        line = prose[start:behind].strip()
        found += len(line) < _LONGEST_BOILERPLATE_LINE and _BOILERPLATE.search(line) is not None
    return found


@lru_cache(maxsize=1)
def _run_limits() -> tuple[int, ...]:
    """The lowest limit of any language for each kind of run, in thousandths, rounded down."""
    every = [limits_of(language) for language in ("", *FUNCTION_WORDS)]
    names = ("max_top_2_share", "max_top_3_share", "max_top_4_share", "max_repeated_5_share", "max_repeated_10_share")
    return tuple(int(1000 * min(getattr(limits, name) for limits in every)) for name in names)


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.floating]:
    return part / np.maximum(whole, 1)


def _of(part: int, whole: int) -> Callable[[Measured], NDArray[np.floating]]:
    return lambda m: _share(m.counts[:, part], m.counts[:, whole])


def _function_word_share(m: Measured) -> NDArray[np.floating]:
    known = m.function_words_known & (m.counts[:, words.LETTER_WORDS] > 0)
    return np.where(known, _share(m.counts[:, words.FUNCTION_WORDS], m.counts[:, words.LETTER_WORDS]), 1.0)


def _bullet_share(m: Measured) -> NDArray[np.floating]:
    closed = m.counts[:, words.CLOSED_LINES] >= 0.3 * m.counts[:, words.LINES]
    return np.where(closed, 0.0, _share(m.counts[:, words.BULLET_LINES], m.counts[:, words.LINES]))


def _cut_off_share(m: Measured) -> NDArray[np.floating]:
    few = m.counts[:, words.LINES] < 8
    return np.where(few, 0.0, _share(m.counts[:, words.CUT_OFF_LINES], m.counts[:, words.LINES]))


def _top_share(count: int, length: int) -> Callable[[Measured], NDArray[np.floating]]:
    def share(m: Measured) -> NDArray[np.floating]:
        top = m.counts[:, count]
        return np.where(top > 2, _share(top * length, m.counts[:, words.WORDS]), 0.0)

    return share


RULES: dict[str, tuple[Rule, ...]] = {
    "too-few-words": (Rule(lambda m: m.counts[:, words.TOKENS] * 1.0, low=lambda limits: limits.min_tokens),),
    "word-length": (
        Rule(
            _of(words.TOKEN_CHARACTERS, words.TOKENS),
            low=lambda limits: limits.min_mean_token_characters,
            high=lambda limits: limits.max_mean_token_characters,
        ),
    ),
    "few-letters": (
        Rule(_of(words.TOKENS_WITH_LETTER, words.TOKENS), low=lambda limits: limits.min_share_with_letters),
    ),
    "no-function-words": (Rule(_function_word_share, low=lambda limits: limits.min_function_word_share),),
    "symbols": (Rule(_of(words.SYMBOLS, words.TOKENS), high=lambda limits: limits.max_symbols_per_token),),
    "bullet-list": (Rule(_bullet_share, high=lambda limits: limits.max_bullet_share),),
    "cut-off-lines": (Rule(_cut_off_share, high=lambda limits: limits.max_cut_off_share),),
    "repeated-lines": (
        Rule(
            _of(words.REPEATED_LINE_CHARACTERS, words.LINE_CHARACTERS),
            high=lambda limits: limits.max_repeated_line_share,
        ),
    ),
    "repeated-runs": (
        Rule(_top_share(words.TOP_2, 2), high=lambda limits: limits.max_top_2_share),
        Rule(_top_share(words.TOP_3, 3), high=lambda limits: limits.max_top_3_share),
        Rule(_top_share(words.TOP_4, 4), high=lambda limits: limits.max_top_4_share),
        Rule(_of(words.REPEATED_5, words.WORDS), high=lambda limits: limits.max_repeated_5_share),
        Rule(_of(words.REPEATED_10, words.WORDS), high=lambda limits: limits.max_repeated_10_share),
    ),
    "boilerplate": (
        Rule(
            lambda m: _share(m.boilerplate_lines, m.counts[:, words.LINES]),
            high=lambda limits: limits.max_boilerplate_share,
        ),
    ),
    "lorem-ipsum": (Rule(lambda m: m.lorem_ipsum * 1.0, high=lambda _: 0.0),),
}
"""Every rule by the reason that it gives, in the order in which they are asked."""


def failing(measured: Measured, languages: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Which documents fail each rule."""
    codes, places = np.unique(np.array(languages, str), return_inverse=True)
    limits = [limits_of(str(code)) for code in codes]
    result = {}
    for reason, parts in RULES.items():
        fails = np.zeros(len(languages), np.bool_)
        for rule in parts:
            values = rule.measure(measured)
            if rule.low:
                fails |= values < np.array([rule.low(each) for each in limits])[places]
            if rule.high:
                fails |= values > np.array([rule.high(each) for each in limits])[places]
        result[reason] = fails
    return result


def first_failures(measured: Measured, languages: Sequence[str]) -> NDArray[np.int64]:
    """The number of the first rule that each document fails, in the order of RULES; -1 when every rule holds."""
    result = np.full(len(languages), -1, np.int64)
    for number, fails in reversed(list(enumerate(failing(measured, languages).values()))):
        result[fails] = number
    return result


SCORES: dict[str, Callable[[Measured], NDArray[np.floating]]] = {
    "mean_token_characters": RULES["word-length"][0].measure,
    "share_with_letters": RULES["few-letters"][0].measure,
    "function_word_share": _function_word_share,
    "symbols_per_token": RULES["symbols"][0].measure,
    "repeated_line_share": RULES["repeated-lines"][0].measure,
    "repeated_run_share": RULES["repeated-runs"][3].measure,
}
"""What `decisions.parquet` tells about every document."""
