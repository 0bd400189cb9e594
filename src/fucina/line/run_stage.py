"""Runs one stage in its working directory, on any node, without hub or network: `fucina stage NAME WORKDIR`."""

import os
import platform
import resource
import signal
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType

from pydantic import BaseModel, ConfigDict

from fucina import __version__
from fucina.compute.lease import Fenced, take
from fucina.compute.place import ALONE, Place
from fucina.compute.record import Interrupted, Progress, StageRecord, StageResult
from fucina.config import Settings
from fucina.data.recipe import PrepareRecipe
from fucina.errors import BadInput, FactoryError
from fucina.line.digests import sha256_file, sha256_json, sha256_tree, tree_digests
from fucina.line.spec import StageName
from fucina.line.stage import (
    ERROR_FILE,
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    EXIT_FENCED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    PROGRESS_FILE,
    RECORD_FILE,
)
from fucina.line.task import StageTask, read_input, read_record

LIBRARIES: dict[StageName, tuple[str, ...]] = {
    StageName.PREPARE: (
        "numpy",
        "pyarrow",
        "tokenizers",
        "py3langid",
        "resiliparse",
        "google-re2",
        "zstandard",
    ),
    StageName.TRAIN: ("torch", "transformers", "safetensors", "numpy", "tokenizers"),
    StageName.EVALUATE: ("torch", "transformers", "safetensors", "numpy", "scipy", "py3langid"),
    StageName.DOCUMENT: ("typst", "cyclonedx-python-lib", "mlcroissant"),
    StageName.RELEASE: ("model-signing", "in-toto-attestation", "cryptography"),
}
"""Libraries whose versions decide a stage's outputs."""


STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What asks a stage to save its state and leave; the second is what `srun` hands on to other nodes."""


class Attempts(BaseModel):
    """`attempts.json`: how often the stage was started, and the time that earlier attempts took."""

    model_config = ConfigDict(frozen=True)

    started_at: datetime
    num_attempts: int
    earlier_wall_s: float = 0.0
    attempt_at: datetime


def run_stage(stage: StageName, workdir: Path, settings: Settings, *, place: Place = ALONE) -> int:
    """Run one stage to its record; returns the exit code of `fucina stage`.

    Finished before, or taken over by another process: nothing is written. What a person can mend is said in
    `error.json` and on stderr. Of several processes only the first keeps the books; the others just work with it.
    """
    if not place.is_first:
        return _assist(stage, workdir, settings, place)
    try:
        given = read_input(stage, workdir)
        if (workdir / RECORD_FILE).is_file():
            return EXIT_OK
        lease = take(workdir, generation=settings.generation)
        (workdir / ERROR_FILE).unlink(missing_ok=True)
        attempts = _begin(workdir)
        progress = Progress(workdir / PROGRESS_FILE, stage=str(stage), echo=_say, guard=lease.check)
        _stop_on_signal(progress)
        task = StageTask(workdir, given, settings, progress, place=place)
        task.out.mkdir(exist_ok=True)
        task.scratch.mkdir(exist_ok=True)
        began = time.monotonic()
        result = import_module(f"fucina.line.stages.{stage}").run(task)
        record = _record(task, result, attempts, time.monotonic() - began)
        lease.check()
        _write(workdir / RECORD_FILE, record.model_dump_json(indent=1))
    except Interrupted:
        return EXIT_INTERRUPTED
    except Fenced as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return EXIT_FENCED
    except FactoryError as error:
        if workdir.is_dir():
            _write(workdir / ERROR_FILE, error.body().model_dump_json(indent=1))
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return EXIT_BAD_INPUT if isinstance(error, BadInput) else EXIT_FAILED
    return EXIT_OK


def _assist(stage: StageName, workdir: Path, settings: Settings, place: Place) -> int:
    """Do a further rank's share of a stage; what is wrong is said by the first rank."""
    try:
        progress = Progress(Path(os.devnull), stage=str(stage))
        _stop_on_signal(progress)
        task = StageTask(workdir, read_input(stage, workdir), settings, progress, place=place)
        import_module(f"fucina.line.stages.{stage}").run(task)
    except Interrupted:
        return EXIT_INTERRUPTED
    except FactoryError as error:
        sys.stderr.write(f"rank {place.rank}: {error.message}\n")
        return EXIT_BAD_INPUT if isinstance(error, BadInput) else EXIT_FAILED
    return EXIT_OK


def _record(task: StageTask, result: StageResult, attempts: Attempts, wall_s: float) -> StageRecord:
    given = task.given
    inputs = {"recipe": sha256_json(given.recipe)}
    for stage in given.earlier:
        inputs[str(stage)] = sha256_tree(read_record(task.earlier(stage)).outputs)
    if isinstance(recipe := given.parsed_recipe(), PrepareRecipe):
        inputs |= {f"source:{source.name}": source.sha256 for source in recipe.sources}
        if recipe.tokenizer:
            inputs["tokenizer"] = sha256_file(task.workdir / recipe.tokenizer)
    total_wall_s = attempts.earlier_wall_s + wall_s
    accelerator_s = total_wall_s * given.num_gpus
    estimated = bool(given.power_w and given.num_gpus)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return StageRecord(
        stage=str(given.stage),
        run=given.run,
        started_at=attempts.started_at,
        ended_at=datetime.now(UTC),
        num_attempts=attempts.num_attempts,
        inputs=inputs,
        outputs=tree_digests(task.out),
        versions=_versions(given.stage),
        seeds=result.seeds,
        counts=result.counts,
        measurements=result.measurements,
        wall_s=round(total_wall_s, 3),
        cpu_s=round(usage.ru_utime + usage.ru_stime + children.ru_utime + children.ru_stime, 3),
        num_gpus=given.num_gpus,
        accelerator_s=round(accelerator_s, 3),
        energy_j=round(accelerator_s * (given.power_w or 0.0), 1) if estimated else None,
        energy_method=f"estimated: accelerator seconds times {given.power_w} W per accelerator" if estimated else "",
    )


def _begin(workdir: Path) -> Attempts:
    """Count this attempt; one that was killed lasted at least until its last progress line."""
    path = workdir / "attempts.json"
    now = datetime.now(UTC)
    if path.is_file():
        before = Attempts.model_validate_json(path.read_bytes())
        seen = workdir / PROGRESS_FILE
        until = seen.stat().st_mtime if seen.is_file() else before.attempt_at.timestamp()
        lasted = max(0.0, until - before.attempt_at.timestamp())
        attempts = Attempts(
            started_at=before.started_at,
            num_attempts=before.num_attempts + 1,
            earlier_wall_s=before.earlier_wall_s + lasted,
            attempt_at=now,
        )
    else:
        attempts = Attempts(started_at=now, num_attempts=1, attempt_at=now)
    _write(path, attempts.model_dump_json())
    return attempts


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _stop_on_signal(progress: Progress) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        progress.stopping = True

    for number in STOP_SIGNALS:
        signal.signal(number, stop)


def _versions(stage: StageName) -> dict[str, str]:
    found = {"fucina": __version__, "python": platform.python_version()}
    for name in LIBRARIES[stage]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
