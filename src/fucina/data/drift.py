"""How far the make-up of two versions lies apart."""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from fucina.data.description import Curation, Share

MODERATE = 0.1
LARGE = 0.25
"""Bounds that are usual for the population stability index (Siddiqi 2006, Credit Risk Scorecards)."""
_FLOOR = 1e-4
"""Share that stands for an empty bin, so that the index is finite."""


class Shift(BaseModel):
    """A part of one version that another has more or less of."""

    model_config = ConfigDict(frozen=True)

    name: str
    before: float
    """Share, 0 to 1."""
    after: float


class Drift(BaseModel):
    """One distribution in two versions."""

    model_config = ConfigDict(frozen=True)

    of: str
    index: float
    """Population stability index: the sum of (after - before) x ln(after / before) over the bins."""
    verdict: Literal["stable", "moderate", "large"]
    shifts: tuple[Shift, ...]
    """The bins that moved most, at most five."""


def drift(before: Curation, after: Curation) -> tuple[Drift, ...]:
    """Languages, licences, sources, reasons of drops and kinds of redactions; what neither version has is left out."""
    pairs = {
        "languages": (_documents(before.languages), _documents(after.languages)),
        "licences": (_documents(before.licences), _documents(after.licences)),
        "sources": (_documents(before.sources), _documents(after.sources)),
        "reasons": (_with_rest(before), _with_rest(after)),
        "redactions": (before.redactions, after.redactions),
        "splits": (_splits(before), _splits(after)),
    }
    return tuple(_drift(name, *pair) for name, pair in pairs.items() if sum(pair[0].values()) or sum(pair[1].values()))


def _documents(parts: Mapping[str, Share]) -> dict[str, int]:
    return {name: part.num_documents for name, part in parts.items()}


def _with_rest(found: Curation) -> dict[str, int]:
    return {"kept": found.num_documents, **found.broken, **found.drops}


def _splits(found: Curation) -> dict[str, int]:
    return {"train": found.train.num_documents, "validation": found.validation.num_documents}


def _drift(of: str, before: Mapping[str, int], after: Mapping[str, int]) -> Drift:
    names = sorted({*before, *after})
    shares = [_shares(counts, names) for counts in (before, after)]
    shifts = [Shift(name=name, before=old, after=new) for name, old, new in zip(names, *shares, strict=True)]
    index = round(sum(_term(shift.before, shift.after) for shift in shifts), 6)
    moved = sorted((shift for shift in shifts if shift.before != shift.after), key=lambda s: -abs(s.after - s.before))
    verdict: Literal["stable", "moderate", "large"] = "large" if index >= LARGE else "moderate"
    return Drift(of=of, index=index, verdict=verdict if index >= MODERATE else "stable", shifts=tuple(moved[:5]))


def _shares(counts: Mapping[str, int], names: list[str]) -> list[float]:
    whole = sum(counts.values())
    return [counts.get(name, 0) / whole if whole else 0.0 for name in names]


def _term(before: float, after: float) -> float:
    old, new = max(before, _FLOOR), max(after, _FLOOR)
    return (new - old) * math.log(new / old)
