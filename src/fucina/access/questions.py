"""The questions of an application: one set of sets per mode, and what is still missing from the answers."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml
from pydantic import Field

from fucina.access.modes import Fact, Mode
from fucina.errors import BadInput

Answer = str | float | bool


class UnknownQuestion(BadInput):
    """An answer to what the mode does not ask."""

    code = "unknown_question"


class AnswerKind(StrEnum):
    """What an answer is."""

    TEXT = "text"
    NUMBER = "number"
    YES_NO = "yes-no"
    CHOICE = "choice"


class Question(Fact):
    """One question of the form."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    kind: AnswerKind
    text: dict[str, str]
    help: dict[str, str] = {}
    required: bool = True
    when: str = ""
    """Asked only when that yes-no question is answered with yes."""
    min_chars: int = 0
    max_chars: int = 4000
    min: float | None = None
    max: float | None = None
    choices: tuple[str, ...] = ()
    must_be: bool | None = None
    """The only answer with which one may apply."""


class QuestionFile(Fact):
    """The shipped file."""

    valid_from: date
    sources: tuple[str, ...]
    sets: dict[str, tuple[Question, ...]]


class Missing(NamedTuple):
    """What is not answered, or not well, in words."""

    field: str
    code: str
    """`empty`, `short`, `long`, `range`, `kind`, `choice` or `must`."""
    wanted: str
    """The number or the words that were wanted."""


@cache
def shipped_questions() -> QuestionFile:
    """The questions that come with the package."""
    text = files("fucina.access").joinpath("questions.yaml").read_text(encoding="utf-8")
    return QuestionFile.model_validate(yaml.safe_load(text))


def questions_for(mode: Mode) -> tuple[Question, ...]:
    """What the mode asks, in order; a set that nobody wrote asks nothing."""
    sets = shipped_questions().sets
    return tuple(question for name in mode.questions for question in sets.get(name, ()))


def check_known(answers: Mapping[str, Answer], *, mode: Mode) -> None:
    """Raises UnknownQuestion for an answer to what the mode does not ask, or one that is far too long."""
    known = {question.id: question for question in questions_for(mode)}
    for name, value in answers.items():
        if name not in known:
            raise UnknownQuestion(
                f"{mode.id} has no question {name[:80]!r}.", hint=f"It asks: {', '.join(known) or 'nothing more'}."
            )
        if isinstance(value, str) and len(value) > 4 * known[name].max_chars:
            raise UnknownQuestion(
                f"The answer to {name} has {len(value):,} characters; {known[name].max_chars:,} are asked for.",
                hint="Shorten it, or attach a document.",
            )


def missing_answers(answers: Mapping[str, Answer], *, mode: Mode) -> tuple[Missing, ...]:
    """What must be answered, or answered otherwise, before one may submit."""
    found = []
    for question in questions_for(mode):
        if question.when and answers.get(question.when) is not True:
            continue
        value = answers.get(question.id)
        if value is None or (isinstance(value, str) and not value.strip()):
            if question.required:
                found.append(Missing(question.id, "empty", ""))
            continue
        wrong = _wrong(question, value)
        if wrong:
            found.append(wrong)
    return tuple(found)


def _wrong(question: Question, value: Answer) -> Missing | None:
    if question.kind is AnswerKind.YES_NO:
        if not isinstance(value, bool):
            return Missing(question.id, "kind", "yes or no")
        is_right = question.must_be is None or value is question.must_be
        return None if is_right else Missing(question.id, "must", "yes" if question.must_be else "no")
    if question.kind is AnswerKind.NUMBER:
        return _wrong_number(question, value)
    if not isinstance(value, str):
        return Missing(question.id, "kind", "text")
    if question.kind is AnswerKind.CHOICE:
        return None if value in question.choices else Missing(question.id, "choice", ", ".join(question.choices))
    num = len(value.strip())
    if num < question.min_chars:
        return Missing(question.id, "short", str(question.min_chars))
    return Missing(question.id, "long", str(question.max_chars)) if num > question.max_chars else None


def _wrong_number(question: Question, value: Answer) -> Missing | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return Missing(question.id, "kind", "a number")
    low, high = question.min, question.max
    if (low is not None and value < low) or (high is not None and value > high):
        return Missing(question.id, "range", f"{low:g} to {high:g}" if low is not None and high is not None else "")
    return None
