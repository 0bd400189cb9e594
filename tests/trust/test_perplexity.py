import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from fucina.compute.record import Progress
from fucina.trust.evaluation_part import Subject, Ticker
from fucina.trust.perplexity import BrokenWeights, choose_documents, measure_perplexity, unigram_nats
from fucina.trust.recipe import EvaluateRecipe, Metric
from tests.trust.specimen import END, HELD_OUT_TEXTS, TRAIN_TEXTS, make_tokenizer


def measured(subject: Subject, tmp_path: Path) -> dict[str, Metric]:
    progress = Progress(tmp_path / "progress.ndjson", stage="evaluate")
    result = measure_perplexity(subject, Ticker(progress=progress, part="perplexity", begin=0, end=100))
    return {metric.name: metric for metric in result.metrics}


def test_perplexity_is_that_of_the_loss_of_transformers(parrot: Subject, parrot_model: Path, tmp_path: Path):
    tokenizer = make_tokenizer()
    end = tokenizer.token_to_id(END)
    model = AutoModelForCausalLM.from_pretrained(parrot_model)
    nats, tokens, characters = 0.0, 0, 0
    for text in HELD_OUT_TEXTS.values():
        row = torch.tensor([[end, *tokenizer.encode(text).ids, end]])
        with torch.no_grad():
            loss = float(model(input_ids=row, labels=row).loss)
        nats, tokens, characters = nats + loss * (row.shape[1] - 1), tokens + row.shape[1] - 1, characters + len(text)

    metrics = measured(parrot, tmp_path)

    assert metrics["perplexity"].value == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    assert metrics["bits_per_character"].value == pytest.approx(nats / characters / math.log(2), rel=1e-4)
    assert metrics["perplexity"].n == 4
    assert metrics["perplexity"].low <= metrics["perplexity"].value <= metrics["perplexity"].high


def test_the_baseline_is_a_unigram_model_of_the_training_tokens(fresh: Subject, tmp_path: Path):
    tokenizer = make_tokenizer()
    counts = dict.fromkeys(range(tokenizer.get_vocab_size()), 1)
    for text in TRAIN_TEXTS.values():
        for token in [*tokenizer.encode(text).ids, tokenizer.token_to_id(END)]:
            counts[token] += 1
    nats = [
        -math.log(counts[token] / sum(counts.values()))
        for text in HELD_OUT_TEXTS.values()
        for token in [*tokenizer.encode(text).ids, tokenizer.token_to_id(END)]
    ]

    metrics = measured(fresh, tmp_path)

    assert metrics["perplexity"].baseline == pytest.approx(math.exp(sum(nats) / len(nats)), rel=1e-5)
    assert metrics["perplexity_ratio"].value == pytest.approx(
        metrics["perplexity"].value / metrics["perplexity"].baseline, rel=1e-5
    )
    assert np.exp(-unigram_nats(fresh.prepared.train_counts_V)).sum() == pytest.approx(1.0)


def test_each_language_has_its_own_number(parrot: Subject, tmp_path: Path):
    metrics = measured(parrot, tmp_path)

    assert metrics["perplexity_it"].n == metrics["perplexity_en"].n == 2
    between = sorted((metrics["perplexity_it"].value, metrics["perplexity_en"].value))
    assert between[0] < metrics["perplexity"].value < between[1]


def test_of_many_held_out_tokens_whole_documents_are_drawn(fresh: Subject, tmp_path: Path):
    split = fresh.prepared.held_out
    few = choose_documents(split, num_tokens=int(split.lengths[0]), seed=1)

    assert 1 <= len(few) <= 2
    assert few == choose_documents(split, num_tokens=int(split.lengths[0]), seed=1)
    assert {tuple(choose_documents(split, num_tokens=1, seed=seed)) for seed in range(40)} == {(0,), (1,), (2,), (3,)}
    recipe = EvaluateRecipe(num_held_out_tokens=1)
    assert measured(dataclasses.replace(fresh, recipe=recipe), tmp_path)["perplexity"].n == 1


def test_weights_that_diverged_are_refused(fresh_model: Path, fresh: Subject, tmp_path: Path):
    model = AutoModelForCausalLM.from_pretrained(fresh_model)
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))

    with pytest.raises(BrokenWeights, match="4 of 4 held-out documents"):
        measured(dataclasses.replace(fresh, model=model), tmp_path)
