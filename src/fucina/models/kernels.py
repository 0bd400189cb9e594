"""The parts of a decoder whose stock versions are slow on a processor, each with its gradient written out.

They read and write plain tensors, keep half precision between operations, and never hold what can be had again cheaply.
Axes: B rows, H heads, T tokens, D features, N tokens of all rows, V vocabulary.
"""

from typing import Any

import torch
import torch.nn.functional as F

_LOGITS_AT_ONCE = 1 << 21
_QUERIES_AT_ONCE = 128


class RootMeanSquareNorm(torch.autograd.Function):
    """x / rms(x) * weight over the last axis."""

    @staticmethod
    def forward(ctx: Any, x_ND: torch.Tensor, weight_D: torch.Tensor, eps: float) -> torch.Tensor:
        precise = torch.promote_types(x_ND.dtype, torch.float32)
        square_N1 = torch.linalg.vector_norm(x_ND, dim=-1, keepdim=True, dtype=precise).square_()
        scale_N1 = square_N1.div_(x_ND.shape[-1]).add_(eps).rsqrt_().to(x_ND.dtype)
        ctx.save_for_backward(x_ND, weight_D, scale_N1)
        return (x_ND * scale_N1).mul_(weight_D)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        x_ND, weight_D, scale_N1 = ctx.saved_tensors
        product_ND = grads[0] * x_ND
        grad_weight_D = (scale_N1.T @ product_ND)[0]
        # d/dx of scale(x) is -x * scale^3 / D, times the projection of the gradient on x.
        along_N1 = (product_ND @ weight_D[:, None]).mul_(scale_N1.pow(3).div_(-x_ND.shape[-1]))
        grad_ND = (grads[0] * weight_D).mul_(scale_N1).addcmul_(x_ND, along_N1)
        return grad_ND, grad_weight_D, None


def rotate(x_BTHD: torch.Tensor, cos_BT1F: torch.Tensor, sin_BT1F: torch.Tensor) -> torch.Tensor:
    """Turn the halves of each head's features, F of them each, by the position; heads come before tokens afterwards."""
    num_rows, length, heads, width = x_BTHD.shape
    turned_BHTD = x_BTHD.new_empty(num_rows, heads, length, width)
    turned_BTHD = turned_BHTD.transpose(1, 2)
    half = width // 2
    first, second = x_BTHD[..., :half], x_BTHD[..., half:]
    torch.mul(first, cos_BT1F, out=turned_BTHD[..., :half]).addcmul_(second, sin_BT1F, value=-1)
    torch.mul(second, cos_BT1F, out=turned_BTHD[..., half:]).addcmul_(first, sin_BT1F)
    return turned_BHTD


