"""`fucina plan ...`: what a training run will take, where, and how sure we are."""

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fucina.cli.output import Format, FormatOption, out, say, show, speaking, table
from fucina.cli.plan_saving import SaveOption, keep
from fucina.errors import Unavailable

if TYPE_CHECKING:
    from fucina.planning.ask import LayoutAnswer, ServingAnswer, TrainingAnswer, TrainingQuestion
    from fucina.planning.score import Scored

app = typer.Typer(help="What a run, a site or a network will take, before anybody pays.", no_args_is_help=True)


class PlannerMissing(Unavailable):
    """The libraries of the planner are not installed here."""

    code = "planner_missing"


def need_planner() -> None:
    """Raises PlannerMissing where NumPy is not installed."""
    if find_spec("numpy") is None:
        raise PlannerMissing("Planning needs NumPy, which is not installed.", hint="pip install 'fucina[plan]'")


class RecipeName(StrEnum):
    """What is done with the model; the planner's own names, so that `--help` loads nothing."""

    PRETRAIN = "pretrain"
    CONTINUED = "continued"
    SFT = "sft"
    LORA = "lora"
    DPO = "dpo"
    INFERENCE = "inference"


class PrecisionName(StrEnum):
    """In what products are calculated."""

    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    FP4 = "fp4"


class StackName(StrEnum):
    """How far the software joins operations."""

    EAGER = "eager"
    COMPILED = "compiled"
    FUSED = "fused"
    TUNED = "tuned"
    LEGACY = "legacy"


@app.callback()
def plan() -> None:
    """What a run, a site or a network will take, before anybody pays."""


@app.command()
def train(
    model: Annotated[str, typer.Option(help="A model's name, or a config.json as Hugging Face models have it.")],
    tokens: Annotated[str, typer.Option(help="Tokens to train on, such as 1T or 300M; for inference, to write.")],
    system: Annotated[str, typer.Option(help="A system such as leonardo-booster, or an accelerator.")],
    form: FormatOption = Format.TEXT,
    recipe: Annotated[RecipeName, typer.Option(help="What is done with the model.")] = RecipeName.PRETRAIN,
    devices: Annotated[
        int | None, typer.Option("--gpus", help="Devices; left out, the cheapest within --days.")
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, help="When it should be done.")] = 30.0,
    sequence: Annotated[int | None, typer.Option(min=1, help="Tokens of a sequence.")] = None,
    batch: Annotated[str, typer.Option(help="Tokens of a step, such as 4M.")] = "",
    precision: Annotated[PrecisionName, typer.Option(help="Of the matrix products.")] = PrecisionName.BF16,
    stack: Annotated[StackName, typer.Option(help="How far the software joins operations.")] = StackName.FUSED,
    carbon: Annotated[float | None, typer.Option(min=0, help="Grams of CO2e per kWh; else the country's.")] = None,
    price: Annotated[float | None, typer.Option(min=0, help="EUR per GPU-hour.")] = None,
    price_kwh: Annotated[float | None, typer.Option("--price-kwh", min=0, help="EUR per kWh, on top.")] = None,
    failures: Annotated[
        float | None, typer.Option(min=0, help="Interruptions per 1,000 node-days of 8 accelerators.")
    ] = None,
    restart: Annotated[float | None, typer.Option(min=0, help="Seconds from an interruption to the next step.")] = None,
    stall: Annotated[float | None, typer.Option(min=0, help="Seconds that a checkpoint holds the job up.")] = None,
    launch: Annotated[
        Path | None,
        typer.Option(help="Write torchrun and FSDP settings here; only layouts of plain FSDP are tried."),
    ] = None,
    application: Annotated[bool, typer.Option("--application", help="Print the technical part as Markdown.")] = False,
    save: SaveOption = "",
) -> None:
    """Say what a training run takes: layouts, days, GPU-hours, energy, and how sure that is."""
    from fucina.units import parse_count

    with speaking(form):
        need_planner()
        given = {"failures_per_1000_node_days": failures, "restart_s": restart, "checkpoint_stall_s": stall}
        question = _question(
            {
                "model": model, "num_tokens": parse_count(tokens), "system": system, "recipe": str(recipe),
                "num_devices": devices, "days": days, "sequence": sequence,
                "batch_tokens": parse_count(batch) if batch else None, "precision": str(precision), "stack": str(stack),
                "fsdp_only": launch is not None, "g_per_kwh": carbon, "eur_per_gpu_hour": price,
                "eur_per_kwh": price_kwh,
                "resilience": {name: value for name, value in given.items() if value is not None},
            }
        )  # fmt: skip
        options = {"model": model, "tokens": tokens, "system": system, "recipe": str(recipe)}
        options |= {"gpus": str(devices or ""), "days": f"{days:g}", "precision": str(precision)}
        if recipe is RecipeName.INFERENCE:
            _serve(question, form, save, options)
        else:
            _train(question, form, launch, application, save, options)


