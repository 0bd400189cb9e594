"""The state of a run on disk: tensors as safetensors, the rest as JSON, whole or not there at all."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fucina.models.card import HistoryPoint

_NUM_KEPT = 2
_TENSORS = "state.safetensors"
_RUN = "run.json"
_UNFINISHED = "unfinished"


class RunState(BaseModel):
    """Where a run stands, apart from its tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    """Of the recipe and the data; a checkpoint of another run is not taken."""
    num_threads_each: int
    """Threads inside one operation: sums depend on how they are split over them."""
    step: int
    """Updates done."""
    history: tuple[HistoryPoint, ...]
    loss_since_point: float
    """Sum of the losses of the updates since the last point."""
    steps_since_point: int


class Restored(NamedTuple):
    """A checkpoint that was read, and what was wrong with newer ones."""

    run: RunState | None
    tensors: dict[str, torch.Tensor]
    complaints: tuple[str, ...]


class _Sealed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    tensors_sha256: str
    run: RunState


def save(folder: Path, *, run: RunState, tensors: dict[str, torch.Tensor]) -> None:
    """Write a checkpoint and drop all but the last two; killed at any moment, those that were there remain."""
    unfinished = folder / _UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished / _TENSORS)
    sealed = _Sealed(tensors_sha256=_sha256(unfinished / _TENSORS), run=run)
    (unfinished / _RUN).write_text(sealed.model_dump_json(), encoding="utf-8")
    for path in (unfinished / _TENSORS, unfinished / _RUN, unfinished):
        sync(path)
    target = folder / f"step-{run.step:09d}"
    shutil.rmtree(target, ignore_errors=True)
    unfinished.replace(target)
    sync(folder)
    for old in _steps(folder)[:-_NUM_KEPT]:
        shutil.rmtree(old)


def restore(folder: Path, *, fingerprint: str) -> Restored:
    """The newest checkpoint of this run that is whole; those that are not are removed and reported."""
    complaints = []
    for path in reversed(_steps(folder)):
        try:
            run, tensors = _read(path, fingerprint)
        except (OSError, ValidationError, SafetensorError, ValueError) as error:
            reason = _reason(error)
            complaints.append(f"Checkpoint {path.name} was passed over: {reason}")
            shutil.rmtree(path)
            continue
        return Restored(run=run, tensors=tensors, complaints=tuple(complaints))
    return Restored(run=None, tensors={}, complaints=tuple(complaints))


def fingerprint_of(*parts: object) -> str:
    """One digest over values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def sync(path: Path) -> None:
    """Have a file or folder reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, fingerprint: str) -> tuple[RunState, dict[str, torch.Tensor]]:
    sealed = _Sealed.model_validate_json((path / _RUN).read_text(encoding="utf-8"))
    if sealed.run.fingerprint != fingerprint:
        raise ValueError("it belongs to another recipe or other data")
    if _sha256(path / _TENSORS) != sealed.tensors_sha256:
        raise ValueError(f"{_TENSORS} does not have the digest that run.json states")
    return sealed.run, load_file(path / _TENSORS)


def _reason(error: Exception) -> str:
    """In words that name no place on this machine."""
    if isinstance(error, OSError) and error.filename:
        return f"{Path(error.filename).name}: {error.strerror}"
    return "its run.json cannot be read" if isinstance(error, ValidationError) else str(error)


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
