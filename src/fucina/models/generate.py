"""Open a trained model and let it write. Axes: B prompts, T tokens, V vocabulary."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from fucina.errors import BadInput

MODEL_FILES = ("config.json", "model.safetensors", "tokenizer.json")


class BadModel(BadInput):
    """A folder holds no model that can be opened."""

    code = "bad_model"


class PromptTooLong(BadInput):
    """A text does not fit into the window of the model."""

    code = "prompt_too_long"


class Loaded(NamedTuple):
    """A model in evaluation mode and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load(model_dir: Path, *, dtype: torch.dtype = torch.float32) -> Loaded:
    """Open a model folder from disk: safetensors only, no network, no code from the folder.

    Raises BadModel.
    """
    missing = [name for name in MODEL_FILES if not (model_dir / name).is_file()]
    if missing:
        raise BadModel(
            f"{model_dir.name}/ lacks {', '.join(missing)}.",
            hint="Name the model/ folder that the train stage wrote.",
        )
    disable_progress_bar()
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(model_dir, **options)
        model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=dtype, use_safetensors=True, **options)
    except Exception as error:  # transformers, safetensors and tokenizers raise plain Exception subclasses of their own
        raise BadModel(
            f"{model_dir.name}/ cannot be opened: {error}", hint="Run the train stage again or fetch the model anew."
        ) from error
    model.eval()
    return Loaded(model=model, tokenizer=tokenizer)


@torch.inference_mode()
def continue_tokens(model: PreTrainedModel, prompts_BT: torch.Tensor, num_new: int) -> torch.Tensor:
    """The most likely next tokens of each prompt, one after the other; prompts are of one length.

    Raises PromptTooLong.
    """
    window = model.config.max_position_embeddings
    if prompts_BT.shape[1] == 0 or prompts_BT.shape[1] + num_new > window:
        raise PromptTooLong(
            f"A prompt of {prompts_BT.shape[1]} tokens with {num_new} new ones does not fit the window of {window}.",
            hint="Give at least one token, and at most the window less the new tokens.",
        )
    cache = DynamicCache(config=model.config)
    inputs_BT = prompts_BT.to(model.device)
    written: list[torch.Tensor] = []
    for _ in range(num_new):
        output = model(inputs_BT, past_key_values=cache, use_cache=True, logits_to_keep=1)
        inputs_BT = output.logits[:, -1].argmax(-1, keepdim=True)
        written.append(inputs_BT)
    return torch.cat(written, dim=1).cpu() if written else torch.empty((len(prompts_BT), 0), dtype=torch.long)


@torch.inference_mode()
def complete(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    temperature: float = 0.8,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
) -> list[str]:
    """What the model writes after each prompt, up to the end of its document.

    Every prompt opens a document, is cut from the left where it does not fit, and draws from a generator of its own, so
    that a text does not depend on how many others are written beside it. Temperature 0 takes the most likely token.
    Raises PromptTooLong.
    """
    window = model.config.max_position_embeddings
    room = window - max_new_tokens - 1
    if room < 1:
        raise PromptTooLong(
            f"{max_new_tokens} new tokens leave no room for a prompt in the window of {window}.",
            hint=f"Ask for at most {window - 2}.",
        )
    if not prompts:
        return []
    end = model.config.eos_token_id
    rows = [[end, *tokenizer.encode(prompt, add_special_tokens=False)[-room:]] for prompt in prompts]
    longest = max(map(len, rows))
    inputs_BT = torch.tensor([[end] * (longest - len(row)) + row for row in rows], device=model.device)
    mask_BT = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=model.device)
    positions_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)
    draws_BT = torch.stack([_uniform(seed, index, max_new_tokens) for index in range(len(rows))]).to(model.device)
    cache = DynamicCache(config=model.config)
    ended_B = torch.zeros(len(rows), dtype=torch.bool, device=model.device)
    written: list[torch.Tensor] = []
    for step in range(max_new_tokens):
        output = model(
            inputs_BT, attention_mask=mask_BT, position_ids=positions_BT, past_key_values=cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        next_B = _pick(output.logits[:, -1], draws_BT[:, step], temperature=temperature, top_k=top_k, top_p=top_p)
        next_B = torch.where(ended_B, end, next_B)
        ended_B |= next_B == end
        written.append(next_B)
        if bool(ended_B.all()):
            break
        inputs_BT, positions_BT = next_B[:, None], positions_BT[:, -1:] + 1
        mask_BT = torch.cat([mask_BT, torch.ones_like(next_B)[:, None]], dim=1)
    texts = torch.stack(written, dim=1).tolist() if written else [[] for _ in rows]
    return [tokenizer.decode(row, skip_special_tokens=True) for row in texts]


def _uniform(seed: int, index: int, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed((seed * 1_000_003 + index) % 2**63)
    return torch.rand(count, generator=generator, dtype=torch.float64)


def _pick(
    logits_BV: torch.Tensor, draws_B: torch.Tensor, *, temperature: float, top_k: int, top_p: float
) -> torch.Tensor:
    """One token for each row, drawn from what top-k and top-p leave; the likeliest at temperature 0."""
    if temperature == 0:
        return logits_BV.argmax(-1)
    probs_BV = torch.softmax(logits_BV.double() / temperature, -1)
    if top_k == 0 and top_p >= 1:
        # Nothing is cut off, so any order will do, and sorting a whole vocabulary at every step costs most of the time.
        return _place(probs_BV, draws_B)
    probs_BV, order_BV = probs_BV.sort(dim=-1, descending=True, stable=True)
    if top_k > 0:
        probs_BV[:, top_k:] = 0
    before_BV = probs_BV.cumsum(-1) - probs_BV
    probs_BV[before_BV >= top_p] = 0
    return order_BV.gather(1, _place(probs_BV, draws_B)[:, None])[:, 0]


def _place(probs_BV: torch.Tensor, draws_B: torch.Tensor) -> torch.Tensor:
    """For each row the first position at which the cumulative share passes the draw."""
    cumulative_BV = probs_BV.cumsum(-1)
    target_B = draws_B * cumulative_BV[:, -1]
    place_B = torch.searchsorted(cumulative_BV, target_B[:, None], right=True)
    return place_B[:, 0].clamp(max=probs_BV.shape[-1] - 1)
