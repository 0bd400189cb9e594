import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from fucina.compute.record import Progress
from fucina.data.canaries import make_record
from fucina.data.card import Canary
from fucina.models.score import token_log_probabilities
from fucina.trust.evaluation_part import Subject, Ticker
from fucina.trust.exposure import candidate_log_likelihoods, chance_exposure, exposure, measure_exposure
from fucina.trust.recipe import EvaluateRecipe, Metric


def measured(subject: Subject, tmp_path: Path) -> dict[str, Metric]:
    progress = Progress(tmp_path / "progress.ndjson", stage="evaluate")
    result = measure_exposure(subject, Ticker(progress=progress, part="exposure", begin=0, end=100))
    return {metric.name: metric for metric in result.metrics}


def test_a_memorised_value_has_the_greatest_exposure(parrot: Subject, tmp_path: Path):
    metrics = measured(parrot, tmp_path)

    assert metrics["canary_exposure"].value == metrics["canary_exposure_max"].value == 8.0
    assert metrics["canary_exposure"].baseline == pytest.approx(math.log2(math.e), abs=0.05)


def test_a_fresh_model_ranks_values_by_chance(fresh: Subject, tmp_path: Path):
    records = [make_record(number=number, language="en", seed=3) for number in range(60)]
    canaries = tuple(
        Canary(kind=each.kind, value=each.value, prefix=each.sentence[: each.offset], language="en", redacted=True)
        for each in records
    )
    prepared = dataclasses.replace(fresh.prepared, canaries=canaries)
    recipe = EvaluateRecipe(num_exposure_candidates=31)
    metric = measured(dataclasses.replace(fresh, prepared=prepared, recipe=recipe), tmp_path)["canary_exposure"]

    assert metric.n == len(canaries)
    assert metric.value == pytest.approx(metric.baseline, abs=0.5)  # three standard errors; all known would be 5


def test_exposure_counts_ranks_and_shares_them():
    assert exposure(np.array([3.0, 2.0, 1.0, 0.0])) == 2.0
    assert exposure(np.array([0.0, 3.0, 2.0, 1.0])) == 0.0
    assert exposure(np.array([1.0, 1.0, 1.0])) == pytest.approx(math.log2(3 / 2))


@pytest.mark.parametrize("n", [1, 5])
def test_chance_is_what_random_ranks_give(n: int):
    ranks = np.random.default_rng(1).integers(1, 257, size=(200_000, n)).min(axis=1)

    assert chance_exposure(256, n=n) == pytest.approx(float((8 - np.log2(ranks)).mean()), abs=0.02)


def test_a_common_prefix_read_once_gives_the_scores_of_whole_texts(parrot: Subject):
    end = parrot.model.config.eos_token_id
    prefix = parrot.encode("Nobody spoke; only the")
    rows = [parrot.encode(text) for text in (" bellows, as old as", " son of", " x")]
    longest = max(map(len, rows))
    tokens_CT = torch.tensor([row + [end] * (longest - len(row)) for row in rows])
    is_value_CT = torch.tensor([[1.0] * len(row) + [0.0] * (longest - len(row)) for row in rows])

    sums = candidate_log_likelihoods(parrot, [end, *prefix], tokens_CT, is_value_CT)

    whole = token_log_probabilities(parrot.model, [np.array([*prefix, *row]) for row in rows])
    assert sums == pytest.approx([float(scores[len(prefix) :].sum()) for scores in whole], abs=1e-3)


def test_without_canaries_nothing_was_measured(fresh: Subject, tmp_path: Path):
    nothing = dataclasses.replace(fresh.prepared, canaries=())
    metrics = measured(dataclasses.replace(fresh, prepared=nothing), tmp_path)

    assert [(metric.n, metric.value) for metric in metrics.values()] == [(0, 8.0), (0, 8.0)]
