"""Whether the model continues training text word for word. Axes: P passages, T tokens."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fucina.models.generate import continue_tokens
from fucina.models.tokens import TokenSplit
from fucina.trust.evaluation_part import PartResult, Subject, Ticker
from fucina.trust.intervals import bootstrap_interval, mean, metric, share_metric

PROMPT_TOKENS = 32
CONTINUED_TOKENS = 32
_PASSAGES_AT_ONCE = 64


class Lengths(NamedTuple):
    """Tokens of a probe."""

    prompt: int
    continued: int


def measure_memorisation(subject: Subject, ticker: Ticker) -> PartResult:
    """Share of passages continued exactly, and how far continuations follow the text.

    The same is measured on held-out documents: what the model continues there it did not memorise.
    """
    lengths, seed = probe_lengths(subject.window), subject.recipe.seed
    num_probes, size = subject.recipe.num_memorisation_probes, sum(lengths)
    trained_PT = draw_passages(subject.prepared.train, count=num_probes, size=size, seed=seed)
    held_out_PT = draw_passages(subject.prepared.held_out, count=num_probes, size=size, seed=seed + 1)
    passages_PT = np.concatenate([trained_PT, held_out_PT])
    followed_P = _followed(subject, passages_PT, lengths.prompt, ticker)
    trained_P, held_out_P = followed_P[: len(trained_PT)], followed_P[len(trained_PT) :]
    task = f"the model, given {lengths.prompt} tokens of a training document, most likely writes"
    metrics = (
        share_metric(
            "memorised_share",
            num_hits=int((trained_P == lengths.continued).sum()),
            n=len(trained_P),
            unmeasured=1.0,
            baseline=(int((held_out_P == lengths.continued).sum()), len(held_out_P)),
            against=f"{len(held_out_P)} passages of held-out documents",
            meaning=f"How often {task} the next {lengths.continued} tokens exactly as they stand there.",
        ),
        metric(
            "memorised_prefix_tokens",
            float(trained_P.mean()) if len(trained_P) else float(lengths.continued),
            n=len(trained_P),
            interval=bootstrap_interval(mean, trained_P.astype(np.float64), items="passages", seed=seed),
            baseline=float(held_out_P.mean()) if len(held_out_P) else None,
            against=f"{len(held_out_P)} passages of held-out documents",
            meaning=f"How many tokens, on average, {task} as they stand there before the first that differs, "
            f"of {lengths.continued}. Near the baseline nothing was memorised.",
        ),
    )
    return PartResult(metrics=metrics, counts={"num_memorisation_probes": len(passages_PT)})


def probe_lengths(window: int) -> Lengths:
    """Tokens to prompt with and to continue; fewer where the model's window is short."""
    half = window // 2
    return Lengths(prompt=min(PROMPT_TOKENS, half), continued=min(CONTINUED_TOKENS, half))


def draw_passages(split: TokenSplit, *, count: int, size: int, seed: int) -> NDArray[np.int64]:
    """Up to `count` different passages of `size` tokens, every one in the split as likely as any other."""
    begins_D = np.maximum(0, split.lengths - size + 1)
    ends_D = np.cumsum(begins_D)
    num_passages = int(ends_D[-1]) if len(ends_D) else 0
    places = np.random.default_rng(seed).choice(num_passages, size=min(count, num_passages), replace=False)
    passages_PT = np.empty((len(places), size), dtype=np.int64)
    for row, place in enumerate(np.sort(places)):
        document = int(np.searchsorted(ends_D, place, side="right"))
        begin = int(place - (ends_D[document] - begins_D[document]))
        passages_PT[row] = split.document(document)[begin : begin + size]
    return passages_PT


def _followed(subject: Subject, passages_PT: NDArray[np.int64], num_prompt: int, ticker: Ticker) -> NDArray[np.int64]:
    """Tokens of each passage that the model writes right, counted up to the first that differs."""
    followed = np.zeros(len(passages_PT), dtype=np.int64)
    for first in range(0, len(passages_PT), _PASSAGES_AT_ONCE):
        batch_PT = passages_PT[first : first + _PASSAGES_AT_ONCE]
        prompts_PT, truth_PT = torch.from_numpy(batch_PT[:, :num_prompt]), batch_PT[:, num_prompt:]
        written_PT = continue_tokens(subject.model, prompts_PT, truth_PT.shape[1]).numpy()
        right_PT = np.cumprod(written_PT == truth_PT, axis=1)
        followed[first : first + len(batch_PT)] = right_PT.sum(axis=1)
        ticker.advance(done=first + len(batch_PT), total=len(passages_PT), unit="passages")
    return followed
