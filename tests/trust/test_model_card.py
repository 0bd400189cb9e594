import pytest
import yaml

from fucina.trust.dossier import write_dossier
from fucina.trust.evidence import gather
from fucina.trust.model_card import write_model_card
from tests.trust.synthetic import RECIPE, make_run


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def card_of(run, recipe=RECIPE):
    evidence = gather(recipe, records=run.records, data=run.data, train=run.train, evaluation=run.evaluation)
    return write_model_card(evidence, write_dossier(evidence))


def front_of(card):
    assert card.startswith("---\n")
    return yaml.safe_load(card.split("---\n")[1])


def test_the_front_matter_is_what_a_model_hub_reads(run):
    front = front_of(card_of(run))

    assert front["license"] == "eupl-1.2"
    assert front["language"] == ["en", "it"]
    assert front["library_name"] == "transformers"
    assert front["pipeline_tag"] == "text-generation"
    assert "public-administration" in front["tags"]
    metrics = front["model-index"][0]["results"][0]["metrics"]
    assert {metric["type"]: metric["value"] for metric in metrics}["perplexity"] == 38.4


def test_a_licence_that_no_hub_knows_is_named_in_words(run):
    front = front_of(card_of(run, RECIPE.model_copy(update={"licence": "Officine-1.0"})))

    assert (front["license"], front["license_name"]) == ("other", "Officine-1.0")


def test_every_section_is_there_with_its_numbers(run):
    card = card_of(run)

    for heading in (
        "Intended use",
        "Limits",
        "Evaluation",
        "Training data",
        "Training",
        "Compute and energy",
        "Verify",
    ):
        assert f"\n## {heading}\n" in card
    assert "| memorised\\_share | ≤ 0.01 | 0.005 | passed |" in card
    assert "34.56 to 42.24 | 34,976 | 412 | per token on held-out documents Baseline: unigram." in card
    assert "10²³" in card
    assert "2,400 parameters" in card


def test_words_of_the_organisation_act_as_no_markup(run):
    recipe = RECIPE.model_copy(update={"purpose": "Reads\n---\n# <script>alert(1)</script> [x](http://y) | `z`"})

    card = card_of(run, recipe)

    assert "<script>" not in card
    assert "[x](http" not in card
    assert front_of(card)["license"] == "eupl-1.2"


def test_a_prompt_cannot_leave_its_string(run):
    results = run.evaluation / "results.json"
    results.write_text(results.read_text().replace('"La legge"', '"\\")\\nimport os #```"'))

    card = card_of(run)

    line = next(line for line in card.splitlines() if line.startswith("inputs = "))
    compile(line, "card", "exec")
    assert card.count("```") % 2 == 0
