"""Wire types of access: modes and calls."""

from datetime import date

from pydantic import AwareDatetime, Field

from fucina.client.wire import Answer, Request


class ModeInfo(Answer):
    """An access mode as it is on offer."""

    id: str
    name: dict[str, str]
    family: str
    valid_from: date
    valid_until: date | None = None
    is_open: bool
    next_cut_off: AwareDatetime | None = None
    working_days: int | None = None
    path: tuple[str, ...] = ()
    text: str = ""
    """As YAML, to be changed and saved."""


class SavedModes(Answer):
    """What was put on offer."""

    modes: tuple[ModeInfo, ...]


class ModesText(Request):
    """One mode, or a file of modes, as YAML."""

    text: str = Field(min_length=1, max_length=200_000)
