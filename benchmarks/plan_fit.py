"""Fits the planner's constants to published runs: `python benchmarks/plan_fit.py [RUNS.yaml]`.

Configuration families (publication, model, accelerator) are dealt to two halves; constants fitted on one half are scored
on the other. Then each family is left out alone; those residuals make the intervals of predictions. Writes `src/fucina/planning/constants.yaml`, which also holds the fit on all rows; `plan_table.py` then
writes the table of residuals into the docs. Same input, same output: the only chance is in the split, which comes from digests of the names.
"""

import argparse
import hashlib
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import yaml
from scipy.optimize import least_squares

from fucina.planning import compiled
from fucina.planning.layouts import Layout, cost_of
from fucina.planning.rates import Constants, calibration, fitted, generation
from fucina.planning.runs import PublishedRun, read_runs
from fucina.planning.score import Prediction, find_layout, predict, question, summarise

OUT = Path(__file__).parent.parent / "src" / "fucina" / "planning" / "constants.yaml"
RUNS = Path(__file__).parent / "published-runs.yaml"
SPLIT_SEED = 20261120
PRIOR = Constants()
PRIOR_SPREAD = 0.3
"""Standard deviation of a constant about its prior, in logarithms."""
ROW_SPREAD = 0.08
"""Of a row about its prediction."""
# Ten rows with experts say little about four constants: narrow spreads predicted rows left out better under every split tried.
SPREADS = {"matrix_blackwell": 0.15, "matrix_hopper": 0.15, "matrix_ampere": 0.15, "fp8_hopper": 0.2, "fp8_blackwell": 0.2,
           "memory": 0.1, "early": 0.15, "up": 0.2, "out": 0.2, "launch_experts_us": 0.25,
    "route_ns": 0.25, "permute": 0.25, "experts": 0.15, "unfused": 0.6, "dp_exposed": 0.6, "tp_exposed": 0.5, "gather_exposed": 0.6, "tuned_exposed": 0.5}  # fmt: skip
KIN = 0.92
"""Prior of Blackwell's share over Hopper's: the later chip is held back more by its power."""
KIN_SPREAD = 0.1
AT_MOST_ONE = {name for name, value in PRIOR.model_dump().items() if value <= 1.0 and name != "congestion"}


def usable(run: PublishedRun) -> bool:
    """Healthy steps whose layout is known."""
    known = run.asked.tp is not None or run.asked.zero == 3
    return run.kind == "steady_state" and bool(run.measured_tokens_per_s) and known and run.batch is not None


def split(families: Sequence[str]) -> dict[str, list[str]]:
    """Two halves: families in the order of their digests, dealt in turns within each publication."""

    def digest(name: str) -> str:
        return hashlib.sha256(f"{SPLIT_SEED}/{name}".encode()).hexdigest()

    halves: dict[str, list[str]] = {"a": [], "b": []}
    turn = 0
    for publication in sorted({name.split("/")[0] for name in families}):
        for name in sorted((f for f in set(families) if f.split("/")[0] == publication), key=digest):
            halves["ab"[turn % 2]].append(name)
            turn += 1
    return {key: sorted(names) for key, names in halves.items()}


def active(runs: Sequence[PublishedRun]) -> list[str]:
    """Constants that these rows can say something about: the others keep their prior."""
    kinds = {generation(run.accelerator) for run in runs}
    gone = {
        name
        for name in PRIOR.model_dump()
        if name.rsplit("_", 1)[-1] in {"ampere", "hopper", "blackwell", "cdna"} and name.rsplit("_", 1)[-1] not in kinds
    }
    return [name for name in PRIOR.model_dump() if name not in gone and name != "memory"]


def speed(run: PublishedRun, constants: Constants, layout: Layout) -> float:
    """Tokens per second and device of a given layout."""
    asked = question(run, constants)
    cost = cost_of(asked.shape, asked.work, asked.rates, layout, functions=compiled)
    return asked.batch * run.sequence / cost.step_s / run.num_devices


def fit(runs: Sequence[PublishedRun], *, near: Constants | None = None) -> Constants:
    """Least squares in logarithms with priors; layouts that rows leave open are searched again between rounds.

    `near` is a fit of almost the same rows, from which fewer rounds lead on.
    """
    names = active(runs)
    prior = PRIOR.model_dump()
    weights = [1 / math.sqrt(sum(other.family == run.family for other in runs)) for run in runs]
    constants = near or PRIOR
    for _ in range(4 if near is None else 2):
        layouts = [find_layout(run, question(run, constants), engine="compiled").layouts[0] for run in runs]

        def residuals(logs: np.ndarray, layouts: Sequence[Layout] = layouts) -> np.ndarray:
            trial = Constants(
                **{**prior, **{n: float(prior[n] * math.exp(v)) for n, v in zip(names, logs, strict=True)}}
            )
            rows = [
                w * robust(math.log(speed(run, trial, layout) / run.measured_tokens_per_s) / ROW_SPREAD)
                for run, layout, w in zip(runs, layouts, weights, strict=True)
            ]
            kin = [
                math.log(trial.matrix_blackwell / trial.matrix_hopper / KIN) / KIN_SPREAD,
                math.log(trial.fp8_blackwell / trial.fp8_hopper) / KIN_SPREAD,
            ]
            return np.array(rows + kin + [v / SPREADS.get(n, PRIOR_SPREAD) for n, v in zip(names, logs, strict=True)])

        start = np.array([math.log(getattr(constants, n) / prior[n]) for n in names])
        top = np.array([math.log(1.0 / prior[n]) + 1e-9 if n in AT_MOST_ONE else 3.0 for n in names])
        done = least_squares(
            residuals,
            np.minimum(start, top - 1e-6),
            bounds=(-3.0, top),
            max_nfev=25,
            ftol=1e-8 if near is None else 1e-4,
        )
        constants = Constants(
            **{**prior, **{n: float(prior[n] * math.exp(v)) for n, v in zip(names, done.x, strict=True)}}
        )
    return Constants(**{n: float(f"{v:.4g}") for n, v in constants.model_dump().items()})


