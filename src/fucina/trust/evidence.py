"""What the records of a run say, gathered once for every document. What no record says is None, never a guess."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from fucina.compute.record import StageRecord
from fucina.compute.spec import utc_iso
from fucina.data.card import CARD_FILE, DatasetCard
from fucina.errors import BadInput
from fucina.models.card import TrainSummary
from fucina.trust.recipe import GATES, DocumentRecipe, EvaluationResults, Metric
from fucina.trust.ruleset import RuleSet, load_ruleset
from fucina.trust.tree import sha256_of
from fucina.units import format_bytes, format_duration

Fact = str | float | int | None

WEIGHTS_FILE = "model/model.safetensors"
RESULTS_FILE = "results.json"
DATA_SUFFIX = ".parquet"
MAX_JSON_BYTES = 256 << 20

LANGUAGES = {
    "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "et": "Estonian", "fi": "Finnish", "fr": "French", "ga": "Irish", "hr": "Croatian", "hu": "Hungarian",
    "it": "Italian", "lt": "Lithuanian", "lv": "Latvian", "mt": "Maltese", "nl": "Dutch", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "sk": "Slovak", "sl": "Slovenian", "sv": "Swedish",
}  # fmt: skip
"""The official languages of the Union; any other keeps its code."""


class BadEvidence(BadInput):
    """An earlier stage left something that cannot be documented."""

    code = "bad_evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that the documents are written from."""

    recipe: DocumentRecipe
    records: Mapping[str, StageRecord]
    rules: RuleSet
    card: DatasetCard | None
    results: EvaluationResults
    data: Path
    """Outputs of `prepare`."""
    data_files: dict[str, str]
    """SHA-256 of the prepared documents, by path under `data`."""
    model_files: dict[str, str]
    """SHA-256 of every file of the model, by path under `model/`."""
    facts: dict[str, Fact]

    def words(self, fact: str) -> str:
        """A fact as a person reads it; a dash where it is unknown."""
        return fact_words(fact, self.facts.get(fact))


def gather(
    recipe: DocumentRecipe, *, records: Mapping[str, StageRecord], data: Path, train: Path, evaluation: Path
) -> Evidence:
    """Read the outputs and records of the earlier stages. Raises BadEvidence, UnknownRuleSet."""
    try:
        results = EvaluationResults.model_validate_json(_read_bytes(evaluation / RESULTS_FILE))
        card = DatasetCard.model_validate_json(_read_bytes(data / CARD_FILE)) if (data / CARD_FILE).is_file() else None
        summary_file = train / "summary.json"
        summary = TrainSummary.model_validate_json(_read_bytes(summary_file)) if summary_file.is_file() else None
        model_files = _digests(train / "model", records.get("train"), "model/")
    except (ValidationError, OSError) as error:
        raise BadEvidence(f"An earlier stage's output cannot be used: {error}", hint="Run that stage again.") from error
    weights_sha256 = model_files.get("model.safetensors")
    if weights_sha256 is None or weights_sha256 != results.model_sha256:
        raise BadEvidence(
            f"The evaluation is of weights {results.model_sha256[:16]}, the model has {str(weights_sha256)[:16]}.",
            hint="Evaluate this model again.",
        )
    rules = load_ruleset(recipe.ruleset)
    config = _read_json(train / "model" / "config.json")
    facts: dict[str, Fact] = {
        **_declared(recipe),
        **_model_facts(config, train / WEIGHTS_FILE, weights_sha256),
        **_data_facts(card),
        **_training_facts(recipe, records, summary),
        **_evaluation_facts(results),
    }
    flop = facts["training_architecture_flop"]
    for mark in rules.marks:
        facts[f"share_of_{mark.id}_mark"] = flop / mark.flop if isinstance(flop, float) else None
    data_files = {
        path: digest for path, digest in _digests(data, records.get("prepare"), "").items() if _is_document(path)
    }
    return Evidence(
        recipe=recipe,
        records=records,
        rules=rules,
        card=card,
        results=results,
        data=data,
        data_files=data_files,
        model_files=model_files,
        facts=facts,
    )


