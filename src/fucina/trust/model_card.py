"""The model card: README.md with the front matter that Hugging Face reads. Every number comes from a record."""

from typing import Any

import yaml

from fucina.compute.record import StageRecord
from fucina.trust.datasheet import plain, table
from fucina.trust.evidence import Evidence, percent, power_of_ten
from fucina.trust.recipe import GATES, Dossier, GateResult, Metric
from fucina.units import format_duration

MODEL_CARD_FILE = "README.md"

_LICENCES = {
    "agpl-3.0", "apache-2.0", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-sa-4.0", "cc0-1.0", "eupl-1.1",
    "eupl-1.2", "gpl-3.0", "lgpl-3.0", "mit", "mpl-2.0", "openrail", "unlicense",
}  # fmt: skip
"""Identifiers that Hugging Face knows; any other licence is named in words."""

_RUN = """```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("model")
model = AutoModelForCausalLM.from_pretrained("model")
inputs = tokenizer("{prompt}", return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs, max_new_tokens=60)[0]))
```"""

_VERIFY = """```sh
fucina verify . --key factory.pub
model_signing verify key . --signature model.sig --public_key factory.pub
```"""


def write_model_card(evidence: Evidence, dossier: Dossier) -> str:
    """`README.md`."""
    front = yaml.safe_dump(front_matter(evidence), sort_keys=False, allow_unicode=True, width=1000)
    parts = [
        _purpose(evidence),
        _limits(evidence),
        _evaluation(evidence),
        _data(evidence),
        _training(evidence),
        _compute(evidence),
        _dossier(dossier),
        _use(evidence),
    ]
    return f"---\n{front}---\n\n# {plain(evidence.recipe.project)}\n\n" + "\n\n".join(parts) + "\n"


def front_matter(evidence: Evidence) -> dict[str, Any]:
    """What a model hub indexes."""
    recipe = evidence.recipe
    known = recipe.licence.lower() in _LICENCES
    licence = {"license": recipe.licence.lower()} if known else {"license": "other", "license_name": recipe.licence}
    languages = sorted(evidence.card.languages) if evidence.card else list(recipe.languages)
    dataset = {
        "name": f"held-out documents of {recipe.project}",
        "type": f"{recipe.project}-documents",
        "split": "validation",
    }
    metrics = [metric for metric in evidence.results.metrics if metric.name in GATES]
    result = {
        "task": {"type": "text-generation"},
        "dataset": dataset,
        "metrics": [
            {"type": metric.name, "name": metric.name.replace("_", " "), "value": metric.value} for metric in metrics
        ],
    }
    return {
        **licence,
        **({"language": languages} if languages else {}),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["fucina", "pretrained", *([recipe.sector] if recipe.sector else [])],
        "datasets": [f"{recipe.project}-documents"],
        "metrics": [metric.name for metric in metrics],
        "model-index": [{"name": recipe.project, "results": [result]}],
    }


def _purpose(evidence: Evidence) -> str:
    recipe, words = evidence.recipe, evidence.words
    contact = f" Contact: {plain(recipe.contact)}." if recipe.contact else ""
    return (
        f"{plain(recipe.purpose)}\n\nMade by {plain(recipe.organisation)}.{contact}\n\n"
        f"A {words('architecture')} with {words('num_parameters')} parameters, trained from random weights on "
        f"{words('num_training_tokens')} tokens. Context of {words('context_tokens')} tokens.\n\n"
        "## Intended use\n\nThe purpose above is the intended use, in the words of the organisation. The model "
        "continues text; it was not trained to follow instructions or to hold a conversation."
    )


def _limits(evidence: Evidence) -> str:
    languages = f"other than {evidence.words('languages')}" if evidence.card else "that are not in its data"
    return (
        "## Limits\n\n"
        "- What it writes can be wrong, and reads as sure as what is right. It knows nothing after its documents.\n"
        f"- It was not measured in languages {languages}, nor on any group of people separately.\n"
        "- Bias, toxicity and resistance to manipulated input were not measured.\n"
        "- Personal data was redacted by pattern; names and indirect identifiers were not."
    )


def _evaluation(evidence: Evidence) -> str:
    results = evidence.results
    rows = [_metric_row(metric) for metric in results.metrics]
    metrics = table(("Metric", "Value", "95 % interval", "n", "Baseline", "Meaning"), rows, numbers=(1, 2, 3, 4))
    gates = table(("Gate", "Limit", "Measured", "Result"), [_gate_row(gate) for gate in results.gates], numbers=(2,))
    return (
        f"## Evaluation\n\nSuite `{plain(results.suite)}`, seed {results.seed}, on held-out documents. Limits were "
        f"part of the recipe before the run.\n\n{gates if results.gates else 'No limit was set.'}\n\n{metrics}\n\n"
        "Samples and intervals: [evaluation/report.html](evaluation/report.html); as data: "
        "[evaluation/results.json](evaluation/results.json)."
    )