class PackedAttention(torch.autograd.Function):
    """Rotary positions and attention under an additive mask, in blocks of queries that skip the keys after them.

    The usual fused kernel spends most of its backward pass rebuilding what this one keeps: on a processor, at short
    sequences, keeping the shares of attention is twice as fast. Memory grows with the square of the sequence.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query_BTHD: torch.Tensor,
        key_BTHD: torch.Tensor,
        value_BTHD: torch.Tensor,
        cos_BT1F: torch.Tensor,
        sin_BT1F: torch.Tensor,
        mask_B1TT: torch.Tensor,
    ) -> torch.Tensor:
        num_rows, length, heads, width = query_BTHD.shape
        query = rotate(query_BTHD, cos_BT1F, sin_BT1F).mul_(width**-0.5).flatten(0, 1)
        key = rotate(key_BTHD, cos_BT1F, sin_BT1F).flatten(0, 1)
        value = value_BTHD.transpose(1, 2).flatten(0, 1)
        mixed = torch.empty_like(query)
        shares = []
        for first in range(0, length, _QUERIES_AT_ONCE):
            last = min(length, first + _QUERIES_AT_ONCE)
            scores = torch.bmm(query[:, first:last], key[:, :last].transpose(1, 2))
            scores.view(num_rows, heads, last - first, last).add_(mask_B1TT[:, :, first:last, :last])
            share = torch.softmax(scores, -1)
            mixed[:, first:last] = torch.bmm(share, value[:, :last])
            shares.append(share)
        ctx.save_for_backward(query, key, value, cos_BT1F, sin_BT1F, *shares)
        return mixed.view(num_rows, heads, length, width).transpose(1, 2).reshape(num_rows, length, heads * width)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, cos_BT1F, sin_BT1F, *shares = ctx.saved_tensors
        num_rows, length, _, _ = cos_BT1F.shape
        width = query.shape[-1]
        heads = len(query) // num_rows
        grad = grads[0].view(num_rows, length, heads, width).transpose(1, 2).reshape(-1, length, width)
        grad_query, grad_key, grad_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for number, share in enumerate(shares):
            first = number * _QUERIES_AT_ONCE
            last = first + share.shape[1]
            piece = grad[:, first:last]
            grad_value[:, :last] += torch.bmm(share.transpose(1, 2), piece)
            toward = torch.bmm(piece, value[:, :last].transpose(1, 2))
            grad_scores = torch._softmax_backward_data(toward, share, -1, share.dtype)
            grad_query[:, first:last] = torch.bmm(grad_scores, key[:, :last])
            grad_key[:, :last] += torch.bmm(grad_scores.transpose(1, 2), query[:, first:last])
        shape = (num_rows, heads, length, width)
        grad_query = rotate(grad_query.mul_(width**-0.5).view(shape).transpose(1, 2), cos_BT1F, -sin_BT1F)
        grad_key = rotate(grad_key.view(shape).transpose(1, 2), cos_BT1F, -sin_BT1F)
        return (
            grad_query.transpose(1, 2),
            grad_key.transpose(1, 2),
            grad_value.view(shape).transpose(1, 2),
            None,
            None,
            None,
        )


class HeadLoss(torch.autograd.Function):
    """Output head and cross entropy in one, a few tokens at a time: the logits of a batch never exist at once."""

    @staticmethod
    def forward(ctx: Any, hidden_ND: torch.Tensor, weight_VD: torch.Tensor, labels_N: torch.Tensor) -> torch.Tensor:
        needs_grad = any(ctx.needs_input_grad)
        chunk = max(1, _LOGITS_AT_ONCE // weight_VD.shape[0])
        total = torch.zeros((), dtype=torch.float64, device=hidden_ND.device)
        grad_hidden_ND = torch.empty_like(hidden_ND) if needs_grad else None
        grad_weight_VD = torch.zeros_like(weight_VD, dtype=torch.float32) if needs_grad else None
        for first in range(0, len(labels_N), chunk):
            hidden, labels_N1 = hidden_ND[first : first + chunk], labels_N[first : first + chunk, None]
            logits = hidden @ weight_VD.T
            if grad_hidden_ND is None or grad_weight_VD is None:
                total -= (
                    F.log_softmax(logits, dim=-1, dtype=torch.float32).gather(1, labels_N1).sum(dtype=torch.float64)
                )
                continue
            share = torch.softmax(logits, dim=-1)
            total -= share.gather(1, labels_N1).float().clamp_(min=1e-38).log_().sum(dtype=torch.float64)
            share[torch.arange(len(share), device=share.device), labels_N1[:, 0]] -= 1.0
            torch.mm(share, weight_VD, out=grad_hidden_ND[first : first + chunk])
            grad_weight_VD += share.T @ hidden
        if needs_grad:
            ctx.save_for_backward(grad_hidden_ND, grad_weight_VD)
            ctx.weight_dtype = weight_VD.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        grad_hidden_ND, grad_weight_VD = ctx.saved_tensors
        scale = grads[0].float()
        return grad_hidden_ND * scale.to(grad_hidden_ND.dtype), (grad_weight_VD * scale).to(ctx.weight_dtype), None
