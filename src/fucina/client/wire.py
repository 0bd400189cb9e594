"""Types that cross the API, shared by hub, SDK, agent and commands.

Requests forbid unknown keys; answers ignore them, so that an older agent survives a newer hub.
"""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from fucina.accounting.usage import UsageRecord
from fucina.compute.record import ProgressLine, StageRecord
from fucina.compute.spec import JobReport, JobSpec, JobState
from fucina.line.spec import ProjectSpec, StageName
from fucina.line.stage import StageInput
from fucina.network.broker import Placement
from fucina.network.status import PartitionStatus


class Request(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(BaseModel):
    """What the hub says."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)


class Me(Answer):
    """Who this token or session is."""

    username: str
    name: str
    is_staff: bool
    organisations: tuple[str, ...]


class OrganisationRequest(Request):
    """A new organisation; who asks becomes its owner."""

    name: str = Field(min_length=1, max_length=200)
    country: str = Field(default="", pattern=r"^([A-Za-z]{2})?$")


class OrganisationInfo(Answer):
    """An organisation that one may see."""

    ref: str
    name: str
    country: str
    role: str


class ApplicationRequest(Request):
    """An application for accelerator time for one project."""

    organisation: str
    """Name or reference."""
    project: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    purpose: str = Field(min_length=10, max_length=4000)
    sector: str = ""
    access_mode: str = "local"
    gpu_hours: float = Field(gt=0, le=10_000_000)


class Finding(Answer):
    """One rule of the automatic eligibility check."""

    rule: str
    passed: bool
    message: str
    source: str = ""


class ApplicationInfo(Answer):
    """An application with its check and its decision."""

    ref: str
    organisation: str
    project: str
    access_mode: str
    state: str
    gpu_hours: float
    granted_gpu_hours: float | None = None
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    decided_by: str = ""
    version: int = 0
    """Grows with every change; sent back with a move, it is refused when somebody else was quicker."""
    created_at: AwareDatetime | None = None
    submitted_at: AwareDatetime | None = None
    """None for a draft."""
    decided_at: AwareDatetime | None = None


class GrantShare(Request):
    """A part of a grant and where it may be used."""

    place: str = Field(min_length=1, max_length=130)
    """`site/partition`, or a site for its first partition."""
    gpu_hours: float = Field(gt=0, le=10_000_000)


class DecisionRequest(Request):
    """The decision of an access officer."""

    granted: bool
    gpu_hours: float | None = Field(default=None, gt=0)
    """What is granted; None grants what was asked for."""
    reason: str = Field(min_length=3, max_length=4000)
    split: tuple[GrantShare, ...] = Field(default=(), max_length=50)
    """Where the time may be used, in parts that add up to the grant; empty leaves the place to the access mode."""


class ProjectInfo(Answer):
    """A project with its balance."""

    ref: str
    name: str
    organisation: str
    purpose: str
    granted_gpu_s: int
    held_gpu_s: int
    used_gpu_s: int
    free_gpu_s: int
    num_runs: int


class LedgerLine(Answer):
    """One ledger entry."""

    at: AwareDatetime
    kind: str
    gpu_s: int
    job: str = ""
    note: str = ""
    balance_gpu_s: int


class BlobQuery(Request):
    """Which of these files does the project lack?"""

    sha256s: tuple[str, ...] = Field(max_length=100_000)


class BlobAnswer(Answer):
    """The files to send."""

    missing: tuple[str, ...]


class RunSource(Request):
    """An input file of a run; its bytes were sent before, by digest."""

    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    num_bytes: int = Field(ge=0)
    licence: str
    origin: str = ""
    role: Literal["documents", "tokenizer"] = "documents"


class RunRequest(Request):
    """A line run. The same key twice is the same run."""

    project: str
    """Project reference."""
    spec: ProjectSpec
    sources: tuple[RunSource, ...] = Field(min_length=1)
    key: str = Field(min_length=8, max_length=80, pattern=r"^[A-Za-z0-9._-]+$")


class JobInfo(Answer):
    """One stage of a run."""

    ref: str
    stage: StageName
    state: JobState
    reason: str
    error_code: str = ""
    error_hint: str = ""
    num_gpus: int
    walltime_s: int
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    wall_s: float | None = None
    cpu_s: float | None = None
    gpu_s: int | None = None
    max_rss_bytes: int | None = None
    exit_code: int | None = None
    num_attempts: int = 0
    progress: ProgressLine | None = None
    """The newest line."""


class RunInfo(Answer):
    """A line run with its stages."""

    ref: str
    project: str
    project_name: str
    organisation: str
    state: JobState
    site: str
    partition: str = ""
    generation: int = 1
    placement: Placement | None = None
    """Where it was placed and why."""
    created_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    created_by: str
    jobs: tuple[JobInfo, ...]
    release: str = ""
    """Reference of the release, once it is registered."""


class ProgressAnswer(Answer):
    """Progress lines from a position on."""

    lines: tuple[ProgressLine, ...]
    next: int


class LogAnswer(Answer):
    """A piece of a job's log; `next` is where to go on."""

    text: str
    offset: int
    next: int


class ReleaseFile(Answer):
    """One file of a release."""

    path: str
    num_bytes: int
    sha256: str


class ReleaseInfo(Answer):
    """A registered release."""

    ref: str
    model: str
    project: str
    version: int
    run: str
    created_at: AwareDatetime
    verified: bool
    content_digest: str
    num_open_questions: int
    withdrawn_at: AwareDatetime | None = None
    withdrawn_why: str = ""
    files: tuple[ReleaseFile, ...]


class ReleaseWithdrawal(Request):
    """Why a release must not be used any more."""

    reason: str = Field(max_length=5000)


# -- the agent's side


class ClaimRequest(Request):
    """How many more jobs the agent can take."""

    num_slots: int = Field(ge=0, le=10_000)
    num_gpus: int = Field(ge=0, lt=2**31)
    """Free accelerators; where the site has a queue of its own, more than anybody asks for."""
    chains: bool = False
    """Hand out a run's later stages with its first, for an executor that knows dependencies."""
    recover: bool = False
    """The agent has lost its journal: hand out again all that it should have, to be cancelled or not."""


class ClaimedJob(Answer):
    """A job handed to an agent; handed again until it says that it started."""

    ref: str
    run: str = ""
    """Empty for a job of a person's own."""
    project: str = ""
    generation: int = 1
    """Of the run: grows when the run is placed anew, and whoever works for an older one must stop."""
    stage: StageName | None = None
    """None for a job of a person's own."""
    spec: JobSpec
    input: StageInput | None = None
    sources: tuple[RunSource, ...] = ()
    """Files to fetch by digest before the job starts. The agent fills in a stage's `recipe.sources[i].path`; those of a
    person's own job lie under their names in its folder."""


class ClaimAnswer(Answer):
    """Jobs to run now."""

    jobs: tuple[ClaimedJob, ...]


class StartedRequest(Request):
    """The executor has the job."""

    report: JobReport


class ProgressRequest(Request):
    """Progress lines; those that the hub has already are skipped."""

    first: int = Field(ge=0)
    """Number of the first line in the job's file."""
    lines: tuple[ProgressLine, ...] = Field(max_length=10_000)


class FinishedRequest(Request):
    """The end of a job. Sent again until it is acknowledged."""

    report: JobReport
    usage: UsageRecord | None = None
    """None where the site's accounting tells it later; the hold stays until then."""
    record: StageRecord | None = None


class HeartbeatRequest(Request):
    """Which jobs the agent looks after."""

    version: str
    jobs: tuple[str, ...] = ()
    partitions: tuple[PartitionStatus, ...] = ()
    """What the agent last saw of its site; empty where it did not look."""
    serial: int = Field(default=0, ge=0, lt=2**62)
    """Highest number that a hub ever answered; a hub that knows a lower one was restored from an older backup."""


class HeartbeatAnswer(Answer):
    """Jobs to cancel, and jobs that the hub does not know as this agent's."""

    cancel: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    serial: int = 0
    """To be sent with the next heartbeat."""
    restored_at: AwareDatetime | None = None
    """The hub was restored and knows nothing after this; what the agent reported since is to be told again."""
    drain: bool = False
    """Whether the site is to take nothing new."""
