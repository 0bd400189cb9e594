"""Words and letters that tell a language from its neighbours, where the model of letter sequences is unsure."""

import re
from collections import defaultdict

from fucina.data.function_words import FUNCTION_WORDS

# Beyond the function words: common words of languages that share most of theirs with a neighbour.
_WORDS = {
    "cs": "jsem jsi jsme není který která co jak ještě tedy pane však muž byla byl tam jej už nic také",
    "es": "está no quiero es ella un una le fue dijo yo usted después señor qué cómo muy ya eso esto",
    "hr": "što nije sam smo ovo gdje tko ćemo gospodine nego već biti ovaj ova kad njega kako nam vam",
    "pt": "está não quero é ela um uma lhe foi disse eu depois senhor isto isso muito já você então",
    "sk": "som si sme nie čo ako ešte ktorý ktorá pán však iba keď bude muž už nič tiež",
    "sl": "kaj jaz nič zdaj prav bom kje kdo tebi meni njej kakor tisti tista tisto tako več mož gospod biti boš nam "
    "vam kako zato",
}  # fmt: skip
_LETTERS = {
    "bg": "ъщ", "cs": "ěřů", "da": "åæø", "de": "ßäöü", "es": "ñ¿¡", "et": "õäöü", "fi": "äö", "fr": "çœêèàù",
    "ga": "áéíóú", "hr": "ćđ", "hu": "őű", "it": "èìòàù", "lt": "ėįųū", "lv": "āēģķļņ", "mt": "ħġżċ", "nl": "ë",
    "pl": "łąęśźżń", "pt": "ãõçâêô", "ro": "șțăţşâî", "sk": "ľĺŕäô", "sl": "čšž", "sv": "åäö",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")


def _languages_of(table: dict[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for language, members in sorted(table.items()):
        for member in sorted(members):
            found[member].append(language)
    return {member: tuple(languages) for member, languages in found.items()}


_BY_WORD = _languages_of(
    {code: words | frozenset(_WORDS.get(code, "").split()) for code, words in FUNCTION_WORDS.items()}
)
_BY_LETTER = _languages_of({code: frozenset(letters) for code, letters in _LETTERS.items()})


def log_odds(text: str) -> dict[str, float]:
    """What each language gains: one for every word and letter of its own, shared out where several have it."""
    gains: dict[str, float] = defaultdict(float)
    lowered = text.lower()
    for members, by in ((_WORD.findall(lowered), _BY_WORD), (lowered, _BY_LETTER)):
        for member in sorted(set(members)):
            languages = by.get(member, ())
            for language in languages:
                gains[language] += 1 / len(languages)
    return dict(gains)
