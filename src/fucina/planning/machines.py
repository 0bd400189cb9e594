"""Accelerators and systems as the planner sees them, from the shipped `machines.yaml`."""

from datetime import date
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field

from fucina.errors import BadInput


class UnknownAccelerator(BadInput):
    """No accelerator of that name."""

    code = "unknown_accelerator"


class UnknownSystem(BadInput):
    """No system of that name."""

    code = "unknown_system"


class Accelerator(BaseModel):
    """Peak figures of one unit; dense, per direction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    vendor: str
    form: str = ""
    year: int = 0
    tflops_fp16: float | None = None
    tflops_bf16: float | None = None
    tflops_fp8: float | None = None
    tflops_fp4: float | None = None
    tflops_tf32: float | None = None
    mem_gb: float = Field(gt=0)
    mem_bw: float = Field(gt=0)
    """GB/s."""
    scale_up: float = 0.0
    """GB/s per direction inside the scale-up domain; 0 where unknown."""
    scale_up_domain: int = 1
    scale_out_gbps: float = 0.0
    """Gbit/s per unit and direction between domains; 0 where unknown."""
    tdp_w: float = 0.0
    system_w: float = 0.0
    """With the unit's share of the node at full load; 0 where unknown."""
    gemm_eff: float | None = None
    """Largest matrix rate seen in public tests over the peak."""
    clock: float = Field(default=1.0, gt=0, le=1)
    """Sustained share of the clock that the peak assumes."""
    confidence: str = "medium"
    note: str = ""
    source: str = ""

    @property
    def peak_16(self) -> float:
        """Dense peak of 16-bit products, FLOP/s; half the fp8 rate where only that is known."""
        tflops = self.tflops_bf16 or self.tflops_fp16 or (self.tflops_fp8 or 0.0) / 2
        return tflops * 1e12

    @property
    def power_w(self) -> float:
        """IT power of one unit with its share of the node, W; 1.7 times the board limit where only that is known."""
        return self.system_w or 1.7 * self.tdp_w


class System(BaseModel):
    """Equal nodes with one network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    accelerator: str
    per_node: int = Field(gt=0)
    nodes: int = 0
    """0 where unknown."""
    nics: str = ""
    node_gbps: float = Field(gt=0)
    """Gbit/s per node and direction."""
    topology: str = ""
    country: str = ""
    devices_per_gpu: int = Field(default=1, ge=1)
    """Devices that one billed accelerator shows: 2 where a module has two dies."""
    pue: float = Field(default=1.2, ge=1)
    """Facility power over IT power."""
    confidence: str = "high"


class Grid(BaseModel):
    """Electricity of a country."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: str
    g_per_kwh: float = Field(ge=0)
    source: str


class Machines(BaseModel):
    """The shipped file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    valid_from: date
    sources: dict[str, str]
    accelerators: tuple[Accelerator, ...]
    systems: tuple[System, ...]
    grids: tuple[Grid, ...] = ()


@cache
def machines() -> Machines:
    """What is shipped with the package."""
    text = files("fucina.planning").joinpath("machines.yaml").read_text(encoding="utf-8")
    return Machines.model_validate(yaml.load(text, Loader=_Loader))  # noqa: S506 - a safe loader, in C where there is one


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def find_accelerator(name: str) -> Accelerator:
    """An accelerator by name, in whatever case.

    Raises UnknownAccelerator.
    """
    for accelerator in machines().accelerators:
        if accelerator.id.lower() == name.lower():
            return accelerator
    raise UnknownAccelerator(
        f"There is no accelerator {name!r}.",
        hint=f"Name one of {', '.join(a.id for a in machines().accelerators)}.",
    )


def find_system(name: str) -> System:
    """A system by name, or any accelerator in its usual node.

    Raises UnknownSystem.
    """
    for system in machines().systems:
        if system.id.lower() == name.lower():
            return system
    for accelerator in machines().accelerators:
        if accelerator.id.lower() == name.lower():
            return usual_system(accelerator)
    raise UnknownSystem(
        f"There is no system {name!r}.",
        hint=f"Name one of {', '.join(s.id for s in machines().systems)}, or an accelerator such as H100-80GB.",
    )


def usual_system(accelerator: Accelerator) -> System:
    """The reference node of an accelerator: 4 or 8 units, with its usual network."""
    per_node = 4 if accelerator.scale_up_domain in (4, 72) else 8
    gbps = (accelerator.scale_out_gbps or 200.0) * per_node
    return System(id=accelerator.id.lower(), accelerator=accelerator.id, per_node=per_node, node_gbps=gbps)


def carbon_g_per_kwh(country: str) -> float | None:
    """Grams of CO2 equivalent per kWh of a country's electricity; None where unknown."""
    return next((grid.g_per_kwh for grid in machines().grids if grid.country == country.upper()), None)