def _metric_row(metric: Metric) -> tuple[str, ...]:
    baseline = "–" if metric.baseline is None else f"{metric.baseline:.4g}"
    interval = f"{metric.low:.4g} to {metric.high:.4g}"
    meaning = f"{metric.meaning} Baseline: {metric.baseline_name}." if metric.baseline_name else metric.meaning
    return (plain(metric.name), f"{metric.value:.4g}", interval, f"{metric.n:,}", baseline, plain(meaning))


def _gate_row(gate: GateResult) -> tuple[str, ...]:
    sign = "≤" if gate.direction == "at_most" else "≥"
    return (plain(gate.metric), f"{sign} {gate.limit:g}", f"{gate.measured:.4g}", "passed" if gate.passed else "FAILED")


def _data(evidence: Evidence) -> str:
    words = evidence.words
    return (
        f"## Training data\n\n{words('num_documents')} documents of {words('num_records')} records; source "
        f"files: {words('num_sources')}; {words('num_dataset_tokens')} tokens. Languages: {words('languages')}. "
        f"Licences: {plain(words('licences'))}. {words('num_redactions')} personal values were redacted.\n\n"
        "How they were chosen and cleaned: [data/datasheet.md](data/datasheet.md); machine-readable: "
        "[data/croissant.json](data/croissant.json). The documents themselves are not in the release."
    )


def _training(evidence: Evidence) -> str:
    words = evidence.words
    versions = evidence.records["train"].versions
    software = ", ".join(f"{plain(name)} {plain(number)}" for name, number in sorted(versions.items()))
    rows = [
        (name, f"{record.wall_s:,.1f}", f"{record.accelerator_s:,.1f}", f"{record.cpu_s:,.1f}", _kwh(record))
        for name, record in evidence.records.items()
    ]
    stages = table(("Stage", "Wall s", "Accelerator s", "Core s", "Energy kWh"), rows, numbers=(1, 2, 3, 4))
    return (
        f"## Training\n\n{words('num_training_tokens')} tokens in sequences of {words('sequence_length')}; "
        f"seeds: {words('seeds')}. Software: {software or 'not recorded'}.\n\n"
        f"From {words('training_started_at')} to {words('training_ended_at')}.\n\n{stages}"
    )


def _kwh(record: StageRecord) -> str:
    return "–" if record.energy_j is None else f"{record.energy_j / 3.6e6:.3g}"


def _compute(evidence: Evidence) -> str:
    words, facts = evidence.words, evidence.facts
    lines = [
        f"- Counted from the architecture: {words('training_architecture_flop')}. "
        f"How: {words('training_architecture_method')}"
    ]
    if facts["training_hardware_flop"] is None:
        lines.append("- Counted from the hardware: unknown; the accelerator's peak or its utilisation is not recorded.")
    else:
        lines.append(
            f"- Counted from the hardware: {words('training_hardware_flop')}: {words('training_hardware_method')}."
        )
    for mark in evidence.rules.marks:
        share = facts[f"share_of_{mark.id}_mark"]
        if isinstance(share, float):
            lines.append(f"- {percent(share)} of the mark of {power_of_ten(mark.flop)} FLOP ({mark.article}).")
    energy = f"{words('training_energy_kwh')}, {words('energy_method')}" if facts["energy_method"] else "unknown"
    duration = format_duration(evidence.records["train"].wall_s)
    lines.append(f"- Energy of training: {energy}. Duration: {duration}. Accelerator: {plain(words('accelerator'))}.")
    return "## Compute and energy\n\n" + "\n".join(lines)


def _dossier(dossier: Dossier) -> str:
    return (
        f"## Documentation\n\nThe dossier after `{dossier.ruleset}` lists {len(dossier.items)} items; "
        f"{dossier.num_open} are open questions that only people can answer. "
        "[dossier/dossier.pdf](dossier/dossier.pdf), "
        "[dossier/dossier.json](dossier/dossier.json). It is a record of what is known, not a legal assessment."
    )


def _use(evidence: Evidence) -> str:
    prompts = [sample.prompt for sample in evidence.results.samples if sample.prompt]
    prompt = " ".join(prompts[0].split())[:60] if prompts else "Once"
    safe = "".join(letter for letter in prompt if letter not in '"\\`')
    return (
        f"## Verify\n\nWith the factory's public key, offline:\n\n{_VERIFY}\n\n## Run\n\nFrom this folder:\n\n"
        f"{_RUN.replace('{prompt}', safe)}"
    )
