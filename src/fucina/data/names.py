"""Names of persons by a list of names: an option, since no checksum tells a name from a word."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fucina.data.screen import read_word_list

# Capitals and small letters of Latin with diacritics, as bytes of UTF-8.
_CAPITAL = rb"(?:[A-Z]|\xc3[\x80-\x96\x98-\x9e]|[\xc4\xc5][\x80-\xbf]|\xc8[\x98-\x9b])"
_SMALL = rb"(?:[a-z]|\xc3[\x9f-\xb6\xb8-\xbf]|[\xc4\xc5][\x80-\xbf]|\xc8[\x98-\x9b])"
_APOSTROPHE = rb"(?:'|\xe2\x80\x99)"
_WORD = rb"(?:(?:[DLO]|Mac|Mc)" + _APOSTROPHE + rb")?" + _CAPITAL + _SMALL + rb"+(?:-" + _CAPITAL + _SMALL + rb"+)?"
_PARTICLE = rb"(?:d[aeiou]s?|del|della|dei|von|van|der|den|zu|la|le|du|af|av) "
_RUN = re.compile(
    rb"(?<![A-Za-z0-9\x80-\xff])"
    + _WORD
    + rb"(?: (?:"
    + _CAPITAL
    + rb"\. |"
    + _PARTICLE
    + rb"){0,2}"
    + _WORD
    + rb"){0,4}"
)
_SINGLE = re.compile(_WORD)
_TITLE = re.compile(
    rb"(?i:\b(?:sig|sig\.ra|sig\.na|signor[ae]?|signorina|dott|dott\.ssa|dottor|avv|ing|prof|prof\.ssa|professor[ea]?|don"
    rb"|mr|mrs|ms|miss|dr|herrn?|frau|fr\xc3\xa4ulein|mme|mlle|madame|monsieur|ma\xc3\xaetre|sr|sra|srta|do\xc3\xb1a"
    rb"|se\xc3\xb1ora?|dona|pan|pan\xc3\xad|pani|gospod|gospa|domnul|doamna|heer|mevrouw))\.? $"
)
_TITLE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Gazetteer:
    """Given and family names."""

    names: frozenset[str]
    """Casefolded."""

    def search(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where names stand in UTF-8 text: two capitalised words or more with one of the list, or one behind a title.

        What stands before the first word of the list is no part of the name, nor is a lone word without a title.
        """
        for run in _RUN.finditer(data):
            words = list(_SINGLE.finditer(data, run.start(), run.end()))
            listed = [number for number, word in enumerate(words) if self._has(word.group())]
            titled = [number for number, word in enumerate(words) if _behind_title(data, word.start())]
            if titled or (listed and len(words) - listed[0] > 1):
                yield words[min(titled + listed)].start(), run.end()

    def _has(self, word: bytes) -> bool:
        """Whether a word is on the list, or one of the two that a hyphen joins."""
        name = word.decode("utf-8", "ignore").casefold()
        return name in self.names or any(part in self.names for part in name.split("-"))


def _behind_title(data: bytes, start: int) -> bool:
    return _TITLE.search(data[max(0, start - _TITLE_BYTES) : start]) is not None


def read_gazetteer(path: Path) -> Gazetteer:
    """The names in a file, one a line, `#` before a comment.

    Raises BadWordList.
    """
    return Gazetteer(names=read_word_list(path, max_share=0.0).words)
