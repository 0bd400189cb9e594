"""What the work takes: operations, memory and GPU-hours by partition, from the answers or from stated assumptions."""

import math
from typing import NamedTuple

from fucina.access.intake import Goal, Intake
from fucina.access.places import Assumptions, Partition, Places
from fucina.access.words import number, say
from fucina.planning.machines import find_accelerator
from fucina.planning.pace import node_of, training_flops_per_s
from fucina.units import format_count

TRAINING = (Goal.FINE_TUNE, Goal.CONTINUE, Goal.PRETRAIN)
MODEL_WORK = (*TRAINING, Goal.USE)
TRIAL = (Goal.LEARN, Goal.SCALING)
HOURS_A_MONTH = 730


class Need(NamedTuple):
    """What the work takes, whatever the machine."""

    flops: float | None
    """With trials; None where it is known in GPU-hours only."""
    gpu_hours: float | None
    """The same everywhere, where it was given or is a first trial."""
    memory_gb: float
    """Weights and what training keeps beside them."""
    reasons: tuple[str, ...]
    trained: float | None = None
    """Parameters of the model that is trained; None where none is."""

    @property
    def is_known(self) -> bool:
        """Whether there is anything to ask machine time for."""
        return self.flops is not None or self.gpu_hours is not None

    def gpu_hours_on(self, partition: Partition, assumptions: Assumptions) -> float | None:
        """GPU-hours on that partition, as its site bills them; None where its speed is unknown."""
        if self.gpu_hours is not None or self.flops is None:
            return self.gpu_hours
        share = self.share_on(partition, assumptions)
        if partition.peak_flops is None or share is None:
            return None
        return self.flops / (partition.peak_flops * share) / 3600

    def share_on(self, partition: Partition, assumptions: Assumptions) -> float | None:
        """Share of the partition's peak that the work reaches: the planner's for training, else the stated one."""
        if partition.peak_flops is None:
            return None
        planned = None
        if self.trained is not None:
            planned = training_flops_per_s(self.trained, accelerator=partition.accelerator, system=partition.id)
        if planned is None:
            return assumptions.efficiency[partition.vendor]
        devices = node_of(partition.accelerator, partition.id).devices_per_gpu
        return planned * devices / partition.peak_flops


def need_of(intake: Intake, places: Places) -> Need:
    """What the answers ask for, with the way to it in words."""
    a, language = places.assumptions, intake.language
    if intake.goal in MODEL_WORK:
        return _model_need(intake, a)
    if intake.gpu_hours is not None:
        return Need(None, intake.gpu_hours, 0.0, (_given(intake.gpu_hours, language),))
    if intake.goal in TRIAL:
        reason = say("need-trial", language, hours=number(a.trial_gpu_hours, language))
        return Need(None, a.trial_gpu_hours, 0.0, (reason,))
    return Need(None, None, 0.0, ())


def _given(gpu_hours: float, language: str) -> str:
    return say("need-given", language, hours=number(gpu_hours, language))


def _model_need(intake: Intake, a: Assumptions) -> Need:
    language, goal, reasons = intake.language, str(intake.goal), []
    tokens = float(intake.tokens) if intake.tokens else None
    if intake.text_gb:
        tokens = intake.text_gb * a.tokens_per_gb
        reasons.append(
            say("need-text", language, gb=number(intake.text_gb, language), tokens=_counted(tokens, language))
        )
    parameters = float(intake.parameters) if intake.parameters else a.parameters
    if not intake.parameters and intake.goal is Goal.PRETRAIN and tokens:
        parameters, ratio = tokens / a.tokens_per_parameter, number(a.tokens_per_parameter, language)
        reasons.append(say("need-parameters-data", language, parameters=_counted(parameters, language), ratio=ratio))
    elif not intake.parameters:
        reasons.append(say("need-parameters", language, parameters=_counted(parameters, language)))
    memory_gb = parameters * a.bytes_per_parameter[goal] / 1e9
    if intake.gpu_hours is not None:
        return Need(None, intake.gpu_hours, memory_gb, (*reasons, _given(intake.gpu_hours, language)))
    if tokens is None:
        tokens = _usual_tokens(intake.goal, parameters, a)
        reasons.append(say("need-tokens", language, tokens=_counted(tokens, language)))
    factor, epochs = (2 if intake.goal is Goal.USE else 6), a.epochs[goal]
    once = factor * parameters * tokens * epochs
    reasons.append(
        say(
            "need-formula",
            language,
            factor=factor,
            parameters=_counted(parameters, language),
            tokens=_counted(tokens, language),
            epochs=number(epochs, language),
            flops=f"{once:.2g}",
            trials=number(a.trials, language),
        )
    )
    trained = parameters if intake.goal in TRAINING else None
    return Need(once * a.trials, None, memory_gb, tuple(reasons), trained)


def _usual_tokens(goal: Goal, parameters: float, a: Assumptions) -> float:
    if goal is Goal.PRETRAIN:
        return a.tokens_per_parameter * parameters
    return a.use_tokens if goal is Goal.USE else a.fine_tune_tokens


def _counted(count: float, language: str) -> str:
    text = format_count(count)
    return text.replace(".", ",") if language == "it" else text


def workstation_days(need: Need, a: Assumptions) -> float | None:
    """Days on one card of one's own; None where the work does not fit it, or takes longer than one would wait."""
    card = find_accelerator(a.workstation.accelerator)
    if need.memory_gb > a.usable_memory * card.mem_gb:
        return None
    if need.flops is not None:
        days = need.flops / (card.peak_16 * a.efficiency[card.vendor]) / 86400
    elif need.gpu_hours is not None:
        days = need.gpu_hours / 24
    else:
        return None
    return days if days <= a.workstation.days else None


def gpus_at_once(gpu_hours: float, *, months: int) -> int:
    """GPUs that must run all the time to use the amount in so many months."""
    return max(1, math.ceil(gpu_hours / (months * HOURS_A_MONTH)))
