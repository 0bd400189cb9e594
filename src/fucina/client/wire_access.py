"""Wire types of access: modes and calls."""

from datetime import date

from pydantic import AwareDatetime, Field, field_validator

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


class DraftFields(Request):
    """What a draft says so far; everything may be empty."""

    project: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9-]{0,62})?$")
    purpose: str = Field(default="", max_length=4000)
    sector: str = Field(default="", max_length=200)
    gpu_hours: float | None = Field(default=None, gt=0, le=10_000_000)
    answers: dict[str, bool | float | str] = Field(default={}, max_length=200)
    """By the question's id."""

    @field_validator("purpose", "sector", "answers")
    @classmethod
    def _no_nul(cls, value: str | dict[str, bool | float | str]) -> str | dict[str, bool | float | str]:
        texts = [value] if isinstance(value, str) else [text for text in value.values() if isinstance(text, str)]
        if any("\x00" in text for text in texts):
            raise ValueError("a text has a character that cannot be kept")
        return value


class DraftStart(DraftFields):
    """A new draft."""

    organisation: str
    """Name or reference."""
    access_mode: str


class DraftSave(DraftFields):
    """A draft as it shall stand."""

    version: int = Field(ge=0)
    """That one saw; refused when somebody else has saved meanwhile."""


class QuestionInfo(Answer):
    """A question of the mode."""

    id: str
    kind: str
    text: dict[str, str]
    help: dict[str, str] = {}
    required: bool = True
    when: str = ""
    min_chars: int = 0
    max_chars: int = 4000
    choices: tuple[str, ...] = ()


class MissingInfo(Answer):
    """What is missing before an application may be submitted."""

    field: str
    code: str
    wanted: str = ""


class EventInfo(Answer):
    """One move on the timeline."""

    at: AwareDatetime
    move: str
    before: str
    after: str
    who: str
    reason: str = ""


class CoApplicantInfo(Answer):
    """Somebody who was asked to apply as well."""

    username: str
    name: str
    state: str


class AttachmentInfo(Answer):
    """A file of an application."""

    ref: str
    name: str
    media_type: str
    num_bytes: int
    sha256: str
    added_at: AwareDatetime


class ApplicationDetail(Answer):
    """An application with everything that belongs to it."""

    ref: str
    version: int
    state: str
    organisation: str
    access_mode: str
    project: str
    purpose: str
    sector: str
    gpu_hours: float
    answers: dict[str, bool | float | str] = {}
    questions: tuple[QuestionInfo, ...] = ()
    missing: tuple[MissingInfo, ...] = ()
    events: tuple[EventInfo, ...] = ()
    co_applicants: tuple[CoApplicantInfo, ...] = ()
    attachments: tuple[AttachmentInfo, ...] = ()
    moves: tuple[str, ...] = ()
    """That you may make now."""


class MoveRequest(Request):
    """One move of an application."""

    move: str
    reason: str = Field(default="", max_length=4000)
    version: int | None = Field(default=None, ge=0)


class InvitationRequest(Request):
    """Somebody who shall apply as well."""

    username: str = Field(min_length=1, max_length=150)


class InvitationAnswer(Request):
    """Yes or no to an invitation."""

    accept: bool


class GrantInfo(Answer):
    """A grant while it lasts."""

    ref: str
    project: str
    granted_gpu_hours: float
    used_gpu_hours: float
    free_gpu_hours: float
    ends_at: AwareDatetime | None = None
    accepted_at: AwareDatetime | None = None
    needs_acceptance: bool
    terms: tuple[str, ...] = ()
    is_under_used: bool
    reported_at: AwareDatetime | None = None
    report: dict[str, bool | float | str | None] = {}
    """As recorded so far; as handed in once it was."""


class ChangeRequest(Request):
    """A change of a grant that is asked for."""

    kind: str
    reason: str = Field(min_length=3, max_length=4000)
    gpu_hours: float | None = Field(default=None, gt=0, le=10_000_000)
    ends_at: AwareDatetime | None = None
    source: str = Field(default="", max_length=130)
    target: str = Field(default="", max_length=130)


class ChangeInfo(Answer):
    """A change of a grant and what became of it."""

    ref: str
    application: str
    kind: str
    gpu_hours: float
    ends_at: AwareDatetime | None = None
    source: str = ""
    target: str = ""
    reason: str
    state: str
    answer: str = ""


class ChangeDecision(Request):
    """The answer to a request for a change."""

    agreed: bool
    answer: str = Field(min_length=3, max_length=4000)


class ClawBackRequest(Request):
    """Time that is taken back."""

    gpu_hours: float = Field(gt=0, le=10_000_000)
    reason: str = Field(min_length=3, max_length=4000)


class ReportRequest(Request):
    """The results in words; the rest of the final report was recorded."""

    results: str = Field(max_length=20_000)
