"""Access modes as dated data, and the automatic check of an application against them."""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from fucina.client.wire import Finding
from fucina.errors import BadInput


class UnknownMode(BadInput):
    """No access mode of that name on that day."""

    code = "unknown_access_mode"


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RuleSource(_Fact):
    """Where a rule comes from."""

    title: str
    published_on: date | None = None
    url: str = ""


class CountryList(_Fact):
    """Countries by their two letters."""

    source: str
    codes: tuple[str, ...]


class Mode(_Fact):
    """A kind of access with its own limits and procedure."""

    id: str
    name: dict[str, str]
    """By language."""
    valid_from: date
    decision: Literal["automatic", "manual", "brought"]
    """`brought`: nobody decides, since a person declares time that others gave them; it cannot be applied for."""
    max_gpu_hours: float | None = Field(default=None, gt=0)
    """Per project; None where nobody published a limit."""
    site: str = ""
    """Where the time is granted; empty leaves it to the first site."""
    countries: str | None = None
    """Name of a country list."""
    lasts_days: int | None = Field(default=None, gt=0)
    """How long a grant lasts; None where it has no end."""
    at_end: Literal["warn", "stop"] = "warn"
    """What becomes of a job that runs when its grant ends: its people are warned, or it is cancelled."""
    sources: tuple[str, ...]


class ModesFile(_Fact):
    """`modes.yaml`."""

    sources: dict[str, RuleSource]
    countries: dict[str, CountryList]
    modes: tuple[Mode, ...]

    def on(self, day: date) -> dict[str, Mode]:
        """The modes that hold on that day, by id."""
        known = sorted((mode for mode in self.modes if mode.valid_from <= day), key=lambda mode: mode.valid_from)
        return {mode.id: mode for mode in known}

    def mode(self, mode_id: str, *, day: date) -> Mode:
        """The mode of that name as it holds on that day. Raises UnknownMode."""
        modes = self.on(day)
        if mode_id not in modes:
            raise UnknownMode(
                f"There is no access mode {mode_id!r} on {day}.", hint=f"The modes are {', '.join(modes)}."
            )
        return modes[mode_id]


@cache
def shipped_modes() -> ModesFile:
    """The modes that come with the package."""
    text = files("fucina.hub.access").joinpath("modes.yaml").read_text("utf-8")
    return ModesFile.model_validate(yaml.safe_load(text))


def check_eligibility(
    mode: Mode, *, country: str, gpu_hours: float, granted_gpu_hours: float, modes: ModesFile
) -> tuple[Finding, ...]:
    """What can be checked without a person: the limit of the mode and where the organisation is established.

    `granted_gpu_hours` is what the same project was granted before in this mode.
    """
    findings = [_limit(mode, gpu_hours=gpu_hours, granted_gpu_hours=granted_gpu_hours)]
    if mode.countries is not None:
        findings.append(_establishment(mode.countries, country=country, modes=modes))
    return tuple(findings)


def _limit(mode: Mode, *, gpu_hours: float, granted_gpu_hours: float) -> Finding:
    source = ", ".join(mode.sources)
    if mode.max_gpu_hours is None:
        message = f"{gpu_hours:g} GPU-hours asked for; no limit of {mode.id} is published, so an officer weighs it."
        return Finding(rule="max_gpu_hours", passed=True, message=message, source=source)
    total = gpu_hours + granted_gpu_hours
    before = f" and {granted_gpu_hours:g} granted before" if granted_gpu_hours else ""
    return Finding(
        rule="max_gpu_hours",
        passed=total <= mode.max_gpu_hours,
        message=f"{gpu_hours:g} GPU-hours asked for{before}; {mode.id} grants a project up to {mode.max_gpu_hours:g}.",
        source=source,
    )


def _establishment(list_name: str, *, country: str, modes: ModesFile) -> Finding:
    countries = modes.countries[list_name]
    if country in countries.codes:
        message = f"Established in {country}, a member state."
    elif country:
        message = (
            f"Established in {country}, not a member state; an officer checks whether it is an associated country."
        )
    else:
        message = "The organisation names no country; an officer asks where it is established."
    return Finding(rule="establishment", passed=country in countries.codes, message=message, source=countries.source)
