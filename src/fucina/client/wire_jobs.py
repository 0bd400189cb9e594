"""Wire types of people's own jobs, of the systems that run them, of a project's files, and of why a job waits."""

from pydantic import AwareDatetime, Field, field_validator

from fucina.client.wire import Answer, Request
from fucina.compute.spec import JobState
from fucina.network.broker import Placement, Preference

ARRAY = r"^([0-9]{1,7}(-[0-9]{1,7}(:[0-9]{1,7})?)?(,[0-9]{1,7}(-[0-9]{1,7}(:[0-9]{1,7})?)?)*(%[0-9]{1,7})?)?$"


class JobRequest(Request):
    """A command of a person's own. The same key twice is the same job."""

    project: str
    """Project reference; who pays."""
    key: str = Field(min_length=8, max_length=80, pattern=r"^[A-Za-z0-9._-]+$")
    name: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9._ -]*$")
    command: tuple[str, ...] = Field(min_length=1, max_length=1000)
    """Argument list; never a shell line."""
    num_gpus: int = Field(default=0, ge=0, le=1_000_000)
    """Over all nodes, as the site bills them."""
    num_nodes: int = Field(default=1, ge=1, le=100_000)
    num_cpus: int = Field(default=1, ge=1, le=1_000_000)
    walltime_s: int = Field(gt=0, le=366 * 86400)
    memory_gib: float = Field(default=0.0, ge=0, le=1e6, allow_inf_nan=False)
    image: str = Field(default="", max_length=500)
    """Container image; empty runs without one."""
    array: str = Field(default="", max_length=500, pattern=ARRAY)
    """Slurm's notation of array indices, as `0-9%2`."""
    place: str = Field(default="auto", max_length=130)
    """A site, `site/partition`, or `auto`."""
    preference: Preference = Preference.BALANCED
    sensitivity: str = Field(default="public", pattern=r"^(public|internal|confidential|health)$")
    files: tuple[str, ...] = Field(default=(), max_length=1000)
    """Paths in the project's folder at the hub; they lie in the job's folder under the same names."""

    @field_validator("command")
    @classmethod
    def _plain(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if not command[0] or command[0].startswith("-") or any("\0" in word for word in command):
            raise ValueError("the command begins with the name of a program")
        if sum(len(word) for word in command) > 100_000:
            raise ValueError("the command is longer than 100,000 characters; put it into a file")
        return command


class Fault(Answer):
    """Something that keeps a job from being submitted."""

    about: str
    """What it is about: `array`, `files`, `site/partition` and so on."""
    message: str
    hint: str = ""


class JobCheck(Answer):
    """What would become of a job: every fault at once, or where it would run."""

    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    """What is worth knowing and keeps nothing from being submitted."""
    place: str = ""
    held_gpu_s: int = 0
    """What would be held until it ends."""
    free_gpu_s: int | None = None
    """What the allocation has left before that."""
    placement: Placement | None = None


class JobSummary(Answer):
    """A job of a project: a stage of a run, or a command of a person's own."""

    ref: str
    project: str
    project_name: str
    run: str = ""
    stage: str = ""
    name: str
    state: JobState
    reason: str = ""
    site: str
    partition: str
    num_gpus: int
    walltime_s: int
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    created_by: str
    gpu_s: int | None = None
    exit_code: int | None = None
    native_id: str = ""


class JobDetail(JobSummary):
    """One job with what it runs and why it runs where it does."""

    command: tuple[str, ...]
    array: str = ""
    image: str = ""
    files: tuple[str, ...] = ()
    placement: Placement | None = None


class WaitReason(Answer):
    """Why a job waits, and what would make it start sooner."""

    ref: str
    state: JobState
    waits: bool
    why: tuple[str, ...]
    """From the nearest reason to the farthest."""
    sooner: tuple[str, ...] = ()
    """What one could do."""
    place: str
    free_gpu_s: int
    """Left of the allocation, after what this job holds."""
    held_gpu_s: int
    """Held by this job."""
    num_ahead: int | None = None
    """Jobs of the hub that are handed out before this one; None once the site has it."""
    starts_at: AwareDatetime | None = None
    """Expected by the site's own queue; None where it cannot say."""


class PartitionInfo(Answer):
    """One partition as the hub knows it."""

    name: str
    accelerator: str
    num_gpus: int
    """As described."""
    num_working_gpus: int | None = None
    num_free_gpus: int | None = None
    num_running_jobs: int | None = None
    num_waiting_jobs: int | None = None
    expected_wait_s: float | None = None
    max_walltime_s: int
    problem: str = ""
    at: AwareDatetime | None = None
    """When the site last told."""


class WindowInfo(Answer):
    """A window of maintenance that is not over yet."""

    begins_at: AwareDatetime
    ends_at: AwareDatetime
    note: str = ""


class SystemInfo(Answer):
    """A site of the network."""

    site: str
    name: str
    country: str = ""
    executor: str
    sensitivity: str
    last_seen_at: AwareDatetime | None = None
    trouble: str = ""
    """Why nothing new starts there at this moment; empty while all is well."""
    maintenance: tuple[WindowInfo, ...] = ()
    partitions: tuple[PartitionInfo, ...]


class ProjectFileInfo(Answer):
    """A file of a project's folder, or one that a job left."""

    path: str
    num_bytes: int
    sha256: str
    at: AwareDatetime
    by: str = ""
