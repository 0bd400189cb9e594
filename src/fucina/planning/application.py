"""The technical part of an application for computer time, from a plan: what a reviewer asks first, with the figures."""

from fucina.planning.ask import TrainingAnswer
from fucina.units import format_count, format_duration


def application_text(answer: TrainingAnswer) -> str:
    """Markdown: the run, the resources, why this layout, scaling, how sure, what may go wrong."""
    question, layout = answer.question, answer.layout
    parts = [f"{name} {share:.0%}" for name, share in layout.time_parts.items() if share >= 0.02]
    memory = [f"{name} {gib:.1f} GiB" for name, gib in layout.memory_parts_gib.items() if gib >= 0.05]
    interval = answer.goodput.checkpoint_interval_s
    lines = [
        "## Technical justification of the resources",
        "",
        "### Work",
        "",
        f"Recipe: {question.recipe}. Model: {answer.model}, {format_count(answer.parameters)} parameters, of which "
        f"{format_count(answer.active_parameters)} take part in each token. {format_count(question.num_tokens)} tokens "
        f"in sequences of {answer.sequence:,}; {format_count(answer.batch_tokens)} tokens a step; precision "
        f"{question.precision}. This is {answer.model_flops:.3g} FLOPs of model arithmetic.",
        "",
        "### Resources asked for",
        "",
        f"- System: {answer.system}, {answer.num_devices:,} × {answer.accelerator}",
        f"- GPU-hours: **{answer.gpu_hours.value:,.0f}** (8 in 10 such predictions fell within "
        f"{answer.gpu_hours.low:,.0f} to {answer.gpu_hours.high:,.0f})",
        f"- Duration: {answer.days.value:.1f} days ({answer.days.low:.1f} to {answer.days.high:.1f})",
        f"- Energy: {answer.energy_mwh:,.1f} MWh"
        + (f", {answer.tco2e:,.1f} t CO2e" if answer.tco2e is not None else ""),
        f"- Published runs took {answer.whole_run_factor:.2f} times their healthy steps from first to last day; with "
        f"the same share for evaluation and pauses, {answer.gpu_hours.value * answer.whole_run_factor:,.0f} GPU-hours.",
        "",
        "### Layout and efficiency",
        "",
        f"{layout.words}. {layout.tokens_per_s_per_device:,.0f} tokens a second and device; model FLOPs utilisation "
        f"{layout.mfu:.1%}. A step of {format_duration(layout.step_s)}: {', '.join(parts)}. Memory per device "
        f"{layout.memory_gib:.1f} GiB: {', '.join(memory)}. It is the fastest of {answer.layouts_evaluated:,} layouts, "
        f"{answer.layouts_fitting:,} of which fit.",
        "",
        "### Scaling",
        "",
        "| devices | days | GPU-hours | MFU | useful share |",
        "|--:|--:|--:|--:|--:|",
        *(
            f"| {s.devices:,} | {s.days:.1f} | {s.gpu_hours:,.0f} | {s.mfu:.1%} | {s.goodput:.1%} |"
            for s in answer.scales
        ),
        "",
        "### Risks",
        "",
        f"- Interruptions: {answer.goodput.interruptions_per_day:.2f} a day expected; "
        + (f"a checkpoint every {format_duration(interval)} keeps " if interval else "no checkpoint is needed for ")
        + f"{answer.goodput.share:.1%} of the time useful.",
        *(f"- With {s.change}: {s.speed:.2f} times the speed." for s in answer.sensitivities),
        *(
            f"- {m.layout} does not fit: {m.needs_gib:.0f} of {m.has_gib:.0f} GiB ({m.largest})."
            for m in answer.misfits
        ),
        "",
        f"Method: closed form over all layouts, calibrated on {answer.calibrated_on}; the interval comes from runs "
        "left out of the calibration.",
        "",
    ]
    return "\n".join(lines)
