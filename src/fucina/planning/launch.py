"""Settings with which a trainer starts in a planned layout."""

from typing import Any

import yaml

from fucina.planning.ask import TrainingAnswer
from fucina.planning.machines import find_system

PORT = 29500
"""torchrun's own default for the rendezvous."""


def launch_settings(answer: TrainingAnswer) -> dict[str, Any]:
    """torchrun's arguments, how FSDP splits, and the numbers of the recipe; one mapping, ready for YAML."""
    layout = answer.layout
    per_node = min(find_system(answer.system).per_node, layout.devices)
    replicas = max(1, layout.data * layout.context // layout.shard)
    steps = layout.data * layout.micro_batch * answer.sequence
    return {
        "torchrun": {
            "nnodes": -(-layout.devices // per_node),
            "nproc_per_node": per_node,
            "rdzv_backend": "c10d",
            "rdzv_endpoint": f"$MASTER_ADDR:{PORT}",
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


def launch_yaml(answer: TrainingAnswer) -> str:
    """The same as text."""
    return yaml.safe_dump(launch_settings(answer), sort_keys=False)
