"""A recipe for `prepare` alone, as a YAML file beside the documents."""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fucina.data.recipe import PrepareRecipe
from fucina.data.sources import guess_format, resolve, resolve_tokenizer
from fucina.errors import BadInput


class BadRecipe(BadInput):
    """The recipe file cannot be used."""

    code = "bad_recipe"


class Storage(BaseModel):
    """Where `s3://` addresses lead; credentials come from the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str = ""
    """Empty for Amazon's."""
    region: str = ""
    anonymous: bool = False


class SourcePattern(BaseModel):
    """Files to read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = ""
    """A file or a glob, relative to the recipe."""
    addresses: str = ""
    """In its place a list of addresses, `https://` or `s3://`, one a line; they are fetched beside the recipe first."""
    s3: Storage = Storage()
    licence: Annotated[str, Field(min_length=1)]
    """SPDX expression, or `public-domain`, or the owner's words."""
    origin: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> "SourcePattern":
        if bool(self.path) == bool(self.addresses):
            raise ValueError("a source has either a path or addresses")
        return self


Fetch = Callable[[Path, Path, Storage], Mapping[str, str]]
"""Fetches a list into a folder; returns the address of each file that is there."""


class _Files(BaseModel):
    sources: Annotated[tuple[SourcePattern, ...], Field(min_length=1)]
    test_sets: tuple[str, ...] = ()
    blocked_words: str = ""
    names: str = ""


_FILES = frozenset(_Files.model_fields)


def load_recipe(path: Path, *, fetch: Fetch | None = None) -> PrepareRecipe:
    """The recipe in a file: every field of PrepareRecipe, but `sources` are patterns with licence and origin.

    `test_sets` are patterns, `blocked_words` and `names` are paths; all are relative to the file.
    Lists of addresses need `fetch`.

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
    sources = resolve(
        [triple for each in files.sources for triple in _triples(each, path=path, fetch=fetch)], base=base
    )
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


def _triples(source: SourcePattern, *, path: Path, fetch: Fetch | None) -> list[tuple[str, str, str]]:
    """Pattern, licence and origin of a source; each file of a list of addresses has its address as origin."""
    if source.path:
        return [(source.path, source.licence, source.origin)]
    if fetch is None:
        raise BadRecipe(
            f"{path} has a list of addresses, and here is no network.", hint="Run `fucina data fetch` first."
        )
    listed = resolve_tokenizer(source.addresses, base=path.parent)
    folder = f"{path.stem}.fetched/{PurePosixPath(source.addresses).stem}"
    found = fetch(Path(listed.path), path.parent / folder, source.s3)
    if not found:
        raise BadRecipe(f"Nothing of {source.addresses} could be fetched.", hint="Look at fetched.jsonl for reasons.")
    return [
        (f"{folder}/{name}", source.licence, source.origin or url)
        for name, url in sorted(found.items())
        if guess_format(name)[0]
    ]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
