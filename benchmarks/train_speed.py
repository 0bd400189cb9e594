"""Training speed beside the Hugging Face Trainer: same model, data, batch and threads, in turns, in one process.

    python benchmarks/train_speed.py DATA --size 1M --threads 2

DATA is the output folder of the prepare stage. The Trainer needs `accelerate`, which Fucina does not. It runs twice: with
bf16 autocast, as its users do, and with weights in bf16, as we do. It packs rows without regard to document borders,
which is less work than ours. Both share this process's memory settings, which help it too. Prints medians over rounds,
each over the steps of a burst less the first two; MFU counts 6N + 12LHQT per token and needs --peak-tflops.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging

from fucina.models import threads
from fucina.models.recipe import TrainRecipe
from fucina.models.run import Run
from fucina.models.tokens import Stream

WARM_UP_STEPS = 2


class RowDataset(torch.utils.data.Dataset):
    """Rows of the training stream, as the Trainer takes them."""

    def __init__(self, stream: Stream, *, length: int, count: int) -> None:
        self._stream, self._length, self._count = stream, length, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        tokens = torch.from_numpy(self._stream.rows(index, 1, self._length).labels_BT[0])
        return {"input_ids": tokens, "labels": tokens}


class Stopwatch(TrainerCallback):
    """Notes when each step of the Trainer ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())


def our_burst(run: Run, num_steps: int) -> list[float]:
    """Seconds of each step of our loop."""
    threads.set_threads(run.workers.split.num_threads_each)
    seconds = []
    for _ in range(num_steps):
        began_s = time.perf_counter()
        run.advance()
        seconds.append(time.perf_counter() - began_s)
    return seconds


def trainer_burst(run: Run, folder: str, num_steps: int, *, autocast: bool, num_threads: int) -> list[float]:
    """Seconds of each step of the Trainer on a fresh stock model."""
    threads.set_threads(num_threads)
    recipe, config = run.recipe, run.model.config
    model = LlamaForCausalLM(config)
    if recipe.precision == "bf16" and not autocast:
        model = model.bfloat16()
    arguments = TrainingArguments(
        output_dir=folder, max_steps=num_steps, per_device_train_batch_size=run.plan.num_rows, report_to=[],
        save_strategy="no", logging_strategy="no", use_cpu=run.device.type == "cpu", disable_tqdm=True,
        bf16=autocast and recipe.precision == "bf16", optim="adamw_torch",
    )  # fmt: skip
    stream = Stream(run.training, seed=recipe.seed, end_token=config.eos_token_id)
    rows = RowDataset(stream, length=recipe.sequence_length, count=num_steps * run.plan.num_rows)
    watch = Stopwatch()
    Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[watch]).train()
    return [end - begin for begin, end in zip(watch.ends, watch.ends[1:], strict=False)]


def main() -> None:
    """Measure all contenders in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="outputs of the prepare stage")
    parser.add_argument("--size", default="1M")
    parser.add_argument("--batch-tokens", type=int, default=TrainRecipe().batch_tokens)
    parser.add_argument("--sequence-length", type=int, default=256)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--steps", type=int, default=10, help="steps of a burst")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak-tflops", type=float, default=0.0)
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    threads.keep_memory()
    num_threads = threads.usable_threads(arguments.threads)
    recipe = TrainRecipe(
        size=arguments.size, batch_tokens=arguments.batch_tokens, sequence_length=arguments.sequence_length,
        precision=arguments.precision, num_threads=num_threads, num_tokens=10**9,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = Run(recipe, data=arguments.data, folder=Path(folder) / "checkpoints")

        def trainer(autocast: bool) -> Callable[[], list[float]]:
            return lambda: trainer_burst(run, folder, arguments.steps, autocast=autocast, num_threads=num_threads)

        contenders: dict[str, Callable[[], list[float]]] = {
            "ours": lambda: our_burst(run, arguments.steps),
            "Trainer, bf16 autocast": trainer(True),
            "Trainer, bf16 weights": trainer(False),
        }
        if arguments.precision == "fp32":
            contenders = {"ours": contenders["ours"], "Trainer, fp32": trainer(False)}
        medians: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(arguments.rounds):
            for name, burst in contenders.items():
                medians[name].append(statistics.median(burst()[WARM_UP_STEPS:]))
    print(f"{run.model.num_parameters():,} parameters, {run.tokens_per_step} tokens a step, {num_threads} threads")
    print(f"{'':<26}{'ms/step':>10}{'tokens/s':>12}{'MFU':>8}{'ours is':>10}")
    ours_s = statistics.median(medians["ours"])
    for name, seconds in medians.items():
        step_s = statistics.median(seconds)
        rate = run.tokens_per_step / step_s
        mfu = f"{rate * run.flops_per_token / arguments.peak_tflops / 1e12:.1%}" if arguments.peak_tflops else "-"
        print(f"{name:<26}{step_s * 1e3:>10.1f}{rate:>12.0f}{mfu:>8}{step_s / ours_s:>9.2f}x")
    run.workers.close()


if __name__ == "__main__":
    main()
