"""What can be said of a cluster or a federation: pools of equal nodes, rules of the queue, and what happens to the
machines."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fucina.errors import BadInput


class BadScenario(BadInput):
    """A scenario that cannot be simulated."""

    code = "bad_scenario"


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Pool(_Fact):
    """Equal nodes with one queue: a partition of a site."""

    id: str = Field(min_length=1, max_length=60)
    site: str = ""
    """Pools of one site need no transfer of data between them; empty stands alone."""
    num_nodes: int = Field(ge=1, le=1_000_000)
    gpus_per_node: int = Field(default=4, ge=1, le=16)
    nodes_per_island: int = Field(default=0, ge=0)
    """Nodes with full bandwidth among them; 0 means all."""
    speed: float = Field(default=1.0, gt=0)
    """Work per accelerator and second, beside the one that the run times were taken on."""
    power_w: float = Field(default=700.0, ge=0)
    """Of one busy accelerator with its share of the node, W."""
    idle_share: float = Field(default=0.25, ge=0, le=1)
    """Power of an idle accelerator beside a busy one."""
    pue: float = Field(default=1.2, ge=1)
    """Power of the building over power of the machine."""
    carbon_g_per_kwh: float = Field(default=250.0, ge=0)
    link_gbps: float = Field(default=10.0, gt=0)
    """From and to other sites, Gbit/s for one job."""
    failures_per_1000_node_days: float = Field(default=0.0, ge=0)
    repair_s: int = Field(default=12 * 3600, ge=60)
    source: str = ""

    @property
    def num_gpus(self) -> int:
        """All accelerators."""
        return self.num_nodes * self.gpus_per_node


class QueuePolicy(StrEnum):
    """How a queue is worked through."""

    FCFS = "fcfs"
    EASY = "easy"
    CONSERVATIVE = "conservative"


class Weights(_Fact):
    """Slurm's priority weights; all zero means the order of submission."""

    age: float = Field(default=0.0, ge=0)
    fairshare: float = Field(default=0.0, ge=0)
    size: float = Field(default=0.0, ge=0)
    qos: float = Field(default=0.0, ge=0)


class Qos(_Fact):
    """A class of service, as Slurm calls it."""

    name: str = Field(min_length=1, max_length=60)
    priority: float = Field(default=0.0, ge=0, le=1)
    """Factor of the weight `qos`."""
    preempts: bool = False
    """Whether its jobs may stop those of classes that yield."""
    yields: bool = False
    checkpoint_s: int = Field(default=0, ge=0)
    """Time between two checkpoints; a stopped job keeps what it had saved, and 0 means nothing."""


class Account(_Fact):
    """Who is charged: a user of an account, or an account with others below."""

    name: str = Field(min_length=1, max_length=200)
    parent: str = ""
    """The account above; empty stands at the top."""
    share: float = Field(default=1.0, gt=0)
    """Beside those under the same parent."""
    max_gpus: int | None = Field(default=None, ge=1)
    """Accelerators that it and those below may hold at a time."""
    max_running: int | None = Field(default=None, ge=1)
    """Jobs that it and those below may run at a time."""


class Scheduling(_Fact):
    """Rules of the queue."""

    policy: QueuePolicy = QueuePolicy.EASY
    weights: Weights = Weights()
    fairshare: Literal["tree", "classic"] = "tree"
    half_life_days: float = Field(default=7.0, ge=0)
    """PriorityDecayHalfLife; 0 means that usage is never forgotten."""
    damping: float = Field(default=1.0, gt=0)
    """FairShareDampeningFactor, of the classic rule."""
    max_age_days: float = Field(default=7.0, gt=0)
    """PriorityMaxAge."""
    calculation_s: int = Field(default=300, ge=1)
    """PriorityCalcPeriod."""
    first_calculation_s: int = Field(default=0, ge=0)
    """When priorities are calculated first."""
    placement: Literal["best-fit", "first-fit"] = "best-fit"
    """Which node a part of one goes to: the fullest that has room, or, as in Slurm, the first."""
    backfill_interval_s: int = Field(default=30, ge=0)
    """bf_interval; 0 backfills at every event."""
    backfill_resolution_s: int = Field(default=60, ge=1)
    """bf_resolution: estimated ends are rounded up to it."""
    backfill_depth: int = Field(default=500, ge=1)
    """bf_max_job_test."""
    backfill_window_s: int = Field(default=86_400, ge=60)
    """bf_window, for conservative backfilling."""
    qos: tuple[Qos, ...] = (Qos(name="normal"),)
    restart_s: int = Field(default=300, ge=0)
    """What a stopped job takes to come back, before it works on."""
    requeue_s: int = Field(default=0, ge=0)
    """How long a stopped job must wait before it may start again."""
    accounts: tuple[Account, ...] = ()
    """Accounts with shares and limits; one that is not named stands at the top, without a limit."""

    @model_validator(mode="after")
    def _named_once(self) -> "Scheduling":
        names = [qos.name for qos in self.qos]
        if not names or len(set(names)) < len(names):
            raise ValueError("every class of service needs a name of its own, and there must be one")
        if len({account.name for account in self.accounts}) < len(self.accounts):
            raise ValueError("two accounts have the same name")
        return self


class Route(StrEnum):
    """Where a federation sends a job."""

    HOME = "home"
    """Always to its own pool."""
    LOCAL_FIRST = "local-first"
    """To its own pool unless the wait there is longer than `spill_s`; then where it ends soonest."""
    SHORTEST = "shortest-wait"
    """Where it ends soonest: expected wait, transfer and run."""
    ENERGY = "energy"
    """Where it causes least carbon among the pools with an expected wait of `patience_s` at most."""
    GRAVITY = "data-gravity"
    """Where its data are, or come soonest."""


class Federation(_Fact):
    """How sites share their jobs."""

    route: Route = Route.HOME
    spill_s: float = Field(default=4 * 3600, ge=0)
    patience_s: float = Field(default=24 * 3600, ge=0)


class Window(_Fact):
    """A time in which something holds, from the start of the simulation."""

    pool: str
    begins_day: float = Field(ge=0)
    days: float = Field(gt=0)


class Maintenance(Window):
    """Announced: jobs that would not end before it wait until it is over."""


class Outage(Window):
    """Not announced: all jobs are stopped, and wait or go elsewhere."""


class Reservation(Window):
    """Nodes kept for the jobs of one class of users; they take no jobs of others for `drain_days` before."""

    name: str = Field(min_length=1, max_length=60)
    num_nodes: int = Field(ge=1)
    drain_days: float = Field(default=1.0, ge=0)
