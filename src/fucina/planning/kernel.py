"""The closed form: seconds and bytes of one training step, from a shape, a job, rates and a layout.

Plain arithmetic only (no power, logarithm or exponential), so that the compiled and the plain path give the same bits:
`compiled.py` compiles these same functions. Bytes, seconds, FLOPs; all figures are floats, per device.

What is counted: matrix products by size; attention; elementwise traffic through memory; tensor-, context- and
expert-parallel exchange within a layer; pipeline bubble and hand-over; gradient and parameter exchange; optimizer.
Sources: Narayanan et al. 2021 (arXiv 2104.04473) for the bubble and tensor parallelism, Korthikanti et al. 2022
(arXiv 2205.05198) for activations and sequence parallelism, Rajbhandari et al. 2020 (arXiv 1910.02054) for ZeRO.
"""

from typing import Any, NamedTuple

HALF_HEAD = 100.0
"""Head width at which attention reaches half its rate: exponentials take the same time whatever the width. Published
forward rates of fused attention on Hopper at 64 are some 0.7 of those at 128 (Shah et al. 2024, arXiv 2407.08608)."""
NO_RECOMPUTE, SELECTIVE, FULL, PARTIAL = 0, 1, 2, 3
"""PARTIAL recalculates whole layers, as few as fit."""


class Shape(NamedTuple):
    """A model with its layers made equal: what differs between layers enters as a mean."""

    layers: float
    hidden: float
    attention: float
    """Parameters of the projections, a layer."""
    feed_forward: float
    """Parameters of the part that every token passes (dense layers, shared experts, router), a layer."""
    expert: float
    """Parameters of one routed expert, a layer; 0 for a dense model."""
    routed: float
    top_k: float
    expert_width: float
    ff_width: float
    """Width inside the part that every token passes, times its matrices: what is kept of it."""
    qk: float
    value: float
    kv: float
    heads: float
    table: float
    """Parameters of one embedding table."""
    tables: float


class Work(NamedTuple):
    """What one step has to do."""

    sequence: float
    batch: float
    """Sequences a step."""
    attended: float
    """Positions that a token attends to, on average."""
    weight_gradient: float
    """1 where all weights learn, 0 where they are frozen under adapters."""
    forward_only: float
    """Forward passes beside the trained one: 1 for the reference model of DPO."""
    trained: float
    """Share of the parameters that the optimizer keeps state for."""


class Rates(NamedTuple):
    """What the machine and its software reach: fitted shares times peaks. FLOP/s, B/s, s."""

    matrix: float
    matrix16: float
    half_rows: float
    """Rows of a product at which it reaches half of its rate."""
    half_width: float
    attention: float
    unfused: float
    """Passes over the attention scores through memory; 0 where attention is fused."""
    memory: float
    passes: float
    """Bytes of elementwise traffic, in times that each intermediate value is read or written once."""
    permute: float
    """The same for routed tokens."""
    launch_s: float
    """Host time per layer and micro-batch, whatever its size."""
    launch_experts_s: float
    """Host time per expert that a device holds."""
    route_s: float
    """To deal tokens to experts, per token and expert that a device holds."""
    experts: float
    """Rate of products grouped by expert, over that of whole ones."""
    up: float
    domain: float
    """Devices that reach each other at `up`."""
    out: float
    congestion: float
    """Growth of the exchange time between domains as the job grows."""
    nics: float
    """1 where sharded parameters use every network port of a domain, 0 where they use one."""
    tp_exposed: float
    cp_exposed: float
    ep_exposed: float
    pp_exposed: float
    dp_exposed: float
    dp_hidden: float
    """Share of the backward pass behind which exchange of gradients can hide."""
    gather_exposed: float
    """The same for the parameters that ZeRO-3 gathers."""
    gather_hidden: float
    grad_bytes: float
    step_s: float
    kept: float
    """Share of 16 bits in which activations are kept."""
    logit_bytes: float
    """Kept for each token and entry of the vocabulary while the loss is taken."""
    capacity: float


class Layer(NamedTuple):
    """One layer and one micro-batch, forward and backward, on one device."""

    matrix_s: float
    attention_s: float
    memory_s: float
    launch_s: float
    recompute_s: float
    tp_s: float
    cp_s: float
    ep_s: float
    act_bytes: float
    """Kept until the backward pass."""
    work_bytes: float
    """Needed while the layer is at work."""
    least_bytes: float
    """Kept where the layer is recalculated."""
    again_s: float
    """To recalculate it."""


