"""Paragraphs that a document says twice."""

import re

_BREAK = re.compile(r"(\n{2,})")
_BLANKS = re.compile(r"\s+")
_MIN_CHARACTERS = 20
"""Shorter ones, such as three stars between chapters, may come again."""


def without_repeats(text: str) -> tuple[str, int]:
    """A text without the paragraphs that it has had before, and how many those are.

    Paragraphs are parted by blank lines; in a text that has none every line is one. Case and blanks make no difference.
    """
    parts = _BREAK.split(text) if "\n\n" in text else re.split(r"(\n)", text)
    kept, seen, num_removed = [parts[0]], {_key(parts[0])}, 0
    for place in range(2, len(parts), 2):
        key = _key(parts[place])
        if key in seen and len(key) >= _MIN_CHARACTERS:
            num_removed += 1
            continue
        seen.add(key)
        kept += [parts[place - 1], parts[place]]
    return "".join(kept), num_removed


def _key(paragraph: str) -> str:
    return _BLANKS.sub(" ", paragraph).strip().casefold()
