"""The usage record and the arithmetic of GPU-seconds."""

import math

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class UsageRecord(BaseModel):
    """What one finished job used, over all its attempts. One job has exactly one, however often it is reported."""

    model_config = ConfigDict(frozen=True)

    site: str
    job_key: str
    state: str
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime
    wall_s: float = Field(ge=0)
    num_gpus: int = Field(ge=0)
    gpu_s: int = Field(ge=0)
    cpu_s: float = Field(default=0.0, ge=0)
    max_rss_bytes: int = Field(default=0, ge=0)
    num_attempts: int = Field(default=1, ge=0)
    energy_j: float | None = None
    """Estimated or measured; None where the site cannot say."""
    native_id: str = ""
    """What the site's scheduler calls it."""
    account: str = ""
    """Account of the scheduler that it was charged to; finds the allocation of a job that the hub did not start."""
    user: str = ""
    """User of the site that it ran as."""
    partition: str = ""
    """`Partition.id`."""
    num_nodes: int = Field(default=1, ge=0)
    submitted_at: AwareDatetime | None = None


def used_gpu_s(*, num_gpus: int, wall_s: float) -> int:
    """Whole GPU-seconds of `num_gpus` accelerators held for `wall_s`; a started second counts."""
    return num_gpus * math.ceil(round(wall_s, 3))


def held_gpu_s(*, num_gpus: int, walltime_s: int) -> int:
    """GPU-seconds that a job can use at most before its walltime ends it."""
    return num_gpus * walltime_s
