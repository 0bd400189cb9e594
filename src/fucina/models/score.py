"""How likely a model finds a text, token by token. Axes: B windows, T tokens, V vocabulary."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

_TOKENS_AT_ONCE = 4096


class _Window(NamedTuple):
    document: int
    begin: int
    """First token that the model reads as context."""
    scored: int
    """First token whose probability is taken from this window."""
    end: int


@torch.inference_mode()
def token_log_probabilities(
    model: PreTrainedModel, documents: Sequence[NDArray[np.integer]], *, stride: int = 0
) -> list[NDArray[np.float32]]:
    """The natural logarithm of the probability of each token given those before it in its document.

    A document is read after the end-of-document token, as in training. One that is longer than the model's window is
    read in overlapping windows that move on by `stride` tokens; 0 takes half a window. Every token is scored once.
    """
    width = model.config.max_position_embeddings
    stride = min(stride, width) if stride > 0 else max(1, width // 2)
    scores = [np.zeros(len(document), dtype=np.float32) for document in documents]
    windows = [window for i, document in enumerate(documents) for window in _windows(i, len(document), width, stride)]
    windows.sort(key=lambda window: window.begin - window.end)
    rows_at_once = max(1, _TOKENS_AT_ONCE // width)
    for first in range(0, len(windows), rows_at_once):
        _score(model, documents, windows[first : first + rows_at_once], scores)
    return scores


def _windows(document: int, length: int, width: int, stride: int) -> list[_Window]:
    windows = []
    scored = 0
    while scored < length:
        end = min(length, width if scored == 0 else scored + stride)
        windows.append(_Window(document=document, begin=max(0, end - width), scored=scored, end=end))
        scored = end
    return windows


def _score(
    model: PreTrainedModel,
    documents: Sequence[NDArray[np.integer]],
    windows: Sequence[_Window],
    scores: list[NDArray[np.float32]],
) -> None:
    width = max(window.end - window.begin for window in windows)
    inputs_BT = np.full((len(windows), width), model.config.eos_token_id, dtype=np.int64)
    labels_BT = np.zeros((len(windows), width), dtype=np.int64)
    for row, window in enumerate(windows):
        tokens = np.asarray(documents[window.document])[max(0, window.begin - 1) : window.end].astype(np.int64)
        labels_BT[row, : window.end - window.begin] = tokens[len(tokens) - (window.end - window.begin) :]
        context = tokens[:-1]
        inputs_BT[row, window.end - window.begin - len(context) : window.end - window.begin] = context
    # Rows are filled from the left and attention is causal: what stands to the right cannot change a score.
    logits_BTV = model(torch.from_numpy(inputs_BT).to(model.device), use_cache=False).logits.float()
    labels = torch.from_numpy(labels_BT).to(model.device)
    log_probs_BT = (logits_BTV.gather(-1, labels[..., None])[..., 0] - logits_BTV.logsumexp(-1)).cpu().numpy()
    for row, window in enumerate(windows):
        scores[window.document][window.scored : window.end] = log_probs_BT[
            row, window.scored - window.begin : window.end - window.begin
        ]
