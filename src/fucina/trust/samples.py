"""Texts that the model writes: whether they are in the right language, and how much they repeat themselves."""

from typing import NamedTuple

import numpy as np

from fucina.data.language import identify
from fucina.models.generate import complete
from fucina.models.tokens import order_of
from fucina.trust.evaluation_part import PartResult, Subject, Ticker
from fucina.trust.intervals import bootstrap_interval, mean, metric, share_metric
from fucina.trust.private_values import masked
from fucina.trust.recipe import Metric, Sample

TEMPERATURE = 0.8
TOP_P = 0.95
_PROMPT_TOKENS = 16
_WRITTEN_TOKENS = 96
_WORDS_IN_GROUP = 4


class _Request(NamedTuple):
    language: str
    """Empty for a text without a prompt."""
    prompt: str = ""
    original: str = ""
    """What stands in the document where the model writes."""


class _Text(NamedTuple):
    request: _Request
    written: str
    identified_as: str


def measure_samples(subject: Subject, ticker: Ticker) -> PartResult:
    """Share of texts in the language of their prompt, share of repeated word groups, and texts to look at.

    Prompts are openings of held-out documents drawn by the seed. The texts shown are the first drawn, not chosen.
    """
    num_shown = subject.recipe.num_samples_per_language
    languages = subject.recipe.languages or tuple(sorted(set(subject.prepared.languages)))
    prompted: list[_Text] = []
    shown: list[_Text] = []
    for number, language in enumerate((*languages, "")):
        requests = _requests(subject, language) if language else [_Request("")] * num_shown
        texts = _write(subject, requests, languages, seed=subject.recipe.seed + number)
        prompted += texts if language else []
        shown += texts[:num_shown]
        ticker.advance(done=number + 1, total=len(languages) + 1, unit="languages")
    samples = [_shown(subject, text) for text in shown]
    num_masked = sum(sample.text != text.written for sample, text in zip(samples, shown, strict=True))
    return PartResult(
        metrics=(_language_match(prompted, languages), _repetition(prompted, seed=subject.recipe.seed)),
        samples=tuple(samples),
        counts={"num_samples": len(shown), "num_samples_masked": num_masked, "num_language_probes": len(prompted)},
    )


def repeated_share(text: str) -> float:
    """Share of the word groups of a text that have stood in it before."""
    words = text.lower().split()
    groups = [tuple(words[place : place + _WORDS_IN_GROUP]) for place in range(len(words) - _WORDS_IN_GROUP + 1)]
    return 1 - len(set(groups)) / len(groups) if groups else 0.0


def _lengths(subject: Subject) -> tuple[int, int]:
    """Tokens to prompt with and to write."""
    num_prompt = min(_PROMPT_TOKENS, subject.window // 4)
    return num_prompt, min(_WRITTEN_TOKENS, subject.window - 2 * num_prompt - 1)


def _requests(subject: Subject, language: str) -> list[_Request]:
    """Openings of held-out documents of a language, in an order drawn by the seed."""
    split, (num_prompt, num_new) = subject.prepared.held_out, _lengths(subject)
    suitable = [
        index
        for index, of_document in enumerate(subject.prepared.languages)
        if of_document == language and split.lengths[index] > 2 * num_prompt
    ]
    order = order_of(len(suitable), seed=subject.recipe.seed, number=1)
    requests = []
    for place in order[: subject.recipe.num_language_probes]:
        tokens = [int(token) for token in split.document(suitable[place])[: num_prompt + num_new]]
        requests.append(_Request(language, subject.decode(tokens[:num_prompt]), subject.decode(tokens[num_prompt:])))
    return requests


def _write(subject: Subject, requests: list[_Request], languages: tuple[str, ...], *, seed: int) -> list[_Text]:
    written = complete(
        subject.model,
        subject.tokenizer,
        [request.prompt for request in requests],
        max_new_tokens=_lengths(subject)[1],
        temperature=TEMPERATURE,
        top_p=TOP_P,
        seed=seed,
    )
    return [
        _Text(request, text, identify(text, languages=languages).language)
        for request, text in zip(requests, written, strict=True)
    ]


def _shown(subject: Subject, text: _Text) -> Sample:
    prompt, written = (masked(part, subject.private_values) for part in (text.request.prompt, text.written))
    if masked(prompt + written, subject.private_values) != prompt + written:
        prompt = ""  # the two together would give away a value that neither holds alone
    return Sample(language=text.request.language, prompt=prompt, text=written, identified_as=text.identified_as)


def _language_match(texts: list[_Text], languages: tuple[str, ...]) -> Metric:
    originals = [text.request for text in texts if text.request.original]
    right = [identify(each.original, languages=languages).language == each.language for each in originals]
    return share_metric(
        "language_match",
        num_hits=sum(text.identified_as == text.request.language for text in texts),
        n=len(texts),
        unmeasured=0.0,
        baseline=(sum(right), len(right)),
        against="what people wrote at the same places of the documents",
        meaning="How many texts that the model wrote from the opening of a held-out document were identified as being "
        "in the language of that document. Higher is better.",
    )


def _repetition(texts: list[_Text], *, seed: int) -> Metric:
    shares = np.array([repeated_share(text.written) for text in texts], dtype=np.float64)
    originals = [repeated_share(text.request.original) for text in texts]
    return metric(
        "repetition_share",
        float(shares.mean()) if len(shares) else 1.0,
        n=len(shares),
        interval=bootstrap_interval(mean, shares, items="texts", seed=seed),
        baseline=float(np.mean(originals)) if originals else None,
        against="what people wrote at the same places of the documents",
        meaning=f"How many groups of {_WORDS_IN_GROUP} words in a text had stood in it before. Lower is better; "
        "near 1 the model goes round in circles.",
    )
