"""What-if scenarios on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from fucina.client.wire import Answer, Request
from fucina.errors import ErrorBody

MAX_QUESTION = 200_000
MAX_TRACE = 30_000_000
MAX_RESULT = 5_000_000


class ScenarioKind(StrEnum):
    """Which command of `fucina plan` answers it."""

    CLUSTER = "cluster"
    NETWORK = "network"
    TRAIN = "train"
    GIGAFACTORY = "gigafactory"


class ScenarioState(StrEnum):
    """How far a scenario is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = frozenset({ScenarioState.SUCCEEDED, ScenarioState.FAILED, ScenarioState.CANCELLED})


class ScenarioRequest(Request):
    """A what-if question, or one with its answer where it was simulated elsewhere."""

    name: str = Field(min_length=1, max_length=80)
    kind: ScenarioKind = ScenarioKind.CLUSTER
    question: str = Field(default="", max_length=MAX_QUESTION)
    """A scenario or question (YAML) as `fucina plan` takes it; empty means the shipped example."""
    trace: str = Field(default="", max_length=MAX_TRACE)
    """Recorded jobs in place of classes: SWF, an export of sacct, or usage records."""
    options: dict[str, str] = {}
    """Options of the command by name: `class`, `p95-wait`, `down`, `days`, `route`, `model`, `tokens`,
    `system`, `gpus`."""
    result: dict[str, Any] | None = None
    """The answer as the command prints it with `--format json`."""


class ScenarioInfo(Answer):
    """A scenario and how far it is."""

    ref: str
    name: str
    kind: ScenarioKind
    state: ScenarioState
    done: int
    """Jobs that have ended in the simulation, of `total`."""
    total: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    problem: ErrorBody | None


class ScenarioDetail(ScenarioInfo):
    """A scenario with its question and its answer."""

    question: str
    options: dict[str, str]
    trace_name: str
    result: dict[str, Any] | None
