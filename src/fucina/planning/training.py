"""Answers what a training run takes: every layout, the best, what bounds it, and how sure that is."""

import math
from typing import NamedTuple

from fucina.errors import BadInput
from fucina.planning.ask import (
    Interval,
    LayoutAnswer,
    Misfit,
    Recipe,
    Scale,
    Sensitivity,
    TrainingAnswer,
    TrainingQuestion,
)
from fucina.planning.kernel import PARTIAL, Cost, Rates, Shape, Space, Work
from fucina.planning.layouts import Layout, cost_of, shape_of
from fucina.planning.machines import Accelerator, System, carbon_g_per_kwh, find_accelerator, find_system
from fucina.planning.models import Model, find_model, own_size
from fucina.planning.rates import UNSEEN, calibration, fitted, generation, is_calibrated, rates
from fucina.planning.reliability import Goodput, goodput
from fucina.planning.score import quantile
from fucina.planning.search import Engine, Found, search, size_of, space_for

MODES = ("no", "selective", "full")
PARTS = {
    "matrix_s": "matrix products", "attention_s": "attention", "memory_s": "elementwise work in memory",
    "launch_s": "host and start-up of operations", "recompute_s": "recomputation", "tp_s": "tensor-parallel exchange",
    "cp_s": "context-parallel exchange", "ep_s": "expert-parallel exchange", "pp_s": "pipeline hand-over",
    "bubble_s": "pipeline bubble", "dp_s": "exchange of gradients and parameters", "optimizer_s": "optimizer",
}  # fmt: skip
LORA_SHARE = 0.01
"""Of the parameters that adapters of the usual ranks train."""
ACCELERATORS_PER_FAILURE_NODE = 8
"""Published failure rates count nodes of eight accelerators."""
MANY_LAYOUTS = 400_000
"""Combinations of all searches of an answer from which compiling pays."""
OWN_TOKENS_AT_ONCE = 65_536
"""Tokens that the factory's own trainer passes through the model at once on an accelerator, at most."""
LARGEST_JOB = 131_072
RESERVE = 0.9
"""Of the usable memory that a plan fills: what published runs report lies up to a fifth above the closed form."""
USUAL_MFU = 0.35
"""Where the search for the number of devices begins."""


class FitsNowhere(BadInput):
    """No layout of the model fits into the memory of the devices."""

    code = "fits_nowhere"


class BadQuestion(BadInput):
    """A training run that cannot be."""

    code = "bad_question"


class NeverEnds(BadInput):
    """Interruptions come faster than the job can be brought back."""

    code = "never_ends"


class Task(NamedTuple):
    """A question with everything looked up."""

    question: TrainingQuestion
    model: Model
    system: System
    accelerator: Accelerator
    shape: Shape
    work: Work
    rates: Rates
    sequence: int
    batch: int
    """Sequences a step."""
    engine: Engine


def plan_training(question: TrainingQuestion, *, engine: Engine = "auto") -> TrainingAnswer:
    """What a training run takes.

    Raises UnknownModel, BadModel, UnknownSystem, UnknownAccelerator, NoPrecision, BadQuestion, FitsNowhere,
    NeverEnds.
    """
    task = look_up(question, engine=engine)
    counts = device_counts(task)
    if engine == "auto":
        spaces = sum(size_of(_space(task, count)) for count in counts) * 2
        task = task._replace(engine="compiled" if spaces > MANY_LAYOUTS else "plain")
    found = {count: _search(task, count, keep=24) for count in counts}
    scales = [_scale(task, count, found[count]) for count in counts if found[count].layouts]
    if not scales:
        raise _nowhere(task, counts[-1], found[counts[-1]])
    in_time = [scale for scale in scales if scale.days <= question.days]
    chosen = min(in_time, key=lambda scale: scale.gpu_hours) if in_time else min(scales, key=lambda scale: scale.days)
    return _answer(task, chosen.devices, found[chosen.devices], scales)


