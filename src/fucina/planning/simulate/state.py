"""What the cluster engine knows while it runs: arrays that compiled kernels share.

Legend: n jobs, m nodes, p pools, i islands, a accounts (those with jobs first), q classes of service, e events. Times
in s from the start.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

FAR = 2**62
NONE = -1

WAITING, RUNNING, MOVING, DONE, PENDING = 0, 1, 2, 3, 4
"""States of a job: in a queue, running, its data on the way, ended, not yet submitted."""

UP, DOWN, DRAINING = 1, 0, 2
"""States of a node."""

FAIL, RETURN, DRAIN, CUT, OPEN, CLOSE = 0, 1, 2, 3, 4, 5
"""Events: a node fails, comes back, takes no more jobs; a pool is lost with its jobs, opens, closes after a drain."""

FCFS, EASY, CONSERVATIVE = 0, 1, 2
HOME, LOCAL_FIRST, SHORTEST, ENERGY, GRAVITY = 0, 1, 2, 3, 4
"""Where a federation sends a job."""

BUSY, LOST, SCATTERED, STARTS, GANGS, SPREAD, FAILED, PREEMPTED, UPTIME, LAST, SERVED = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""Columns of the tally of a pool: accelerator-seconds held, lost, idle on partly used nodes; starts; starts over
several
nodes; those over several islands; jobs stopped by failures and by preemption; node-seconds up; when last counted; jobs
ended."""
NUM_TALLIES = 11


class Rules(NamedTuple):
    """Numbers that do not change."""

    policy: int
    route: int
    slot_s: int
    interval_s: int
    max_tested: int
    window_slots: int
    calc_s: int
    half_life_s: float
    tree: bool
    weight_age: float
    weight_share: float
    weight_size: float
    weight_qos: float
    max_age_s: float
    damping: float
    restart_s: int
    requeue_s: int
    limits: bool
    first_fit: bool
    patience_s: float
    spill_s: float
    preempts: bool


class World(NamedTuple):
    """Everything. Tables are record arrays, whose columns and their meaning stand with their types below."""

    jobs: Any
    nodes: Any
    pools: Any
    islands: Any
    accounts: Any
    qos: Any
    events: Any
    loose: Array
    """p x 17, int32: head of the list of partly used nodes by free accelerators."""
    release: Array
    """p x slots, int32: nodes that will be wholly free at a slot by the estimates, a ring."""
    coarse: Array
    """p x slots / BLOCK: sums of `release`, to pass over many slots at once."""
    closes: Array
    """p x w, int64: begins of planned closures in order, FAR at the end."""
    tally: Array
    """p x NUM_TALLIES, int64."""
    steady: Array
    """The tally at the last submission, so that the last jobs, which run on a machine that empties, do not count."""
    branch: Array
    """depth x leaves, int32: the accounts above each account that has jobs, from the top down to itself; -1 below."""
    rules: Rules
    clock: Array
    """int64: heap size, next arrival, next event, next calculation, jobs ended, last calculation."""


BLOCK = 64

HEAP, ARRIVED, EVENT, CALC, ENDED, CALCULATED = 0, 1, 2, 3, 4, 5

JOB = np.dtype(
    [
        ("submit", np.int64),
        ("start", np.int64),  # of the latest try, -1 before
        ("first_start", np.int64),
        ("end", np.int64),  # of the latest try, as it will be; key of the heap
        ("priority", np.float64),
        ("run", np.int32),
        ("estimate", np.int32),
        ("left", np.int32),  # run time still to do, in the units of `run`
        ("gpus", np.int32),
        ("data_mb", np.int32),
        ("node", np.int32),  # first of its nodes
        ("link", np.int32),  # next job on the same node, or next in the same queue
        ("place", np.int32),  # position in the heap
        ("heap", np.int32),  # the heap of jobs by `end`: this column is indexed by position, not by job
        ("account", np.int16),
        ("home", np.int16),
        ("pool", np.int16),
        ("stops", np.int16),
        ("qos", np.int8),
        ("state", np.int8),
    ],
    align=True,
)
NODE = np.dtype(
    [
        ("until", np.int64),  # slot at which it will be wholly free by the estimates; -1 while it is
        ("island", np.int32),
        ("job", np.int32),  # first job on it
        ("chain", np.int32),  # next node of the same job
        ("before", np.int32),  # neighbors in the list of its kind
        ("after", np.int32),
        ("pool", np.int16),
        ("free", np.int16),  # free accelerators
        ("firm", np.int16),  # accelerators held by jobs that may not be preempted
        ("state", np.int8),
    ],
    align=True,
)
POOL = np.dtype(
    [
        (name, np.int64)
        for name in (
            "gpus_per_node", "first_node", "num_nodes", "first_island", "end_island", "site", "free_nodes", "free_gpus",
            "soft_nodes",  # nodes up that hold no firm job
            "up_nodes", "head",
            "fresh",  # head of the list of new arrivals, newest first
            "ordered_at",  # when the whole queue was put in order last
            "wake",  # when the next pass over the queue is due
            "running_gpus",
        )
    ]
    + [
        (name, np.float64)
        for name in (
            "speed",
            "carbon_g",  # per accelerator-hour of work on the reference
            "link_mb_s", "queued_gpu_s",
            "running_gpu_end",  # sum of accelerators times estimated end
        )
    ]
    + [("is_open", np.bool_), ("dirty", np.bool_)],  # dirty: something changed since the last pass
    align=True,
)  # fmt: skip
ISLAND = np.dtype([("whole", np.int32), ("count", np.int32)])
ACCOUNT = np.dtype(
    [
        ("share", np.float64),  # of those below the same account
        ("norm", np.float64),  # of everything
        ("usage", np.float64),
        ("factor", np.float64),
        ("held", np.int64),  # accelerators that it holds now, with all accounts below
        ("since", np.int64),
        ("running", np.int64),
        ("max_gpus", np.int64),
        ("max_running", np.int64),
        ("parent", np.int32),
    ],
    align=True,
)
"""First the accounts that have jobs, in the order of the job table, then those above them."""
QOS = np.dtype(
    [("weight", np.float64), ("checkpoint_s", np.int64), ("preempts", np.bool_), ("yields", np.bool_)], align=True
)
HAPPENING = np.dtype([("time", np.int64), ("kind", np.int64), ("target", np.int64)])


def table(of: np.dtype[Any], length: int, /, **columns: Any) -> Any:
    """A record array of that type, its columns filled with what is given; what is not given is zero."""
    made = np.zeros(length, of).view(np.recarray)
    for name, values in columns.items():
        made[name] = values
    return made