class Exchange(NamedTuple):
    """Gradients and parameters between data-parallel ranks, and what is kept of them."""

    exposed_s: float
    optimizer_s: float
    state_bytes: float


class Cost(NamedTuple):
    """One step."""

    step_s: float
    memory_bytes: float
    matrix_s: float
    attention_s: float
    memory_s: float
    launch_s: float
    recompute_s: float
    tp_s: float
    cp_s: float
    ep_s: float
    pp_s: float
    bubble_s: float
    dp_s: float
    optimizer_s: float
    state_bytes: float
    act_bytes: float
    logit_bytes: float
    micro_batches: float
    recomputed: float
    """Share of the layers that are recalculated."""


def layer_cost(
    shape: Shape, work: Work, rates: Rates, tp: float, cp: float, ep: float, mbs: float, recompute: int, sp: bool
) -> Layer:
    """One layer and one micro-batch."""
    tokens = mbs * work.sequence / cp
    passes = 2.0 + work.weight_gradient + work.forward_only
    width = shape.hidden / tp
    rate = rates.matrix * tokens / (tokens + rates.half_rows) * width / (width + rates.half_width)
    forward = 2.0 * tokens * (shape.attention + shape.feed_forward) / tp / rate
    routed_bytes, exchange, launch = 0.0, 0.0, rates.launch_s
    if shape.routed > 0.0:
        rows = tokens / tp * ep * shape.top_k / shape.routed
        wide = min(shape.expert_width, shape.hidden)
        rate = rates.matrix * rates.experts * rows / (rows + rates.half_rows) * wide / (wide + rates.half_width)
        forward += 2.0 * tokens * shape.top_k * shape.expert / tp / rate
        routed_bytes = 2.0 * tokens / tp * shape.top_k * (2.0 * shape.hidden + 3.0 * shape.expert_width)
        launch += (rates.launch_experts_s + rates.route_s * tokens / tp) * shape.routed / ep
        exchange = between_experts(shape, rates, tokens / tp, ep) * passes
    head = 0.5 * (shape.qk + shape.value) / shape.heads
    attention = rates.attention * head / (head + HALF_HEAD) * (128.0 + HALF_HEAD) / 128.0
    scores = 2.0 * tokens * work.attended * (shape.qk + shape.value) / tp / attention
    kept_hidden = shape.hidden / tp if sp else shape.hidden
    values = 2.0 * tokens * (5.0 * kept_hidden + (shape.qk + shape.kv + shape.value + shape.ff_width) / tp)
    score_values = tokens * work.sequence * shape.heads / tp if rates.unfused > 0.0 else 0.0
    traffic = rates.passes * values + rates.permute * routed_bytes + rates.unfused * 2.0 * score_values
    traffic = traffic / rates.memory
    link = rates.up if tp <= rates.domain else rates.out
    tensor = rates.tp_exposed * passes * 8.0 * tokens * shape.hidden * (tp - 1.0) / tp / link
    link = rates.up if tp * cp <= rates.domain else rates.out
    context = rates.cp_exposed * passes * 2.0 * tokens * (cp - 1.0) * shape.kv / tp / link
    kept = rates.kept * (values + routed_bytes) + 5.0 * score_values
    least = 2.0 * tokens * kept_hidden
    whole_again = forward + scores + traffic / 3.0 + (tensor + exchange + context) / passes
    again = 0.0
    act_bytes = kept
    if recompute == 1:
        again = (
            scores + rates.unfused * 2.0 * score_values / rates.memory / 3.0 if score_values > 0.0 else traffic / 6.0
        )
        act_bytes = rates.kept * (0.7 * values + 0.35 * routed_bytes)
    if recompute == 2:
        again = whole_again
        act_bytes = least
    return Layer(
        forward * passes, scores * (3.5 + work.forward_only), traffic * passes / 3.0, launch, again,
        tensor, context, exchange, act_bytes, kept, least, whole_again,
    )  # fmt: skip


