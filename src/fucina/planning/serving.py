"""Writing tokens with a model: memory decides how many sequences at once, bandwidth how fast each goes.

Each new token reads all active weights once for the whole batch and the keys and values of its own sequence
(Pope et al. 2022, arXiv 2211.05102). Not calibrated: no published serving run was at hand.
"""

from fucina.planning.ask import ServingAnswer, TrainingQuestion
from fucina.planning.machines import carbon_g_per_kwh
from fucina.planning.rates import Precision
from fucina.planning.training import LARGEST_JOB, FitsNowhere, Task, look_up

LARGEST_BATCH = 512


def plan_serving(question: TrainingQuestion) -> ServingAnswer:
    """What writing the wanted tokens takes, on the fewest devices that hold the model.

    Raises UnknownModel, BadModel, UnknownSystem, UnknownAccelerator, NoPrecision, BadQuestion, FitsNowhere.
    """
    task = look_up(question)
    bytes_each = 1.0 if question.precision in (Precision.FP8, Precision.FP4) else 2.0
    weights = task.model.num_parameters * bytes_each
    cache = 2.0 * task.model.num_layers * task.model.kv_width * task.sequence
    room = task.rates.capacity
    devices = question.num_devices or _fewest(task, weights + cache, room)
    batch = min(LARGEST_BATCH, int((devices * room - weights) // cache))
    if batch < 1:
        raise FitsNowhere(
            f"{task.model.name} needs {(weights + cache) / 2**30:.1f} GiB for its weights and one sequence of "
            f"{task.sequence:,} tokens; {devices} × {task.accelerator.id} have {devices * room / 2**30:.1f}.",
            hint="Take more devices, a shorter --sequence, or --precision fp8.",
        )
    read_s = (_weights_read(task, batch) * bytes_each + batch * cache / 2) / devices / task.rates.memory
    count_s = 2.0 * task.model.num_active_parameters * batch / devices / task.rates.matrix
    send_s = 0.0
    if devices > 1:
        link = task.rates.up if devices <= task.rates.domain else task.rates.out
        send_s = 4.0 * task.model.num_layers * 2.0 * batch * task.model.d_model / link
    host_s = task.model.num_layers * task.rates.launch_s / 3
    step_s = max(read_s, count_s) + send_s + host_s
    seconds = question.num_tokens / batch * step_s
    hours = seconds / 3600 * devices / task.system.devices_per_gpu
    energy_mwh = seconds / 3600 * devices * task.accelerator.power_w * task.system.pue / 1e6
    carbon = question.g_per_kwh if question.g_per_kwh is not None else carbon_g_per_kwh(task.system.country)
    price = question.eur_per_gpu_hour
    bound = "reading weights, keys and values" if read_s >= count_s else "matrix products"
    return ServingAnswer(
        question=question, model=task.model.name, system=task.system.id, accelerator=task.accelerator.id,
        devices_per_replica=devices, batch=batch, context=task.sequence,
        tokens_per_s_per_device=batch / step_s / devices,
        tokens_per_s_per_user=1 / step_s, gpu_hours=hours, energy_mwh=energy_mwh,
        tco2e=None if carbon is None else energy_mwh * carbon / 1e3,
        eur=None if price is None and question.eur_per_kwh is None
        else hours * (price or 0.0) + energy_mwh * 1e3 * (question.eur_per_kwh or 0.0),
        memory_gib=(weights + batch * cache) / devices / 2**30, bound_by=bound,
        notes=["Not calibrated: no published serving run was at hand. Only writing is counted, not reading prompts."],
    )  # fmt: skip


def _fewest(task: Task, need: float, room: float) -> int:
    devices, most = 1, task.system.nodes * task.system.per_node or LARGEST_JOB
    while devices * room < need:
        devices *= 2
        if devices > most:
            raise FitsNowhere(
                f"{task.model.name} needs {need / 2**30:,.0f} GiB for its weights and one sequence of "
                f"{task.sequence:,} tokens; {most:,} × {task.accelerator.id} have {most * room / 2**30:,.0f}.",
                hint="Take a shorter --sequence or --precision fp8.",
            )
    return devices


def _weights_read(task: Task, batch: int) -> float:
    """Parameters that one step reads: all of a dense model, of experts those that the batch's tokens chose."""
    experts = task.model.experts
    dense = task.model.num_parameters - task.model.routed_parameters
    if experts is None:
        return dense
    untouched = (1 - experts.top_k / experts.num_routed) ** batch
    return dense + task.model.routed_parameters * (1 - untouched)