def robust(z: float) -> float:
    """A residual that counts less the further it lies out."""
    return math.copysign(2 * math.sqrt(math.log1p(z * z / 4)), z)


def leave_out(
    runs: Sequence[PublishedRun],
    fitting: Sequence[PublishedRun],
    group: Callable[[PublishedRun], str],
    everything: Constants,
) -> list[Prediction]:
    """Every row of healthy steps by the constants fitted on all rows but those of its group."""
    rows = []
    for name in sorted({group(run) for run in runs}):
        rest = [run for run in fitting if group(run) != name]
        constants = fit(rest, near=everything) if len(rest) < len(fitting) else everything
        rows += [predict(run, constants, engine="compiled") for run in runs if group(run) == name]
    return rows


def print_errors(title: str, rows: Sequence[Prediction]) -> None:
    print(title)
    for line in summarise(rows)[:3]:
        print(
            f"  {line.group:42s} {line.num_rows:3d} rows: median {line.median:.1%}, mean {line.mean:.1%}, p90 {line.p90:.1%}, bias {line.bias:+.1%}"
        )


def logs(rows: Sequence[Prediction], *, kind: str, sparse: bool | None) -> list[float]:
    """Logarithms of predicted over measured, sorted; `sparse` None takes all models."""
    chosen = [row.error for row in rows if row.kind == kind and sparse in (None, row.sparse) and row.error is not None]
    return sorted(float(f"{math.log1p(error):.4f}") for error in chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="?", default=RUNS)
    parser.add_argument("--sources", action="store_true", help="Also leave each publication out in turn.")
    parser.add_argument("--rows", action="store_true", help="Print every row that was left out.")
    given = parser.parse_args()
    started = time.process_time()
    runs, _ = read_runs(given.runs)
    halves = split([run.family for run in runs])
    fitting = [run for run in runs if usable(run)]
    fits = {half: fit([run for run in fitting if run.family in halves[half]]) for half in "ab"}
    fits["all"] = fit(fitting)
    by_half = {
        half: [
            predict(run, fits["b" if half == "a" else "a"], engine="compiled")
            for run in runs
            if run.family in halves[half]
        ]
        for half in "ab"
    }
    left_out = by_half["a"] + by_half["b"]
    print_errors("fitted on A, scored on B", by_half["b"])
    print_errors("fitted on B, scored on A", by_half["a"])
    print_errors("every row by the fit that left its family out", left_out)
    print_errors("fitted on all rows, scored on them", [predict(run, fits["all"], engine="compiled") for run in runs])
    alone = leave_out(runs, fitting, lambda run: run.family, fits["all"])
    print_errors("every row by the fit that left only its family out", alone)
    if given.sources:
        rows = leave_out(runs, fitting, lambda run: run.id.split("-")[0], fits["all"])
        print_errors("every row by the fit that left its whole publication out", rows)
    if given.rows:
        for row in alone:
            print(f"{row.id:44s} {row.error if row.error is not None else math.nan:+.3f} {row.stack:8s} {row.layout}")
    errors = {
        "dense": logs(alone, kind="steady_state", sparse=False),
        "sparse": logs(alone, kind="steady_state", sparse=True),
        "whole_run": logs(alone, kind="whole_run", sparse=None),
    }
    text = "# Written by benchmarks/plan_fit.py from published runs; do not edit.\n"
    text += "# residuals: natural logarithms of predicted over measured, each by the fit that left only the row's family out.\n"
    text += yaml.safe_dump(
        {
            "valid_from": "2026-11-20",
            "split_seed": SPLIT_SEED,
            "fits": {k: v.model_dump() for k, v in sorted(fits.items())},
            "families": halves,
            "residuals": errors,
        },
        sort_keys=False,
        width=140,
    )
    OUT.write_text(text, encoding="utf-8")
    for cached in (calibration, fitted):
        cached.cache_clear()
    print(f"{OUT.name} written in {time.process_time() - started:.0f} CPU-seconds")


if __name__ == "__main__":
    main()
