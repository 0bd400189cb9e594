"""From a project file to five jobs on a partition: recipes, walltimes, and the GPU-seconds used at most."""

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from fucina.compute.spec import JobSpec
from fucina.data.recipe import PrepareRecipe, SourceFile
from fucina.errors import BadInput
from fucina.line.spec import STAGES, ProjectSpec, StageName
from fucina.line.stage import ReleaseRecipe, StageInput
from fucina.models.recipe import TrainRecipe, shape_for, train_flops
from fucina.network.spec import Partition, Site
from fucina.trust.recipe import DocumentRecipe, EvaluateRecipe
from fucina.units import gpu_hours, gpu_seconds

TRAIN_SHARE = 0.8
"""Share of the run's GPU-hours that `train` may use; `evaluate` has the rest."""

SIDE_WALLTIME_S = 3600
"""Walltime of the stages that use no accelerator."""


class BudgetTooSmall(BadInput):
    """The project's own limit does not cover what it asks for."""

    code = "budget_too_small"


class BadNumberOfGpus(BadInput):
    """The partition cannot give so many accelerators to one job."""

    code = "bad_number_of_gpus"


class PlannedStage(BaseModel):
    """A stage as the hub stores it and the agent runs it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: StageName
    job: JobSpec
    input: StageInput


def job_key(run: str, stage: StageName) -> str:
    """The idempotency key of a stage's job."""
    return f"{run}.{stage}"


def prepare_recipe(spec: ProjectSpec, *, sources: Sequence[SourceFile], tokenizer: str = "") -> PrepareRecipe:
    """What `prepare` is asked to do for a project; `tokenizer` is where the given one lies, if not as the file says."""
    return PrepareRecipe(
        sources=tuple(sources),
        languages=spec.data.languages,
        redact=spec.data.redact,
        min_characters=spec.data.min_characters,
        quality=spec.data.quality,
        near_duplicate_threshold=spec.data.near_duplicate_threshold,
        tokenizer=tokenizer or spec.data.tokenizer,
        vocabulary_size=spec.data.vocabulary_size,
        num_canaries=spec.data.num_canaries,
        seed=spec.seed,
    )


def recipes(
    spec: ProjectSpec, *, sources: Sequence[SourceFile], run: str, site: Site, partition: Partition
) -> dict[StageName, BaseModel]:
    """The five recipes of a project."""
    return {
        StageName.PREPARE: prepare_recipe(spec, sources=sources),
        StageName.TRAIN: TrainRecipe(
            recipe=spec.train.recipe,
            size=spec.train.size,
            num_tokens=spec.train.tokens,
            sequence_length=spec.train.sequence_length,
            peak_tflops=partition.accelerator.tflops_bf16,
            seed=spec.seed,
        ),
        StageName.EVALUATE: EvaluateRecipe(
            suite=spec.evaluate.suite, gates=spec.evaluate.gates, languages=spec.data.languages, seed=spec.seed
        ),
        StageName.DOCUMENT: DocumentRecipe(
            project=spec.name,
            organisation=spec.organisation,
            purpose=spec.purpose,
            sector=spec.sector,
            contact=spec.contact,
            licence=spec.licence,
            languages=spec.data.languages,
            site=site.name,
            accelerator=partition.accelerator.id,
            accelerator_peak_tflops=partition.accelerator.tflops_bf16,
        ),
        StageName.RELEASE: ReleaseRecipe(project=spec.name, organisation=spec.organisation, run=run),
    }


def nodes_for(num_gpus: int, *, site: Site, partition: Partition) -> int:
    """Nodes that a job with so many accelerators takes: part of one, or whole ones. Raises BadNumberOfGpus."""
    per_node = partition.num_gpus_per_node
    if num_gpus <= per_node:
        return 1
    most = per_node * partition.num_nodes
    if num_gpus > most:
        raise BadNumberOfGpus(
            f"The project asks for {num_gpus} accelerators at once; {site.id}/{partition.id} has {most}.",
            hint=f"Set compute.gpus to {most} or less.",
        )
    if over := num_gpus % per_node:
        raise BadNumberOfGpus(
            f"{num_gpus} accelerators are no whole number of nodes of {site.id}/{partition.id} with {per_node} each.",
            hint=f"Set compute.gpus to {num_gpus - over} or {num_gpus - over + per_node}.",
        )
    return num_gpus // per_node


def plan_run(
    spec: ProjectSpec, *, sources: Sequence[SourceFile], run: str, site: Site, partition: Partition
) -> tuple[PlannedStage, ...]:
    """The five jobs of a run, each waiting for the one before.

    Raises BudgetTooSmall when training alone needs more than the project's `gpu_hours`: the model's FLOPs over the
    partition's peak times its planned efficiency; UnknownSize.
    """
    budget_gpu_s = gpu_seconds(spec.compute.gpu_hours)
    accelerator = partition.accelerator
    rate = accelerator.tflops_bf16 * 1e12 * partition.efficiency
    flops = train_flops(
        shape_for(spec.train.size),
        vocabulary_size=spec.data.vocabulary_size,
        sequence_length=spec.train.sequence_length,
        num_tokens=spec.train.tokens,
    )
    need_gpu_s = math.ceil(flops / rate)
    train_gpu_s = math.floor(budget_gpu_s * TRAIN_SHARE)
    if max(need_gpu_s, spec.compute.gpus) > train_gpu_s:
        raise BudgetTooSmall(
            f"Training {spec.train.size} on {spec.train.tokens:,} tokens needs about {gpu_hours(need_gpu_s)} GPU-hours "
            f"on {site.id}/{partition.id}; compute.gpu_hours leaves {gpu_hours(train_gpu_s)} for it.",
            hint=f"Set compute.gpu_hours to {need_gpu_s / TRAIN_SHARE / 3600:.2g} or more, or train on fewer tokens.",
        )
    num_nodes = nodes_for(spec.compute.gpus, site=site, partition=partition)
    num_devices = spec.compute.gpus * partition.billing.devices_per_gpu
    num_gpus = {StageName.TRAIN: spec.compute.gpus, StageName.EVALUATE: 1}
    budget_s = {
        StageName.TRAIN: train_gpu_s // spec.compute.gpus,
        StageName.EVALUATE: max(budget_gpu_s - train_gpu_s, 1),
    }
    by_stage = recipes(spec, sources=sources, run=run, site=site, partition=partition)
    planned = []
    for position, stage in enumerate(STAGES):
        is_wide = stage is StageName.TRAIN
        planned.append(
            PlannedStage(
                stage=stage,
                job=JobSpec(
                    key=job_key(run, stage),
                    name=f"{spec.name}-{stage}",
                    command=("fucina", "stage", str(stage), "."),
                    num_gpus=num_gpus.get(stage, 0),
                    num_nodes=num_nodes if is_wide else 1,
                    num_ranks_per_node=num_devices // num_nodes if is_wide else 0,
                    walltime_s=min(budget_s.get(stage, SIDE_WALLTIME_S), partition.max_walltime_s),
                    depends_on=(job_key(run, STAGES[position - 1]),) if position else (),
                ),
                input=StageInput(
                    stage=stage,
                    run=run,
                    recipe=by_stage[stage].model_dump(mode="json"),
                    earlier={earlier: f"../{earlier}" for earlier in STAGES[:position]},
                    num_gpus=num_gpus.get(stage, 0),
                    power_w=accelerator.power_w,
                ),
            )
        )
    return tuple(planned)
