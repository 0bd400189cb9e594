"""The dossier as a PDF: the template in the package, filled by data, set by typst with the fonts that it carries."""

from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from fucina.trust.evidence import Evidence, percent, power_of_ten
from fucina.trust.recipe import Dossier, Standing
from fucina.trust.ruleset import RuleSet
from fucina.typeset import typeset

PDF_FILE = "dossier/dossier.pdf"
TEMPLATE = "dossier.typ"

_GLANCE = (
    ("Model", ("architecture", "num_parameters"), "{}, {} parameters"),
    ("Trained on", ("num_training_tokens", "num_documents"), "{} tokens, from {} documents"),
    ("Languages", ("languages",), "{}"),
    ("Licences of the documents", ("licences",), "{}"),
    ("Licence of the weights", ("licence",), "{}"),
    ("Training time", ("training_wall_s", "accelerator"), "{} on {}"),
    ("Training compute, by architecture", ("training_architecture_flop",), "{}"),
    (
        "Training compute, by hardware",
        ("training_hardware_flop", "hardware_to_architecture_ratio"),
        "{}, {} times that",
    ),
    ("Energy of training", ("training_energy_kwh", "energy_method"), "{}, {}"),
)
"""Label, facts, words: a line shows a dash as soon as one fact is unknown."""


def write_pdf(evidence: Evidence, dossier: Dossier) -> bytes:
    """`dossier/dossier.pdf`: the same dossier gives the same bytes. Raises NotTypeset."""
    made_at = evidence.records["train"].ended_at.astimezone(UTC).replace(microsecond=0)
    source = files("fucina.trust").joinpath(TEMPLATE).read_bytes()
    return typeset(source, template_data(evidence, dossier, made_at), what="dossier", made_at=made_at)


def template_data(evidence: Evidence, dossier: Dossier, made_at: datetime) -> dict[str, Any]:
    """Everything that the template prints, as plain values."""
    facts = evidence.facts
    flop = facts["training_architecture_flop"]
    glance = [
        [label, form.format(*map(evidence.words, names)) if all(facts[name] is not None for name in names) else "–"]
        for label, names, form in _GLANCE
    ]
    gates = [
        {
            "metric": gate.metric.replace("_", " "),
            "limit": f"{'at most' if gate.direction == 'at_most' else 'at least'} {gate.limit:g}",
            "measured": f"{gate.measured:.4g}",
            "passed": gate.passed,
        }
        for gate in evidence.results.gates
    ]
    return {
        "project": dossier.project,
        "organisation": dossier.organisation,
        "purpose": dossier.purpose,
        "contact": evidence.recipe.contact,
        "ruleset": dossier.ruleset,
        "rules_from": evidence.rules.valid_from.isoformat(),
        "sources": list(evidence.rules.sources),
        "model_sha256": evidence.results.model_sha256,
        "made_at": [made_at.year, made_at.month, made_at.day],
        "counts": {str(standing): sum(item.standing is standing for item in dossier.items) for standing in Standing},
        "glance": glance,
        "gates": gates,
        "metrics": [
            {
                "metric": metric.name.replace("_", " "),
                "value": f"{metric.value:.4g}",
                "interval": f"{metric.low:.4g} to {metric.high:.4g}",
                "n": f"{metric.n:,}",
                "baseline": "–" if metric.baseline is None else f"{metric.baseline:.4g}",
            }
            for metric in evidence.results.metrics
        ],
        "flop": flop if isinstance(flop, float) and flop > 0 else None,
        "flop_words": evidence.words("training_architecture_flop"),
        "flop_method": evidence.words("training_architecture_method"),
        "marks": [
            {
                "flop": mark.flop,
                "words": f"{power_of_ten(mark.flop)} FLOP",
                "article": mark.article,
                "meaning": mark.meaning,
                "share": percent(flop / mark.flop) if isinstance(flop, float) else "–",
            }
            for mark in evidence.rules.marks
        ],
        "parts": _parts(evidence.rules, dossier),
    }


def _parts(rules: RuleSet, dossier: Dossier) -> list[dict[str, Any]]:
    by_id = {item.id: item.model_dump(mode="json") for item in dossier.items}
    return [{"title": part.title, "items": [by_id[rule.id] for rule in part.items]} for part in rules.parts]
