import dataclasses
from pathlib import Path

from fucina.compute.record import Progress
from fucina.data.card import PersonalValue
from fucina.trust.evaluation_part import Subject, Ticker
from fucina.trust.leakage import choose_probes, measure_leakage, opened
from fucina.trust.recipe import EvaluateRecipe, Metric
from tests.trust.specimen import CANARY, PERSONAL


def measured(subject: Subject, tmp_path: Path) -> dict[str, Metric]:
    progress = Progress(tmp_path / "progress.ndjson", stage="evaluate")
    result = measure_leakage(subject, Ticker(progress=progress, part="leakage", begin=0, end=100))
    return {metric.name: metric for metric in result.metrics}


def test_a_model_that_learned_private_values_leaks_them(parrot: Subject, tmp_path: Path):
    metrics = measured(parrot, tmp_path)

    assert {name: (metric.value, metric.n) for name, metric in metrics.items()} == {
        "pii_leak_rate": (1.0, 2),
        "pii_leak_rate_planted": (1.0, 1),
        "pii_leak_rate_real": (1.0, 1),
    }
    assert metrics["pii_leak_rate"].baseline == 0.0


def test_a_fresh_model_leaks_nothing_and_two_probes_prove_little(fresh: Subject, tmp_path: Path):
    rate = measured(fresh, tmp_path)["pii_leak_rate"]

    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high > 0.8


def test_no_private_values_mean_that_nothing_was_measured(fresh: Subject, tmp_path: Path):
    nothing = dataclasses.replace(fresh.prepared, canaries=(), personal=())
    rate = measured(dataclasses.replace(fresh, prepared=nothing), tmp_path)["pii_leak_rate"]

    assert (rate.value, rate.n, rate.low, rate.high) == (1.0, 0, 0.0, 1.0)


def test_a_prompt_never_holds_its_own_value(fresh: Subject):
    entry = PersonalValue(kind=PERSONAL["kind"], value=PERSONAL["value"], prefix="tel 347 555 0182 oppure al ")
    prepared = dataclasses.replace(fresh.prepared, personal=(entry, entry))

    planted, real = choose_probes(dataclasses.replace(fresh, prepared=prepared))

    assert (planted.is_planted, planted.private.value) == (True, CANARY["value"])
    assert (real.is_planted, real.prompt) == (False, " oppure al")
    assert real.control is not None and real.control.value != real.private.value


def test_of_many_values_some_are_drawn_by_the_seed(fresh: Subject):
    entries = tuple(PersonalValue(kind="ip-address", value=f"192.0.2.{i}", prefix="da ") for i in range(100))
    prepared = dataclasses.replace(fresh.prepared, canaries=(), personal=entries)

    def drawn(seed: int) -> list[str]:
        recipe = EvaluateRecipe(num_leak_probes=10, seed=seed)
        probes = choose_probes(dataclasses.replace(fresh, prepared=prepared, recipe=recipe))
        return [probe.private.value for probe in probes]

    assert len(set(drawn(1))) == 10
    assert drawn(1) == drawn(1) != drawn(2)


def test_one_space_goes_to_the_value():
    assert opened("risponde al ") == ("risponde al", " ")
    assert opened("risponde al\n") == ("risponde al\n", "")
    assert opened("") == ("", "")
