"""What an erasure seeks, what it took, and what the numbers of a version are after it. Reads no table itself."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fucina.data.description import Curation, Share

ERASED = "erased-on-request"
"""The reason under which erased documents are counted."""


class Sought(BaseModel):
    """What is looked for: a document's id, or words of its text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["document", "person"]
    text: Annotated[str, Field(min_length=1)]


class TableWork(BaseModel):
    """A table to search, or to write without some documents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    target: str = ""
    """Where to write it; empty to search it."""
    split: str = ""
    is_documents: bool = True
    """Whether what leaves it is counted."""


class Task(BaseModel):
    """What `python -m fucina.data.erase` reads as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tables: tuple[TableWork, ...]
    sought: Sought | None = None
    """Search; its ids are told."""
    ids: frozenset[str] = frozenset()
    """Write without these."""


class Done(BaseModel):
    """What it answers."""

    model_config = ConfigDict(frozen=True)

    ids: frozenset[str] = frozenset()
    num_removed: tuple[int, ...] = ()
    """Rows that left each table."""
    removed: dict[str, dict[str, Share]] = {}
    """What left, by `languages`, `licences`, `sources`, `splits` and value."""


def curation_without(found: Curation, removed: dict[str, dict[str, Share]]) -> Curation:
    """The numbers of a version after documents left it; what is not told by document stays."""
    splits = removed.get("splits", {})
    num = sum(share.num_documents for share in splits.values())
    parts = {
        name: {key: _less(share, removed.get(name, {}).get(key)) for key, share in getattr(found, name).items()}
        for name in ("languages", "licences", "sources")
    }
    return found.model_copy(
        update={
            "num_documents": found.num_documents - num,
            "drops": {**found.drops, ERASED: found.drops.get(ERASED, 0) + num},
            "train": _less(found.train, splits.get("train")),
            "validation": _less(found.validation, splits.get("validation")),
            **{
                name: {key: share for key, share in shares.items() if share.num_documents}
                for name, shares in parts.items()
            },
        }
    )


def sha256_of(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _less(share: Share, gone: Share | None) -> Share:
    if gone is None:
        return share
    taken = gone.model_dump()
    return Share.model_validate({name: max(0, value - taken[name]) for name, value in share.model_dump().items()})
