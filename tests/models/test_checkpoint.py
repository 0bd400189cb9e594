from pathlib import Path

import pytest
import torch

from fucina.models import checkpoint
from fucina.models.checkpoint import RunState


def run_at(step: int, fingerprint: str = "f") -> RunState:
    return RunState(
        fingerprint=fingerprint,
        num_threads_each=1,
        step=step,
        history=(),
        loss_since_point=0.1 + step,
        steps_since_point=1,
    )


def save(folder: Path, step: int) -> None:
    checkpoint.save(folder, run=run_at(step), tensors={"weight/a": torch.full((3, 2), float(step))})


def test_the_newest_comes_back_to_the_bit_and_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 10):
        save(tmp_path, step)

    restored = checkpoint.restore(tmp_path, fingerprint="f")

    assert restored.run == run_at(10)
    assert torch.equal(restored.tensors["weight/a"], torch.full((3, 2), 10.0))
    assert restored.complaints == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000003", "step-000000010"]


def test_nothing_saved_is_nothing_restored(tmp_path: Path) -> None:
    assert checkpoint.restore(tmp_path / "nowhere", fingerprint="f").run is None


def flip_a_bit(path: Path) -> None:
    data = bytearray((path / "state.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "state.safetensors").write_bytes(data)


def cut_tensors(path: Path) -> None:
    data = (path / "state.safetensors").read_bytes()
    (path / "state.safetensors").write_bytes(data[:20])


def lose_tensors(path: Path) -> None:
    (path / "state.safetensors").unlink()


def cut_run(path: Path) -> None:
    (path / "run.json").write_text((path / "run.json").read_text()[:30])


def binary_run(path: Path) -> None:
    (path / "run.json").write_bytes(b"\xff\xfe\x00\x01")


@pytest.mark.parametrize("damage", [flip_a_bit, cut_tensors, lose_tensors, cut_run, binary_run])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, damage) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    damage(tmp_path / "step-000000002")

    restored = checkpoint.restore(tmp_path, fingerprint="f")

    assert restored.run == run_at(1)
    [complaint] = restored.complaints
    assert "step-000000002 was passed over" in complaint
    assert str(tmp_path) not in complaint


def test_a_checkpoint_of_another_run_is_not_taken(tmp_path: Path) -> None:
    save(tmp_path, 1)

    restored = checkpoint.restore(tmp_path, fingerprint="g")

    assert restored.run is None
    assert "another recipe" in restored.complaints[0]


def test_an_unfinished_write_is_no_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 1)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "state.safetensors").write_bytes(b"half")

    assert checkpoint.restore(tmp_path, fingerprint="f").run == run_at(1)
    save(tmp_path, 2)
    assert checkpoint.restore(tmp_path, fingerprint="f").run == run_at(2)
