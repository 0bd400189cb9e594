"""The dossier: what the AI Act asks to be documented, item by item, with its evidence or with the open question."""

from collections.abc import Mapping

from fucina.trust.evidence import Evidence, Fact, fact_words
from fucina.trust.recipe import Dossier, DossierItem, Standing
from fucina.trust.ruleset import RuleItem, RuleSet

DOSSIER_FILE = "dossier/dossier.json"


def write_dossier(evidence: Evidence) -> Dossier:
    """Every item of the rule set with how it stands. Nothing is filled in that no record or declaration says."""
    return Dossier(
        ruleset=evidence.rules.ruleset,
        project=evidence.recipe.project,
        organisation=evidence.recipe.organisation,
        purpose=evidence.recipe.purpose,
        facts=evidence.facts,
        items=tuple(_item(rule, evidence.rules, evidence.facts) for rule in evidence.rules.items),
    )


def _item(rule: RuleItem, rules: RuleSet, facts: Mapping[str, Fact]) -> DossierItem:
    is_known = bool(rule.needs) and all(facts.get(name) not in (None, "") for name in rule.needs)
    text = rule.text.format_map({name: fact_words(name, facts.get(name)) for name in rule.needs}) if is_known else ""
    standing = Standing.OPEN
    if is_known and rule.who == "records" and not _is_asked_above(rule, rules, facts):
        standing = Standing.EVIDENCED
    elif is_known and rule.who == "declared":
        standing = Standing.DECLARED
    return DossierItem(
        id=rule.id,
        article=rule.article,
        title=rule.title,
        standing=standing,
        text=text,
        evidence=rule.evidence if is_known else (),
        question=rule.question if standing is Standing.OPEN else "",
    )


def _is_asked_above(rule: RuleItem, rules: RuleSet, facts: Mapping[str, Fact]) -> bool:
    """Whether an item that is asked above a mark of compute is asked here; with compute unknown it is."""
    if not rule.only_above:
        return False
    flop = facts.get("training_architecture_flop")
    return not isinstance(flop, float) or flop >= rules.mark(rule.only_above).flop
