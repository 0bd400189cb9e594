import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from fucina.compute.record import Interrupted, Progress, StageResult
from fucina.models import decoder
from fucina.models import run as run_module
from fucina.models.card import TrainSummary
from fucina.models.recipe import TrainRecipe, UnknownSize
from fucina.models.run import BadTokenizer, TrainingDiverged, plan_for
from fucina.models.tokens import BadShard
from fucina.models.train import train
from tests.models.shards import END, VOCABULARY_SIZE, chain_documents, write_split, write_tokenizer

PROGRAM = """
import signal, sys
from pathlib import Path
from fucina.compute.record import Interrupted, Progress
from fucina.models.recipe import TrainRecipe
from fucina.models.train import train

recipe, data, work = TrainRecipe.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])


class Told(Progress):
    asked_to = False

    @property
    def stopping(self):
        print("updated", flush=True)
        return self.asked_to

    @stopping.setter
    def stopping(self, value):
        self.asked_to = value


progress = Told(work / "progress.ndjson", stage="train")
signal.signal(signal.SIGTERM, lambda *_: setattr(progress, "stopping", True))
try:
    train(recipe, data=data, out=work / "out", scratch=work / "scratch", progress=progress)
except Interrupted:
    sys.exit(75)
"""


class Watched(Progress):
    """Progress that keeps its lines and may wish to stop after so many updates."""

    def __init__(self, path: Path, *, stop_after: float = math.inf) -> None:
        super().__init__(path, stage="train")
        self.lines: list[dict[str, object]] = []
        self._left = stop_after

    @property
    def stopping(self) -> bool:
        self._left -= 1
        return self._left <= 0

    @stopping.setter
    def stopping(self, value: bool) -> None:
        assert not value

    def report(self, **line) -> None:
        super().report(**line)
        self.lines.append(line)


def digests(out: Path) -> dict[str, str]:
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(recipe: TrainRecipe, data: Path, work: Path, progress: Progress | None = None) -> StageResult:
    work.mkdir(exist_ok=True)
    progress = progress or Progress(work / "progress.ndjson", stage="train")
    return train(recipe, data=data, out=work / "out", scratch=work / "scratch", progress=progress)


