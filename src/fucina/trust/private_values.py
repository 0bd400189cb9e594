"""Private values: whether a text gives one away, however it is spaced, and texts with them taken out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fucina.data.recipe import PersonalData

_SEPARATORS = r"[\s\-./()\u2010-\u2015]{0,3}"
"""What people put between the groups of a number."""
_SPACE = r"\s?"
_NATIONAL_DIGITS = 9
"""A telephone number is given away by its last digits, whatever prefix of country or trunk stands before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateValue:
    """A value that the model must not write."""

    kind: PersonalData
    value: str
    _key: str = field(init=False)
    """Its letters and digits; a text without them cannot hold the value."""
    _spellings: str = field(init=False)
    """A pattern; compiled only for texts that pass the key, which are few."""

    def __post_init__(self) -> None:
        characters, pattern = _spell(self.kind, self.value)
        object.__setattr__(self, "_key", squash("".join(characters)))
        object.__setattr__(self, "_spellings", pattern)

    def appears_in(self, text: str, *, squashed: str | None = None) -> bool:
        """Whether the text holds the value in any spelling; give `squash(text)` when many values are looked for."""
        if self._key not in (squash(text) if squashed is None else squashed):
            return False
        return self._pattern().search(text) is not None

    def after_last(self, text: str) -> str:
        """What follows its last appearance; the whole text when it does not appear."""
        ends = [match.end() for match in self._pattern().finditer(text)]
        return text[ends[-1] :] if ends else text

    def taken_out_of(self, text: str) -> str:
        """The text with the name of the kind in place of the value."""
        return self._pattern().sub(f"[{self.kind}]", text)

    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self._spellings, re.IGNORECASE)


def squash(text: str) -> str:
    """Its letters and digits, without case."""
    return "".join(filter(str.isalnum, text)).casefold()


def masked(text: str, values: Iterable[PrivateValue]) -> str:
    """The text without any of the values."""
    squashed = squash(text)
    for value in values:
        if value.appears_in(text, squashed=squashed):
            text = value.taken_out_of(text)
    return text


def _spell(kind: PersonalData, value: str) -> tuple[list[str], str]:
    """The characters of a value that count, and the pattern of all its spellings."""
    if kind in (PersonalData.PHONE, PersonalData.CREDIT_CARD):
        digits = [character for character in value if character.isdecimal()]
        if kind is PersonalData.PHONE and len(digits) > _NATIONAL_DIGITS:
            digits = digits[-_NATIONAL_DIGITS:]
            return digits, _joined(digits, _SEPARATORS) + r"(?!\d)"
        if digits:
            return digits, r"(?<!\d)" + _joined(digits, _SEPARATORS) + r"(?!\d)"
    if kind in (PersonalData.IBAN, PersonalData.CODICE_FISCALE):
        alphanumeric = [character for character in value if character.isalnum()]
        if alphanumeric:
            return alphanumeric, r"(?<![^\W_])" + _joined(alphanumeric, _SEPARATORS) + r"(?![^\W_])"
    characters = [character for character in value if not character.isspace()]
    return characters, r"(?<![^\W_])" + _joined(characters, _SPACE) + r"(?![^\W_])"


def _joined(characters: list[str], between: str) -> str:
    return between.join(map(re.escape, characters))
