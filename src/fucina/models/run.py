"""A training run: the model, what it still has to read, and the state from which it can go on."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from fucina.compute.place import ALONE, Place
from fucina.errors import BadInput, FactoryError
from fucina.models import checkpoint, decoder, threads
from fucina.models.card import HistoryPoint, TrainSummary
from fucina.models.checkpoint import RunState
from fucina.models.optimizer import Optimizer, learning_rate_at
from fucina.models.ranks import Ranks
from fucina.models.recipe import (
    TrainRecipe,
    default_learning_rate,
    default_weight_decay,
    num_block_parameters,
    num_parameters,
    shape_for,
    train_flops,
)
from fucina.models.threads import Workers
from fucina.models.tokens import Rows, Stream, TokenSplit
from fucina.units import format_count

END_OF_DOCUMENT = "<|end|>"
FLOPS_CONVENTION = (
    "Per token 6N + 12LHQT (Chowdhery et al. 2022, PaLM, appendix B): N parameters that take part in a matrix product, "
    "L layers, H heads of width Q, T tokens in a sequence. Attention is counted in full, without halving it for "
    "causality or for document borders; recomputation is not counted."
)
_NUM_POINTS = 200
_TOKENS_AT_ONCE = {"cpu": 4096, "cuda": 65536}
"""Tokens in one forward and backward pass, by device: on a processor few enough for its caches."""


class BadTokenizer(BadInput):
    """The tokenizer of the data cannot be used."""

    code = "bad_tokenizer"


class TrainingDiverged(FactoryError):
    """The loss or the gradient is no longer a number."""

    code = "training_diverged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When what happens: everything that counts updates."""

    num_steps: int
    num_rows: int
    """Rows of an update."""
    points: frozenset[int]
    """Updates after which the history gets an entry, those of the next two among them."""
    evaluations: frozenset[int]
    checkpoints: frozenset[int]


def plan_for(recipe: TrainRecipe) -> Plan:
    """The course of a run: whole rows, at least as many tokens as asked."""
    num_rows = max(1, round(recipe.batch_tokens / recipe.sequence_length))
    num_steps = math.ceil(recipe.num_tokens / (num_rows * recipe.sequence_length))

    def spread(count: int) -> frozenset[int]:
        return frozenset(math.ceil(num_steps * part / count) for part in range(1, count + 1))

    evaluations = spread(min(recipe.num_evaluations, num_steps))
    return Plan(
        num_steps=num_steps,
        num_rows=num_rows,
        points=spread(min(_NUM_POINTS, num_steps)) | evaluations,
        evaluations=evaluations,
        checkpoints=spread(min(recipe.num_checkpoints, num_steps)),
    )


def read_tokenizer(folder: Path) -> tuple[int, int]:
    """The size of the vocabulary and the token that ends a document.

    Raises BadTokenizer.
    """
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception for whatever is wrong
        raise BadTokenizer(f"{path.name} cannot be read: {error}", hint="Run the prepare stage again.") from error
    end = tokenizer.token_to_id(END_OF_DOCUMENT)
    if end is None:
        raise BadTokenizer(
            f"The tokenizer has {tokenizer.get_vocab_size()} tokens, but no {END_OF_DOCUMENT}.",
            hint="Give a tokenizer that has it, or leave `tokenizer` out to have one trained.",
        )
    return tokenizer.get_vocab_size(), end


class TooManyRanks(BadInput):
    """More processes than a batch has rows."""

    code = "too_many_ranks"


