"""Predicts published runs without their measured fields, and says by how much it was wrong."""

from collections.abc import Sequence
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict

from fucina.planning.kernel import Rates, Shape, Work
from fucina.planning.layouts import cost_of, shape_of
from fucina.planning.rates import Constants, calibration, fitted, rates
from fucina.planning.runs import PublishedRun, Skipped
from fucina.planning.search import Engine, Found, search, space_for

BATCH_TOKENS = 4_000_000
"""Tokens of a step where a row does not say."""
TOKENS_PER_DEVICE = 1024
"""At least so many tokens of a step for each device, where a row does not say."""


class Prediction(BaseModel):
    """A row beside what was measured."""

    model_config = ConfigDict(frozen=True)

    id: str
    family: str
    kind: str
    accelerator: str
    precision: str
    stack: str
    sparse: bool
    num_devices: int
    layout: dict[str, int]
    """As the row says it; where it is silent, the fastest that fits."""
    fits: bool
    """False where no layout that the row allows fits into memory; nothing is predicted then."""
    tokens_per_s_per_device: float | None = None
    mfu: float | None = None
    """Model FLOPs over the 16-bit peak, causal attention."""
    memory_gib: float | None = None
    measured_tokens_per_s_per_device: float | None = None
    measured_memory_gib: float | None = None
    error: float | None = None
    """Predicted over measured, less one."""


class Errors(BaseModel):
    """Errors of a group of rows, as shares."""

    model_config = ConfigDict(frozen=True)

    group: str
    num_rows: int
    median: float
    mean: float
    p90: float
    bias: float
    """Mean of the signed errors."""


class Scored(BaseModel):
    """All rows of a file with their errors."""

    model_config = ConfigDict(frozen=True)

    fitted_on: str
    rows: list[Prediction]
    skipped: list[Skipped]
    refused: list[str]
    """Rows whose configuration is said not to fit, although it ran."""
    summary: list[Errors]


class Question(BaseModel):
    """What a row asks, in the kernel's terms."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    shape: Shape
    work: Work
    rates: Rates
    batch: int


def question(run: PublishedRun, constants: Constants) -> Question:
    """A row without its measured fields.

    Raises NoPrecision.
    """
    batch = run.batch or max(BATCH_TOKENS, run.num_devices * TOKENS_PER_DEVICE) // run.sequence
    return Question(
        shape=shape_of(run.model, sequence=run.sequence),
        work=Work(
            sequence=float(run.sequence), batch=float(max(1, batch)), attended=run.model.attended(run.sequence),
            weight_gradient=1.0, forward_only=0.0, trained=1.0,
        ),
        rates=rates(
            run.accelerator, run.system, precision=run.precision, stack=run.stack, constants=constants,
            release=run.release,
        ),
        batch=max(1, batch),
    )  # fmt: skip


def find_layout(run: PublishedRun, asked: Question, *, engine: Engine = "auto") -> Found:
    """The layout that a row states, or the fastest of those that it leaves open."""
    stated = run.asked
    fixed: dict[str, int | bool | list[int] | None] = {
        "tp": stated.tp, "pp": stated.pp, "mbs": stated.mbs, "recompute": stated.recompute, "shard": stated.shard,
        "cp": stated.cp or 1, "zero": 1 if stated.zero is None else stated.zero,
        "sp": True if stated.sp is None else stated.sp, "ep": stated.ep if run.model.experts else 1,
        "vp": 1 if stated.pp == 1 else stated.vp,
    }  # fmt: skip
    space = space_for(
        run.model, rates=asked.rates, devices=run.num_devices, batch=asked.batch, sequence=run.sequence, **fixed
    )
    return search(asked.shape, asked.work, asked.rates, space, devices=run.num_devices, keep=1, engine=engine)


def predict(run: PublishedRun, constants: Constants, *, engine: Engine = "auto") -> Prediction:
    """One row.

    Raises NoPrecision.
    """
    asked = question(run, constants)
    found = find_layout(run, asked, engine=engine)
    about = {
        "id": run.id, "family": run.family, "kind": run.kind, "accelerator": run.accelerator.id,
        "precision": str(run.precision), "stack": str(run.stack), "sparse": run.model.experts is not None,
        "num_devices": run.num_devices, "measured_tokens_per_s_per_device": run.measured_tokens_per_s,
        "measured_memory_gib": run.measured_memory_gib,
    }  # fmt: skip
    if not found.layouts:
        return Prediction(**about, layout={}, fits=False)
    layout = found.layouts[0]
    cost = cost_of(asked.shape, asked.work, asked.rates, layout)
    speed = asked.batch * run.sequence / cost.step_s / run.num_devices
    measured = run.measured_tokens_per_s
    return Prediction(
        **about,
        layout={name: int(value) for name, value in layout._asdict().items()},
        fits=True,
        tokens_per_s_per_device=speed,
        mfu=speed * run.model.flops_per_token(run.sequence) / run.accelerator.peak_16,
        memory_gib=cost.memory_bytes / 2**30,
        error=None if not measured else speed / measured - 1,
    )


def constants_for(run: PublishedRun, *, held_out: bool) -> Constants:
    """The shipped constants; with `held_out` those of the half of the calibration that the row's family is not in."""
    if not held_out:
        return fitted()
    halves: dict[str, list[str]] = calibration()["families"]
    if run.family in halves["a"]:
        return fitted("b")
    return fitted("a") if run.family in halves["b"] else fitted()


def score(
    runs: Sequence[PublishedRun], skipped: Sequence[Skipped] = (), *, held_out: bool = False, engine: Engine = "auto"
) -> Scored:
    """Every row, and the errors by family and accelerator.

    Raises NoPrecision.
    """
    rows = [predict(run, constants_for(run, held_out=held_out), engine=engine) for run in runs]
    return Scored(
        fitted_on="the other half of the published runs" if held_out else "all published runs",
        rows=rows,
        skipped=list(skipped),
        refused=[row.id for row in rows if not row.fits],
        summary=summarise(rows),
    )


def summarise(rows: Sequence[Prediction]) -> list[Errors]:
    """Errors of healthy steps by kind of model, accelerator and family, and of whole runs."""
    steady = [row for row in rows if row.kind == "steady_state" and row.error is not None]
    groups: dict[str, list[Prediction]] = {
        "dense, healthy steps": [row for row in steady if not row.sparse],
        "mixture of experts, healthy steps": [row for row in steady if row.sparse],
        "whole runs (with failures and restarts)": [
            row for row in rows if row.kind == "whole_run" and row.error is not None
        ],
    }
    for row in steady:
        groups.setdefault(f"accelerator {row.accelerator}", []).append(row)
    for row in steady:
        groups.setdefault(f"family {row.family}", []).append(row)
    return [_errors(name, members) for name, members in groups.items() if members]


def _errors(group: str, rows: Sequence[Prediction]) -> Errors:
    signed = [row.error for row in rows if row.error is not None]
    sizes = sorted(abs(value) for value in signed)
    return Errors(
        group=group, num_rows=len(sizes), median=median(sizes), mean=fmean(sizes), p90=quantile(sizes, 0.9),
        bias=fmean(signed),
    )  # fmt: skip


def quantile(ordered: Sequence[float], share: float) -> float:
    """A quantile of sorted values, with straight lines between them."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
