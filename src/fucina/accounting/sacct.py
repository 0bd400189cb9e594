"""Reads what `sacct` prints, row by row in constant memory.

Text, not JSON: JSON took twelve gigabytes for 50,000 jobs. Times are epoch seconds (`SLURM_TIME_FORMAT=%s`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fucina.errors import BadInput

FIELDS = (
    "JobIDRaw",
    "JobID",
    "Cluster",
    "Account",
    "User",
    "Partition",
    "State",
    "Submit",
    "Start",
    "End",
    "ElapsedRaw",
    "NNodes",
    "AllocCPUS",
    "ExitCode",
    "ConsumedEnergyRaw",
    "AllocTRES",
    "Comment",
)
"""The comment is last: a user may write anything into it, even the end of a line."""

DELIMITER = "\x1f"
ENVIRONMENT = {"SLURM_TIME_FORMAT": "%s"}

ENDED = (
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    *("REQUEUED", "RESIZING", "REVOKED", "TIMEOUT"),
)
"""States of a run that has ended."""

MAY_GO_ON = frozenset({"BOOT_FAIL", "NODE_FAIL", "PREEMPTED", "REQUEUED", "RESIZING", "REVOKED", "SPECIAL_EXIT"})
"""States after which Slurm may start the same job again."""

EARLIEST = 1_000_000_000
"""Before every job; Slurm reads no `uts` of few digits."""

MAX_BROKEN_KEPT = 100
_MAX_TIME = 2**40
_SENTINELS = 2**63
_NO_TIME = frozenset({"", "0", "None", "Unknown", "N/A"})
_ID = re.compile(r"^(?P<job>\d+)(?:_(?P<task>\d+)|_\[(?P<tasks>[^\]]*)\]|\+(?P<offset>\d+))?$")
_MEMORY = re.compile(r"^(\d+(?:\.\d+)?)([KMGTPE]?)[nc]?$")
_MIB = {"K": 1 / 1024, "": 1.0, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "P": 1024.0**3, "E": 1024.0**4}


class BadSacctFile(BadInput):
    """A file that is not what `sacct` prints when asked as the hint says."""

    code = "bad_sacct_file"


class Allocated(NamedTuple):
    """What a run held."""

    num_nodes: int
    num_cpus: int
    memory_mib: float
    num_devices: int
    """Accelerators as Slurm counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One row: one run of a job, or of a task of an array, or of a component of a heterogeneous job."""

    cluster: str
    job_id: int
    """Slurm's raw id; every array task and every component has its own."""
    label: str
    """As people know it: `12`, `12_3`, `12+1`."""
    account: str
    user: str
    partition: str
    state: str
    submit: int
    """Epoch seconds; a requeue has a new one."""
    start: int | None
    end: int | None
    """None while it is not over."""
    elapsed_s: int
    """Without the time that it was suspended; 0 where a clock was set back in between."""
    allocated: Allocated
    exit_code: str
    energy_j: float | None
    comment: str
    text: str
    """The row itself, with `DELIMITER`."""


@dataclass(slots=True)
class Broken:
    """Rows that could not be read: all are counted, the first are kept with the reason."""

    num: int = 0
    kept: list[tuple[str, str]] = field(default_factory=list)
    """Reason and row."""

    def add(self, reason: str, line: str) -> None:
        """Count a row."""
        self.num += 1
        if len(self.kept) < MAX_BROKEN_KEPT:
            self.kept.append((reason, line[:500]))


def sacct_options(*, clusters: str, delimiter: str = DELIMITER, all_users: bool = True) -> tuple[str, ...]:
    """Options that every call has; `delimiter` should be one that nobody can guess, so that no comment forges a row."""
    who = ("--allusers",) if all_users else ()
    shape = ("--duplicates", "--allocations", "--parsable2", "--noheader", f"--delimiter={delimiter}")
    return (*shape, *who, f"--clusters={clusters}", f"--format={','.join(FIELDS)}")


def ended_between(begin: int, end: int) -> tuple[str, ...]:
    """Options for the runs whose end lies between two epoch seconds, both included."""
    return (f"--state={','.join(ENDED)}", f"--starttime=uts{begin}", f"--endtime=uts{end}")


def of_jobs(job_ids: Sequence[int]) -> tuple[str, ...]:
    """Options for every run of these jobs, whatever its state."""
    return (f"--jobs={','.join(map(str, job_ids))}", f"--starttime=uts{EARLIEST}")


