"""Published training runs: rows of a file, read into what the planner predicts; measured fields stay apart."""

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fucina.errors import BadInput
from fucina.planning.machines import Accelerator, System, find_accelerator
from fucina.planning.models import GATED, Experts, Latent, Model
from fucina.planning.rates import Precision, Stack

LARGEST_FILE = 50_000_000
FUSED_SINCE = 2020
"""Year of the oldest accelerators that runs with fused attention are known of."""


class BadRuns(BadInput):
    """A file of runs that cannot be read."""

    code = "bad_runs"


Size = Annotated[int, Field(ge=1, le=10**6)] | None


class Asked(BaseModel):
    """What a row says of its layout; None where it is silent."""

    model_config = ConfigDict(frozen=True)

    tp: Size = None
    cp: Size = None
    ep: Size = None
    pp: Size = None
    vp: Size = None
    mbs: Size = None
    zero: Annotated[int, Field(ge=0, le=3)] | None = None
    shard: Size = None
    recompute: int | None = None
    sp: bool | None = None


class PublishedRun(BaseModel):
    """One row: configuration and, apart from it, what was measured."""

    model_config = ConfigDict(frozen=True)

    id: str
    family: str
    """Rows of one source, model and accelerator: they fall on the same side of a split."""
    kind: str
    model: Model
    accelerator: Accelerator
    system: System
    num_devices: int = Field(ge=1, le=10**8)
    sequence: int = Field(ge=1, le=10**9)
    batch: Annotated[int, Field(ge=1, le=10**9)] | None
    """Sequences a step; None where the row is silent."""
    precision: Precision
    stack: Stack
    release: float | None
    """Year of the software, where the source names a release such as 25.04."""
    asked: Asked
    measured_tokens_per_s: float | None
    """Tokens per second and device, as published or as derived from what was; never read while predicting."""
    measured_memory_gib: float | None = None


class Skipped(BaseModel):
    """A row that cannot be predicted, and why."""

    model_config = ConfigDict(frozen=True)

    id: str
    reason: str


def read_runs(path: Path) -> tuple[list[PublishedRun], list[Skipped]]:
    """All rows of a file, and those that describe too little.

    Raises BadRuns.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BadRuns(f"{path} has {path.stat().st_size:,} bytes.", hint=f"Files up to {LARGEST_FILE:,} are read.")
        rows = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadRuns(f"{path} cannot be read: {error}.", hint="Give a YAML file that holds a list of runs.") from error
    if not isinstance(rows, list) or not rows:
        raise BadRuns(f"{path} holds no list of runs.", hint="Each run has id, model, hardware, parallelism, batch.")
    runs: list[PublishedRun] = []
    skipped: list[Skipped] = []
    for number, row in enumerate(rows, start=1):
        name = str(row.get("id", f"row {number}")) if isinstance(row, dict) else f"row {number}"
        try:
            if not isinstance(row, dict):
                raise BadRuns("It is no mapping.")
            runs.append(_run(name, row))
        except ValidationError as error:
            first = error.errors()[0]
            skipped.append(Skipped(id=name, reason=f"{'.'.join(map(str, first['loc']))}: {first['msg']}"))
        except BadInput as error:
            skipped.append(Skipped(id=name, reason=error.message))
        except (TypeError, ValueError, AttributeError) as error:
            skipped.append(Skipped(id=name, reason=f"It cannot be understood: {error}."))
    return runs, skipped


def _run(name: str, row: dict[str, Any]) -> PublishedRun:
    hardware = row.get("hardware") or {}
    parallel = row.get("parallelism") or {}
    described = row.get("model") or {}
    for field, where in (("layers", described), ("hidden", described), ("accelerator", hardware), ("count", hardware)):
        if not where.get(field):
            raise BadRuns(f"It does not say {field}.")
    accelerator = find_accelerator(str(hardware["accelerator"]))
    model = _model(described)
    per_node = int(hardware.get("per_node") or 8)
    sequence = int(described.get("seq") or 2048)
    precision = _precision(str(row.get("precision") or "bf16"))
    return PublishedRun(
        id=name,
        family=f"{_source(name)}/{model.name}/{accelerator.id}",
        kind=str(row.get("kind") or "steady_state"),
        model=model,
        accelerator=accelerator,
        system=System(
            id=str(hardware.get("system") or accelerator.id),
            accelerator=accelerator.id,
            per_node=per_node,
            node_gbps=_node_gbps(str(hardware.get("system") or ""), accelerator, per_node),
        ),
        num_devices=int(hardware["count"]),
        sequence=sequence,
        batch=_batch(row.get("batch") or {}, sequence),
        precision=precision,
        stack=_stack(parallel, precision, str(row.get("source") or ""), accelerator),
        release=_release(str(row.get("source") or "")),
        asked=_asked(parallel, row.get("recompute"), accelerator),
        measured_tokens_per_s=(row.get("derived") or {}).get("tokens_per_s_per_gpu"),
        measured_memory_gib=(row.get("measured") or {}).get("memory_gib"),
    )


def _source(name: str) -> str:
    """The publication: the first word of the id."""
    return name.split("-")[0]


def _model(row: dict[str, Any]) -> Model:
    experts = None
    if row.get("moe"):
        moe = row["moe"]
        experts = Experts(
            num_routed=moe["routed"], num_shared=moe.get("shared", 0), top_k=moe["topk"], d_ff=moe["expert_ffn"],
            num_dense_layers=moe.get("dense_layers", 0),
        )  # fmt: skip
    latent = None
    words = str(row.get("attention") or "")
    if "MLA" in words:
        found = dict(re.findall(r"(kv_lora|q_lora|rope)\s+(\d+)", words))
        latent = Latent(
            kv_rank=int(found.get("kv_lora", 512)),
            q_rank=int(found.get("q_lora", 0)),
            rope_dim=int(found.get("rope", 64)),
        )
    windowed = "gpt-oss" in str(row.get("name", "")).lower()
    heads = int(row["heads"])
    return Model(
        name=str(row.get("name") or "unnamed"), num_layers=row["layers"], d_model=row["hidden"], num_heads=heads,
        num_kv_heads=row.get("kv_heads") or heads, d_ff=row.get("ffn") or 4 * row["hidden"],
        d_head=row.get("head_dim") or (128 if latent else 0), gated=str(row.get("ffn_act", "gelu")) in GATED,
        vocabulary_size=row.get("vocab") or 50304, tied=bool(row.get("tied", False)), experts=experts, latent=latent,
        window=128 if windowed else 0, window_share=0.5 if windowed else 0.0,
    )  # fmt: skip


def _node_gbps(words: str, accelerator: Accelerator, per_node: int) -> float:
    """Network of a node, Gbit/s per direction, as a row words it; the accelerator's usual one where it is silent."""
    several = re.search(r"(\d+)\s*x\s*(?:[A-Za-z]+)?\s*(\d{2,4})(?:\s*Gb|/node|\s+per node)", words)
    if several:
        return float(several.group(1)) * float(several.group(2))
    one = re.search(r"(\d{3,4})\s*Gb/s[^,;)]*per node", words)
    if one:
        return float(one.group(1))
    return (accelerator.scale_out_gbps or 200.0) * per_node


