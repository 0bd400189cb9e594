"""Settings with which a trainer starts in a planned layout."""

import math
from typing import Any

import yaml

from fucina.models.recipe import TrainRecipe
from fucina.planning.ask import Recipe, TrainingAnswer
from fucina.planning.machines import find_accelerator, find_system
from fucina.planning.models import own_size
from fucina.planning.rates import Precision

PORT = 29500
"""torchrun's own default for the rendezvous."""
MEETING = f"$MASTER_ADDR:{PORT}"
WORKDIR = "WORKDIR"
"""Stands in the command for the folder of the training stage."""


def launch_settings(answer: TrainingAnswer) -> dict[str, Any]:
    """torchrun's arguments, how FSDP splits, and the numbers of the recipe; one mapping, ready for YAML."""
    layout = answer.layout
    per_node = _per_node(answer)
    replicas = max(1, layout.data * layout.context // layout.shard)
    steps = layout.data * layout.micro_batch * answer.sequence
    own = trainer_settings(answer)
    return {
        **({} if own is None else {"trainer": own}),
        "torchrun": {
            "nnodes": -(-layout.devices // per_node),
            "nproc_per_node": per_node,
            "rdzv_backend": "c10d",
            "rdzv_endpoint": MEETING,
        },
        "fsdp": {
            "mesh": {"replicate": replicas, "shard": layout.data * layout.context // replicas},
            "reshard_after_forward": layout.zero == 3,
            "reduce_dtype": "float32",
            "param_dtype": "bfloat16",
        },
        "parallel": {
            "tensor": layout.tensor,
            "context": layout.context,
            "expert": layout.expert,
            "pipeline": layout.pipeline,
            "interleaved": layout.interleaved,
        },
        "recompute": {"mode": layout.recompute, "share_of_layers": round(layout.recomputed_share, 3)},
        "recipe": {
            "num_tokens": answer.question.num_tokens,
            "sequence_length": answer.sequence,
            "batch_tokens": answer.batch_tokens,
            "micro_batch_sequences": layout.micro_batch,
            "accumulate": -(-answer.batch_tokens // steps),
            "precision": str(answer.question.precision),
            "checkpoint_every_s": answer.goodput.checkpoint_interval_s,
        },
        "expect": {
            "step_s": round(layout.step_s, 4),
            "tokens_per_s_per_device": round(layout.tokens_per_s_per_device, 1),
            "memory_gib": round(layout.memory_gib, 1),
        },
    }


def _per_node(answer: TrainingAnswer) -> int:
    return min(find_system(answer.system).per_node, answer.layout.devices)


def trainer_settings(answer: TrainingAnswer) -> dict[str, Any] | None:
    """The command of every node and the recipe with which the factory's own trainer runs the layout.

    None where it cannot: for models that are none of its named sizes, other recipes than pretraining, other precision
    than bf16, and layouts that split the model or its state.
    """
    question, layout = answer.question, answer.layout
    size = own_size(answer.model)
    whole = layout.zero == 0 and layout.devices == layout.data
    wanted = question.recipe is Recipe.PRETRAIN and question.precision is Precision.BF16
    if size is None or not whole or not wanted or answer.sequence < 16:
        return None
    per_node = _per_node(answer)
    nodes = -(-layout.devices // per_node)
    every_s = answer.goodput.checkpoint_interval_s
    peak = find_accelerator(answer.accelerator).peak_16 / 1e12
    recipe = TrainRecipe(
        size=size, num_tokens=question.num_tokens, sequence_length=answer.sequence, batch_tokens=answer.batch_tokens,
        num_checkpoints=max(1, math.ceil(layout.days * 86_400 / every_s)) if every_s else 1,
        peak_tflops=round(peak * layout.devices, 1),
    )  # fmt: skip
    meeting = ["--standalone"] if nodes == 1 else ["--rdzv-backend=c10d", f"--rdzv-endpoint={MEETING}"]
    return {
        "command": [
            "torchrun", *meeting, f"--nnodes={nodes}", f"--nproc-per-node={per_node}",
            "-m", "fucina.cli", "stage", "train", WORKDIR,
        ],
        "recipe": recipe.model_dump(),
    }  # fmt: skip


def launch_yaml(answer: TrainingAnswer) -> str:
    """The same as text."""
    return yaml.safe_dump(launch_settings(answer), sort_keys=False)
