"""What the train stage leaves beside the weights: the course of the loss, and a summary for cards and dossier."""

from pydantic import BaseModel, ConfigDict

from fucina.models.recipe import Shape


class HistoryPoint(BaseModel):
    """The run after an update: one entry of `history.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    """Updates so far."""
    tokens: int
    """Tokens seen so far."""
    loss: float
    """Mean training loss since the point before, in nats per token."""
    validation_loss: float | None = None
    """Mean loss on the validation split, in nats per token; measured at some points only."""
    learning_rate: float
    """Of the update just made."""


class TrainSummary(BaseModel):
    """`summary.json`: what was trained, on how much, how, and how it ended; no times."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: str
    shape: Shape
    architecture: str
    """In words, for people."""
    num_parameters: int
    num_parameters_non_embedding: int
    vocabulary_size: int
    sequence_length: int
    num_steps: int
    batch_tokens: int
    """Tokens between two updates, as they came out: whole rows."""
    num_tokens: int
    """Tokens seen, with every repetition."""
    num_data_tokens: int
    """Tokens in the training split."""
    num_data_documents: int
    num_epochs: float
    """How often the training split was read."""
    num_validation_tokens: int
    """Tokens that the validation loss was measured on."""
    loss: float
    """Training loss at the end, in nats per token."""
    validation_loss: float | None
    """None when the validation split is empty."""
    flops_total: float
    flops_convention: str
    precision: str
    optimizer: str
    learning_rate: float
    """Its peak."""
    schedule: str
    """In words, for people."""
    weight_decay: float
    gradient_clip: float
    seed: int
