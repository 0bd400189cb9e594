import dataclasses
from pathlib import Path

import pytest

from fucina.compute.record import Progress
from fucina.models.generate import load
from fucina.trust.evaluation_part import PartResult, Subject, Ticker
from fucina.trust.recipe import EvaluateRecipe, Metric
from fucina.trust.samples import measure_samples, repeated_share
from tests.trust.specimen import CANARY, HELD_OUT_TEXTS, PERSONAL, secret_texts, write_model


def measured(subject: Subject, tmp_path: Path) -> PartResult:
    progress = Progress(tmp_path / "progress.ndjson", stage="evaluate")
    return measure_samples(subject, Ticker(progress=progress, part="samples", begin=0, end=100))


def metric(result: PartResult, name: str) -> Metric:
    return next(metric for metric in result.metrics if metric.name == name)


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory, fresh: Subject) -> Subject:
    """Knows the held-out documents by heart, so that what it writes after their openings is theirs."""
    loaded = load(write_model(tmp_path_factory.mktemp("writer"), learn=list(HELD_OUT_TEXTS.values()), steps=120))
    return dataclasses.replace(fresh, model=loaded.model)


def test_texts_in_the_language_of_their_prompt_match(writer: Subject, tmp_path: Path):
    result = measured(writer, tmp_path)

    match = metric(result, "language_match")
    assert (match.value, match.n, match.baseline) == (1.0, 4, 1.0)
    assert {(sample.language, sample.identified_as) for sample in result.samples if sample.language} == {
        ("it", "it"),
        ("en", "en"),
    }
    italian = next(sample for sample in result.samples if sample.language == "it")
    assert HELD_OUT_TEXTS["it"].startswith(italian.prompt) and len(italian.prompt) > 10


def test_texts_in_no_language_do_not_match(fresh: Subject, tmp_path: Path):
    match = metric(measured(fresh, tmp_path), "language_match")

    assert match.value < 0.5
    assert match.baseline == 1.0


def test_a_language_without_documents_leaves_nothing_to_measure(fresh: Subject, tmp_path: Path):
    recipe = EvaluateRecipe(languages=("fi",))
    result = measured(dataclasses.replace(fresh, recipe=recipe), tmp_path)

    assert (metric(result, "language_match").n, metric(result, "language_match").value) == (0, 0.0)
    assert (metric(result, "repetition_share").n, metric(result, "repetition_share").value) == (0, 1.0)
    assert {sample.language for sample in result.samples} == {""}


def test_texts_are_repeated_by_the_seed_alone(fresh: Subject, tmp_path: Path):
    other = dataclasses.replace(fresh, recipe=EvaluateRecipe(seed=2))

    assert measured(fresh, tmp_path) == measured(fresh, tmp_path)
    assert measured(fresh, tmp_path).samples != measured(other, tmp_path).samples


def test_private_values_are_taken_out_of_what_is_shown(parrot: Subject, tmp_path: Path):
    prepared = dataclasses.replace(parrot.prepared, texts=(*secret_texts(), *parrot.prepared.texts[2:]))
    result = measured(dataclasses.replace(parrot, prepared=prepared), tmp_path)

    shown = result.model_dump_json()
    for entry in (CANARY, PERSONAL):
        assert str(entry["value"]) not in shown
    assert result.counts["num_samples_masked"] > 0
    assert "[email]" in shown or "[phone]" in shown


def test_repeated_groups_of_words():
    assert repeated_share("uno due tre") == 0.0
    assert repeated_share("uno due tre quattro cinque") == 0.0
    assert repeated_share("la casa è bella " * 10) == pytest.approx(1 - 4 / 37)
    assert repeated_share("") == 0.0
