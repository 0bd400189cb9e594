"""How well the model foretells held-out documents, against a unigram model of the training tokens."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fucina.errors import BadInput
from fucina.models.score import token_log_probabilities
from fucina.models.tokens import TokenSplit, order_of
from fucina.trust.evaluation_part import PartResult, Subject, Ticker
from fucina.trust.intervals import bootstrap_interval, metric
from fucina.trust.recipe import Metric

UNIGRAM = "unigram model of the training tokens, add-one smoothing"
_TOKENS_AT_ONCE = 16_384


class BrokenWeights(BadInput):
    """The model gives no finite probabilities."""

    code = "broken_weights"


class _Scores(NamedTuple):
    """Per held-out document, D."""

    nats_D: NDArray[np.float64]
    unigram_nats_D: NDArray[np.float64]
    tokens_D: NDArray[np.float64]
    characters_D: NDArray[np.float64]

    def of(self, chosen_D: NDArray[np.bool_]) -> "_Scores":
        return _Scores(*(column[chosen_D] for column in self))


def measure_perplexity(subject: Subject, ticker: Ticker) -> PartResult:
    """Perplexity per token, as a ratio, in bits per character, and for each language.

    Every token of a document is scored given those before it, its end included; the first one given the end of
    another document, as in training.
    Raises BrokenWeights.
    """
    prepared, seed = subject.prepared, subject.recipe.seed
    chosen = choose_documents(prepared.held_out, num_tokens=subject.recipe.num_held_out_tokens, seed=seed)
    scores = _score(subject, chosen, ticker)
    metrics = [_perplexity(scores, name="perplexity", seed=seed), _ratio(scores, seed), _bits(scores, seed)]
    languages = np.array([prepared.languages[index] for index in chosen])
    if len(set(languages)) > 1:
        for language in sorted(set(languages)):
            of_language = scores.of(languages == language)
            metrics.append(
                _perplexity(of_language, name=f"perplexity_{language}", where=f" in language {language}", seed=seed)
            )
    counts = {"num_held_out_documents": len(chosen), "num_held_out_tokens": int(scores.tokens_D.sum())}
    return PartResult(metrics=tuple(metrics), counts=counts)


def choose_documents(split: TokenSplit, *, num_tokens: int, seed: int) -> list[int]:
    """Documents with tokens in them: all, or as many drawn by the seed as hold about `num_tokens`."""
    filled = np.flatnonzero(split.lengths)
    if split.num_tokens > num_tokens:
        drawn = filled[order_of(len(filled), seed=seed, number=0)]
        before = np.cumsum(split.lengths[drawn]) - split.lengths[drawn]
        filled = np.sort(drawn[before < num_tokens])
    return [int(index) for index in filled]


def unigram_nats(train_counts_V: NDArray[np.int64]) -> NDArray[np.float64]:
    """Minus the log-probability of each token of the vocabulary, every count raised by one."""
    return np.log(train_counts_V.sum() + len(train_counts_V)) - np.log(train_counts_V + 1.0)


def _score(subject: Subject, chosen: list[int], ticker: Ticker) -> _Scores:
    split, texts = subject.prepared.held_out, subject.prepared.texts
    unigram_nats_V = unigram_nats(subject.prepared.train_counts_V)
    nats, unigram, done = [], [], 0
    for batch in _batches(chosen, split.lengths):
        documents = [split.document(index) for index in batch]
        for document, log_probs in zip(documents, token_log_probabilities(subject.model, documents), strict=True):
            nats.append(-float(log_probs.sum(dtype=np.float64)))
            unigram.append(float(unigram_nats_V[document].sum()))
        done += len(batch)
        ticker.advance(done=done, total=len(chosen), unit="held-out documents")
    num_broken = int((~np.isfinite(nats)).sum())
    scores = _Scores(
        nats_D=np.array(nats),
        unigram_nats_D=np.array(unigram),
        tokens_D=split.lengths[chosen].astype(np.float64),
        characters_D=np.array([len(texts[index]) for index in chosen], dtype=np.float64),
    )
    if num_broken or scores.nats_D.sum() / scores.tokens_D.sum() > np.log(np.finfo(np.float64).max):
        raise BrokenWeights(
            f"The model gives no usable probability for {num_broken or len(nats)} of {len(nats)} held-out documents.",
            hint="Its training diverged: train again with a lower learning rate, or take an earlier checkpoint.",
        )
    return scores


def _batches(chosen: list[int], lengths: NDArray[np.int64]) -> list[list[int]]:
    batches: list[list[int]] = []
    size = _TOKENS_AT_ONCE
    for index in chosen:
        if size >= _TOKENS_AT_ONCE:
            batches.append([])
            size = 0
        batches[-1].append(index)
        size += int(lengths[index])
    return batches


def _perplexity(scores: _Scores, *, name: str, seed: int, where: str = "") -> Metric:
    num_tokens = int(scores.tokens_D.sum())
    return metric(
        name,
        float(_exp_mean(scores.nats_D, scores.tokens_D, axis=-1)),
        n=len(scores.tokens_D),
        interval=bootstrap_interval(_exp_mean, scores.nats_D, scores.tokens_D, items="documents", seed=seed),
        baseline=float(_exp_mean(scores.unigram_nats_D, scores.tokens_D, axis=-1)),
        against=UNIGRAM,
        meaning=f"Among how many equally likely tokens the model hesitates, on average, in documents{where} that it "
        f"was not trained on ({num_tokens} tokens). Lower is better.",
    )


def _ratio(scores: _Scores, seed: int) -> Metric:
    columns = (scores.nats_D, scores.unigram_nats_D, scores.tokens_D)
    return metric(
        "perplexity_ratio",
        float(_exp_mean_difference(*columns, axis=-1)),
        n=len(scores.tokens_D),
        interval=bootstrap_interval(_exp_mean_difference, *columns, items="documents", seed=seed),
        baseline=1.0,
        against=UNIGRAM,
        meaning="Held-out perplexity divided by that of a model that only knows how frequent each token is. "
        "Below 1 the model has learned more than frequencies; lower is better.",
    )


def _bits(scores: _Scores, seed: int) -> Metric:
    characters_D = np.maximum(scores.characters_D, 1.0)
    return metric(
        "bits_per_character",
        float(_bits_each(scores.nats_D, characters_D, axis=-1)),
        n=len(characters_D),
        interval=bootstrap_interval(_bits_each, scores.nats_D, characters_D, items="documents", seed=seed),
        baseline=float(_bits_each(scores.unigram_nats_D, characters_D, axis=-1)),
        against=UNIGRAM,
        meaning="Bits that the model would need to write down one character of a held-out document; comparable "
        "between models with different tokenizers. Lower is better.",
    )


def _exp_mean(nats: NDArray[np.float64], tokens: NDArray[np.float64], axis: int) -> Any:
    return np.exp(nats.sum(axis=axis) / tokens.sum(axis=axis))


def _exp_mean_difference(
    nats: NDArray[np.float64], baseline_nats: NDArray[np.float64], tokens: NDArray[np.float64], axis: int
) -> Any:
    return np.exp((nats - baseline_nats).sum(axis=axis) / tokens.sum(axis=axis))


def _bits_each(nats: NDArray[np.float64], characters: NDArray[np.float64], axis: int) -> Any:
    return nats.sum(axis=axis) / characters.sum(axis=axis) / np.log(2)