@pytest.fixture(scope="module")
def reference(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of a run that nothing disturbed."""
    work = tmp_path_factory.mktemp("reference")
    run(RECIPE, data, work)
    return digests(work / "out")


RECIPE = TrainRecipe(
    size="0.1M", num_tokens=24 * 256, sequence_length=32, batch_tokens=256, learning_rate=0.02, num_checkpoints=6,
    num_evaluations=4, num_threads=1,
)  # fmt: skip


def test_the_loss_falls_and_the_model_opens_everywhere(data: Path, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"num_tokens": 80 * 256, "peak_tflops": 1.0})
    result = run(recipe, data, tmp_path)

    history = json.loads((tmp_path / "out" / "history.json").read_text())
    summary = TrainSummary.model_validate_json((tmp_path / "out" / "summary.json").read_text())
    assert history[0]["loss"] == pytest.approx(math.log(VOCABULARY_SIZE), rel=0.05)
    assert history[-1]["validation_loss"] < 2.5
    assert [point["step"] for point in history] == list(range(1, 81))
    assert sum(point["validation_loss"] is not None for point in history) == 4
    assert summary.num_tokens == 80 * 256 == result.counts["tokens"]
    assert summary.num_epochs == pytest.approx(summary.num_tokens / summary.num_data_tokens)
    assert summary.flops_total == result.measurements["flops_total"]
    assert {"tokens_per_s", "mfu", "peak_memory_bytes", "loss", "validation_loss"} <= result.measurements.keys()

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model", local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out" / "model", local_files_only=True)
    assert model.num_parameters() == summary.num_parameters == result.counts["parameters"]
    assert model.dtype == torch.bfloat16
    assert tokenizer.eos_token_id == model.config.eos_token_id == END


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_saved_model_has_the_validation_loss_that_the_history_states(data, tmp_path, precision) -> None:
    run(RECIPE.model_copy(update={"precision": precision}), data, tmp_path)
    summary = TrainSummary.model_validate_json((tmp_path / "out" / "summary.json").read_text())

    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model", dtype=torch.float32)

    tokens = np.load(data / "validation-00000.tokens.npy").astype(np.int64)
    offsets = np.load(data / "validation-00000.offsets.npy")
    total = 0.0
    for first in range(0, summary.num_validation_tokens, 32):
        borders = sorted({first, first + 32, *(offset for offset in offsets if first < offset < first + 32)})
        for begin, end in zip(borders, borders[1:], strict=False):
            before = END if begin in offsets else tokens[begin - 1]
            inputs = torch.tensor([[before, *tokens[begin : end - 1]]])
            with torch.no_grad():
                logits = stock(inputs).logits[0]
            labels = torch.from_numpy(tokens[begin:end])
            total += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
    tolerance = 1e-5 if precision == "fp32" else 0.02
    assert total / summary.num_validation_tokens == pytest.approx(summary.validation_loss, abs=tolerance)


def test_two_runs_leave_the_same_bytes(data: Path, tmp_path: Path, reference: dict[str, str]) -> None:
    run(RECIPE, data, tmp_path)

    assert digests(tmp_path / "out") == reference
    assert {"model/config.json", "model/model.safetensors", "history.json", "summary.json"} <= reference.keys()


@pytest.mark.parametrize("stop_after", [1, 5, 24])
def test_stopped_at_any_update_it_ends_the_same(data, tmp_path, reference, stop_after: int) -> None:
    with pytest.raises(Interrupted):
        run(RECIPE, data, tmp_path, Watched(tmp_path / "progress.ndjson", stop_after=stop_after))
    assert not (tmp_path / "out").exists()
    watched = Watched(tmp_path / "progress.ndjson")

    run(RECIPE, data, tmp_path, watched)

    assert digests(tmp_path / "out") == reference
    assert watched.lines[0]["message"].startswith("Goes on after update")


def test_the_number_of_workers_does_not_touch_the_bytes(data, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(run_module._TOKENS_AT_ONCE, "cpu", 96)
    for num_threads in (1, 3):
        run(RECIPE.model_copy(update={"num_threads": num_threads}), data, tmp_path / str(num_threads))

    assert digests(tmp_path / "1" / "out") == digests(tmp_path / "3" / "out")


def test_a_finished_run_can_be_run_again(data: Path, tmp_path: Path, reference: dict[str, str]) -> None:
    run(RECIPE, data, tmp_path)
    (tmp_path / "out" / "model" / "config.json").unlink()

    result = run(RECIPE, data, tmp_path)

    assert digests(tmp_path / "out") == reference
    assert "tokens_per_s" not in result.measurements


def start(data: Path, work: Path, recipe: TrainRecipe) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, recipe.model_dump_json(), str(data), str(work)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code", "updates"),
    [(signal.SIGKILL, -signal.SIGKILL, 1), (signal.SIGKILL, -signal.SIGKILL, 40), (signal.SIGTERM, 75, 20)],
)
def test_a_process_that_is_ended_and_started_again_leaves_the_same_bytes(data, tmp_path, how, code, updates) -> None:
    recipe = RECIPE.model_copy(update={"num_tokens": 250 * 256, "num_checkpoints": 30})
    undisturbed = tmp_path / "undisturbed"
    run(recipe, data, undisturbed)
    with start(data, tmp_path, recipe) as process:
        assert process.stdout is not None
        for _ in range(updates):
            process.stdout.readline()
        process.send_signal(how)
        assert process.wait() == code

    run(recipe, data, tmp_path)

    assert digests(tmp_path / "out") == digests(undisturbed / "out")


def test_a_corrupt_checkpoint_is_passed_over_and_said(data: Path, tmp_path: Path, reference: dict[str, str]) -> None:
    with pytest.raises(Interrupted):
        run(RECIPE, data, tmp_path, Watched(tmp_path / "progress.ndjson", stop_after=10))
    newest = max((tmp_path / "scratch" / "checkpoints").iterdir())
    (newest / "state.safetensors").write_bytes(b"\0" * 100)
    watched = Watched(tmp_path / "progress.ndjson")

    run(RECIPE, data, tmp_path, watched)

    assert f"{newest.name} was passed over" in str(watched.lines[0]["message"])
    assert digests(tmp_path / "out") == reference


def test_progress_lines_carry_the_numbers_and_come_once_a_second(data: Path, tmp_path: Path) -> None:
    watched = Watched(tmp_path / "progress.ndjson")
    run(RECIPE.model_copy(update={"peak_tflops": 2.0}), data, tmp_path, watched)

    last = watched.lines[-1]
    assert last["done"] == last["total"] == 24 * 256
    assert set(last["values"]) == {
        "loss", "validation_loss", "learning_rate", "tokens_per_s", "mfu", "tokens", "flops",
    }  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "progress.ndjson").read_text().splitlines()]
    assert len({line["at"][:19] for line in lines[:-1]}) == len(lines) - 1


@pytest.mark.parametrize("documents", [[[5, END]], [[END]], [[1, 2, 3, 4, 5, 6, 7, END]]])
def test_less_than_a_row_of_data_is_repeated(tmp_path: Path, documents: list[list[int]]) -> None:
    write_split(tmp_path / "data", "train", [documents])
    write_split(tmp_path / "data", "validation", [[[5, END]]])
    write_tokenizer(tmp_path / "data" / "tokenizer")

    result = run(RECIPE, tmp_path / "data", tmp_path / "work")

    assert result.measurements["loss"] < 3
    assert result.measurements["validation_loss"] > 0


def test_without_validation_documents_there_is_no_validation_loss(tmp_path: Path) -> None:
    write_split(tmp_path / "data", "train", [chain_documents(10, seed=1)])
    write_tokenizer(tmp_path / "data" / "tokenizer")

    result = run(RECIPE, tmp_path / "data", tmp_path / "work")

    assert "validation_loss" not in result.measurements
    assert json.loads((tmp_path / "work" / "out" / "summary.json").read_text())["validation_loss"] is None


def test_no_tokens_are_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path / "data" / "tokenizer")

    with pytest.raises(BadShard, match="0 tokens in 0 documents"):
        run(RECIPE, tmp_path / "data", tmp_path / "work")


def test_a_truncated_shard_is_refused_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    shard = tmp_path / "data" / "train-00001.tokens.npy"
    shard.write_bytes(shard.read_bytes()[:-10])

    with pytest.raises(BadShard, match=r"train-00001\.tokens\.npy cannot be read"):
        run(RECIPE, tmp_path / "data", tmp_path / "work")
    assert not (tmp_path / "work" / "out").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b"[]", None])
def test_a_broken_tokenizer_is_refused(data: Path, tmp_path: Path, content: bytes | None) -> None:
    shutil.copytree(data, tmp_path / "data")
    path = tmp_path / "data" / "tokenizer" / "tokenizer.json"
    path.unlink() if content is None else path.write_bytes(content)

    with pytest.raises(BadTokenizer, match=r"tokenizer\.json cannot be read"):
        run(RECIPE, tmp_path / "data", tmp_path / "work")


def test_a_tokenizer_without_the_end_of_documents_is_refused(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    path = tmp_path / "data" / "tokenizer" / "tokenizer.json"
    path.write_text(path.read_text().replace("<|end|>", "<|fine|>"))

    with pytest.raises(BadTokenizer, match="257 tokens, but no <|end|>"):
        run(RECIPE, tmp_path / "data", tmp_path / "work")


def test_an_unknown_size_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownSize, match="'2M'"):
        run(RECIPE.model_copy(update={"size": "2M"}), data, tmp_path)


def test_a_loss_that_is_no_number_stops_the_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stock = decoder.build

    def poisoned(*args, **options):
        model = stock(*args, **options)
        model.model.norm.weight.data[0] = math.inf
        return model

    monkeypatch.setattr(decoder, "build", poisoned)

    with pytest.raises(TrainingDiverged, match=r"After 0 updates \(0 tokens\) the loss is nan") as caught:
        run(RECIPE, data, tmp_path)
    assert "learning rate" in caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("num_tokens", "sequence_length", "batch_tokens", "num_rows", "num_steps"),
    [
        (1, 32, 256, 8, 1),
        (257, 32, 256, 8, 2),
        (1000, 64, 10, 1, 16),
        (12_000_000, 256, 8192, 32, 1465),
        (4_500_000, 256, 4096, 16, 1099),
    ],
)
def test_a_plan_takes_whole_rows_and_ends_with_everything(
    num_tokens: int, sequence_length: int, batch_tokens: int, num_rows: int, num_steps: int
) -> None:
    recipe = TrainRecipe(num_tokens=num_tokens, sequence_length=sequence_length, batch_tokens=batch_tokens)

    plan = plan_for(recipe)

    assert (plan.num_rows, plan.num_steps) == (num_rows, num_steps)
    for steps in (plan.points, plan.evaluations, plan.checkpoints):
        assert max(steps) == num_steps
        assert min(steps) >= 1
    assert plan.evaluations <= plan.points


def test_a_fresh_progress_of_the_line_is_enough(data, tmp_path, recipe, progress: Callable[[], Progress]) -> None:
    work = {"out": tmp_path / "out", "scratch": tmp_path / "scratch"}

    result = train(recipe, data=data, progress=progress(), **work)

    assert result.seeds == {"train": recipe.seed}
