"""Types of the network: what accelerates, where it stands, how it is billed."""

from datetime import date
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fucina.errors import BadInput


class BadSiteFile(BadInput):
    """A site or network file that cannot be used."""

    code = "bad_site_file"


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Accelerator(_Fact):
    """What one unit of a partition can do; on a machine without GPU the node itself counts as one accelerator."""

    id: str
    vendor: str = ""
    tflops_bf16: float
    """Dense peak per unit, TFLOP/s."""
    memory_gib: float
    power_w: float | None = None
    """Power of one unit with its share of the node, W; None where unknown."""
    source: str = ""


class Partition(_Fact):
    """Equal nodes with their own limits."""

    id: str
    accelerator: Accelerator
    num_nodes: int = 1
    num_gpus_per_node: int = 1
    max_walltime_s: int = 24 * 3600
    efficiency: float = Field(default=0.3, gt=0, le=1)
    """Share of the peak that a training run is planned with."""


class Site(_Fact):
    """A place with accelerators and one agent."""

    id: str
    name: str
    country: str = ""
    executor: str = "local"
    partitions: tuple[Partition, ...]

    def partition(self, partition_id: str) -> Partition:
        """The partition of that name. Raises BadSiteFile."""
        for partition in self.partitions:
            if partition.id == partition_id:
                return partition
        known = ", ".join(p.id for p in self.partitions)
        raise BadSiteFile(f"Site {self.id} has no partition {partition_id!r}.", hint=f"It has: {known}.")


class NetworkFile(_Fact):
    """What one network file says, with the day it was true."""

    valid_from: date
    sources: tuple[str, ...] = ()
    sites: tuple[Site, ...]


def load_network(path: Path | None = None) -> NetworkFile:
    """The network file at `path`, or the one shipped with the package. Raises BadSiteFile."""
    text = (
        path.read_text(encoding="utf-8")
        if path
        else files("fucina.network").joinpath("network.yaml").read_text("utf-8")
    )
    try:
        return NetworkFile.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise BadSiteFile(f"{path or 'network.yaml'}: {error}", hint="Compare it with the shipped file.") from error
