"""How a model is spread over devices, and what one such layout costs; needs no NumPy."""

from typing import Any, NamedTuple

from fucina.planning import kernel
from fucina.planning.kernel import Cost, Rates, Shape, Work
from fucina.planning.models import Model


class Layout(NamedTuple):
    """How a model is spread over devices."""

    tp: int
    cp: int
    ep: int
    pp: int
    vp: int
    dp: int
    shard: int
    """Ranks over which ZeRO splits."""
    zero: int
    mbs: int
    recompute: int
    sp: bool

    @property
    def devices(self) -> int:
        """Devices that the layout occupies."""
        return self.tp * self.cp * self.pp * self.dp


def shape_of(model: Model, *, sequence: int) -> Shape:
    """A model as the kernel sees it: equal layers."""
    layers = float(model.num_layers)
    qk, value = model.score_widths
    e = model.experts
    sparse = 0.0 if e is None else (model.num_layers - e.num_dense_layers) / layers
    inner = 0 if e is None else e.d_ff * e.num_shared
    dense_width = model.num_matrices * ((1 - sparse) * model.d_ff + sparse * inner)
    per_layer = model.dense_parameters / layers - model.attention_parameters
    return Shape(
        layers=layers, hidden=float(model.d_model), attention=float(model.attention_parameters),
        feed_forward=per_layer, expert=sparse * model.expert_parameters, routed=float(e.num_routed) if e else 0.0,
        top_k=float(e.top_k) if e else 0.0, expert_width=float(e.d_ff) if e else 0.0, ff_width=float(dense_width),
        qk=float(qk), value=float(value), kv=float(model.kv_width), heads=float(model.num_heads),
        table=float(model.vocabulary_size * model.d_model), tables=1.0 if model.tied else 2.0,
    )  # fmt: skip


def cost_of(shape: Shape, work: Work, rates: Rates, layout: Layout, *, functions: Any = kernel) -> Cost:
    """One layout with all its parts; `functions` is the plain or the compiled module."""
    tp, cp, ep, pp, mbs = (float(getattr(layout, name)) for name in ("tp", "cp", "ep", "pp", "mbs"))
    layer = functions.layer_cost(shape, work, rates, tp, cp, ep, mbs, layout.recompute, layout.sp)
    count = -(-(work.batch / mbs) // layout.dp)
    one = layer.matrix_s + layer.attention_s + layer.memory_s + layer.launch_s + layer.tp_s + layer.cp_s + layer.ep_s
    whole_s = shape.layers * one + functions.head_cost(shape, work, rates, mbs * work.sequence / cp, tp)
    ranks = functions.between_ranks(
        shape, work, rates, tp, cp, ep, pp, float(layout.dp), float(layout.shard), layout.zero, count, whole_s / pp
    )
    return functions.combine(
        shape, work, rates, layer, ranks, tp, cp, pp, float(layout.vp), mbs, count,
        shape.layers // pp, layout.recompute
    )  # fmt: skip
