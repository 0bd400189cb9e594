"""Muon for the matrices inside the layers, AdamW for everything else, both on float32 masters of the weights."""

import math
from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import nn

from fucina.models.recipe import TrainRecipe
from fucina.models.threads import Workers

_ADAM_BETAS = (0.9, 0.95)
_ADAM_EPS = 1e-8
_MUON_MOMENTUM = 0.95
_MUON_RMS = 0.2
"""Root mean square of a Muon update, as AdamW's usually is, so that one learning rate serves both (Liu et al. 2025)."""
_TABLE_RATE = 3.0
"""How much faster embeddings, head and norms learn than the rate says, beside Muon; measured at 1M parameters."""
_QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the iteration that drives singular values towards one (Jordan et al. 2024)."""


def learning_rate_at(step: int, *, num_steps: int, recipe: TrainRecipe, peak: float) -> float:
    """The rate of update number `step`, from 0: warm up in a line, hold, decay in a line towards zero."""
    warmup = max(1, math.ceil(recipe.warmup_share * num_steps))
    decay = math.ceil(recipe.decay_share * num_steps)
    rising = (step + 1) / warmup
    falling = (num_steps - step) / (decay + 1)
    return peak * min(1.0, rising, falling)


def orthogonalize(matrices_MRC: torch.Tensor, *, num_iterations: int = 5) -> torch.Tensor:
    """The nearest orthogonal matrix of each of M matrices, roughly: singular values end between about 0.7 and 1.2."""
    a, b, c = _QUINTIC
    tall = matrices_MRC.shape[-2] > matrices_MRC.shape[-1]
    x = (matrices_MRC.mT if tall else matrices_MRC).to(torch.bfloat16, memory_format=torch.contiguous_format)
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(num_iterations):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Optimizer:
    """One update of all weights from their gradients. Its state is a flat mapping of tensors."""

    def __init__(
        self, parameters: Iterable[tuple[str, nn.Parameter]], *, recipe: TrainRecipe, weight_decay: float
    ) -> None:
        self._recipe = recipe
        self._weight_decay = weight_decay
        self._parameters = {name: parameter for name, parameter in parameters if parameter.requires_grad}
        self.masters = {name: parameter.detach().float() for name, parameter in self._parameters.items()}
        """The weights in float32; the model's own tensors where those are float32 already."""
        with_muon = recipe.optimizer == "muon"
        self._hidden = [name for name, master in self.masters.items() if with_muon and _is_hidden_matrix(name, master)]
        self._alike: list[list[str]] = []
        for shape in sorted({self.masters[name].shape for name in self._hidden}):
            self._alike.append([name for name in self._hidden if self.masters[name].shape == shape])
        self._others = [name for name in self.masters if name not in set(self._hidden)]
        self._gradients: dict[str, torch.Tensor] = {}
        self._momentum = {name: torch.zeros_like(self.masters[name]) for name in self._hidden}
        self._mean = {name: torch.zeros_like(self.masters[name]) for name in self._others}
        self._square = {name: torch.zeros_like(self.masters[name]) for name in self._others}

    @property
    def parameters(self) -> tuple[nn.Parameter, ...]:
        """What is trained, in the order in which `accumulate` takes gradients."""
        return tuple(self._parameters.values())

    @torch.no_grad()
    def accumulate(self, gradients: Sequence[torch.Tensor]) -> None:
        """Add the gradients of a portion of the batch to those of this update, in float32."""
        for name, gradient in zip(self._parameters, gradients, strict=True):
            held = self._gradients.get(name)
            self._gradients[name] = gradient.float() if held is None else held.add_(gradient)

    @property
    def gradients(self) -> tuple[torch.Tensor, ...]:
        """What was accumulated for this update, in float32."""
        return tuple(self._gradients.values())

    @torch.no_grad()
    def gradient_norm(self) -> float:
        """Norm of the accumulated gradient over all weights."""
        norms = torch._foreach_norm(list(self._gradients.values()))
        return float(torch.linalg.vector_norm(torch.stack(norms)))

    def update(self, *, step: int, learning_rate: float, gradient_norm: float, workers: Workers) -> None:
        """Apply update number `step`, from 0, with the accumulated gradients, and drop them."""
        gradients, self._gradients = self._gradients, {}
        torch._foreach_mul_(list(gradients.values()), min(1.0, self._recipe.gradient_clip / (gradient_norm + 1e-6)))
        tasks = [partial(self._update_others, gradients, learning_rate, step + 1)]
        tasks += [partial(self._update_hidden, names, gradients, learning_rate) for names in self._alike]
        workers.map(lambda task: task(), tasks)

    @torch.no_grad()
    def _update_hidden(self, names: Sequence[str], gradients: dict[str, torch.Tensor], learning_rate: float) -> None:
        """Muon on matrices of one shape."""
        for name in names:
            self._momentum[name].lerp_(gradients[name], 1 - _MUON_MOMENTUM)
        ahead = [gradients[name].lerp(self._momentum[name], _MUON_MOMENTUM) for name in names]
        directions = orthogonalize(torch.stack(ahead)).float()
        for name, direction in zip(names, directions, strict=True):
            master = self.masters[name]
            master.mul_(1 - learning_rate * self._weight_decay)
            master.add_(direction, alpha=-learning_rate * _MUON_RMS * math.sqrt(max(master.shape)))
            self._publish(name)

    @torch.no_grad()
    def _update_others(self, gradients: dict[str, torch.Tensor], learning_rate: float, count: int) -> None:
        beta1, beta2 = _ADAM_BETAS
        learning_rate *= _TABLE_RATE if self._hidden else 1.0
        for name in self._others:
            mean, square, master = self._mean[name], self._square[name], self.masters[name]
            mean.lerp_(gradients[name], 1 - beta1)
            square.lerp_(gradients[name].square_(), 1 - beta2)
            spread = (square / (1 - beta2**count)).sqrt_().add_(_ADAM_EPS)
            if master.ndim > 1:
                master.mul_(1 - learning_rate * self._weight_decay)
            master.addcdiv_(mean, spread, value=-learning_rate / (1 - beta1**count))
            self._publish(name)

    def _publish(self, name: str) -> None:
        """Give the model its weight, in the model's precision."""
        if self._parameters[name].dtype != torch.float32:
            self._parameters[name].copy_(self.masters[name])

    def state(self) -> dict[str, torch.Tensor]:
        """Everything that the next update depends on, the weights included."""
        parts = {"weight": self.masters, "momentum": self._momentum, "mean": self._mean, "square": self._square}
        return {f"{part}/{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}

    @torch.no_grad()
    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Take over a state of the same model and recipe. Raises KeyError or RuntimeError when it is of another."""
        own = self.state()
        if own.keys() != state.keys():
            raise KeyError(f"{len(own.keys() ^ state.keys())} tensors differ in name")
        for key, tensor in own.items():
            tensor.copy_(state[key])
        for name in self._parameters:
            self._publish(name)


def _is_hidden_matrix(name: str, tensor: torch.Tensor) -> bool:
    return tensor.ndim == 2 and "layers." in name
