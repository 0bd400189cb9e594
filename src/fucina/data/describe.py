"""A prepared folder with its owner's words, as a description that can be published."""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fucina.data.card import DECISIONS_FILE
from fucina.data.description import (
    Access,
    DatasetDescription,
    FileInfo,
    HealthTerms,
    Party,
    Sensitivity,
    Slug,
    Text,
    Theme,
    curation_of,
    sources_of,
)
from fucina.data.erasure import sha256_of
from fucina.data.inspect import card_of
from fucina.data.tabular import table_info
from fucina.errors import BadInput

DOCUMENT_FILES = ("train.parquet", "validation.parquet")
RECORD_FILES = (DECISIONS_FILE,)
"""What is told about the documents beside them; nothing under `private/` ever leaves."""


class BadAbout(BadInput):
    """The file that says what a dataset is cannot be used."""

    code = "bad_about"


class About(BaseModel):
    """What no record knows of a dataset: its owner's words, and who may have it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    organisation: Annotated[str, Field(min_length=1)]
    """Name or reference at the hub."""
    name: Slug
    title: Annotated[str, Field(min_length=1, max_length=300)]
    description: Annotated[str, Field(min_length=1, max_length=10_000)]
    purpose: Text = ""
    provenance: Text = ""
    notes: Text = ""
    themes: tuple[Theme, ...] = ()
    keywords: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    contact: Party | None = None
    health: HealthTerms | None = None
    listing: Annotated[str, Field(pattern=r"^(private|factory|public)$")] = "private"
    """Who finds it: members of the organisation, whoever signs in, or everybody."""
    access: Access = Access.CLOSED
    sensitivity: Sensitivity = Sensitivity.INTERNAL
    terms: Annotated[str, Field(max_length=20_000)] = ""
    """What who asks for it agrees to."""


def load_about(path: Path) -> About:
    """The words in a YAML file. Raises BadAbout."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return About.model_validate(content if isinstance(content, dict) else {})
    except FileNotFoundError as error:
        raise BadAbout(
            f"There is no file {path}.", hint="Write one: organisation, name, title, description."
        ) from error
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise BadAbout(
            f"{path} has {error.error_count()} faults; the first at {place}: {fault['msg']}.",
            hint="Needed are organisation, name, title and description.",
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadAbout(f"{path} cannot be read as YAML: {first}", hint="Repair the file.") from error


def describe_folder(out: Path, about: About) -> DatasetDescription:
    """The outputs of `prepare` as its card, its files and its owner say. Raises NotPrepared, BadTable."""
    card = card_of(out)
    return DatasetDescription(
        name=about.name,
        title=about.title,
        description=about.description,
        purpose=about.purpose,
        provenance=about.provenance,
        notes=about.notes,
        publisher=Party(name=about.organisation, country=about.country),
        contact=about.contact,
        licences=tuple(card.licences),
        languages=tuple(code for code in card.languages if len(code) in {2, 3} and code.isalpha()),
        themes=about.themes,
        keywords=about.keywords,
        access=about.access,
        sensitivity=about.sensitivity,
        files=(*sources_of(card), *_files(out)),
        curation=curation_of(card),
        health=about.health,
    )


def _files(out: Path) -> list[FileInfo]:
    found = [
        table_info(out / name, name=name, sha256=sha256_of(out / name))
        for name in DOCUMENT_FILES
        if (out / name).is_file()
    ]
    for name in RECORD_FILES:
        told = table_info(out / name, name=name, sha256=sha256_of(out / name))
        found.append(told.model_copy(update={"role": "record"}))
    return found
