import json
from collections import Counter

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from fucina.trust.bom import write_bom
from fucina.trust.evidence import gather
from tests.trust.synthetic import RECIPE, make_run


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


@pytest.fixture
def bom(run):
    return write_bom(gather(RECIPE, records=run.records, data=run.data, train=run.train, evaluation=run.evaluation))


def test_the_strict_schema_accepts_it(bom):
    pytest.importorskip("jsonschema")

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom)) is None


def test_the_library_reads_it_back(bom):
    content = json.loads(json.dumps(bom))
    del content["metadata"]["component"]["modelCard"]

    read = Bom.from_json(content)

    assert {str(part.bom_ref.value) for part in read.components} == {part["bom-ref"] for part in bom["components"]}


def test_model_data_and_libraries_are_listed_with_digests(run, bom):
    model = bom["metadata"]["component"]
    parts = {part["name"]: part for part in bom["components"]}

    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert model["type"] == "machine-learning-model"
    assert model["hashes"][0]["content"] == run.records["train"].outputs["model/model.safetensors"]
    assert Counter(part["type"] for part in parts.values()) == {"data": 4, "file": 3, "library": 3, "platform": 1}
    assert parts["torch"]["version"] == "2.13.0"
    assert parts["model/config.json"]["hashes"][0]["content"] == run.records["train"].outputs["model/config.json"]


def test_the_model_card_refers_to_the_data_and_has_the_numbers(bom):
    card = bom["metadata"]["component"]["modelCard"]
    refs = {part["bom-ref"] for part in bom["components"]}

    assert {entry["ref"] for entry in card["modelParameters"]["datasets"]} <= refs
    assert {metric["type"] for metric in card["quantitativeAnalysis"]["performanceMetrics"]} == {
        "pii_leak_rate",
        "memorised_share",
        "perplexity",
    }


def test_the_same_run_gives_the_same_bill(run, bom):
    again = write_bom(gather(RECIPE, records=run.records, data=run.data, train=run.train, evaluation=run.evaluation))

    assert json.dumps(again) == json.dumps(bom)
    assert bom["metadata"]["timestamp"].startswith("2026-11-20T09:03:20")


@pytest.mark.parametrize("licence", ["EUPL-1.2", "MIT OR Apache-2.0", "the author's own words", ""])
def test_any_licence_can_be_named(run, licence):
    recipe = RECIPE.model_copy(update={"licence": licence})

    assert write_bom(gather(recipe, records=run.records, data=run.data, train=run.train, evaluation=run.evaluation))
