"""The evaluation as one page that stands alone: no script, nothing fetched, readable on screen, paper and by ear."""

import re
from collections.abc import Iterable
from html import escape
from itertools import groupby
from string import Template

from fucina.trust.recipe import GATES, EvaluationResults, GateResult, Metric, Sample

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
"""Control characters that HTML forbids, and those that would turn the direction of the text around them."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --line: #d0d7de; --tint: #f5f7f9;
  --good: #14663a; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a8b1bb; --paper: #14171a; --line: #3a4149;
  --tint: #1e2327; --good: #6fd39b; --bad: #ff9d94; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.verdict { font-size: 1.125rem; font-weight: 600; }
.holds { color: var(--good); } .fails { color: var(--bad); }
.state { font-weight: 600; white-space: nowrap; }
.soft, caption { color: var(--soft); font-size: .875rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); }
thead th { font-size: .875rem; color: var(--soft); font-weight: 600; border-bottom-width: 2px; }
tbody th { font-weight: 400; min-width: 10rem; }
@media (min-width: 40rem) { tbody th { min-width: 16rem; } }
.number { text-align: right; white-space: nowrap; }
code { font: .9375em/1.4 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
figure { margin: 0 0 1rem; padding: .75rem 1rem; background: var(--tint); border-left: 4px solid var(--line); }
figcaption { color: var(--soft); font-size: .875rem; }
blockquote { margin: .25rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
@media print {
  :root { --ink: #000; --soft: #333; --paper: #fff; --line: #999; --tint: #fff; --good: #000; --bad: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  tr, figure { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .wide { overflow: visible; } }
"""

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluation: $verdict</title>
<style>$style</style>
</head>
<body>
<header>
<h1>Evaluation of the model</h1>
<p class="verdict $tone">$verdict</p>
<p class="soft">Suite <code>$suite</code>, seed $seed. The same model and data give this page again, byte for byte.</p>
</header>
<main>
<section aria-labelledby="gates"><h2 id="gates">Gates</h2>
$gates
</section>
<section aria-labelledby="metrics"><h2 id="metrics">What was measured</h2>
<p>Each number stands with the interval in which the true one lies with 95 % confidence, the number of items that it was
measured on, and what a trivial model, chance or human text reaches.</p>
$metrics
</section>
<section aria-labelledby="samples"><h2 id="samples">What the model writes</h2>
<p>The first texts that the seed gave, not chosen. The bold opening is from a document that the model was not
trained on. Values of personal data are replaced by the name of their kind in brackets.
The model may state falsehoods.</p>
$samples
</section>
<section aria-labelledby="made"><h2 id="made">Measured on</h2>
<dl>
<dt>Weights, SHA-256</dt><dd><code>$model_sha256</code></dd>
<dt>Held-out tokens, SHA-256</dt><dd><code>$data_sha256</code></dd>
<dt>Versions</dt><dd>$versions</dd>
</dl>
</section>
</main>
</body>
</html>
""")


def render(results: EvaluationResults) -> str:
    """The page."""
    num_failed = sum(not gate.passed for gate in results.gates)
    if not results.gates:
        verdict, tone = "No gate was set", "soft"
    elif num_failed:
        verdict, tone = (
            f"✘ {num_failed} of {len(results.gates)} gates {'fails' if num_failed == 1 else 'fail'}",
            "fails",
        )
    else:
        verdict, tone = (
            f"✔ All {len(results.gates)} gates hold" if len(results.gates) > 1 else "✔ The gate holds",
            "holds",
        )
    return _PAGE.substitute(
        style=_STYLE,
        verdict=verdict,
        tone=tone,
        suite=_text(results.suite),
        seed=results.seed,
        gates=_gates(results.gates),
        metrics=_metrics(results.metrics),
        samples=_samples(results.samples),
        model_sha256=_text(results.model_sha256),
        data_sha256=_text(results.data_sha256),
        versions=_text(", ".join(f"{name} {number}" for name, number in sorted(results.versions.items()))),
    )


def _gates(gates: tuple[GateResult, ...]) -> str:
    if not gates:
        return "<p>The project file sets no gate, so no number can keep this model from being released.</p>"
    return _table(
        "A release is refused while a gate fails.",
        ("State", "Gate", "!Measured", "!Limit", "!Items"),
        map(_gate_row, gates),
    )


def _gate_row(gate: GateResult) -> str:
    tone, state = ("holds", "✔ Holds") if gate.passed else ("fails", "✘ Fails")
    unmeasured = gate.n == 0
    meaning = GATES[gate.metric].meaning if gate.metric in GATES else ""
    note = " There was nothing to measure it on, so it fails." if unmeasured else ""
    return (
        f'<tr><td class="state {tone}">{state}</td><th scope="row"><code>{_text(gate.metric)}</code><br>'
        f'<span class="soft">{_text(meaning)}.{note}</span></th>'
        f'<td class="number">{"–" if unmeasured else _number(gate.measured)}</td>'
        f'<td class="number">{gate.direction.replace("_", " ")} {_number(gate.limit)}</td>'
        f'<td class="number">{"–" if gate.n is None else f"{gate.n:,}"}</td></tr>'
    )


def _metrics(metrics: tuple[Metric, ...]) -> str:
    if not metrics:
        return "<p>Nothing was measured.</p>"
    return _table(
        "A dash means that there was nothing to measure.",
        ("Measure", "!Value", "!95 % interval", "!Items", "!Baseline"),
        map(_metric_row, metrics),
    )


def _metric_row(metric: Metric) -> str:
    measured = metric.n > 0
    against = f'<br><span class="soft">Baseline: {_text(metric.baseline_name)}.</span>' if metric.baseline_name else ""
    return (
        f'<tr><th scope="row"><code>{_text(metric.name)}</code><br><span class="soft">{_text(metric.meaning)}</span>'
        f'<br><span class="soft">Interval: {_text(metric.interval)}.</span>{against}</th>'
        f'<td class="number">{_number(metric.value) if measured else "–"}</td>'
        f'<td class="number">{f"{_number(metric.low)} to {_number(metric.high)}" if measured else "–"}</td>'
        f'<td class="number">{metric.n:,}</td>'
        f'<td class="number">{"–" if metric.baseline is None else _number(metric.baseline)}</td></tr>'
    )


def _samples(samples: tuple[Sample, ...]) -> str:
    if not samples:
        return "<p>The model wrote no text.</p>"
    parts = []
    for language, group in groupby(samples, key=lambda sample: sample.language):
        title = f"Asked for in language <code>{_text(language)}</code>" if language else "Without an opening"
        parts.append(f"<h3>{title}</h3>\n" + "\n".join(map(_figure, group)))
    return "\n".join(parts)


def _figure(sample: Sample) -> str:
    opening = f"<strong>{_text(sample.prompt)}</strong>" if sample.prompt else ""
    language = f' lang="{_text(sample.language)}"' if sample.language else ""
    return (
        f"<figure><figcaption>Identified as <code>{_text(sample.identified_as)}</code></figcaption>"
        f'<blockquote dir="auto"{language}>{opening}{_text(sample.text) or "<em>(nothing)</em>"}</blockquote></figure>'
    )


def _table(caption: str, heads: tuple[str, ...], rows: Iterable[str]) -> str:
    """Heads that begin with `!` stand over numbers."""
    cells = "".join(
        f'<th scope="col"{" class=number" if head.startswith("!") else ""}>{head.removeprefix("!")}</th>'
        for head in heads
    )
    body = "\n".join(rows)
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{caption}"><table><caption>{caption}</caption>'
        f"<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _number(value: float) -> str:
    return f"{value:.4g}"


def _text(text: str) -> str:
    return escape(_UNPRINTABLE.sub("\ufffd", text), quote=True)