def look_up(question: TrainingQuestion, *, engine: Engine = "auto") -> Task:
    """Everything that a question names.

    Raises UnknownModel, BadModel, UnknownSystem, UnknownAccelerator, NoPrecision, BadQuestion.
    """
    model, system = find_model(question.model), find_system(question.system)
    accelerator = find_accelerator(system.accelerator)
    _check(question, system)
    sequence = question.sequence or min(model.max_sequence, 8192)
    if question.batch_tokens is not None and question.batch_tokens < sequence:
        raise BadQuestion(
            f"A step of {question.batch_tokens:,} tokens is less than one sequence of {sequence:,}.",
            hint="Give a larger --batch or a shorter --sequence.",
        )
    if question.batch_tokens is not None and question.batch_tokens > question.num_tokens:
        raise BadQuestion(
            f"A step of {question.batch_tokens:,} tokens is more than the whole run of {question.num_tokens:,}.",
            hint="Give a smaller --batch or more --tokens.",
        )
    usual = min(_usual_batch(question.recipe, model, sequence), question.num_tokens) / sequence
    batch = (
        question.batch_tokens // sequence if question.batch_tokens else 2 ** max(0, round(math.log2(max(1.0, usual))))
    )
    batch = max(1, batch)
    work = Work(
        sequence=float(sequence), batch=float(batch), attended=model.attended(sequence),
        weight_gradient=0.0 if question.recipe is Recipe.LORA else 1.0,
        forward_only=1.0 if question.recipe is Recipe.DPO else 0.0,
        trained=LORA_SHARE if question.recipe is Recipe.LORA else 1.0,
    )  # fmt: skip
    full = rates(accelerator, system, precision=question.precision, stack=question.stack, constants=fitted())
    reached = full._replace(capacity=RESERVE * full.capacity)
    return Task(
        question, model, system, accelerator, shape_of(model, sequence=sequence), work, reached, sequence, batch, engine
    )


def _check(question: TrainingQuestion, system: System) -> None:
    if question.num_tokens <= 0:
        raise BadQuestion("A run on zero tokens trains nothing.", hint="Say how many, such as --tokens 1T.")
    if question.num_devices is not None and question.num_devices < 1:
        raise BadQuestion(f"{question.num_devices} devices are too few.", hint="Give at least one.")
    available = system.nodes * system.per_node
    if question.num_devices is not None and available and question.num_devices > available:
        raise BadQuestion(
            f"{system.id} has {available:,} devices; {question.num_devices:,} were asked for.",
            hint="Ask for fewer, or name an accelerator instead of a system.",
        )


def _usual_batch(recipe: Recipe, model: Model, sequence: int) -> int:
    """Tokens a step as published runs had them: 0.5 M below 1 B parameters, 2 M below 5 B, 4 M below 200 B."""
    if recipe not in (Recipe.PRETRAIN, Recipe.CONTINUED):
        return 128 * sequence
    size = model.num_parameters
    return 500_000 if size < 1e9 else 2_000_000 if size < 5e9 else 4_000_000 if size < 200e9 else 16_000_000


def device_counts(task: Task) -> list[int]:
    """Numbers of devices to try: the wanted one, or whole nodes in powers of two about what should be in time."""
    if task.question.num_devices:
        return [task.question.num_devices]
    most = min(task.system.nodes * task.system.per_node or LARGEST_JOB, LARGEST_JOB)
    counts = [task.system.per_node]
    while counts[-1] * 2 <= most:
        counts.append(counts[-1] * 2)
    flops = task.model.flops_per_token(task.sequence) * task.question.num_tokens
    guess = flops / (task.accelerator.peak_16 * USUAL_MFU * task.question.days * 86_400)
    state = 16.0 * task.model.num_parameters / task.rates.capacity
    near = max(guess, state * task.work.trained)
    middle = next((place for place, count in enumerate(counts) if count >= near), len(counts) - 1)
    return counts[max(0, middle - 3) : middle + 5]


