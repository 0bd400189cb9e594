"""A part of the evaluation: what it examines, what it hands back, and how it says how far it is."""

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fucina.compute.record import Progress
from fucina.trust.prepared import Prepared
from fucina.trust.private_values import PrivateValue
from fucina.trust.recipe import EvaluateRecipe, Metric, Sample


class PartResult(BaseModel):
    """What one part measured; kept in `scratch/` so that a restart does not measure it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: tuple[Metric, ...]
    samples: tuple[Sample, ...] = ()
    counts: dict[str, int] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model with the documents that it is examined on."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    prepared: Prepared
    recipe: EvaluateRecipe
    private_values: tuple[PrivateValue, ...]

    @property
    def window(self) -> int:
        """Tokens that the model reads at once."""
        return int(self.model.config.max_position_embeddings)

    def encode(self, text: str) -> list[int]:
        """Tokens of a piece of text, nothing added."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def decode(self, tokens: list[int]) -> str:
        """Text of tokens, without the marks that end documents."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))


@dataclass(slots=True, kw_only=True)
class Ticker:
    """Turns the work done in a part into the share of the whole, and stops between two batches when asked to."""

    progress: Progress
    part: str
    begin: int
    end: int
    """Percent of the whole at which the part begins and ends."""
    _last: tuple[int, str] = field(default=(-1, ""))

    def advance(self, *, done: int, total: int, unit: str) -> None:
        """Say that `done` of `total` are done. Raises Interrupted when a stop was asked for."""
        self.progress.raise_if_stopping()
        percent = self.begin + (self.end - self.begin) * done // max(1, total)
        if (percent, unit) != self._last:
            self._last = (percent, unit)
            self.progress.report(done=percent, total=100, unit="%", message=f"{self.part}: {done} of {total} {unit}")
