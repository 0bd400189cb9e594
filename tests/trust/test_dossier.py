import pytest
from pydantic import ValidationError

from fucina.trust.dossier import write_dossier
from fucina.trust.evidence import gather
from fucina.trust.recipe import Standing
from fucina.trust.ruleset import RuleItem, load_ruleset
from tests.trust.synthetic import RECIPE, make_run

RULES = load_ruleset(RECIPE.ruleset)


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def dossier_of(run, *, recipe=RECIPE, records=None):
    return write_dossier(
        gather(recipe, records=records or run.records, data=run.data, train=run.train, evaluation=run.evaluation)
    )


def test_every_item_of_the_rule_set_stands_in_the_dossier_once(run):
    assert [item.id for item in dossier_of(run).items] == [rule.id for rule in RULES.items]
    assert len({rule.id for rule in RULES.items}) == len(RULES.items)


def test_the_rule_set_holds_every_point_of_the_annexes():
    ids = {rule.id for rule in RULES.items}

    assert {f"annex-iv-1{letter}" for letter in "abcdefgh"} <= ids
    assert {f"annex-iv-2{letter}" for letter in "abcdefgh"} <= ids
    assert {f"annex-iv-{number}" for number in range(3, 10)} <= ids
    assert {f"annex-xi-1{letter}" for letter in "abcdef"} | {f"annex-xi-2{letter}" for letter in "abcde"} <= ids
    assert {f"annex-xii-1{letter}" for letter in "abcdefgh"} | {f"annex-xii-2{letter}" for letter in "abc"} <= ids


def test_each_item_is_covered_or_asks(run):
    for item in dossier_of(run).items:
        if item.standing is Standing.OPEN:
            assert item.question.endswith(("?", ".")), item.id
        else:
            assert item.text, item.id
            assert item.evidence, item.id
            assert not item.question, item.id


def test_what_only_a_person_can_say_is_never_filled_in(run):
    standings = {item.id: item for item in dossier_of(run).items}

    for rule in RULES.items:
        if rule.who == "person":
            assert standings[rule.id].standing is Standing.OPEN
            assert standings[rule.id].text == ""
        if rule.who == "draft":
            assert standings[rule.id].standing is Standing.OPEN


def test_an_unknown_fact_opens_its_items(run):
    train = run.records["train"].model_copy(update={"energy_j": None, "energy_method": ""})

    items = {item.id: item for item in dossier_of(run, records={**run.records, "train": train}).items}

    assert items["annex-xi-2e"].standing is Standing.OPEN
    assert items["annex-xi-2e"].text == ""
    assert items["annex-xi-2e"].evidence == ()
    assert "energy" in items["annex-xi-2e"].question


def test_zero_is_a_known_fact(run):
    train = run.records["train"].model_copy(update={"energy_j": 0.0})

    items = {item.id: item for item in dossier_of(run, records={**run.records, "train": train}).items}

    assert items["annex-xi-2e"].standing is Standing.EVIDENCED


def test_the_additions_for_systemic_risk_are_asked_from_the_mark_on(run):
    summary = run.train / "summary.json"
    small = {item.id: item for item in dossier_of(run).items}
    text = summary.read_text()
    at = text.index('"flops_total":')
    summary.write_text(text[:at] + '"flops_total": 1e25' + text[text.index(",", at) :])

    large = {item.id: item for item in dossier_of(run).items}

    assert small["annex-xi-systemic"].standing is Standing.EVIDENCED
    assert large["annex-xi-systemic"].standing is Standing.OPEN
    assert "100 % of the 10²⁵ mark" in large["annex-xi-systemic"].text


def test_words_of_the_organisation_are_values_and_not_templates(run):
    recipe = RECIPE.model_copy(update={"purpose": "Writes {model_sha256} and {0} and {x.__class__} for people."})

    items = {item.id: item for item in dossier_of(run, recipe=recipe).items}

    assert "Writes {model_sha256} and {0} and {x.__class__} for people." in items["annex-iv-1a"].text


def test_a_rule_may_not_say_what_it_does_not_need():
    with pytest.raises(ValidationError, match="without needing"):
        RuleItem(
            id="a", article="1", title="t", who="records", needs=("purpose",), text="{secret}", evidence=("x",),
            question="What is it, then?",
        )  # fmt: skip
    with pytest.raises(ValidationError, match="for a person"):
        RuleItem(id="a", article="1", title="t", who="person", text="Known.", question="What is it, then?")
    with pytest.raises(ValidationError, match="needs facts, words and evidence"):
        RuleItem(id="a", article="1", title="t", who="records", text="Known.", question="What is it, then?")