def _question(fields: dict[str, object]) -> "TrainingQuestion":
    """The question, checked.

    Raises BadInput.
    """
    from pydantic import ValidationError

    from fucina.errors import BadInput
    from fucina.planning.ask import TrainingQuestion

    try:
        return TrainingQuestion.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{name}: {first['msg']}.", hint="`fucina plan train --help` says what fits.") from error


def _serve(question: "TrainingQuestion", form: Format, save: str, options: dict[str, str]) -> None:
    from fucina.planning.serving import plan_serving

    answer = plan_serving(question)
    keep(answer, save, kind="train", options=options)
    if not show(answer, form):
        _print_serving(answer)


def _train(
    question: "TrainingQuestion",
    form: Format,
    launch: Path | None,
    application: bool,
    save: str,
    options: dict[str, str],
) -> None:
    from fucina.planning.application import application_text
    from fucina.planning.launch import launch_yaml
    from fucina.planning.training import plan_training

    answer = plan_training(question)
    keep(answer, save, kind="train", options=options)
    if launch is not None:
        _write(launch, launch_yaml(answer))
    if show(answer, form):
        return
    if application:
        typer.echo(application_text(answer))
        return
    _print_training(answer)
    if launch is not None:
        say(f"Launch settings: {launch}")


def _write(path: Path, text: str) -> None:
    """Write a file that the user named.

    Raises BadInput.
    """
    from fucina.errors import BadInput

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror}.", hint="Name a file in a folder of yours."
        ) from error


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


def _print_training(answer: "TrainingAnswer") -> None:
    from fucina.units import format_count, format_duration

    best, hours, days = answer.layout, answer.gpu_hours, answer.days
    say(
        f"{answer.model} ({format_count(answer.parameters)} parameters), {format_count(answer.question.num_tokens)} "
        f"tokens, {answer.question.recipe}, on {answer.system}: {answer.num_devices:,} × {answer.accelerator}"
    )
    span = [
        format_duration(value * 86_400) if value < 2 else f"{value:.1f} days" for value in days.model_dump().values()
    ]
    say(f"  {span[1]}, {_hours(hours.value)} GPU-hours")
    say(f"  8 in 10 such predictions: {span[0]} to {span[2]}, {_hours(hours.low)} to {_hours(hours.high)} GPU-hours")
    say(
        f"  with evaluation and pauses as in published runs: {_hours(hours.value * answer.whole_run_factor)} GPU-hours "
        f"(× {answer.whole_run_factor:.2f})"
    )
    carbon = f", {answer.tco2e:,.4g} t CO2e" if answer.tco2e is not None else ""
    cost = f", EUR {answer.eur:,.0f}" if answer.eur is not None else ""
    say(f"  {answer.energy_mwh:,.4g} MWh{carbon}{cost}")
    say(
        f"  {best.tokens_per_s_per_device:,.0f} tokens/s per device, MFU {best.mfu:.1%}, HFU {best.hfu:.1%}, "
        f"step {format_duration(best.step_s)} of {format_count(answer.batch_tokens)} tokens; {answer.bound_by}"
    )
    g = answer.goodput
    every = format_duration(g.checkpoint_interval_s) if g.checkpoint_interval_s else "never"
    say(
        f"  {g.interruptions_per_day:.2f} interruptions a day; checkpoint every {every}; {g.share:.1%} of the time "
        f"useful; {g.num_spares} spare nodes"
    )
    _print_layouts([best, *answer.next_layouts])
    rows = [
        (f"{s.devices:,}", f"{s.days:.3g}", _hours(s.gpu_hours), f"{s.mfu:.1%}", f"{s.goodput:.1%}")
        for s in answer.scales
    ]
    table("Other sizes", ("devices", "days", "GPU-hours", "MFU", "useful"), rows, right=(0, 1, 2, 3, 4))
    table("If it had", ("change", "speed"), [(s.change, f"× {s.speed:.2f}") for s in answer.sensitivities], right=(1,))
    for misfit in answer.misfits:
        say(
            f"Does not fit: {misfit.layout} needs {misfit.needs_gib:.0f} GiB of {misfit.has_gib:.0f} "
            f"({misfit.largest})."
        )
    for note in answer.notes:
        say(note)