class Run:
    """A model on its way: what it has become, and what it still has to read."""

    def __init__(self, recipe: TrainRecipe, *, data: Path, folder: Path, place: Place = ALONE) -> None:
        self.recipe = recipe
        self.plan = plan_for(recipe)
        if place.num_ranks > self.plan.num_rows:
            raise TooManyRanks(
                f"A batch has {self.plan.num_rows} rows of {recipe.sequence_length} tokens; "
                f"{place.num_ranks} processes cannot share them.",
                hint="Train on fewer accelerators or with a larger batch.",
            )
        self.ranks = Ranks.join(place)
        self.shape = shape_for(recipe.size)
        self.device = self.ranks.device
        self.tokenizer_folder = data / "tokenizer"
        self.vocabulary_size, end_token = read_tokenizer(self.tokenizer_folder)
        self.training = TokenSplit(data, "train", vocabulary_size=self.vocabulary_size)
        self.validation = TokenSplit(data, "validation", vocabulary_size=self.vocabulary_size)
        self._stream = Stream(self.training, seed=recipe.seed, end_token=end_token)
        self._validation_stream = (
            Stream(self.validation, seed=0, end_token=end_token, shuffled=False) if self.validation.num_tokens else None
        )
        config = decoder.config_for(
            self.shape,
            vocabulary_size=self.vocabulary_size,
            sequence_length=recipe.sequence_length,
            end_token=end_token,
        )
        dtype = torch.bfloat16 if recipe.precision == "bf16" else torch.float32
        own = default_weight_decay(self.shape)
        self.weight_decay = own if recipe.weight_decay is None else recipe.weight_decay
        self.model: LlamaForCausalLM = decoder.build(config, seed=recipe.seed, dtype=dtype, device=self.device)
        self.optimizer = Optimizer(self.model.named_parameters(), recipe=recipe, weight_decay=self.weight_decay)
        self.peak_rate = recipe.learning_rate or default_learning_rate(self.shape, optimizer=recipe.optimizer)
        self._folder = folder
        self.num_threads = max(1, threads.usable_threads(recipe.num_threads) // place.num_local_ranks)
        num_portions = len(self._portions(self.ranks.share(self.plan.num_rows)[1])) if self.device.type == "cpu" else 1
        self.workers = Workers(threads.split_threads(self.num_threads, num_portions=num_portions))
        self.step = 0
        self.history: list[HistoryPoint] = []
        self.last_loss = math.nan
        self._loss_since_point = 0.0
        self._steps_since_point = 0

    @property
    def num_tokens(self) -> int:
        """Tokens seen so far."""
        return self.step * self.tokens_per_step

    @property
    def tokens_per_step(self) -> int:
        """Tokens between two updates."""
        return self.plan.num_rows * self.recipe.sequence_length

    @property
    def flops_per_token(self) -> float:
        """By the convention of `train_flops`."""
        return train_flops(
            self.shape,
            vocabulary_size=self.vocabulary_size,
            sequence_length=self.recipe.sequence_length,
            num_tokens=1,
        )

    def advance(self) -> None:
        """One update, and what is due after it. Raises TrainingDiverged."""
        length = self.recipe.sequence_length
        first_row, num_rows = self.ranks.share(self.plan.num_rows)
        begin = self.step * self.plan.num_rows + first_row
        portions = self._portions(num_rows)
        batch = [self._stream.rows(begin + first, count, length) for first, count in portions]
        answers = self.workers.map(self._loss_and_gradients, batch)
        for _, gradients in answers:
            self.optimizer.accumulate(gradients)
        self.ranks.sum_in_place(self.optimizer.gradients)
        loss = self.ranks.total(math.fsum(loss for loss, _ in answers))
        norm = self.optimizer.gradient_norm()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingDiverged(
                f"After {self.step} updates ({format_count(self.num_tokens)} tokens) the loss is {loss} and the "
                f"gradient's norm {norm}; the learning rate peaks at {self.peak_rate:.3g}.",
                hint="Lower the learning rate or take fp32 precision, and look at the data around this place.",
            )
        self.optimizer.update(
            step=self.step, learning_rate=self.learning_rate, gradient_norm=norm, workers=self.workers
        )
        self.step += 1
        self.last_loss = loss
        self._loss_since_point += loss
        self._steps_since_point += 1
        if self.step in self.plan.points:
            self._add_point()

    @property
    def learning_rate(self) -> float:
        """Of the next update."""
        return learning_rate_at(self.step, num_steps=self.plan.num_steps, recipe=self.recipe, peak=self.peak_rate)

    def _add_point(self) -> None:
        rate = learning_rate_at(self.step - 1, num_steps=self.plan.num_steps, recipe=self.recipe, peak=self.peak_rate)
        point = HistoryPoint(
            step=self.step,
            tokens=self.num_tokens,
            loss=self._loss_since_point / self._steps_since_point,
            validation_loss=self._validate() if self.step in self.plan.evaluations else None,
            learning_rate=rate,
        )
        self.history.append(point)
        self._loss_since_point, self._steps_since_point = 0.0, 0

    @property
    def num_validation_tokens(self) -> int:
        """Tokens that one measurement of the validation loss reads: whole rows, or a single short one."""
        usable = min(self.validation.num_tokens, self.recipe.max_validation_tokens)
        length = min(usable, self.recipe.sequence_length)
        return usable // length * length if length else 0

    def _validate(self) -> float | None:
        if (stream := self._validation_stream) is None:
            return None
        length = min(self.num_validation_tokens, self.recipe.sequence_length)
        first_row, num_rows = self.ranks.share(self.num_validation_tokens // length)
        rows = (stream.rows(first_row + first, count, length) for first, count in self._portions(num_rows))
        losses = self.workers.map(self._loss, rows)
        return self.ranks.total(math.fsum(losses)) / self.num_validation_tokens

    def _portions(self, num_rows: int) -> list[tuple[int, int]]:
        """First row and number of rows of each forward pass; on a processor at least two, so that two can share."""
        at_once = max(1, _TOKENS_AT_ONCE[self.device.type] // self.recipe.sequence_length)
        if self.device.type == "cpu":
            at_once = max(1, min(at_once, math.ceil(num_rows / 2)))
        return [(first, min(at_once, num_rows - first)) for first in range(0, num_rows, at_once)]

    def _loss_and_gradients(self, rows: Rows) -> tuple[float, tuple[torch.Tensor, ...]]:
        """What a portion adds to the mean loss of the batch and to its gradient."""
        loss = self._loss_sum(rows) / self.tokens_per_step
        return float(loss.detach()), torch.autograd.grad(loss, self.optimizer.parameters)

    @torch.no_grad()
    def _loss(self, rows: Rows) -> float:
        return float(self._loss_sum(rows))

    def _loss_sum(self, rows: Rows) -> torch.Tensor:
        return decoder.loss_sum(self.model, *(torch.from_numpy(axes).to(self.device) for axes in rows))

    def save(self) -> None:
        """Write a checkpoint of this moment; only the first of several ranks does, for all hold the same."""
        if not self.ranks.place.is_first:
            return
        state = RunState(
            fingerprint=self._fingerprint(),
            num_threads_each=self.workers.split.num_threads_each,
            step=self.step,
            history=tuple(self.history),
            loss_since_point=self._loss_since_point,
            steps_since_point=self._steps_since_point,
        )
        checkpoint.save(self._folder, run=state, tensors=self.optimizer.state())

    def resume(self) -> list[str]:
        """Go back to the newest whole checkpoint, if there is one; returns what a person should know."""
        restored = checkpoint.restore(self._folder, fingerprint=self._fingerprint())
        messages = list(restored.complaints)
        if (run := restored.run) is None:
            return messages
        self.optimizer.load(restored.tensors)
        self.step, self.history = run.step, list(run.history)
        self._loss_since_point, self._steps_since_point = run.loss_since_point, run.steps_since_point
        self.last_loss = self.history[-1].loss if self.history else math.nan
        messages.append(f"Goes on after update {self.step} of {self.plan.num_steps}.")
        split, before = self.workers.split, run.num_threads_each
        if before < split.num_threads_each:
            self.workers.close()
            self.workers = Workers(split._replace(num_threads_each=before))
        elif before > split.num_threads_each:
            messages.append(
                f"Began with {before} threads in an operation and goes on with {split.num_threads_each}: the weights "
                "may differ in their last digits from those of a run that was never stopped."
            )
        return messages

    def _fingerprint(self) -> str:
        unimportant = {"num_threads", "peak_tflops", "num_checkpoints"}
        return checkpoint.fingerprint_of(
            self.recipe.model_dump(mode="json", exclude=unimportant),
            self.vocabulary_size,
            *([split.num_documents, split.num_tokens] for split in (self.training, self.validation)),
        )

    def close(self) -> None:
        """Let threads and the other ranks go."""
        self.workers.close()
        self.ranks.leave()

    def summary(self) -> TrainSummary:
        """The finished run in numbers and words."""
        recipe, shape, last = self.recipe, self.shape, self.history[-1]
        tied = "tied" if shape.tied_embeddings else "separate"
        return TrainSummary(
            size=recipe.size,
            shape=shape,
            architecture=(
                f"Decoder-only transformer (Llama): {shape.num_layers} layers of width {shape.d_model}, "
                f"{shape.num_heads} heads ({shape.num_kv_heads} for keys and values), SwiGLU of width {shape.d_ff}, "
                f"RMSNorm, rotary positions, {tied} input and output embeddings"
            ),
            num_parameters=num_parameters(shape, vocabulary_size=self.vocabulary_size),
            num_parameters_non_embedding=num_block_parameters(shape),
            vocabulary_size=self.vocabulary_size,
            sequence_length=recipe.sequence_length,
            num_steps=self.plan.num_steps,
            batch_tokens=self.tokens_per_step,
            num_tokens=self.num_tokens,
            num_data_tokens=self.training.num_tokens,
            num_data_documents=self.training.num_documents,
            num_epochs=self.num_tokens / self.training.num_tokens,
            num_validation_tokens=self.num_validation_tokens,
            loss=last.loss,
            validation_loss=last.validation_loss,
            flops_total=self.flops_per_token * self.num_tokens,
            flops_convention=FLOPS_CONVENTION,
            precision=recipe.precision,
            optimizer=recipe.optimizer,
            learning_rate=self.peak_rate,
            schedule=(
                f"warm-up over {recipe.warmup_share:.0%} of the updates, constant, "
                f"linear decay to zero over the last {recipe.decay_share:.0%}"
            ),
            weight_decay=self.weight_decay,
            gradient_clip=recipe.gradient_clip,
            seed=recipe.seed,
        )