def read_rows(lines: Iterable[bytes], *, broken: Broken, delimiter: str = DELIMITER) -> Iterator[Run]:
    """The runs in what `sacct` printed; what cannot be read goes to `broken`."""
    for raw in lines:
        line = raw.rstrip(b"\n").decode("utf-8", "replace")
        if not line:
            continue
        try:
            yield parse_row(line, delimiter=delimiter)
        except ValueError as error:
            broken.add(str(error), line)


def parse_row(line: str, *, delimiter: str = DELIMITER) -> Run:
    """One row. Raises ValueError with the reason."""
    values = line.split(delimiter, len(FIELDS) - 1)
    if len(values) != len(FIELDS):
        raise ValueError(f"{len(values)} fields instead of {len(FIELDS)}")
    (raw_id, label, cluster, account, user, partition, state_text, submit, start, end) = values[:10]
    (elapsed, num_nodes, num_cpus, exit_code, energy, tres, comment) = values[10:]
    if not raw_id.isdecimal() or not _ID.match(label):
        raise ValueError(f"no job id: {raw_id!r}, {label!r}")
    if not cluster:
        raise ValueError("no cluster")
    state = state_text.partition(" ")[0]
    submitted, started, ended = _time(submit, "Submit"), _time(start, "Start"), _time(end, "End")
    if submitted is None:
        raise ValueError("no time of submission")
    if ended is None and state in ENDED:
        raise ValueError(f"{state} without an end")
    return Run(
        cluster=cluster,
        job_id=int(raw_id),
        label=label,
        account=account.strip().lower(),
        user=user,
        partition=partition,
        state=state,
        submit=submitted,
        start=started,
        end=ended if state in ENDED else None,
        elapsed_s=_elapsed(elapsed, started, ended),
        allocated=_allocated(tres, num_nodes=_count(num_nodes, "NNodes"), num_cpus=_count(num_cpus, "AllocCPUS")),
        exit_code=exit_code,
        energy_j=_energy(energy),
        comment=comment,
        text=DELIMITER.join(values),
    )


def array_task(label: str) -> int | None:
    """The task's number in its array; None outside an array."""
    match = _ID.match(label)
    return int(match["task"]) if match and match["task"] else None


def component(label: str) -> int:
    """The place in a heterogeneous job; 0 elsewhere."""
    match = _ID.match(label)
    return int(match["offset"]) if match and match["offset"] else 0


def _time(text: str, name: str) -> int | None:
    if text in _NO_TIME:
        return None
    if not text.isdecimal():
        raise ValueError(f"{name} is {text[:40]!r}; times must be epoch seconds (SLURM_TIME_FORMAT=%s)")
    value = int(text)
    if value >= _MAX_TIME:
        raise ValueError(f"{name} is {text[:40]}, which is no time")
    return value


def _elapsed(text: str, start: int | None, end: int | None) -> int:
    """Slurm's own figure; nothing where the run never started or the clock went back."""
    if start is None or (end is not None and end < start):
        return 0
    if not text.isdecimal() or int(text) >= _MAX_TIME:
        raise ValueError(f"ElapsedRaw is {text[:40]!r}")
    return int(text)


def _count(text: str, name: str) -> int:
    if text == "":
        return 0
    if not text.isdecimal() or int(text) >= 2**31:
        raise ValueError(f"{name} is {text[:40]!r}")
    return int(text)


def _energy(text: str) -> float | None:
    """Joules; Slurm's marks for unknown, and zero, are unknown."""
    if not text.isdecimal() or not 0 < int(text) < _SENTINELS:
        return None
    return float(text)


def _allocated(tres: str, *, num_nodes: int, num_cpus: int) -> Allocated:
    """Reads `cpu=8,gres/gpu:h200=4,gres/gpu=4,mem=32G,node=1`; typed and untyped devices are the same ones."""
    untyped: int | None = None
    typed = 0
    memory_mib = 0.0
    for item in tres.split(",") if tres else ():
        name, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"AllocTRES is {tres[:80]!r}")
        if name == "gres/gpu":
            untyped = _count(value, "gres/gpu")
        elif name.startswith("gres/gpu:"):
            typed += _count(value, name)
        elif name == "mem":
            memory_mib = _memory_mib(value)
        elif name == "node":
            num_nodes = _count(value, "node")
        elif name == "cpu":
            num_cpus = _count(value, "cpu")
    return Allocated(num_nodes, num_cpus, memory_mib, typed if untyped is None else untyped)


def _memory_mib(text: str) -> float:
    match = _MEMORY.match(text)
    if match is None:
        raise ValueError(f"mem is {text[:40]!r}")
    return float(match[1]) * _MIB[match[2]]
