"""Reviewers, what they are to review, and who reviews what in the end. No solver is loaded for it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fucina.errors import BadInput

MAX_LEVEL = 3
"""Of expertise: 1 knows the field, 2 works in it, 3 is one of its authorities."""

Pairs = set[tuple[str, str]]
"""Application and reviewer."""


class BadPool(BadInput):
    """Reviewers or applications that cannot be assigned."""

    code = "bad_pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """An application that needs reviews."""

    ref: str
    topics: frozenset[str]
    language: str
    num_reviews: int
    """Those that are still missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Referee:
    """A reviewer."""

    ref: str
    expertise: Mapping[str, int]
    """Level by topic."""
    languages: frozenset[str]
    free: int
    """Reviews that they can still take."""

    def fit(self, paper: Paper) -> float:
        """From 0 to 1; 0 also where they do not read the language."""
        if paper.language not in self.languages or not paper.topics:
            return 0.0
        return sum(self.expertise.get(topic, 0) for topic in paper.topics) / (MAX_LEVEL * len(paper.topics))


class Shortage(NamedTuple):
    """An application with too few reviewers."""

    ref: str
    missing: int
    able: int
    """Who know the field and the language, whoever they are."""
    in_conflict: int
    """Of these, kept out by a conflict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Pairs of application and reviewer."""

    pairs: tuple[tuple[str, str], ...]
    fit: float
    """Sum over the pairs."""
    shortages: tuple[Shortage, ...]
    loads: dict[str, int]
    """Reviews by reviewer, of those who have any."""


def check_pool(papers: Sequence[Paper], referees: Sequence[Referee]) -> None:
    """Raises BadPool for what cannot be assigned."""
    for rows, kind in ((papers, "application"), (referees, "reviewer")):
        refs = Counter(row.ref for row in rows)
        twice = next((ref for ref, number in refs.items() if number > 1), None)
        if twice is not None:
            raise BadPool(f"The {kind} {twice} is there twice.", hint="Name each once.")
    for paper in papers:
        if paper.num_reviews < 0:
            raise BadPool(f"{paper.ref} needs {paper.num_reviews} reviews.", hint="Give 0 or more.")
    for referee in referees:
        wrong = [topic for topic, level in referee.expertise.items() if not 0 <= level <= MAX_LEVEL]
        if wrong or referee.free < 0:
            what = f"an expertise in {wrong[0]} of {referee.expertise[wrong[0]]}" if wrong else f"{referee.free} free"
            raise BadPool(f"{referee.ref} has {what}.", hint=f"Levels go from 0 to {MAX_LEVEL}, availability from 0.")
