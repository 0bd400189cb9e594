"""What `train` is asked to do, as data: named sizes, the recipe, and the arithmetic of a dense decoder."""

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


def _shape(layers: int, d_model: int, heads: int, kv_heads: int, d_ff: int, *, tied: bool = True) -> Shape:
    return Shape(
        num_layers=layers, d_model=d_model, num_heads=heads, num_kv_heads=kv_heads, d_ff=d_ff, tied_embeddings=tied
    )


SIZES: dict[str, Shape] = {
    "0.1M": _shape(2, 20, 2, 2, 64),
    "1M": _shape(3, 128, 2, 2, 384),
    "3M": _shape(5, 192, 3, 3, 512),
    "10M": _shape(7, 320, 5, 5, 896),
    "30M": _shape(9, 512, 8, 8, 1408),
    "100M": _shape(15, 640, 10, 5, 1792),
    "300M": _shape(24, 1024, 16, 8, 2816),
    "1B": _shape(20, 2048, 16, 8, 5632),
    "3B": _shape(28, 3072, 24, 8, 8192),
    "7B": _shape(32, 4096, 32, 8, 13824, tied=False),
    "13B": _shape(40, 5120, 40, 8, 16384, tied=False),
    "30B": _shape(60, 6656, 52, 4, 19200, tied=False),
    "70B": _shape(80, 8192, 64, 8, 28672, tied=False),
}
"""Named sizes. The small ones count their parameters with a vocabulary of 4,096, those from 100M on with 32,768."""


def shape_for(size: str) -> Shape:
    """The shape behind a name.

    Raises UnknownSize.
    """
    if size not in SIZES:
        raise UnknownSize(f"There is no model size {size!r}.", hint=f"The sizes are {', '.join(SIZES)}.")
    return SIZES[size]


def default_learning_rate(shape: Shape, *, optimizer: Literal["muon", "adamw"]) -> float:
    """The peak learning rate for a shape: falls with its width. Measured with Muon at 1M; the rest follows custom."""
    at_width_128 = {"muon": 0.01, "adamw": 0.003}
    return at_width_128[optimizer] * (128 / shape.d_model) ** 0.9


def default_weight_decay(shape: Shape) -> float:
    """The weight decay for a shape: small models read their data many times over and need more of it."""
    return 0.5 if shape.d_model < 640 else 0.1


def num_block_parameters(shape: Shape) -> int:
    """Parameters of all layers and norms, without embeddings and output head."""
    d_head = shape.d_model // shape.num_heads
    attention = 2 * shape.d_model * d_head * (shape.num_heads + shape.num_kv_heads)
    feed_forward = 3 * shape.d_model * shape.d_ff
    return shape.num_layers * (attention + feed_forward + 2 * shape.d_model) + shape.d_model


def num_parameters(shape: Shape, *, vocabulary_size: int) -> int:
    """All parameters; tied embeddings count once."""
    num_tables = 1 if shape.tied_embeddings else 2
    return num_block_parameters(shape) + num_tables * vocabulary_size * shape.d_model


def train_flops(shape: Shape, *, vocabulary_size: int, sequence_length: int, num_tokens: int) -> float:
    """FLOPs to train a dense decoder on `num_tokens` tokens.

    Per token: 6N + 12LHQT (Chowdhery et al. 2022, PaLM, appendix B), with N the parameters that take part in a
    matrix product: an input table that is not tied to the output head is left out. Attention is counted in full
    although it is causal and stops at document borders; recomputation is not counted.
    """
    in_products = num_block_parameters(shape) + vocabulary_size * shape.d_model
    attention = 12 * shape.num_layers * shape.d_model * sequence_length
    return float((6 * in_products + attention) * num_tokens)


class TrainRecipe(BaseModel):
    """Everything that decides the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Literal["pretrain"] = "pretrain"
    size: str = "3M"
    num_tokens: int = Field(default=12_000_000, gt=0)
    sequence_length: int = Field(default=256, ge=16)
    batch_tokens: int = Field(default=4096, gt=0)
    """Tokens between two updates of the weights."""
    learning_rate: float = Field(default=0.0, ge=0)
    """0 takes the recipe's own for the size."""
    warmup_share: float = Field(default=0.02, ge=0, le=1)
    decay_share: float = Field(default=0.5, ge=0, le=1)
    optimizer: Literal["muon", "adamw"] = "muon"
    precision: Literal["bf16", "fp32"] = "bf16"
    weight_decay: float | None = Field(default=None, ge=0)
    """None takes the recipe's own for the size."""
    gradient_clip: float = Field(default=1.0, gt=0)
    """Norm above which the gradient is scaled down to it."""
    num_checkpoints: int = Field(default=10, ge=1)
    """Checkpoints over the run, evenly spaced; the last two are kept."""
    num_evaluations: int = Field(default=10, ge=1)
    """Measurements of the validation loss over the run, evenly spaced; the last is at the end."""
    max_validation_tokens: int = Field(default=65_536, gt=0)
    """Tokens of the validation split that one measurement reads, from its beginning."""
    num_threads: int = Field(default=0, ge=0)
    """Processor threads; 0 takes all that the job may use."""
    peak_tflops: float = Field(default=0.0, ge=0)
    """Peak of all accelerators of the job, in 10^12 FLOPs per second, for the utilisation; 0 means unknown."""
    seed: int = 20261120
