"""What the adviser asks, in words that need no knowledge of supercomputers; all but three answers may be left out."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from fucina.access.places import country_names
from fucina.access.sme import Period, Relation, SmeClass
from fucina.errors import BadInput
from fucina.line.spec import ProjectSpec
from fucina.models.recipe import num_parameters, shape_for
from fucina.units import NotACount, parse_count


class BadIntake(BadInput):
    """Answers that cannot be, or that contradict each other."""

    code = "bad_intake"


class Who(StrEnum):
    """Who asks."""

    COMPANY = "company"
    UNIVERSITY = "university"
    RESEARCH = "research-institute"
    PUBLIC = "public-body"
    PERSON = "person"
    """Nobody but oneself, without an organisation."""


class Goal(StrEnum):
    """What one wants to do."""

    UNSURE = "unsure"
    """A problem, and no idea yet whether AI solves it."""
    LEARN = "learn"
    """A first trial on a large machine."""
    CLASSIC = "tables-or-images"
    """Predict from tables, sensor values or a few thousand pictures."""
    USE = "use"
    """Let an existing model answer or read."""
    FINE_TUNE = "fine-tune"
    """Teach an existing model one's own field."""
    CONTINUE = "continue"
    """Train an existing model further, all of its weights."""
    PRETRAIN = "pretrain"
    """Train a model from the beginning."""
    SCALING = "scaling-test"
    """Measure how a code scales, before a larger request."""
    PROVE = "prove"
    """Try a finished product in real conditions."""


class Sensitivity(StrEnum):
    """What the data are."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SPECIAL = "special"
    """Health, biometric or other special categories of personal data."""


class Residency(StrEnum):
    """Where the data may go."""

    EUROPE = "europe"
    COUNTRY = "own-country"


class Experience(StrEnum):
    """With supercomputers."""

    NONE = "none"
    SOME = "some"
    PRACTISED = "practised"


def _count(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_count(value)
    except NotACount as error:
        raise ValueError(f"not a count; {error.hint}") from error


Count = Annotated[int, BeforeValidator(_count)]


class Intake(BaseModel):
    """The answers."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    who: Who
    country: str = Field(min_length=2, max_length=2)
    """Where the organisation is established: two letters, ISO 3166-1."""
    goal: Goal
    language: Literal["en", "it"] = "en"
    """Of the answer."""

    founded_on: date | None = None
    periods: tuple[Period, ...] = Field(default=(), max_length=20)
    """People, turnover and balance sheet by closed year, the newest last; of a company."""
    relations: tuple[Relation, ...] = Field(default=(), max_length=200)
    """Firms that hold a part of it, or of which it holds a part."""
    public_share: float = Field(default=0.0, ge=0, le=1)
    """Held by public bodies."""
    earlier_class: SmeClass | None = None
    eu_project: bool = False
    """Whether the work is part of a project that Horizon Europe or Digital Europe pays."""
    open_research: bool = True
    """Whether the results will be published."""
    civilian: bool = True
    """Whether the use is civilian only."""

    parameters: Count | None = Field(default=None, ge=1, le=10**14)
    """Of the model, where it is known: 8B, 70B."""
    tokens: Count | None = Field(default=None, ge=1, le=10**16)
    """To train on once, or to read and write."""
    text_gb: float | None = Field(default=None, gt=0, le=1e7)
    """Gigabytes of plain text, for whom tokens mean nothing."""
    has_data: bool = True
    """Whether the data are there and may be used."""
    gpu_hours: float | None = Field(default=None, gt=0, le=1e9)
    """Where it is already known."""
    experience: Experience = Experience.SOME
    sensitivity: Sensitivity = Sensitivity.INTERNAL
    residency: Residency = Residency.EUROPE
    vendor: Literal["any", "NVIDIA", "AMD"] = "any"
    """Of the accelerators that the software needs."""
    memory_gb: float | None = Field(default=None, gt=0, le=10_000)
    """That one device must have."""
    months: int | None = Field(default=None, ge=1, le=60)
    needed_by: date | None = None
    """When the time should be there."""

    project: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9-]{0,62})?$")
    purpose: str = Field(default="", max_length=4000)
    sector: str = Field(default="", max_length=200)

    @field_validator("country")
    @classmethod
    def _exists(cls, country: str) -> str:
        if country.upper() not in country_names():
            raise ValueError(f"there is no country {country!r}; two letters, such as IT or PT")
        return country.upper()

    @model_validator(mode="after")
    def _agrees(self) -> "Intake":
        figures = self.periods or self.relations or self.earlier_class or self.public_share
        if self.who is not Who.COMPANY and figures:
            raise ValueError(f"staff, turnover and owners are a company's, but the answer to who is {self.who}")
        if not self.periods and (self.relations or self.earlier_class):
            raise ValueError("owners or an earlier class need the company's own figures too")
        if self.tokens and self.text_gb:
            raise ValueError("tokens and gigabytes of text say the same twice; give one")
        if self.goal in (Goal.UNSURE, Goal.CLASSIC) and (self.parameters or self.tokens):
            raise ValueError(f"the goal {self.goal} has no language model, but its size or its tokens are given")
        if not self.has_data and (self.tokens or self.text_gb):
            raise ValueError("there are no data yet, but their amount is given")
        return self


def read_intake(answers: dict[str, Any]) -> Intake:
    """Answers as typed or sent. Raises BadIntake."""
    try:
        return Intake.model_validate(answers)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "together"
        said = first["msg"].removeprefix("Value error, ")
        raise BadIntake(f"The answers cannot be used, {where}: {said}.", hint="Correct this answer.") from error


def load_intake(path: Path) -> Intake:
    """Answers from a YAML file. Raises BadIntake."""
    try:
        answers = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadIntake(f"{path} cannot be read: {error}", hint="Give a YAML file in UTF-8.") from error
    if not isinstance(answers, dict):
        raise BadIntake(f"{path} holds no answers.", hint="Begin with who, country and goal, one a line.")
    return read_intake(answers)


def from_project(spec: ProjectSpec, **more: Any) -> Intake:
    """What a project file already answers, with what it does not. Raises BadIntake, UnknownSize."""
    answers = {
        "goal": Goal.PRETRAIN,
        "parameters": num_parameters(shape_for(spec.train.size), vocabulary_size=spec.data.vocabulary_size),
        "tokens": spec.train.tokens,
        "project": spec.name,
        "purpose": spec.purpose,
        "sector": spec.sector,
    }
    return read_intake(answers | {name: value for name, value in more.items() if value is not None})
