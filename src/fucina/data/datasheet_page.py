"""The datasheet as one page: HTML with its charts inside, no script and nothing from elsewhere."""

from collections.abc import Iterable, Sequence
from html import escape

from fucina.data.datasheet import Comparison, Datasheet, Distribution

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;"
    "background:#fff}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{padding:.2rem .8rem .2rem 0;text-align:left;"
    "border-bottom:1px solid #ccc;vertical-align:top}.n{text-align:right;font-variant-numeric:tabular-nums}"
    "svg{display:block;max-width:100%;height:auto}blockquote{margin:.3rem 0 .3rem 1rem;overflow-wrap:anywhere}"
)
_BAR_HEIGHT, _LABEL_WIDTH, _CHART_WIDTH = 22, 220, 720
_MOST_BARS = 24


def page(sheet: Datasheet, *, title: str) -> str:
    """The whole page; holds no time, so that the same data gives the same bytes."""
    card = sheet.card
    num_characters = card.train.num_characters + card.validation.num_characters
    parts = [
        f"<p>{card.num_documents:,} documents and {num_characters:,} characters are kept of "
        f"{card.num_records:,} records in {len(card.sources):,} sources; "
        f"{card.num_broken:,} records could not be read.</p>",
        "<h2>What was dropped</h2>",
        _table(
            ("step", "reason", "documents", "characters"),
            [(row.step, row.reason or "–", row.num_documents, row.num_characters) for row in sheet.funnel.rows],
        ),
        "<h2>Samples of dropped documents</h2>",
        _samples(card.drop_samples),
        "<h2>What was redacted</h2>",
        _table(("kind", "values"), list(card.redactions.items())),
        _samples(sheet.redacted_samples),
        "<h2>What is kept</h2>",
        *(_chart(each) for each in sheet.distributions),
        "<h2>Sources</h2>",
        _table(
            ("source", "licence", "records", "kept", "SHA-256"),
            [
                (each.name, each.licence, each.num_records, each.kept.num_documents, each.sha256)
                for each in card.sources
            ],
        ),
        *(_comparison(sheet.comparison) if sheet.comparison else ()),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = f"<main><h1>{escape(title)}</h1>{''.join(parts)}</main>"
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>\n'


def _comparison(comparison: Comparison) -> Iterable[str]:
    yield "<h2>Against the version before</h2>"
    yield _table(
        ("property", "documents that moved", "most", "before", "after"),
        [
            (each.name, f"{each.distance:.1%}", each.most, f"{each.before:.1%}", f"{each.after:.1%}")
            for each in comparison.drifts
        ],
    )
    difference = comparison.difference
    yield f"<p>{difference.num_added:,} documents are new, {difference.num_removed:,} are gone.</p>"
    yield _table(("number", "before", "after"), [(each.name, each.before, each.after) for each in difference.numbers])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    if not rows:
        return "<p>None.</p>"
    numeric = [isinstance(cell, int) for cell in rows[0]]
    marks = [' class="n"' if number else "" for number in numeric]
    head = "".join(f'<th scope="col"{mark}>{escape(text)}</th>' for text, mark in zip(heads, marks, strict=True))
    lines = ["".join(f"<td{mark}>{_cell(cell)}</td>" for cell, mark in zip(row, marks, strict=True)) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else escape(value)


def _samples(samples: dict[str, tuple[str, ...]]) -> str:
    quotes = [
        f"<dt>{escape(name)}</dt><dd>{''.join(f'<blockquote>{escape(text)}</blockquote>' for text in texts)}</dd>"
        for name, texts in samples.items()
        if texts
    ]
    return f"<dl>{''.join(quotes)}</dl>" if quotes else "<p>None.</p>"


def _chart(distribution: Distribution) -> str:
    """Bars of documents, each with its number as text."""
    bars = distribution.bars[:_MOST_BARS]
    most = max((bar.num_documents for bar in bars), default=0) or 1
    room = _CHART_WIDTH - _LABEL_WIDTH - 110
    shapes = []
    for number, bar in enumerate(bars):
        top, width = number * _BAR_HEIGHT, room * bar.num_documents / most
        middle = top + 15
        label = bar.name if len(bar.name) <= 30 else f"…{bar.name[-29:]}"
        shapes.append(
            f'<text x="{_LABEL_WIDTH - 8}" y="{middle}" text-anchor="end" font-size="13">{escape(label)}</text>'
            f'<rect x="{_LABEL_WIDTH}" y="{top + 3}" width="{width:.1f}" height="{_BAR_HEIGHT - 6}" fill="#1f5fa8"/>'
            f'<text x="{_LABEL_WIDTH + width + 6:.1f}" y="{middle}" font-size="13">{bar.num_documents:,}</text>'
        )
    title = f"Kept documents by {distribution.name}"
    rest = len(distribution.bars) - len(bars)
    note = f"<p>{rest:,} more values are in the JSON.</p>" if rest else ""
    size = f'viewBox="0 0 {_CHART_WIDTH} {len(bars) * _BAR_HEIGHT}"'
    svg = f'<svg role="img" aria-label="{escape(title)}" {size}>{"".join(shapes)}</svg>'
    return f"<h3>{escape(title)}</h3>{svg}{note}"