def between_experts(shape: Shape, rates: Rates, tokens: float, ep: float) -> float:
    """Seconds that sending tokens to experts and back holds one pass up.

    Ranks of an expert group are neighbours, whatever else they split. A token crosses the network once to each other
    domain that holds some of its experts, and is dealt to them inside (DeepSeek-AI 2024, arXiv 2412.19437, 3.2.2).
    """
    if ep == 1.0:
        return 0.0
    domains = max(1.0, ep / rates.domain)
    missed = 1.0
    for _ in range(int(shape.top_k)):
        missed *= 1.0 - 1.0 / domains
    inside = shape.top_k * (ep - 1.0) / ep if rates.domain > 1.0 else 0.0
    across = (domains - 1.0) * (1.0 - missed)
    return rates.ep_exposed * 4.0 * tokens * shape.hidden * (inside / rates.up + across / rates.out)


def between_ranks(
    shape: Shape, work: Work, rates: Rates, tp: float, cp: float, ep: float, pp: float, dp: float, shard: float,
    zero: int, micro_batches: float, behind_s: float,
) -> Exchange:  # fmt: skip
    """Gradients, parameters and optimizer state; `behind_s` is the calculation of one micro-batch.

    `shard` is the number of ranks over which ZeRO splits, of `dp` times `cp`.
    """
    dense = shape.layers * (shape.attention + shape.feed_forward) / (tp * pp)
    dense += shape.table / tp * (shape.tables if pp == 1.0 else 1.0)
    spread = dp * cp
    experts, expert_spread, expert_link = 0.0, spread, rates.up
    if shape.routed > 0.0:
        experts = shape.layers * shape.routed * shape.expert / (ep * pp)
        expert_spread = max(1.0, spread * tp / ep)
        expert_link = link_between(rates, expert_spread, ep, zero)
    link = link_between(rates, spread, tp * cp, zero)
    exposed = 0.0
    if spread > 1.0 and zero < 3:
        exchange = (spread - 1.0) / spread * dense / link + (
            expert_spread - 1.0
        ) / expert_spread * experts / expert_link
        exchange *= work.trained * (rates.grad_bytes + 2.0)
        if zero == 2:
            exposed = micro_batches * uncovered(exchange * 0.5, rates.dp_exposed, rates.dp_hidden * behind_s * 0.6)
            exposed += 0.5 * exchange * rates.dp_exposed
        else:
            exposed = uncovered(exchange, rates.dp_exposed, rates.dp_hidden * behind_s * 0.6)
    elif spread > 1.0:
        split, across = link, 0.0
        if shard < spread:
            split = rates.up if shard * tp * cp <= rates.domain else link
            across = 2.0 * rates.grad_bytes * (dense + experts) / shard / rates.out * crowding(rates, spread, tp * cp)
        each = dense * (shard - 1.0) / shard / split
        if shape.routed > 0.0:
            over = min(shard, expert_spread)
            each += experts * (over - 1.0) / over / (split if shard < spread else expert_link)
        each *= 2.0 * (2.0 + work.weight_gradient)
        exposed = micro_batches * uncovered(each, rates.gather_exposed, rates.gather_hidden * behind_s)
        exposed += uncovered(across, rates.dp_exposed, rates.dp_hidden * behind_s * 0.6)
    over = shard if zero >= 1 else 1.0
    split_up = dense / over + experts / min(over, expert_spread)
    learned = work.trained * split_up
    state = 2.0 * (split_up if zero == 3 else dense + experts) * (1.0 + work.forward_only)
    state += rates.grad_bytes * work.trained * (split_up if zero >= 2 else dense + experts) + 12.0 * learned
    if zero == 3 and shard > 1.0:
        state += 2.0 * (shape.attention + shape.feed_forward + shape.expert * shape.routed / ep) / tp
    return Exchange(exposed, 30.0 * learned / rates.memory, state)


def crowding(rates: Rates, ranks: float, stride: float) -> float:
    """Slowing of an exchange by the number of domains that it joins; `stride` devices lie from rank to rank."""
    domains = ranks / max(1.0, min(ranks, rates.domain / stride))
    return 1.0 + rates.congestion * domains / (domains + 64.0)


def link_between(rates: Rates, ranks: float, stride: float, zero: int) -> float:
    """Bytes a second at which ranks that lie `stride` devices apart reduce or gather.

    Those of one domain join first and share its network ports; experts of a whole domain have one port each.
    """
    inside = max(1.0, min(ranks, rates.domain / stride))
    if ranks <= inside:
        return rates.up
    ports = inside if zero < 3 or rates.nics > 0.0 else 1.0
    return min(rates.up, rates.out * ports / crowding(rates, ranks, stride))


