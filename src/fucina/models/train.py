"""The train stage: token shards in, a model out, resumable to the bit."""

import contextlib
import resource
import time
from pathlib import Path

from fucina.compute.place import ALONE, Place
from fucina.compute.record import Interrupted, Progress, StageResult
from fucina.models import threads
from fucina.models.card import TrainSummary
from fucina.models.export import write_outputs
from fucina.models.recipe import TrainRecipe
from fucina.models.run import Run

_SECONDS_BETWEEN_LINES = 1.0


def train(
    recipe: TrainRecipe, *, data: Path, out: Path, scratch: Path, progress: Progress, place: Place = ALONE
) -> StageResult:
    """Train a decoder on the token shards of `prepare`, from the last checkpoint in `scratch` if there is one.

    Leaves `model/`, `history.json` and `summary.json` in `out`; on one machine they are the same bytes however often
    the stage was killed. With several processes, each on its own accelerator, every one calls this with its place; the
    first writes. Raises TooManyRanks, UnknownSize, BadShard, BadTokenizer, TrainingDiverged, and Interrupted once a
    stop is saved.
    """
    threads.keep_memory()
    run = Run(recipe, data=data, folder=scratch / "checkpoints", place=place)
    messages = run.resume()
    reporter = _Reporter(run, progress)
    for message in messages:
        reporter.say(message)
    started_at, first_step = time.perf_counter(), run.step
    with contextlib.closing(run):
        while run.step < run.plan.num_steps:
            run.advance()
            reporter.tick()
            stopping = run.ranks.anyone(progress.stopping)
            if stopping or run.step in run.plan.checkpoints:
                progress.check_lease()
                run.save()
            if stopping:
                raise Interrupted
    training_s = time.perf_counter() - started_at
    summary = run.summary()
    if place.is_first:
        write_outputs(
            run.model,
            tokenizer_folder=run.tokenizer_folder,
            history=run.history,
            summary=summary,
            out=out,
            scratch=scratch,
        )
    return _result(run, summary, num_steps=run.step - first_step, training_s=training_s)


class _Reporter:
    """Progress lines, one a second at most, apart from the first and the last."""

    def __init__(self, run: Run, progress: Progress) -> None:
        self._run = run
        self._progress = progress
        self._line_at = time.monotonic()
        self._line_step = run.step
        self._num_points = len(run.history)

    def say(self, message: str) -> None:
        """A line with words only."""
        run = self._run
        total = run.plan.num_steps * run.tokens_per_step
        self._progress.report(done=run.num_tokens, total=total, unit="tokens", message=message)

    def tick(self) -> None:
        """A line with numbers, if one is due."""
        run, now = self._run, time.monotonic()
        since = now - self._line_at
        if since < _SECONDS_BETWEEN_LINES and run.step < run.plan.num_steps:
            return
        tokens_per_s = (run.step - self._line_step) * run.tokens_per_step / max(since, 1e-9)
        values = {
            "loss": run.last_loss,
            "learning_rate": run.learning_rate,
            "tokens_per_s": tokens_per_s,
            "tokens": float(run.num_tokens),
            "flops": run.flops_per_token * run.num_tokens,
        }
        measured = [p.validation_loss for p in run.history[self._num_points :] if p.validation_loss is not None]
        if measured:
            values["validation_loss"] = measured[-1]
        if run.recipe.peak_tflops:
            values["mfu"] = tokens_per_s * run.flops_per_token / (run.recipe.peak_tflops * 1e12)
        total = run.plan.num_steps * run.tokens_per_step
        self._progress.report(done=run.num_tokens, total=total, unit="tokens", values=values)
        self._line_at, self._line_step, self._num_points = now, run.step, len(run.history)


def _result(run: Run, summary: TrainSummary, *, num_steps: int, training_s: float) -> StageResult:
    measurements = {
        "loss": summary.loss,
        "flops_total": summary.flops_total,
        "peak_memory_bytes": float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024),
    }
    if summary.validation_loss is not None:
        measurements["validation_loss"] = summary.validation_loss
    if num_steps:
        measurements["tokens_per_s"] = num_steps * run.tokens_per_step / training_s
        if run.recipe.peak_tflops:
            achieved = measurements["tokens_per_s"] * run.flops_per_token
            measurements["mfu"] = achieved / (run.recipe.peak_tflops * 1e12)
    counts = {
        "parameters": summary.num_parameters,
        "tokens": summary.num_tokens,
        "steps": summary.num_steps,
        "threads": run.num_threads,
        "ranks": run.ranks.place.num_ranks,
    }
    return StageResult(counts=counts, seeds={"train": run.recipe.seed}, measurements=measurements)
