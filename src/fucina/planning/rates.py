"""What a machine and its software reach: fitted shares times published peaks."""

from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from fucina.errors import BadInput
from fucina.planning.kernel import Rates
from fucina.planning.machines import Accelerator, System


class NoPrecision(BadInput):
    """An accelerator that cannot calculate in the wanted precision."""

    code = "no_precision"


class Precision(StrEnum):
    """In what the large matrix products are calculated."""

    FP16 = "fp16"
    BF16 = "bf16"
    FP8 = "fp8"
    FP4 = "fp4"


class Stack(StrEnum):
    """How far the software joins small operations into large ones."""

    LEGACY = "legacy"
    """Before fused attention (2021): scores pass through memory, exchange waits for calculation."""
    EAGER = "eager"
    """Operation by operation with fused attention, such as FSDP without a compiler."""
    COMPILED = "compiled"
    """torch.compile or XLA."""
    FUSED = "fused"
    """Hand-joined kernels, such as Megatron-LM with Transformer Engine."""
    TUNED = "tuned"
    """The same in a vendor's own benchmark recipe, where most exchange hides behind calculation."""


class Constants(BaseModel):
    """Fitted shares; 1 is the data sheet."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    matrix_ampere: float = 0.8
    """Largest share of the 16-bit peak that matrix products reach."""
    matrix_hopper: float = 0.68
    matrix_blackwell: float = 0.65
    matrix_cdna: float = 0.45
    fp8_hopper: float = 0.55
    """The same of the 8-bit peak."""
    fp8_blackwell: float = 0.5
    half_rows: float = 300.0
    """Rows at which a matrix product reaches half its rate."""
    half_width: float = 150.0
    attention_ampere: float = 0.55
    """Share of the 16-bit peak that fused attention reaches."""
    attention_hopper: float = 0.45
    attention_blackwell: float = 0.35
    attention_cdna: float = 0.25
    unfused: float = 8.0
    """Passes over the scores where attention is not fused."""
    memory: float = 0.8
    """Share of the memory bandwidth."""
    passes_eager: float = 9.0
    """Times that each intermediate value passes through memory, forward and backward."""
    passes_compiled: float = 6.0
    passes_fused: float = 5.0
    permute: float = 6.0
    """The same for values sent to experts."""
    launch_us: float = 100.0
    """Host time per layer and micro-batch, microseconds."""
    launch_experts_us: float = 200.0
    """Host time per layer, micro-batch and expert on a device, microseconds."""
    route_ns: float = 50.0
    """To deal tokens to experts, per layer, token and expert on a device, nanoseconds."""
    experts: float = 0.7
    """Rate of products grouped by expert, over that of whole ones."""
    plain_attention: float = 0.6
    """Rate of attention kernels that do not use the matrix units' newest instructions, on Hopper and later."""
    compiled_attention: float = 0.8
    """The same of the kernels that compiled software calls."""
    up: float = 0.75
    """Share of the bandwidth within a scale-up domain."""
    out: float = 0.75
    """Share of the network's bandwidth."""
    congestion: float = 0.3
    tp_exposed: float = 0.7
    """Share of tensor-parallel exchange that nothing hides."""
    cp_exposed: float = 0.5
    ep_exposed: float = 0.7
    pp_exposed: float = 0.5
    early: float = 0.85
    """Rate of a vendor's recipe in the first year of a generation of accelerators, over what later releases reach."""
    tuned_exposed: float = 0.5
    """What remains exposed in a vendor's own recipe, over what is exposed otherwise."""
    gather_exposed: float = 0.15
    """Share of gathering split parameters that nothing hides."""
    dp_exposed: float = 0.2
    dp_hidden: float = 0.7
    """Share of the calculation behind which gradient exchange can hide."""
    step_ms: float = 20.0
    """Per step, whatever its size, milliseconds."""


GENERATIONS = {"V100": "ampere", "A100": "ampere", "A800": "ampere", "B200": "blackwell", "GB200": "blackwell",
               "B300": "blackwell", "GB300": "blackwell", "Rubin": "blackwell", "MI250X": "cdna", "TPUv3": "ampere",
               "TPUv4": "ampere", "L40S": "ampere", "H100": "hopper", "H200": "hopper", "H800": "hopper",
               "GH200": "hopper"}  # fmt: skip
"""Which fitted shares an accelerator takes; all others are unseen."""
UNSEEN = "unseen"
"""A generation of which no published run was at hand."""
UNSEEN_OF_TESTS = 0.85
"""Of the largest rate in public tests, what training reaches there; fitted generations reach 0.81 to 0.96."""
UNSEEN_TESTED = 0.7
"""That rate over the peak where no test is known."""
UNSEEN_MOST = 0.7
"""Largest share of the peak that is believed without a run; about Hopper's."""
UNSEEN_ATTENTION = 0.3

MATRIX_OF_KNOWN = {"ampere": 0.86, "hopper": 0.80, "cdna": 0.77, "blackwell": 0.80}
"""Largest rate in public tests of the accelerator that each generation was fitted on, over its peak."""


SINCE = {"blackwell": 2024.9, "hopper": 2022.8, "ampere": 2020.4}
"""When a generation came to users; the year with its fraction."""
EARLY_YEARS = 0.8
"""Until a vendor's software has been fitted to a generation."""
USABLE = 0.96 * 2**30
"""Usable bytes of a nominal GB of memory: vendors mean 2^30, and the context and what lies between blocks are lost."""


