"""Writes the planner's residuals into `docs/planning.md`: `python benchmarks/plan_table.py`. Each row is predicted by the
half of the calibration that its family is not in."""

import re
from pathlib import Path

from fucina.planning.runs import read_runs
from fucina.planning.score import Scored, score

RUNS = Path(__file__).parent / "published-runs.yaml"
PAGE = Path(__file__).parent.parent / "docs" / "planning.md"
MARKS = "<!-- residuals: written by benchmarks/plan_table.py -->", "<!-- end of residuals -->"


def table(scored: Scored) -> str:
    """Summary and rows as Markdown."""
    text = "| group | rows | median | mean | p90 | bias |\n|---|--:|--:|--:|--:|--:|\n"
    for e in scored.summary:
        if not e.group.startswith("family"):
            text += f"| {e.group} | {e.num_rows} | {e.median:.1%} | {e.mean:.1%} | {e.p90:.1%} | {e.bias:+.1%} |\n"
    text += "\n| run | kind | software | predicted | measured | error |\n|---|---|---|--:|--:|--:|\n"
    for row in scored.rows:
        if row.error is not None:
            text += (
                f"| {row.id} | {row.kind.replace('_', ' ')} | {row.stack} | {row.tokens_per_s_per_device:,.0f} "
                f"| {row.measured_tokens_per_s_per_device:,.0f} | {row.error:+.1%} |\n"
            )
    return text


def page_with(text: str, page: str) -> str:
    """The page with its table replaced."""
    return re.sub(f"{MARKS[0]}.*{MARKS[1]}", lambda _: f"{MARKS[0]}\n{text}{MARKS[1]}", page, flags=re.DOTALL)


def main() -> None:
    scored = score(*read_runs(RUNS), held_out=True)
    PAGE.write_text(page_with(table(scored), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{PAGE.name}: {len(scored.rows)} rows")


if __name__ == "__main__":
    main()