def _print_layouts(layouts: "list[LayoutAnswer]") -> None:
    rows = [
        (layout.words, f"{layout.step_s:.2f}", f"{layout.mfu:.1%}", f"{layout.memory_gib:.0f}", f"{layout.days:.3g}")
        for layout in layouts
    ]
    table("Layouts", ("layout", "step, s", "MFU", "memory, GiB", "days"), rows, right=(1, 2, 3, 4))


def _print_serving(answer: "ServingAnswer") -> None:
    say(f"{answer.model} on {answer.system}: {answer.devices_per_replica} × {answer.accelerator} a replica")
    say(
        f"  {answer.batch} sequences of {answer.context:,} tokens at once; {answer.tokens_per_s_per_device:,.0f} "
        f"tokens/s per device, {answer.tokens_per_s_per_user:.0f} for each user; bound by {answer.bound_by}"
    )
    carbon = f", {answer.tco2e:,.4g} t CO2e" if answer.tco2e is not None else ""
    cost = f", EUR {answer.eur:,.0f}" if answer.eur is not None else ""
    say(f"  {_hours(answer.gpu_hours)} GPU-hours, {answer.energy_mwh:,.4g} MWh{carbon}{cost}")
    for note in answer.notes:
        say(note)


@app.command()
def score(
    runs: Annotated[Path, typer.Argument(help="A YAML file of published runs.")],
    form: FormatOption = Format.TEXT,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Predict each row by the half of the calibration that it is not in.")
    ] = False,
) -> None:
    """Predict every run of a file without its measured fields, and say by how much that was wrong."""
    with speaking(form):
        need_planner()
        from fucina.planning.runs import read_runs
        from fucina.planning.score import score as score_runs

        found, skipped = read_runs(runs)
        scored = score_runs(found, skipped, held_out=held_out)
        if not show(scored, form):
            _print_scored(scored)


def _print_scored(scored: "Scored") -> None:
    rows = [
        (
            row.id,
            row.kind.replace("_", " "),
            f"{row.tokens_per_s_per_device:,.1f}" if row.tokens_per_s_per_device else "does not fit",
            f"{row.measured_tokens_per_s_per_device:,.1f}" if row.measured_tokens_per_s_per_device else "—",
            f"{row.error:+.1%}" if row.error is not None else "—",
        )
        for row in scored.rows
    ]
    table("Tokens/s per device", ("run", "kind", "predicted", "measured", "error"), rows, right=(2, 3, 4))
    lines = [
        (e.group, str(e.num_rows), f"{e.median:.1%}", f"{e.mean:.1%}", f"{e.p90:.1%}", f"{e.bias:+.1%}")
        for e in scored.summary
    ]
    table("Absolute errors", ("group", "rows", "median", "mean", "p90", "bias"), lines, right=(1, 2, 3, 4, 5))
    out.print(f"Fitted on {scored.fitted_on}.")
    for row in scored.skipped:
        say(f"Left out: {row.id}. {row.reason}")