def _precision(words: str) -> Precision:
    lowered = words.lower()
    if "fp4" in lowered:
        return Precision.FP4
    if "fp8" in lowered:
        return Precision.FP8
    return Precision.FP16 if lowered == "fp16" else Precision.BF16


def _stack(parallel: dict[str, Any], precision: Precision, source: str, accelerator: Accelerator) -> Stack:
    """How joined the software is: half precision and chips before 2020 are older than fused attention; vendors publish
    tuned recipes."""
    framework = str(parallel.get("framework") or "").lower()
    if precision is Precision.FP16 or accelerator.year < FUSED_SINCE:
        return Stack.LEGACY
    if re.search(r"NVIDIA.*(benchmark|performance)", source) or "dualpipe" in str(parallel.get("schedule")).lower():
        return Stack.TUNED
    if parallel.get("compile") or "jax" in framework or "maxtext" in framework:
        return Stack.COMPILED
    if any(word in framework for word in ("megatron", "nemo", "transformer engine")):
        return Stack.FUSED
    sharded_by_torch = parallel.get("zero") == 3 and precision is Precision.BF16
    return Stack.EAGER if framework or sharded_by_torch else Stack.FUSED


def _release(source: str) -> float | None:
    """Year and month that a vendor's release has as its number, as a year with its fraction."""
    found = re.search(r"\bv?(2\d)\.(0[1-9]|1[0-2])\b", source)
    return 2000 + int(found.group(1)) + (int(found.group(2)) - 1) / 12 if found else None


def _batch(row: dict[str, Any], sequence: int) -> int | None:
    if row.get("global_batch_seqs"):
        return int(row["global_batch_seqs"])
    tokens = row.get("global_batch_tokens")
    return max(1, round(tokens / sequence)) if tokens else None


def _asked(parallel: dict[str, Any], recompute: object, accelerator: Accelerator) -> Asked:
    zero = parallel.get("zero")
    words = str(zero or "")
    within = re.search(r"within node \((\d+)\)", words)
    stage = int(words[0]) if words[:1].isdigit() else (0 if zero == 0 else None)
    shard = int(within.group(1)) if within else parallel.get("fsdp")
    if parallel.get("sharding") == "HSDP":
        shard = max(1, accelerator.scale_up_domain)
    said = {name: parallel.get(name) for name in ("tp", "cp", "ep", "pp", "vp", "mbs", "sp")}
    for name, number in re.findall(r"\b(TP|PP) ?(\d+)\b", str(parallel.get("note") or "")):
        said[name.lower()] = said[name.lower()] or int(number)
    one_stage = (
        str(parallel.get("schedule", "")).lower() == "1f1b" or "deepspeed" in str(parallel.get("framework")).lower()
    )
    if said["vp"] is None and one_stage:
        said["vp"] = 1  # DeepSpeed's pipeline engine gives a device one stage
    return Asked(**said, zero=stage, shard=shard, recompute=_recompute(recompute))


def _recompute(words: object) -> int | None:
    text = str(words or "").lower()
    if "or" in text.split() or "not stated" in text:
        return None
    for start, mode in (("none", 0), ("selective", 1), ("full", 2)):
        if text.startswith(start):
            return mode
    return None