def uncovered(exchange_s: float, exposed: float, behind_s: float) -> float:
    """What of an exchange holds the step up: a fixed share, and what does not fit behind calculation."""
    return exposed * exchange_s + max(0.0, (1.0 - exposed) * exchange_s - behind_s)


def head_cost(shape: Shape, work: Work, rates: Rates, tokens: float, tp: float) -> float:
    """Output head and loss of one micro-batch, seconds."""
    flops = 2.0 * tokens * shape.table / tp * (2.0 + work.weight_gradient + work.forward_only)
    return flops / rates.matrix16 + 12.0 * tokens * shape.table / shape.hidden / tp / rates.memory


def combine(
    shape: Shape, work: Work, rates: Rates, layer: Layer, ranks: Exchange, tp: float, cp: float, pp: float, vp: float,
    mbs: float, micro_batches: float, whole: float, recompute: int,
) -> Cost:  # fmt: skip
    """One step of a whole layout; `whole` is the least number of layers of a pipeline stage."""
    tokens = mbs * work.sequence / cp
    even = whole * pp == shape.layers
    flight = min(pp, micro_batches)
    if vp > 1.0:
        flight *= 1.0 + (pp - 1.0) / (pp * vp)
    head = head_cost(shape, work, rates, tokens, tp)
    one = layer.matrix_s + layer.attention_s + layer.memory_s + layer.launch_s
    one += layer.tp_s + layer.cp_s + layer.ep_s
    logits = rates.logit_bytes * tokens * shape.table / shape.hidden / tp
    act = layer.act_bytes * max(whole, 1.0) * flight
    beside = ranks.state_bytes + layer.work_bytes + (logits if pp == 1.0 else 0.0)
    recomputed = 1.0 if recompute == 2 else 0.0
    again = layer.recompute_s
    if recompute == 3 and beside + act > rates.capacity:
        least = layer.least_bytes * max(whole, 1.0) * flight
        recomputed = min(1.0, (beside + act - 0.999999 * rates.capacity) / max(1.0, act - least))
        act += recomputed * (least - act)
        again = recomputed * layer.again_s
    one += again
    stage = (whole if even else whole + 1.0) * one
    if even and pp > 1.0:  # a heavy head takes the place of layers, which the other stages take over
        stage = min(stage + head, max(stage + one, max(0.0, whole - pp + 1.0) * one + head))
    else:
        stage = stage + head if even else max(stage, whole * one + head)
    mean = (shape.layers * one + head) / pp
    bubble = (pp - 1.0) / vp * stage + micro_batches * (stage - mean)
    hand_over = 0.0
    if pp > 1.0:
        hand_over = rates.pp_exposed * 4.0 * vp * micro_batches * tokens * shape.hidden / tp / rates.out
    step = micro_batches * mean + bubble + hand_over + ranks.exposed_s + ranks.optimizer_s + rates.step_s
    count = micro_batches / pp * shape.layers
    return Cost(
        step, beside + act, count * layer.matrix_s + micro_batches / pp * head, count * layer.attention_s,
        count * layer.memory_s, count * layer.launch_s + rates.step_s, count * again, count * layer.tp_s,
        count * layer.cp_s, count * layer.ep_s, hand_over, bubble, ranks.exposed_s, ranks.optimizer_s,
        ranks.state_bytes, act + layer.work_bytes, logits if pp == 1.0 else 0.0, micro_batches, recomputed,
    )  # fmt: skip


class Space(NamedTuple):
    """Choices to enumerate: one array of floats a dimension."""

    tp: Any
    cp: Any
    ep: Any
    pp: Any
    vp: Any
    zero: Any
    mbs: Any
    recompute: Any
    shard: Any
    """Ranks over which ZeRO splits; 0 means all."""
    sp: Any
    """1 splits the sequence between tensor-parallel ranks; used where there are several."""


