"""The adviser's sentences: the same values in both languages, and none that nobody says."""

import string
from pathlib import Path

import pytest

import fucina.access
from fucina.access.words import LANGUAGES, number, sentences

FOLDER = Path(fucina.access.__file__).parent
NAMED_BY_PARTS = ("class-", "kind-", "unit-", "first-", "verdict-", "cost-", "event-")


@pytest.mark.parametrize("key", sorted(sentences()))
def test_a_sentence_has_the_same_values_in_every_language(key):
    by_language = sentences()[key]

    assert set(by_language) == set(LANGUAGES)
    values = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in by_language.values()]
    assert values[0] == values[1]


def test_every_sentence_is_said():
    code = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py"))

    silent = [key for key in sentences() if f'"{key}"' not in code and not key.startswith(NAMED_BY_PARTS)]
    assert silent == []


@pytest.mark.parametrize(
    ("value", "english", "italian"),
    [
        (0, "0", "0"),
        (0.25, "0.25", "0,25"),
        (249.9, "249.9", "249,9"),
        (20000, "20,000", "20.000"),
        (1234.5, "1,234", "1.234"),
        (0.00003, "< 0.01", "< 0,01"),
    ],
)
def test_numbers_are_written_as_people_write_them(value, english, italian):
    assert (number(value, "en"), number(value, "it")) == (english, italian)
