from pathlib import Path

import numpy as np
import pytest

from fucina.compute.record import Progress
from fucina.models.tokens import TokenSplit
from fucina.trust.evaluation_part import Subject, Ticker
from fucina.trust.memorisation import draw_passages, measure_memorisation, probe_lengths
from fucina.trust.recipe import Metric
from tests.trust.specimen import END, make_tokenizer, write_split


def measured(subject: Subject, tmp_path: Path) -> dict[str, Metric]:
    progress = Progress(tmp_path / "progress.ndjson", stage="evaluate")
    result = measure_memorisation(subject, Ticker(progress=progress, part="memorisation", begin=0, end=100))
    return {metric.name: metric for metric in result.metrics}


def test_a_model_that_learned_its_documents_by_heart_is_caught(parrot: Subject, tmp_path: Path):
    metrics = measured(parrot, tmp_path)

    assert metrics["memorised_share"].value >= 0.9
    assert metrics["memorised_share"].low > 0.7
    assert metrics["memorised_share"].baseline == 0.0
    assert metrics["memorised_share"].n == 40
    assert metrics["memorised_prefix_tokens"].value > 28
    assert metrics["memorised_prefix_tokens"].baseline < 5


def test_a_fresh_model_has_memorised_nothing(fresh: Subject, tmp_path: Path):
    metrics = measured(fresh, tmp_path)

    assert (metrics["memorised_share"].value, metrics["memorised_share"].low) == (0.0, 0.0)
    assert 0 < metrics["memorised_share"].high < 0.1


def test_passages_are_different_and_stand_in_one_document(fresh: Subject):
    split = fresh.prepared.train
    documents = [split.document(index) for index in range(split.num_documents)]

    passages_PT = draw_passages(split, count=50, size=20, seed=3)

    assert len({tuple(row) for row in passages_PT.tolist()}) == 50
    for row in passages_PT:
        assert any(
            np.array_equal(row, document[begin : begin + 20])
            for document in documents
            for begin in range(len(document) - 19)
        )
    assert np.array_equal(passages_PT, draw_passages(split, count=50, size=20, seed=3))


def test_every_passage_is_drawn_when_there_are_few(tmp_path: Path):
    tokenizer = make_tokenizer()
    write_split(tmp_path, "train", [("it", "fabbro"), ("it", ""), ("it", "Il fabbro batteva il ferro")], tokenizer)
    split = TokenSplit(tmp_path, "train", vocabulary_size=tokenizer.get_vocab_size())
    size = 6
    expected = sum(max(0, int(length) - size + 1) for length in split.lengths)

    assert draw_passages(split, count=1000, size=size, seed=1).shape == (expected, size)
    assert draw_passages(split, count=1000, size=500, seed=1).shape == (0, 500)
    assert tokenizer.token_to_id(END) < tokenizer.get_vocab_size()


@pytest.mark.parametrize(("window", "lengths"), [(16, (8, 8)), (64, (32, 32)), (4096, (32, 32))])
def test_probes_fit_the_window(window: int, lengths: tuple[int, int]):
    assert probe_lengths(window) == lengths