def fact_words(fact: str, value: Fact) -> str:
    """A fact with its unit, which the end of its name says."""
    if value is None or value == "":
        return "–"
    if isinstance(value, str):
        return value
    if fact.endswith("_flop"):
        return f"{scientific(value)} FLOP"
    if fact.startswith("share_of_") or fact == "mfu":
        return percent(value)
    if fact.endswith("_kwh"):
        return f"{value:.3g} kWh" if value == 0 or value >= 0.01 else f"{value * 1000:.3g} Wh"
    if fact.endswith("_bytes"):
        return format_bytes(value)
    if fact.endswith("_s"):
        return format_duration(value)
    if fact.endswith("_tflops"):
        return f"{value:,.4g} TFLOP/s"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def scientific(value: float) -> str:
    """Three significant digits and a power of ten: 4.15 × 10¹⁵."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def power_of_ten(value: float) -> str:
    """A round power of ten without its mantissa: 10²³."""
    return scientific(value).removeprefix("1.00 × ")


def percent(share: float) -> str:
    """A share in percent; a power of ten where it is tiny."""
    return f"{scientific(share * 100)} %" if 0 < abs(share) < 1e-5 else f"{share * 100:.3g} %"


def metric_words(metric: Metric) -> str:
    """A metric with what is needed to doubt it."""
    return f"{metric.name} {metric.value:.4g} (95 % interval {metric.low:.4g} to {metric.high:.4g}, n = {metric.n:,})"


def _declared(recipe: DocumentRecipe) -> dict[str, Fact]:
    return {
        "project": recipe.project,
        "organisation": recipe.organisation,
        "purpose": recipe.purpose.strip(),
        "sector": recipe.sector or None,
        "contact": recipe.contact or None,
        "licence": recipe.licence or None,
        "site": recipe.site or None,
    }


def _model_facts(config: Mapping[str, Any], weights: Path, sha256: str) -> dict[str, Fact]:
    architectures = config.get("architectures")
    return {
        "model_sha256": sha256,
        "model_bytes": weights.stat().st_size,
        "architecture": str(architectures[0]) if isinstance(architectures, list) and architectures else None,
        "num_parameters": _count_parameters(weights),
        "num_layers": _whole(config, "num_hidden_layers"),
        "d_model": _whole(config, "hidden_size"),
        "num_heads": _whole(config, "num_attention_heads"),
        "vocabulary_size": _whole(config, "vocab_size"),
        "context_tokens": _whole(config, "max_position_embeddings"),
    }


def _data_facts(card: DatasetCard | None) -> dict[str, Fact]:
    if card is None:
        names = ("num_sources", "num_records", "num_dropped", "num_documents", "num_train_documents", "num_redactions")
        more = ("num_validation_documents", "num_dataset_tokens", "num_canaries", "num_canaries_redacted")
        return dict.fromkeys((*names, *more, "languages", "licences"))
    num_tokens = card.train.num_tokens + card.validation.num_tokens
    shares = sorted(card.languages.items(), key=lambda pair: (-pair[1].num_characters, pair[0]))
    total = sum(tally.num_characters for tally in card.languages.values())
    languages = ", ".join(
        f"{LANGUAGES.get(code, code)} ({percent(tally.num_characters / max(1, total))})" for code, tally in shares
    )
    return {
        "num_sources": len(card.sources),
        "num_records": card.num_records,
        "num_dropped": card.num_broken + sum(card.drops.values()),
        "num_documents": card.num_documents,
        "num_train_documents": card.train.num_documents,
        "num_validation_documents": card.validation.num_documents,
        "num_dataset_tokens": num_tokens,
        "num_redactions": sum(card.redactions.values()),
        "num_canaries": card.num_canaries,
        "num_canaries_redacted": card.num_canaries_redacted,
        "languages": languages or None,
        "licences": ", ".join(sorted(card.licences)) or None,
    }


def _training_facts(
    recipe: DocumentRecipe, records: Mapping[str, StageRecord], summary: TrainSummary | None
) -> dict[str, Fact]:
    record = records.get("train")
    if record is None:
        raise BadEvidence("There is no record of the training.", hint="Run the train stage first.")
    mfu = record.measurements.get("mfu")
    accelerator_s = record.accelerator_s if record.num_gpus else None
    peak_tflops = recipe.accelerator_peak_tflops or None
    architecture = summary.flops_total if summary else None
    hardware = accelerator_s * peak_tflops * 1e12 * mfu if accelerator_s and peak_tflops and mfu else None
    versions = {name: number for stage in records.values() for name, number in stage.versions.items()}
    return {
        "num_training_tokens": summary.num_tokens if summary else record.counts.get("tokens"),
        "num_epochs": summary.num_epochs if summary else None,
        "sequence_length": summary.sequence_length if summary else None,
        "optimizer": summary.optimizer if summary else None,
        "precision": summary.precision if summary else None,
        "schedule": summary.schedule if summary else None,
        "training_architecture_flop": architecture,
        "training_architecture_method": summary.flops_convention if summary else None,
        "training_hardware_flop": hardware,
        "training_hardware_method": _hardware_method(recipe, record, mfu) if hardware else None,
        "hardware_to_architecture_ratio": hardware / architecture if hardware and architecture else None,
        "training_wall_s": record.wall_s,
        "training_accelerator_s": accelerator_s,
        "line_accelerator_s": sum(stage.accelerator_s for stage in records.values() if stage.num_gpus) or None,
        "accelerator": recipe.accelerator or None,
        "num_accelerators": record.num_gpus or None,
        "accelerator_peak_tflops": peak_tflops,
        "mfu": mfu,
        "training_energy_kwh": record.energy_j / 3.6e6 if record.energy_j is not None else None,
        "energy_method": record.energy_method or None,
        "training_started_at": utc_iso(record.started_at),
        "training_ended_at": utc_iso(record.ended_at),
        "num_training_attempts": record.num_attempts,
        "seeds": ", ".join(f"{name} {seed}" for name, seed in sorted(record.seeds.items())) or None,
        "software": ", ".join(f"{name} {number}" for name, number in sorted(versions.items())) or None,
    }


def _hardware_method(recipe: DocumentRecipe, record: StageRecord, mfu: float | None) -> str:
    return (
        f"{format_duration(record.accelerator_s)} of {recipe.accelerator or 'the accelerator'} at a peak of "
        f"{recipe.accelerator_peak_tflops:g} TFLOP/s and a mean utilisation of {percent(mfu or 0)}; the utilisation "
        "was measured with the architecture's operations per second, so the two counts are not independent"
    )


def _evaluation_facts(results: EvaluationResults) -> dict[str, Fact]:
    gated = [metric_words(metric) for metric in results.metrics if metric.name in GATES]
    return {
        "suite": results.suite,
        "num_gates": len(results.gates),
        "num_gates_passed": sum(gate.passed for gate in results.gates),
        "metrics": "; ".join(gated) or None,
    }


def _count_parameters(weights: Path) -> int:
    try:
        with safe_open(weights, framework="numpy") as file:
            names = file.keys()
            return sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    except (SafetensorError, OSError) as error:
        raise BadEvidence(
            f"{weights.name} is not a safetensors file: {error}", hint="Run the train stage again."
        ) from error


def _is_document(path: str) -> bool:
    """Whether it holds documents that the model was trained or tested on; private files and rejected ones do not."""
    return path.endswith(DATA_SUFFIX) and path.startswith(("train", "validation"))


def _digests(folder: Path, record: StageRecord | None, prefix: str) -> dict[str, str]:
    """SHA-256 by path under `folder`; taken from the record where it has them."""
    known = record.outputs if record else {}
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    relative = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: known.get(f"{prefix}{name}") or sha256_of(path) for name, path in relative.items()}


def _read_bytes(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_JSON_BYTES:
        raise BadEvidence(f"{path.name} has {format_bytes(size)}, too many for a report.", hint="Run that stage again.")
    return path.read_bytes()


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no such file. Raises BadEvidence."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(_read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise BadEvidence(f"{path.name} is not JSON: {error}", hint="Run that stage again.") from error
    if not isinstance(value, dict):
        raise BadEvidence(f"{path.name} holds no JSON object.", hint="Run that stage again.")
    return value


def _whole(values: Mapping[str, Any], name: str) -> int | None:
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
