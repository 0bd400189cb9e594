"""The limits of the quality rules, as data: one set for each language."""

from functools import lru_cache
from importlib import resources
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class Limits(BaseModel):
    """Where each rule draws its line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_tokens: Annotated[int, Field(ge=1)]
    min_mean_token_characters: Annotated[float, Field(ge=0)]
    max_mean_token_characters: Annotated[float, Field(ge=0)]
    min_share_with_letters: Share
    """Of tokens."""
    min_function_word_share: Share
    """Of words with letters."""
    max_symbols_per_token: Annotated[float, Field(ge=0)]
    max_bullet_share: Share
    """Of lines; a dialogue opens its lines with dashes too, but closes them like sentences."""
    max_cut_off_share: Share
    """Of lines, those that end with an ellipsis."""
    max_repeated_line_share: Share
    """Characters in lines that occurred before, over all characters in lines."""
    max_top_2_share: Share
    """Words in the most frequent run of two, over all words; likewise of three and four."""
    max_top_3_share: Share
    max_top_4_share: Share
    max_repeated_5_share: Share
    """Words in runs of five that occurred before, over all words; likewise of ten."""
    max_repeated_10_share: Share
    max_boilerplate_share: Share
    """Lines about cookies, scripts and terms of use, over all lines."""


@lru_cache(maxsize=1)
def _file() -> dict[str, dict[str, dict[str, float]]]:
    content = yaml.safe_load(resources.files("fucina.data").joinpath("quality.yaml").read_text(encoding="utf-8"))
    return {"default": {"": content["default"]}, "languages": content["languages"]}


@lru_cache(maxsize=256)
def limits_of(language: str) -> Limits:
    """The limits for a language."""
    content = _file()
    return Limits.model_validate({**content["default"][""], **content["languages"].get(language, {})})
