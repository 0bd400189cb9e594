"""Facts of a dossier and measured numbers under names that people read."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fucina.hub.portal import figures

Fact = str | float | int | None

GROUPS: tuple[tuple[str | Promise, tuple[tuple[str, str | Promise], ...]], ...] = (
    (
        _("Model"),
        (
            ("num_parameters", _("Parameters")),
            ("architecture", _("Architecture")),
            ("num_layers", _("Layers")),
            ("d_model", _("Width")),
            ("num_heads", _("Attention heads")),
            ("vocabulary_size", _("Vocabulary, tokens")),
            ("context_tokens", _("Context, tokens")),
            ("model_bytes", _("Size of the weights")),
            ("licence", _("Licence")),
        ),
    ),
    (
        _("Documents"),
        (
            ("num_sources", _("Source files")),
            ("num_records", _("Records read")),
            ("num_dropped", _("Records dropped")),
            ("num_documents", _("Documents kept")),
            ("num_dataset_tokens", _("Tokens kept")),
            ("num_redactions", _("Personal data removed, values")),
            ("num_canaries", _("Planted test records")),
            ("num_canaries_redacted", _("Planted test records removed")),
            ("languages", _("Languages")),
            ("licences", _("Licences of the sources")),
        ),
    ),
    (
        _("Training"),
        (
            ("num_training_tokens", _("Tokens trained on")),
            ("num_epochs", _("Passes over the data")),
            ("training_architecture_flop", _("Training compute")),
            ("share_of_gpai_mark", _("Share of the mark for general-purpose models")),
            ("share_of_systemic_mark", _("Share of the mark for systemic risk")),
            ("accelerator", _("Accelerator")),
            ("num_accelerators", _("Number of accelerators")),
            ("mfu", _("Utilisation of the peak")),
            ("training_wall_s", _("Duration")),
            ("training_energy_kwh", _("Energy")),
        ),
    ),
)
"""Which facts the release page shows, in order."""

METRICS: dict[str, str | Promise] = {
    "perplexity": _("Perplexity"),
    "perplexity_ratio": _("Perplexity against a unigram model"),
    "bits_per_character": _("Bits per character"),
    "memorised_share": _("Memorised share"),
    "memorised_prefix_tokens": _("Memorised tokens in a row"),
    "pii_leak_rate": _("Leak rate of personal data"),
    "pii_leak_rate_planted": _("Leak rate, planted test records"),
    "pii_leak_rate_real": _("Leak rate, removed personal data"),
    "canary_exposure": _("Exposure of planted test records"),
    "canary_exposure_max": _("Exposure of the most exposed test record"),
    "language_match": _("Written in the language asked for"),
    "repetition_share": _("Share of repetition"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FactGroup:
    """Facts that belong together, in words."""

    title: str | Promise
    pairs: tuple[tuple[str | Promise, str], ...]


def fact_groups(facts: Mapping[str, Fact]) -> tuple[FactGroup, ...]:
    """The facts of a dossier; an unknown one is a dash."""
    return tuple(
        FactGroup(title=title, pairs=tuple((label, fact_words(name, facts.get(name))) for name, label in names))
        for title, names in GROUPS
    )


def fact_words(name: str, value: Fact) -> str:
    """A fact with its unit, which the end of its name says."""
    if value is None or value == "":
        return figures.DASH
    if isinstance(value, str):
        return value
    if name.endswith("_flop"):
        return f"{figures.figure(value)} FLOP"
    if name.startswith("share_of_"):
        return f"{figures.figure(value * 100)} %"
    if name == "mfu":
        return figures.percent(value)
    for ending, words in (("_bytes", figures.size), ("_s", figures.duration)):
        if name.endswith(ending):
            return words(value)
    return f"{figures.figure(value)} kWh" if name.endswith("_kwh") else figures.figure(value)


def metric_name(name: str) -> str | Promise:
    """A measured number as people call it."""
    if name.startswith("perplexity_") and name not in METRICS:
        language = figures.language_name(name.removeprefix("perplexity_"))
        return gettext("Perplexity, %(language)s") % {"language": language}
    return METRICS.get(name) or name.replace("_", " ")
