"""A recipe for `prepare` alone, as a YAML file beside the documents."""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fucina.data.recipe import PrepareRecipe
from fucina.data.sources import resolve, resolve_tokenizer
from fucina.errors import BadInput


class BadRecipe(BadInput):
    """The recipe file cannot be used."""

    code = "bad_recipe"


class SourcePattern(BaseModel):
    """Files to read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, Field(min_length=1)]
    """A file or a glob, relative to the recipe."""
    licence: Annotated[str, Field(min_length=1)]
    """SPDX expression, or `public-domain`, or the owner's words."""
    origin: str = ""


class _Files(BaseModel):
    sources: Annotated[tuple[SourcePattern, ...], Field(min_length=1)]
    test_sets: tuple[str, ...] = ()
    blocked_words: str = ""
    names: str = ""


_FILES = frozenset(_Files.model_fields)


def load_recipe(path: Path) -> PrepareRecipe:
    """The recipe in a file: every field of PrepareRecipe, but `sources` are patterns with licence and origin.

    `test_sets` are patterns, `blocked_words` and `names` are paths; all are relative to the file.

    Raises BadRecipe, and what `resolve` raises.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadRecipe(f"There is no file {path}.", hint="Give the path of a recipe in YAML.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadRecipe(f"{path} cannot be read as YAML: {_first_line(error)}", hint="Repair the file.") from error
    if not isinstance(content, dict):
        raise BadRecipe(f"{path} holds no recipe.", hint="Begin with `sources:` and a list of path and licence.")
    try:
        files = _Files.model_validate({"sources": [], **{key: content[key] for key in _FILES & set(content)}})
        # What the file says besides its sources is checked before files are read.
        recipe = PrepareRecipe.model_validate(
            {key: value for key, value in content.items() if key not in _FILES} | {"sources": ()}
        )
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        message = f"{path} has {error.error_count()} faults; the first at {place}: {fault['msg']}."
        raise BadRecipe(message, hint="See `fucina data prepare --help` and the how-to for every field.") from error
    base = path.parent
    sources = resolve([(each.path, each.licence, each.origin) for each in files.sources], base=base)
    tokenizer = resolve_tokenizer(recipe.tokenizer, base=base).path if recipe.tokenizer else ""
    update: dict[str, object] = {"sources": sources, "tokenizer": tokenizer}
    if files.test_sets:
        update["test_sets"] = resolve([(pattern, "", "") for pattern in files.test_sets], base=base)
    if files.blocked_words:
        update["blocked_words"] = resolve([(files.blocked_words, "", "")], base=base)[0]
    if files.names:
        update["names"] = resolve([(files.names, "", "")], base=base)[0]
    if recipe.pseudonym_key:
        update["pseudonym_key"] = resolve_tokenizer(recipe.pseudonym_key, base=base).path
    return recipe.model_copy(update=update)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
