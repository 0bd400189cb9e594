"""The adviser's sentences by language, from the shipped `words.yaml`."""

from functools import cache
from importlib.resources import files

import yaml

LANGUAGES = ("en", "it")


@cache
def sentences() -> dict[str, dict[str, str]]:
    """All sentences, by key and language."""
    return yaml.safe_load(files("fucina.access").joinpath("words.yaml").read_text(encoding="utf-8"))


def say(key: str, language: str, /, **values: object) -> str:
    """A sentence with its values filled in."""
    return sentences()[key][language].format(**values)


def number(value: float, language: str) -> str:
    """A number as people of the language write it: whole from a thousand on, else four significant digits."""
    if 0 < value < 0.01:
        return f"< {number(0.01, language)}"
    text = f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.4g}"
    return text.translate(str.maketrans(",.", ".,")) if language == "it" else text
