"""What `train` is asked to do, as data."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fucina.errors import BadInput


class UnknownSize(BadInput):
    """No model of that name."""

    code = "unknown_size"


class Shape(BaseModel):
    """A dense decoder: Llama-style, RMSNorm, SwiGLU, rotary positions, tied embeddings when small."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_layers: int
    d_model: int
    num_heads: int
    num_kv_heads: int
    d_ff: int
    tied_embeddings: bool = True


SIZES: dict[str, Shape] = {}
"""Named sizes; filled below by the models room."""


class TrainRecipe(BaseModel):
    """Everything that decides the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Literal["pretrain"] = "pretrain"
    size: str = "3M"
    num_tokens: int = Field(default=12_000_000, gt=0)
    sequence_length: int = Field(default=256, ge=16)
    batch_tokens: int = Field(default=8192, gt=0)
    learning_rate: float = Field(default=0.0, ge=0)
    """0 takes the recipe's own for the size."""
    warmup_share: float = 0.02
    decay_share: float = 0.3
    optimizer: Literal["muon", "adamw"] = "muon"
    precision: Literal["bf16", "fp32"] = "bf16"
    weight_decay: float = 0.1
    num_checkpoints: int = Field(default=10, ge=1)
    """Checkpoints over the run, evenly spaced; the last two are kept."""
    num_threads: int = Field(default=0, ge=0)
    """Processor threads; 0 takes all that the job may use."""
    seed: int = 20261120
