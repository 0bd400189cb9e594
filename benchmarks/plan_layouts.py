"""Compares the layouts of published runs with the planner's best: `python benchmarks/plan_layouts.py [RUNS.yaml]`.

Same devices, batch, precision and software (without interleaving or sequence parallelism where the row is); our best
keeps the memory free that every plan does. Both times are the planner's own, by the constants of the half that the row's
family is not in. Rows marked `search` come from a published search for layouts; the others are recipes that somebody chose.
"""

import argparse
from pathlib import Path
from statistics import median

from fucina.planning.layouts import Layout
from fucina.planning.runs import PublishedRun, read_runs
from fucina.planning.score import constants_for, find_layout, question
from fucina.planning.search import search, space_for
from fucina.planning.training import RESERVE

RUNS = Path(__file__).parent / "published-runs.yaml"
SEARCHES = frozenset({"frontier"})
"""Publications whose layout is the result of a search: Dash et al. 2023 (arXiv 2312.12705) tune it by Bayesian optimisation."""


def compare(run: PublishedRun) -> tuple[float, Layout, Layout] | None:
    """Time of the published layout over that of our best, less one, and both; None where the row states no layout."""
    if run.asked.tp is None or run.asked.pp is None or run.kind != "steady_state":
        return None
    asked = question(run, constants_for(run, held_out=True))
    theirs = find_layout(run, asked, engine="compiled")
    zero = [1, 2, 3] if run.asked.zero is None else run.asked.zero
    planned = asked.rates._replace(capacity=RESERVE * asked.rates.capacity)
    space = space_for(
        run.model, rates=planned, devices=run.num_devices, batch=asked.batch, sequence=run.sequence,
        zero=zero, recompute=run.asked.recompute, vp=1 if run.asked.vp == 1 else None,
        sp=True if run.asked.sp is None else run.asked.sp,
    )  # fmt: skip
    ours = search(asked.shape, asked.work, planned, space, devices=run.num_devices, keep=1, engine="compiled")
    if not theirs.layouts or not ours.layouts:
        return None
    return theirs.step_s[0] / ours.step_s[0] - 1, theirs.layouts[0], ours.layouts[0]


def words(layout: Layout) -> str:
    return f"tp{layout.tp} cp{layout.cp} ep{layout.ep} pp{layout.pp} vp{layout.vp} mbs{layout.mbs} zero{layout.zero}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="?", default=RUNS)
    runs, _ = read_runs(parser.parse_args().runs)
    gaps: dict[str, list[float]] = {"search": [], "recipe": []}
    for run in runs:
        found = compare(run)
        if found is None or found[1].tp * found[1].pp * found[1].cp * found[1].ep == 1:
            continue
        gap, theirs, ours = found
        kind = "search" if run.id.split("-")[0] in SEARCHES else "recipe"
        gaps[kind].append(gap)
        print(f"{run.id:40s} {kind} {gap:+7.1%}  theirs {words(theirs):34s} ours {words(ours)}")
    for kind, values in gaps.items():
        if values:
            within = sum(value <= 0.03 for value in values)
            print(f"{kind}: {len(values)} rows, median {median(values):.1%}, {within} within 3 %")


if __name__ == "__main__":
    main()
