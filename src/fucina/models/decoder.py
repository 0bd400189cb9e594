"""The decoder that is trained: transformers' Llama classes, with the parts replaced that training needs otherwise.

Weights keep their names and places, so what is saved opens as a plain Llama model. Axes: B rows, T tokens, D features,
F half a head's features, N tokens of all rows.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaRMSNorm

from fucina.models import kernels
from fucina.models.recipe import Shape


def config_for(shape: Shape, *, vocabulary_size: int, sequence_length: int, end_token: int) -> LlamaConfig:
    """The configuration as transformers keeps it; the end-of-document token also opens a document."""
    return LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=shape.d_model,
        intermediate_size=shape.d_ff,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_kv_heads,
        max_position_embeddings=sequence_length,
        tie_word_embeddings=shape.tied_embeddings,
        bos_token_id=end_token,
        eos_token_id=end_token,
        pad_token_id=None,
        rms_norm_eps=1e-5,
    )


def build(config: LlamaConfig, *, seed: int, dtype: torch.dtype, device: torch.device) -> LlamaForCausalLM:
    """A decoder with fresh weights that only the seed decides, ready for `loss_sum`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        residual_scale = (2 * config.num_hidden_layers) ** -0.5
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.mul_(residual_scale)
            layer.mlp.down_proj.weight.mul_(residual_scale)
    _replace_parts(model)
    return model.to(device=device, dtype=dtype).train()


def loss_sum(
    model: LlamaForCausalLM, inputs_BT: torch.Tensor, labels_BT: torch.Tensor, positions_BT: torch.Tensor
) -> torch.Tensor:
    """Cross entropy in nats, summed over all tokens; no document sees another.

    A position of zero opens a document, or the rest of one, within its row.
    """
    mask_B1TT = packing_mask(positions_BT, dtype=model.lm_head.weight.dtype)
    hidden_BTD = model.model(
        input_ids=inputs_BT, attention_mask=mask_B1TT, position_ids=positions_BT, use_cache=False
    ).last_hidden_state
    loss: torch.Tensor = kernels.HeadLoss.apply(hidden_BTD.flatten(0, 1), model.lm_head.weight, labels_BT.flatten())
    return loss


def packing_mask(positions_BT: torch.Tensor, *, dtype: torch.dtype) -> torch.Tensor:
    """What is added to attention scores: 0 for a token itself and those before it in its document, else -inf."""
    document_BT = (positions_BT == 0).cumsum(1)
    length = positions_BT.shape[1]
    causal_TT = torch.ones(length, length, dtype=torch.bool, device=positions_BT.device).tril()
    seen_BTT = (document_BT[:, :, None] == document_BT[:, None, :]) & causal_TT
    return torch.zeros((), dtype=dtype, device=positions_BT.device).where(seen_BTT, -torch.inf)[:, None]


class _Norm(nn.Module):
    """RMSNorm in few passes over memory."""

    def __init__(self, norm: LlamaRMSNorm) -> None:
        super().__init__()
        self.weight = norm.weight
        self.eps = norm.variance_epsilon

    def forward(self, x_BTD: torch.Tensor) -> torch.Tensor:
        normed_ND: torch.Tensor = kernels.RootMeanSquareNorm.apply(x_BTD.flatten(0, -2), self.weight, self.eps)
        return normed_ND.view(x_BTD.shape)


class _Attention(nn.Module):
    """Attention under a mask of packed documents."""

    def __init__(self, attention: LlamaAttention) -> None:
        super().__init__()
        self.q_proj, self.k_proj = attention.q_proj, attention.k_proj
        self.v_proj, self.o_proj = attention.v_proj, attention.o_proj
        self.head_dim = attention.head_dim
        self.num_groups = attention.num_key_value_groups

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor,
        **_: Any,
    ) -> tuple[torch.Tensor, None]:
        shape = (*hidden_states.shape[:2], -1, self.head_dim)
        query, key, value = (p(hidden_states).view(shape) for p in (self.q_proj, self.k_proj, self.v_proj))
        if self.num_groups > 1:
            key, value = (x.repeat_interleave(self.num_groups, dim=2) for x in (key, value))
        # The two halves of cos and sin are equal.
        cos_BT1F, sin_BT1F = (x[:, :, None, : self.head_dim // 2] for x in position_embeddings)
        if hidden_states.device.type == "cpu":
            mixed: torch.Tensor = kernels.PackedAttention.apply(query, key, value, cos_BT1F, sin_BT1F, attention_mask)
        else:
            query, key = (kernels.rotate(x, cos_BT1F, sin_BT1F) for x in (query, key))
            mixed = F.scaled_dot_product_attention(query, key, value.transpose(1, 2), attn_mask=attention_mask)
            mixed = mixed.transpose(1, 2).flatten(2)
        return self.o_proj(mixed), None


def _replace_parts(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, LlamaRMSNorm):
            setattr(module, name, _Norm(child))
        elif isinstance(child, LlamaAttention):
            setattr(module, name, _Attention(child))
        else:
            _replace_parts(child)
