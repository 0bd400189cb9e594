"""Rule sets: what a law, as of a day, asks to be documented; data in the package, never code."""

import re
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fucina.errors import BadInput


class UnknownRuleSet(BadInput):
    """No rule set of that name is shipped."""

    code = "unknown_ruleset"


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RuleItem(_Rule):
    """One thing to document."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    article: str
    title: str
    who: Literal["records", "declared", "draft", "person"]
    needs: tuple[str, ...] = ()
    """Facts without which nothing can be said."""
    text: str = ""
    """What is said; a fact in braces is filled in."""
    evidence: tuple[str, ...] = ()
    question: str = Field(min_length=10)
    only_above: str = ""
    """Mark of training compute below which the item is not asked."""

    @model_validator(mode="after")
    def _states_only_what_it_needs(self) -> "RuleItem":
        missing = set(re.findall(r"\{(\w+)\}", self.text)) - set(self.needs)
        if missing:
            raise ValueError(f"{self.id} says {sorted(missing)} without needing it")
        if self.who == "person" and (self.text or self.evidence or self.needs):
            raise ValueError(f"{self.id} is for a person, yet something is said")
        if self.who != "person" and not (self.text and self.evidence and self.needs):
            raise ValueError(f"{self.id} needs facts, words and evidence")
        return self


class RulePart(_Rule):
    """Items under one heading."""

    id: str
    title: str
    items: tuple[RuleItem, ...]


class Mark(_Rule):
    """An amount of training compute at which other duties begin."""

    id: str
    flop: float
    article: str
    meaning: str


class RuleSet(_Rule):
    """One law as of one day."""

    ruleset: str
    valid_from: date
    sources: tuple[str, ...]
    marks: tuple[Mark, ...]
    parts: tuple[RulePart, ...]

    @property
    def items(self) -> tuple[RuleItem, ...]:
        """All items in order."""
        return tuple(item for part in self.parts for item in part.items)

    def mark(self, mark_id: str) -> Mark:
        """The mark of that name."""
        return next(mark for mark in self.marks if mark.id == mark_id)


@cache
def load_ruleset(name: str) -> RuleSet:
    """The shipped rule set of that name, such as `eu-ai-act/2026-07-27`. Raises UnknownRuleSet."""
    folder = files("fucina.trust").joinpath("rules")
    known = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    stem = name.replace("/", "-")
    if stem not in known:
        raise UnknownRuleSet(f"There is no rule set {name!r}.", hint=f"Shipped are: {', '.join(known)}.")
    try:
        rules = RuleSet.model_validate(yaml.safe_load(folder.joinpath(f"{stem}.yaml").read_text("utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise UnknownRuleSet(
            f"The rule set {name!r} cannot be used: {error}", hint="Install the package again."
        ) from error
    if rules.ruleset != name:
        raise UnknownRuleSet(f"The file of rule set {name!r} names itself {rules.ruleset!r}.", hint="Use that name.")
    return rules
