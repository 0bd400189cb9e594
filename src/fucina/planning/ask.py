"""What the planner is asked and what it answers, as types that cross processes and files."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from fucina.planning.rates import Precision, Stack
from fucina.planning.reliability import Goodput, Resilience


class Recipe(StrEnum):
    """What is done with the model."""

    PRETRAIN = "pretrain"
    CONTINUED = "continued"
    SFT = "sft"
    LORA = "lora"
    DPO = "dpo"
    INFERENCE = "inference"


class TrainingQuestion(BaseModel):
    """What a training run shall do, and where."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    model: str
    """A model's name, or the path of a Hugging Face `config.json`."""
    num_tokens: int
    """Tokens to train on, all epochs together; for inference, tokens to write."""
    system: str
    """A system's name, or an accelerator's."""
    recipe: Recipe = Recipe.PRETRAIN
    num_devices: int | None = None
    """None takes what needs the fewest GPU-hours of those that end within `days`."""
    days: float = Field(default=30.0, gt=0, le=1e9)
    sequence: int | None = Field(default=None, ge=1)
    """None takes the model's longest, at most 8,192."""
    batch_tokens: int | None = Field(default=None, ge=0)
    """Tokens a step; None takes what published runs of that size took."""
    precision: Precision = Precision.BF16
    stack: Stack = Stack.FUSED
    fsdp_only: bool = False
    """Only layouts that plain FSDP can do; for the trainer's named sizes, only those of the trainer itself."""
    g_per_kwh: float | None = Field(default=None, ge=0, le=1e5)
    """Grams of CO2 equivalent per kWh; None takes the country's."""
    eur_per_gpu_hour: float | None = Field(default=None, ge=0, le=1e6)
    eur_per_kwh: float | None = Field(default=None, ge=0, le=1e6)
    resilience: Resilience = Resilience()


class LayoutAnswer(BaseModel):
    """One way to spread the model over the devices, and what it gives."""

    model_config = ConfigDict(frozen=True)

    tensor: int
    context: int
    expert: int
    pipeline: int
    interleaved: int
    """Pieces of the model that a pipeline rank holds."""
    data: int
    shard: int
    """Ranks over which ZeRO splits."""
    zero: int
    micro_batch: int
    """Sequences."""
    recompute: str
    recomputed_share: float
    devices: int
    step_s: float
    tokens_per_s_per_device: float
    mfu: float
    hfu: float
    """With what is calculated twice."""
    days: float
    """Calculation alone, without interruptions."""
    memory_gib: float
    memory_parts_gib: dict[str, float]
    time_parts: dict[str, float]
    """Shares of the step by part; they add up to 1."""

    @property
    def words(self) -> str:
        """The layout in one line."""
        named = (("TP", self.tensor), ("CP", self.context), ("EP", self.expert), ("PP", self.pipeline))
        parts = [f"{name}{size}" for name, size in named if size > 1]
        if self.interleaved > 1:
            parts.append(f"×{self.interleaved}")
        recompute = "" if self.recompute == "no" else f", {self.recompute} recomputation"
        return " ".join([*parts, f"DP{self.data}"]) + f", ZeRO-{self.zero}, micro-batch {self.micro_batch}{recompute}"


class Scale(BaseModel):
    """The best layout on a number of devices."""

    model_config = ConfigDict(frozen=True)

    devices: int
    days: float
    gpu_hours: float
    mfu: float
    goodput: float


class Sensitivity(BaseModel):
    """What one change of the machine would do, with the layout chosen anew."""

    model_config = ConfigDict(frozen=True)

    change: str
    speed: float
    """Times as fast as now."""


class Misfit(BaseModel):
    """A layout that one would think of first, and why it does not fit."""

    model_config = ConfigDict(frozen=True)

    layout: str
    needs_gib: float
    has_gib: float
    largest: str
    """The part that needs most."""


class Interval(BaseModel):
    """A figure with the bounds between which 8 in 10 such predictions fell."""

    model_config = ConfigDict(frozen=True)

    low: float
    value: float
    high: float


class TrainingAnswer(BaseModel):
    """What a training run takes."""

    model_config = ConfigDict(frozen=True)

    question: TrainingQuestion
    model: str
    parameters: int
    active_parameters: int
    model_flops: float
    system: str
    accelerator: str
    num_devices: int
    sequence: int
    batch_tokens: int
    layout: LayoutAnswer
    next_layouts: list[LayoutAnswer]
    bound_by: str
    days: Interval
    gpu_hours: Interval
    """As the system bills them."""
    whole_run_factor: float
    """Published runs, from first to last day with evaluation and pauses, took this many times their healthy steps."""
    energy_mwh: float
    tco2e: float | None
    eur: float | None
    goodput: Goodput
    scales: list[Scale]
    sensitivities: list[Sensitivity]
    misfits: list[Misfit]
    layouts_evaluated: int
    layouts_fitting: int
    calibrated_on: str
    notes: list[str]


class ServingAnswer(BaseModel):
    """What writing tokens takes; not calibrated, because no published run was at hand."""

    model_config = ConfigDict(frozen=True)

    question: TrainingQuestion
    model: str
    system: str
    accelerator: str
    devices_per_replica: int
    batch: int
    """Sequences at once."""
    context: int
    tokens_per_s_per_device: float
    tokens_per_s_per_user: float
    gpu_hours: float
    energy_mwh: float
    tco2e: float | None
    eur: float | None
    memory_gib: float
    bound_by: str
    notes: list[str]