def spread(batch: float, devices: float, tp: float, cp: float, ep: float, pp: float, mbs: float) -> tuple[float, float]:
    """Data-parallel ranks and micro-batches of each: no more ranks than the same number of steps needs; 0 if none."""
    dp = devices // (tp * cp * pp)
    unit = ep // (tp * cp)
    if unit > 1.0:
        dp = dp // unit * unit
    sequences = batch / mbs
    if dp < 1.0 or sequences < 1.0 or ep > dp * cp * tp:
        return 0.0, 0.0
    count = -(-sequences // dp)
    return (dp if unit > 1.0 else -(-sequences // count)), count


def keep(
    found: Any, cost: Cost, tp: float, cp: float, ep: float, pp: float, vp: float, dp: float, shard: float, zero: float,
    mbs: float, mode: float, sp: float,
) -> None:  # fmt: skip
    """Put a layout into its place among the fastest."""
    row = found.shape[0] - 1
    if cost.step_s >= found[row, 0]:
        return
    while row > 0 and found[row - 1, 0] > cost.step_s:
        for column in range(13):
            found[row, column] = found[row - 1, column]
        row -= 1
    found[row, 0] = cost.step_s
    found[row, 1] = cost.memory_bytes
    found[row, 2] = tp
    found[row, 3] = cp
    found[row, 4] = ep
    found[row, 5] = pp
    found[row, 6] = vp
    found[row, 7] = dp
    found[row, 8] = shard
    found[row, 9] = zero
    found[row, 10] = mbs
    found[row, 11] = mode
    found[row, 12] = sp


def scan_ranks(
    shape: Shape, work: Work, rates: Rates, space: Space, layer: Layer, devices: float, found: Any, tp: float,
    cp: float, ep: float, mbs: float, mode: float, sp: float,
) -> tuple[int, int, float]:  # fmt: skip
    """Every pipeline, interleaving and way to split state, for one way to split a layer."""
    evaluated, fitting, least = 0, 0, 1e300
    tokens = mbs * work.sequence / cp
    one = layer.matrix_s + layer.attention_s + layer.memory_s + layer.launch_s + layer.tp_s + layer.cp_s + layer.ep_s
    whole_s = shape.layers * one + head_cost(shape, work, rates, tokens, tp)
    for pp in space.pp:
        dp, count = spread(work.batch, devices, tp, cp, ep, pp, mbs)
        if dp == 0.0 or pp > shape.layers:
            continue
        whole = shape.layers // pp
        for zero in space.zero:
            if zero == 2.0 and pp > 1.0:
                continue
            for wanted in space.shard:
                shard = dp * cp if wanted == 0.0 or wanted > dp * cp else wanted
                ranks = between_ranks(
                    shape, work, rates, tp, cp, ep, pp, dp, shard, int(zero), count, whole_s / pp
                )  # fmt: skip
                for vp in space.vp:
                    if vp > 1.0 and (pp == 1.0 or count < pp or pp * (vp - 1.0) >= shape.layers):
                        continue
                    cost = combine(shape, work, rates, layer, ranks, tp, cp, pp, vp, mbs, count, whole, int(mode))
                    evaluated += 1
                    least = min(least, cost.memory_bytes)
                    if cost.memory_bytes <= rates.capacity:
                        fitting += 1
                        keep(found, cost, tp, cp, ep, pp, vp, dp, shard, zero, mbs, mode, sp)
    return evaluated, fitting, least


def scan(shape: Shape, work: Work, rates: Rates, space: Space, devices: float, found: Any) -> tuple[int, int, float]:
    """Evaluate every layout of a space; the fastest that fit go into `found`, fastest first.

    `found` holds a row a layout: step time, memory, tp, cp, ep, pp, vp, dp, shard, zero, mbs, recompute, sp. Returns
    how many were evaluated, how many fit, and the least memory that any needs.
    """
    evaluated, fitting, least = 0, 0, 1e300
    for tp in space.tp:
        for wanted in space.sp:
            sp = wanted if tp > 1.0 else 0.0
            for cp in space.cp:
                for ep in space.ep:
                    for mbs in space.mbs:
                        for mode in space.recompute:
                            layer = layer_cost(shape, work, rates, tp, cp, ep, mbs, int(mode), sp > 0.0)
                            more, fit, needed = scan_ranks(
                                shape, work, rates, space, layer, devices, found, tp, cp, ep, mbs, mode, sp
                            )
                            evaluated += more
                            fitting += fit
                            least = min(least, needed)
    return evaluated, fitting, least
