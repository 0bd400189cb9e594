"""A job as it crosses processes: what to run, what state it is in, what it used."""

from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from fucina.errors import ErrorBody, WrongState


class JobState(StrEnum):
    """Where a job stands. UNKNOWN means that nobody could say, never that it ended."""

    BLOCKED = "blocked"
    """Waits for the jobs it depends on."""
    QUEUED = "queued"
    """May be claimed by an agent."""
    CLAIMED = "claimed"
    """An agent has it; the executor has not started it yet."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


FINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED})

_LIVE = {JobState.RUNNING, JobState.UNKNOWN, *FINAL}
MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.BLOCKED: frozenset({JobState.QUEUED, JobState.CLAIMED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.CLAIMED, JobState.CANCELLED}),
    JobState.CLAIMED: frozenset({JobState.QUEUED, *_LIVE}),
    JobState.RUNNING: frozenset({JobState.CLAIMED, JobState.QUEUED, JobState.UNKNOWN, *FINAL}),
    JobState.UNKNOWN: frozenset({JobState.CLAIMED, *_LIVE}),
    **{state: frozenset() for state in FINAL},
}
"""Allowed moves; a final state is never left."""


class BadMove(WrongState):
    """A job was asked to go where its state does not lead."""

    code = "bad_move"


def check_move(before: JobState, after: JobState) -> None:
    """Raises BadMove unless the table of moves allows it; staying is always allowed."""
    if after != before and after not in MOVES[before]:
        raise BadMove(f"A job that is {before} cannot become {after}.", hint="Look at the job again; it has moved on.")


class JobSpec(BaseModel):
    """What to run. Two submissions with one key are one job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._-]+$")
    """Idempotency key."""
    name: str
    command: tuple[str, ...] = Field(min_length=1)
    """Argument list; never a shell line."""
    num_gpus: int = Field(default=0, ge=0)
    """Accelerators over all nodes, as the site bills them."""
    num_nodes: int = Field(default=1, ge=1)
    num_ranks_per_node: int = Field(default=0, ge=0)
    """Processes of one training that the command starts on each node, and with several nodes it is started on each;
    0 is any other job, whose command runs once, on the first node."""
    num_cpus: int = Field(default=1, ge=1)
    walltime_s: int = Field(gt=0)
    environment: dict[str, str] = {}
    working_directory: str = ""
    """Absolute path at the site; empty until the agent has placed the job."""
    depends_on: tuple[str, ...] = ()
    """Keys of jobs that must succeed first."""
    partition: str = ""
    """As the executor calls it; empty leaves the choice to it."""
    account: str = ""
    """Who pays, as the executor calls it."""
    user: str = ""
    """User of the site that the job runs as; empty means the agent's own."""
    qos: str = ""
    memory_gib: float = Field(default=0.0, ge=0)
    """Per node; 0 leaves it to the site."""
    image: str = ""
    """Container image; empty runs without one."""
    array: str = Field(default="", pattern=r"^([0-9]+(-[0-9]+(:[0-9]+)?)?(,[0-9]+(-[0-9]+(:[0-9]+)?)?)*(%[0-9]+)?)?$")
    """Slurm's notation of array indices, as `0-9%2`; empty is one job."""
    requeue: bool = True
    """Whether the executor may start it again after a failure of the machine, or when it leaves with exit code 75."""
    saves_state: bool = True
    """Whether it saves its state and leaves with exit code 75 on SIGTERM; only such a job is warned of its limit."""

    @property
    def is_on_every_node(self) -> bool:
        """Whether the command is to be started on each of several nodes."""
        return self.num_nodes > 1 and self.num_ranks_per_node > 0

    @property
    def num_tasks(self) -> int:
        """Jobs that the array stands for, counted without looking for indices named twice; 1 without an array."""
        if not self.array:
            return 1
        return sum(_num_indices(part) for part in self.array.partition("%")[0].split(","))

    @property
    def task_numbers(self) -> tuple[int, ...]:
        """Indices of the array's jobs, each once, in order; none without an array."""
        parts = self.array.partition("%")[0].split(",") if self.array else []
        return tuple(sorted({number for part in parts for number in _indices(part)}))


def _indices(part: str) -> range:
    """Indices of `first-last:step`."""
    bounds, _, step = part.partition(":")
    first, _, last = bounds.partition("-")
    stride = int(step or 1)
    return range(int(first), int(last or first) + 1, stride) if stride else range(0)


def _num_indices(part: str) -> int:
    """Indices of `first-last:step`; 0 where the last comes before the first or the step is 0."""
    bounds, _, step = part.partition(":")
    first, _, last = bounds.partition("-")
    stride = int(step or 1)
    return max(0, (int(last or first) - int(first)) // stride + 1) if stride else 0


class JobReport(BaseModel):
    """What an executor knows about a job at this moment. Counts add up over all attempts."""

    model_config = ConfigDict(frozen=True)

    key: str
    state: JobState
    reason: str = ""
    """Why it waits, failed or is unknown, in words."""
    exit_code: int | None = None
    """Negative: the number of the signal that ended it."""
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_bytes: int = 0
    num_attempts: int = 0
    native_id: str = ""
    """What the executor's own system calls it, such as a Slurm job id."""
    pending_reason: str = ""
    """Why it waits, in the executor's own word."""
    starts_at: AwareDatetime | None = None
    """When the executor's own queue expects to start it; None where it cannot say."""
    error: ErrorBody | None = None
    """What the stage itself said, when it failed for a reason that a person can mend."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL


def utc_iso(at: datetime) -> str:
    """An instant as files and logs write it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
