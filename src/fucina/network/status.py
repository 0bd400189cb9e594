"""What an agent last saw of its site's partitions; the broker ranks with it."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class PartitionStatus(BaseModel):
    """One partition at one moment, in accelerators as the site bills them."""

    model_config = ConfigDict(frozen=True)

    partition: str
    """`Partition.id`."""
    at: AwareDatetime
    num_gpus: int = Field(ge=0)
    """In nodes that work."""
    num_free_gpus: int = Field(ge=0)
    num_running_jobs: int = Field(default=0, ge=0)
    num_waiting_jobs: int = Field(default=0, ge=0)
    waiting_gpu_s: int = Field(default=0, ge=0)
    """What the waiting jobs ask for, accelerators times walltime."""
    expected_wait_s: float | None = Field(default=None, ge=0)
    """Until a small job would start, from the site's own queue; None where it cannot be said."""
    problem: str = ""
    """Why the partition takes no jobs, in words; empty while it does."""