def generation(accelerator: Accelerator) -> str:
    """The generation whose fitted shares an accelerator takes."""
    return GENERATIONS.get(accelerator.id.split("-")[0], UNSEEN)


def is_calibrated(accelerator: Accelerator) -> bool:
    """Whether a published run on that very accelerator is among those that were fitted on."""
    halves = calibration()["families"].values()
    return any(family.rsplit("/", 1)[-1] == accelerator.id for half in halves for family in half)


@cache
def fitted(which: str = "all") -> Constants:
    """The shipped constants: fitted on all published runs, or on one half of them (`a`, `b`)."""
    return Constants.model_validate(calibration()["fits"][which])


@cache
def calibration() -> dict[str, Any]:
    """The shipped file that the fit wrote."""
    text = files("fucina.planning").joinpath("constants.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return found


def rates(
    accelerator: Accelerator,
    system: System,
    *,
    precision: Precision,
    stack: Stack,
    constants: Constants,
    release: float | None = None,
) -> Rates:
    """Rates of one device; `release` is the year of a vendor's software, None where it is not known to be early.

    Raises NoPrecision.
    """
    kind = generation(accelerator)
    share, scale = _matrix_share(accelerator, kind, constants), accelerator.clock
    if accelerator.gemm_eff and kind != UNSEEN:
        scale *= accelerator.gemm_eff / MATRIX_OF_KNOWN[kind]
    if stack is Stack.TUNED and release is not None and release < SINCE.get(kind, 0.0) + EARLY_YEARS:
        scale *= constants.early
    peak_16 = accelerator.peak_16
    matrix16 = peak_16 * share * scale
    matrix = matrix16
    if precision in (Precision.FP8, Precision.FP4):
        matrix = max(matrix16, _low_peak(accelerator, precision) * scale * _low_share(kind, share, constants))
    legacy = stack is Stack.LEGACY
    plain = stack in (Stack.EAGER, Stack.COMPILED)
    attention = UNSEEN_ATTENTION if kind == UNSEEN else getattr(constants, f"attention_{kind}")
    if plain and kind in ("hopper", "blackwell"):
        attention *= constants.plain_attention if stack is Stack.EAGER else constants.compiled_attention
    out = system.node_gbps / 8 / system.per_node * 1e9
    joined = stack in (Stack.FUSED, Stack.TUNED)
    hides = constants.tuned_exposed if stack is Stack.TUNED else 1.0
    low = precision in (Precision.FP8, Precision.FP4)
    return Rates(
        matrix=matrix, matrix16=matrix16, half_rows=constants.half_rows, half_width=constants.half_width,
        attention=peak_16 * scale * (0.5 * share if legacy else attention),
        unfused=constants.unfused if legacy else 0.0, memory=accelerator.mem_bw * 1e9 * constants.memory,
        passes=constants.passes_fused if joined else
        constants.passes_compiled if stack is Stack.COMPILED else constants.passes_eager,
        permute=constants.permute, launch_s=constants.launch_us * 1e-6,
        launch_experts_s=constants.launch_experts_us * 1e-6, route_s=constants.route_ns * 1e-9,
        experts=constants.experts,
        up=max(accelerator.scale_up * 1e9, out) * constants.up, domain=float(accelerator.scale_up_domain or 1),
        out=out * constants.out, congestion=constants.congestion, nics=0.0 if legacy else 1.0,
        tp_exposed=1.0 if legacy else constants.tp_exposed * hides, cp_exposed=constants.cp_exposed * hides,
        ep_exposed=constants.ep_exposed * hides, pp_exposed=constants.pp_exposed * hides,
        dp_exposed=1.0 if legacy else constants.dp_exposed * hides, dp_hidden=0.0 if legacy else constants.dp_hidden,
        gather_exposed=constants.gather_exposed * hides, gather_hidden=constants.dp_hidden,
        grad_bytes=4.0 if legacy or joined else 2.0,  # Megatron-LM adds in 32 bits (arXiv 2407.21783)
        step_s=constants.step_ms * 1e-3,
        kept=(0.8 if low else 1.0) * (0.85 if joined else 1.0),
        logit_bytes=8.0 if plain else 4.0,  # one pass over whole logits keeps 16-bit and 32-bit copies and the gradient
        capacity=accelerator.mem_gb * USABLE,
    )  # fmt: skip


def _low_peak(accelerator: Accelerator, precision: Precision) -> float:
    tflops = accelerator.tflops_fp4 if precision is Precision.FP4 else accelerator.tflops_fp8
    if not tflops:
        raise NoPrecision(
            f"{accelerator.id} has no {precision} matrix units.", hint="Plan with --precision bf16 instead."
        )
    return tflops * 1e12


def _matrix_share(accelerator: Accelerator, kind: str, constants: Constants) -> float:
    if kind != UNSEEN:
        return float(getattr(constants, f"matrix_{kind}"))
    return min(UNSEEN_MOST, UNSEEN_OF_TESTS * (accelerator.gemm_eff or UNSEEN_TESTED))


def _low_share(kind: str, share: float, constants: Constants) -> float:
    if kind in ("hopper", "blackwell"):
        return float(getattr(constants, f"fp8_{kind}"))
    return share * constants.fp8_hopper / constants.matrix_hopper
