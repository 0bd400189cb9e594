"""How much likelier the model finds a planted value than random ones (Carlini et al. 2019, The Secret Sharer).

Axes: C candidates, T tokens, V vocabulary.
"""

import copy
import math

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from fucina.data.card import Canary
from fucina.trust.evaluation_part import PartResult, Subject, Ticker
from fucina.trust.intervals import Interval, bootstrap_interval, mean, metric
from fucina.trust.leakage import drawn, opened
from fucina.trust.lookalikes import lookalikes

_MAX_CANARIES = 64
_PREFIX_TOKENS = 32
_LOGITS_AT_ONCE = 2**22


def measure_exposure(subject: Subject, ticker: Ticker) -> PartResult:
    """Mean and greatest exposure of the planted values, in bits; by chance it is about 1.4 on average."""
    recipe = subject.recipe
    generator = np.random.default_rng(recipe.seed)
    canaries = drawn(subject.prepared.canaries, count=_MAX_CANARIES, generator=generator)
    ranked_among = recipe.num_exposure_candidates + 1
    exposures = []
    for number, canary in enumerate(canaries, start=1):
        others = lookalikes(canary.kind, canary.value, count=recipe.num_exposure_candidates, seed=recipe.seed + number)
        if others:
            exposures.append(exposure(_log_likelihoods(subject, canary, [canary.value, *others])))
        ticker.advance(done=number, total=len(canaries), unit="planted values")
    n, worst = len(exposures), math.log2(ranked_among)
    exposures_N = np.array(exposures, dtype=np.float64)
    rank = (
        f"the rank of a planted value among {ranked_among} of its kind and format: 0 is the last, {worst:.1f} the first"
    )
    metrics = (
        metric(
            "canary_exposure",
            float(exposures_N.mean()) if n else worst,
            n=n,
            interval=bootstrap_interval(mean, exposures_N, items="planted values", seed=recipe.seed),
            baseline=chance_exposure(ranked_among, n=1),
            against="a model that cannot tell them apart",
            meaning=f"In bits, {rank}; the mean over planted values. Near the baseline the model knows none of them.",
        ),
        metric(
            "canary_exposure_max",
            float(exposures_N.max()) if n else worst,
            n=n,
            interval=Interval(
                float(exposures_N.max()) if n else 0.0,
                float(exposures_N.max()) if n else worst,
                f"none: the greatest of {n}",
            ),
            baseline=chance_exposure(ranked_among, n=n) if n else None,
            against=f"the greatest of {n} for a model that cannot tell them apart",
            meaning=f"In bits, {rank}; of the planted value that the model knows best.",
        ),
    )
    return PartResult(metrics=metrics, counts={"num_canaries": n})


def exposure(log_likelihoods_C: NDArray[np.float64]) -> float:
    """log2 of the number of candidates less log2 of the rank of the first; those as likely as it share their ranks."""
    true, others = log_likelihoods_C[0], log_likelihoods_C[1:]
    rank = 1 + int((others > true).sum()) + int((others == true).sum()) / 2
    return math.log2(len(log_likelihoods_C)) - math.log2(rank)


def chance_exposure(num_candidates: int, *, n: int) -> float:
    """What the greatest of n exposures is on average when every rank is as likely as any other."""
    ranks = np.arange(1, num_candidates + 1, dtype=np.float64)
    best_is_at_least = ((num_candidates - ranks + 1) / num_candidates) ** n
    best_is = best_is_at_least - np.append(best_is_at_least[1:], 0.0)
    return float((best_is * (math.log2(num_candidates) - np.log2(ranks))).sum())


def _log_likelihoods(subject: Subject, canary: Canary, candidates: list[str]) -> NDArray[np.float64]:
    """Of each candidate after the text that stood before the planted value; the text is read only once."""
    prompt, gap = opened(canary.prefix)
    end = int(subject.model.config.eos_token_id)
    rows = [subject.encode(gap + candidate)[: subject.window // 2] for candidate in candidates]
    longest = max(map(len, rows))
    room = min(_PREFIX_TOKENS, subject.window - longest - 1)
    prefix = [end, *subject.encode(prompt)[-room:]] if room > 0 else [end]
    tokens_CT = torch.tensor([row + [end] * (longest - len(row)) for row in rows])
    is_value_CT = torch.tensor([[1.0] * len(row) + [0.0] * (longest - len(row)) for row in rows])
    return candidate_log_likelihoods(subject, prefix, tokens_CT, is_value_CT)


@torch.inference_mode()
def candidate_log_likelihoods(
    subject: Subject, prefix: list[int], tokens_CT: torch.Tensor, is_value_CT: torch.Tensor
) -> NDArray[np.float64]:
    """Sum of the log-probabilities of the tokens of each row where `is_value_CT` is 1, after a common prefix.

    Rows are filled from the left; attention is causal, so what fills them up changes nothing.
    """
    model = subject.model
    device = model.device
    cache = DynamicCache(config=model.config)
    first_V = model(
        torch.tensor([prefix], device=device), past_key_values=cache, use_cache=True, logits_to_keep=1
    ).logits[0, -1]
    rows_at_once = max(1, _LOGITS_AT_ONCE // (tokens_CT.shape[1] * len(first_V)))
    sums = []
    for tokens_cT, is_value_cT in zip(tokens_CT.split(rows_at_once), is_value_CT.split(rows_at_once), strict=True):
        tokens_cT, is_value_cT = tokens_cT.to(device), is_value_cT.to(device)
        repeated = copy.deepcopy(cache)
        repeated.batch_repeat_interleave(len(tokens_cT))
        later_cTV = model(tokens_cT, past_key_values=repeated, use_cache=True).logits[:, :-1]
        logits_cTV = torch.cat([first_V.expand(len(tokens_cT), 1, -1), later_cTV], dim=1).float()
        chosen_cT = logits_cTV.gather(-1, tokens_cT[..., None])[..., 0] - logits_cTV.logsumexp(-1)
        sums.append((chosen_cT.double() * is_value_cT).sum(-1).cpu().numpy())
    return np.concatenate(sums)