def _space(task: Task, devices: int) -> Space:
    fixed: dict[str, int | bool | list[int] | None] = {}
    if task.question.fsdp_only:
        fixed = {"tp": 1, "cp": 1, "ep": 1, "pp": 1, "vp": 1, "zero": [2, 3]}
        if own_size(task.model.name) is not None:
            at_once = min(OWN_TOKENS_AT_ONCE // task.sequence, task.batch // devices)
            fixed |= {"zero": 0, "recompute": 0, "mbs": max(1, at_once)}
    return space_for(task.model, rates=task.rates, devices=devices, batch=task.batch, sequence=task.sequence, **fixed)


def _search(task: Task, devices: int, *, keep: int, reached: Rates | None = None) -> Found:
    space = _space(task, devices)
    return search(
        task.shape, task.work, reached or task.rates, space, devices=devices, keep=keep, engine=task.engine
    )  # fmt: skip


def _nowhere(task: Task, devices: int, found: Found) -> FitsNowhere:
    has = task.rates.capacity
    if found.evaluated == 0:
        return FitsNowhere(
            f"A step of {task.batch} sequences cannot be dealt to {devices} devices in any layout.",
            hint="Use fewer devices or a larger batch.",
        )
    return FitsNowhere(
        f"{task.model.name} with {task.model.num_parameters / 1e9:.3g} B parameters fits nowhere on {devices:,} × "
        f"{task.accelerator.id}: the leanest of {found.evaluated:,} layouts needs {found.least_bytes / 2**30:.1f} GiB "
        f"per device, which has {has / 2**30:.1f} to plan with.",
        hint=f"Take about {math.ceil(devices * found.least_bytes / has):,} devices or more, shorter sequences, "
        "--recipe lora, or accelerators with more memory.",
    )


def _days(task: Task, step_s: float) -> float:
    steps = math.ceil(task.question.num_tokens / (task.batch * task.sequence))
    return steps * step_s / 86_400


def reliability_of(task: Task, devices: int) -> Goodput:
    """Interruptions of a job on that many devices.

    Raises NeverEnds.
    """
    gpus = devices / task.system.devices_per_gpu
    found = goodput(max(1, math.ceil(gpus / ACCELERATORS_PER_FAILURE_NODE)), resilience=task.question.resilience)
    if found.share < 1e-6:
        raise NeverEnds(
            f"On {devices:,} devices an interruption comes every {found.mttf_s or 0:.3g} s; the job never gets on.",
            hint="Take fewer devices, a shorter --restart, or a lower --failures.",
        )
    return found


def _scale(task: Task, count: int, found: Found) -> Scale:
    layout = found.layouts[0]
    share = reliability_of(task, layout.devices).share
    days = _days(task, found.step_s[0]) / share
    cost = cost_of(task.shape, task.work, task.rates, layout)
    return Scale(
        devices=count, days=days, gpu_hours=days * 24 * count / task.system.devices_per_gpu,
        mfu=_mfu(task, cost, count), goodput=share,
    )  # fmt: skip


def _mfu(task: Task, cost: Cost, devices: int) -> float:
    flops = task.batch * task.sequence * task.model.flops_per_token(task.sequence)
    done = (2.0 + task.work.weight_gradient + task.work.forward_only) / 3.0
    return flops * done / cost.step_s / devices / task.accelerator.peak_16


def describe(task: Task, layout: Layout) -> LayoutAnswer:
    """A layout with its parts."""
    cost = cost_of(task.shape, task.work, task.rates, layout)
    gib = 2**30
    mfu = _mfu(task, cost, layout.devices)
    return LayoutAnswer(
        tensor=layout.tp, context=layout.cp, expert=layout.ep, pipeline=layout.pp, interleaved=layout.vp,
        data=layout.dp, shard=layout.shard, zero=layout.zero, micro_batch=layout.mbs,
        recompute=_mode(layout, cost.recomputed), recomputed_share=cost.recomputed, devices=layout.devices,
        step_s=cost.step_s,
        tokens_per_s_per_device=task.batch * task.sequence / cost.step_s / layout.devices, mfu=mfu,
        hfu=mfu * (1 + cost.recomputed / 3), days=_days(task, cost.step_s), memory_gib=cost.memory_bytes / gib,
        memory_parts_gib={
            "weights, gradients and optimizer": cost.state_bytes / gib, "activations": cost.act_bytes / gib,
            "logits": cost.logit_bytes / gib,
        },
        time_parts={words: getattr(cost, name) / cost.step_s for name, words in PARTS.items()},
    )  # fmt: skip


def _mode(layout: Layout, recomputed: float) -> str:
    if layout.recompute != PARTIAL:
        return MODES[layout.recompute]
    return "no" if recomputed == 0 else "full" if recomputed == 1 else f"{recomputed:.0%}"


def distinct(task: Task, layouts: list[Layout]) -> list[LayoutAnswer]:
    """Layouts that differ in how the model is spread, the fastest of each kind."""
    seen: set[tuple[int, ...]] = set()
    kept = []
    for layout in layouts:
        kind = (layout.tp, layout.cp, layout.ep, layout.pp, layout.zero)
        if kind not in seen:
            seen.add(kind)
            kept.append(describe(task, layout))
    return kept


def _answer(task: Task, devices: int, found: Found, scales: list[Scale]) -> TrainingAnswer:
    question = task.question
    if not found.layouts:
        raise _nowhere(task, devices, found)
    kinds = distinct(task, found.layouts)
    best = kinds[0]
    useful = reliability_of(task, devices)
    days = _interval(task, best.days / useful.share)
    hours = devices * 24 / task.system.devices_per_gpu
    energy_mwh = days.value * 24 * devices * task.accelerator.power_w * task.system.pue / 1e6
    carbon = question.g_per_kwh if question.g_per_kwh is not None else carbon_g_per_kwh(task.system.country)
    return TrainingAnswer(
        question=question, model=task.model.name, parameters=task.model.num_parameters,
        active_parameters=task.model.num_active_parameters,
        model_flops=task.model.flops_per_token(task.sequence) * question.num_tokens, system=task.system.id,
        accelerator=task.accelerator.id, num_devices=devices, sequence=task.sequence,
        batch_tokens=task.batch * task.sequence, layout=best, next_layouts=kinds[1:6], bound_by=bound_by(best),
        days=days, gpu_hours=Interval(low=days.low * hours, value=days.value * hours, high=days.high * hours),
        whole_run_factor=math.exp(quantile(calibration()["residuals"]["whole_run"], 0.5)),
        energy_mwh=energy_mwh, tco2e=None if carbon is None else energy_mwh * carbon / 1e3,
        eur=_eur(task, days.value * hours, energy_mwh * 1e3), goodput=useful, scales=scales,
        sensitivities=sensitivities(task, devices, found.step_s[0]), misfits=misfits(task, devices),
        layouts_evaluated=found.evaluated, layouts_fitting=found.fitting,
        calibrated_on=f"published runs, {calibration()['valid_from']}", notes=_notes(task, carbon),
    )  # fmt: skip


def _eur(task: Task, gpu_hours: float, kwh: float) -> float | None:
    question = task.question
    if question.eur_per_gpu_hour is None and question.eur_per_kwh is None:
        return None
    return gpu_hours * (question.eur_per_gpu_hour or 0.0) + kwh * (question.eur_per_kwh or 0.0)


def _interval(task: Task, days: float) -> Interval:
    """Eight in ten left-out rows of the calibration lie within."""
    errors = calibration()["residuals"]["sparse" if task.model.experts else "dense"]
    return Interval(low=days * math.exp(quantile(errors, 0.1)), value=days, high=days * math.exp(quantile(errors, 0.9)))


def _notes(task: Task, carbon: float | None) -> list[str]:
    notes = []
    if task.accelerator.confidence != "high":
        notes.append(f"The figures of {task.accelerator.id} have {task.accelerator.confidence} confidence.")
    if not is_calibrated(task.accelerator):
        notes.append(
            f"No published run on {task.accelerator.id} was at hand; shares of its peak come from "
            f"{'other generations' if generation(task.accelerator) == UNSEEN else 'its generation'}."
        )
    if carbon is None:
        notes.append("CO2e is unknown because the country's electricity is; give --carbon.")
    if task.sequence > task.model.max_sequence:
        notes.append(f"{task.model.name} is made for sequences of up to {task.model.max_sequence:,} tokens.")
    if task.model.experts:
        notes.append("Mixture-of-experts predictions are less sure than dense ones.")
    return notes


def bound_by(layout: LayoutAnswer) -> str:
    """The part that takes most beside the matrix products, and what they take."""
    name, share = max(
        ((n, s) for n, s in layout.time_parts.items() if n != "matrix products"), key=lambda part: part[1]
    )
    return f"matrix products take {layout.time_parts['matrix products']:.0%} of a step, then {name} {share:.0%}"


def sensitivities(task: Task, devices: int, step_s: float) -> list[Sensitivity]:
    """What changes of the machine would do."""
    r = task.rates
    changes = (
        ("half the network", r._replace(out=r.out / 2)),
        ("twice the network", r._replace(out=r.out * 2)),
        ("twice the memory", r._replace(capacity=r.capacity * 2)),
        ("twice the memory bandwidth", r._replace(memory=r.memory * 2)),
    )
    answers = []
    for words, changed in changes:
        found = _search(task, devices, keep=1, reached=changed)
        if found.layouts:
            answers.append(Sensitivity(change=words, speed=step_s / found.step_s[0]))
    return answers


def misfits(task: Task, devices: int) -> list[Misfit]:
    """Layouts that one would think of first and that do not fit."""
    tp = int(min(task.rates.domain, task.system.per_node, devices))
    ranks = max(1, min(devices, task.batch))
    simple = (
        ("data parallel alone, every rank with all state", Layout(1, 1, 1, 1, 1, ranks, 1, 0, 1, 0, False)),
        ("FSDP (ZeRO-3) without recomputation", Layout(1, 1, 1, 1, 1, ranks, ranks, 3, 1, 0, False)),
        ("FSDP (ZeRO-3) with full recomputation", Layout(1, 1, 1, 1, 1, ranks, ranks, 3, 1, 2, False)),
        (
            f"tensor parallel over the {tp} devices of a node, optimizer split",
            Layout(tp, 1, 1, 1, 1, max(1, ranks // tp), max(1, ranks // tp), 1, 1, 0, True),
        ),
    )
    found = []
    for words, layout in simple:
        answer = describe(task, layout)
        if answer.memory_gib * 2**30 > task.rates.capacity:
            largest, gib = max(answer.memory_parts_gib.items(), key=lambda part: part[1])
            found.append(
                Misfit(
                    layout=words, needs_gib=answer.memory_gib, has_gib=task.rates.capacity / 2**30,
                    largest=f"{largest}: {gib:.1f} GiB",
                )
            )  # fmt: skip
    return found
