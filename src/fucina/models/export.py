"""What the train stage leaves: a model folder that every tool opens, the history and the summary."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file
from transformers import GenerationConfig, LlamaForCausalLM

from fucina.models import checkpoint
from fucina.models.card import HistoryPoint, TrainSummary

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def write_outputs(
    model: LlamaForCausalLM,
    *,
    tokenizer_folder: Path,
    history: Sequence[HistoryPoint],
    summary: TrainSummary,
    out: Path,
    scratch: Path,
) -> None:
    """Write everything beside `out` first, then move it there whole."""
    draft = scratch / "outputs"
    shutil.rmtree(draft, ignore_errors=True)
    write_model(model, draft / "model", tokenizer_folder=tokenizer_folder)
    points = ",\n".join(point.model_dump_json() for point in history)
    (draft / "history.json").write_text(f"[\n{points}\n]\n", encoding="utf-8")
    (draft / "summary.json").write_text(summary.model_dump_json(indent=1) + "\n", encoding="utf-8")
    out.mkdir(parents=True, exist_ok=True)
    if (out / "model").exists():
        shutil.rmtree(out / "model")
    for name in ("model", "history.json", "summary.json"):
        (draft / name).replace(out / name)
    checkpoint.sync(out)


def write_model(model: LlamaForCausalLM, folder: Path, *, tokenizer_folder: Path) -> None:
    """A folder that transformers opens offline: configuration, weights in one file, tokenizer."""
    folder.mkdir(parents=True)
    config = model.config
    config.architectures = [LlamaForCausalLM.__name__]
    config.dtype = model.lm_head.weight.dtype
    config.save_pretrained(folder)
    GenerationConfig(bos_token_id=config.bos_token_id, eos_token_id=config.eos_token_id).save_pretrained(folder)
    weights = {name: parameter.detach().cpu().contiguous() for name, parameter in model.named_parameters()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for name in TOKENIZER_FILES:
        if (tokenizer_folder / name).is_file():
            shutil.copyfile(tokenizer_folder / name, folder / name)
    for path in folder.iterdir():
        path.chmod(0o644)
        checkpoint.sync(path)
