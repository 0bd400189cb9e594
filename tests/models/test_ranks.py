"""Two processes train one model: the same course as one process, saved once, resumed together."""

import json
import multiprocessing
import os
import socket
from pathlib import Path

import pytest

from fucina.compute.place import Place
from fucina.compute.record import Interrupted, Progress
from fucina.models.run import TooManyRanks
from fucina.models.train import train
from tests.models.test_train import Watched

CONTEXT = multiprocessing.get_context("spawn")


def _work(
    rank: int, num_ranks: int, port: int, recipe, data: Path, work: Path, stop_after: int | None, answers
) -> None:
    """One rank, as torchrun would start it."""
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "WORLD_SIZE": str(num_ranks),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    path = work / "progress.ndjson" if rank == 0 else Path(os.devnull)
    progress = Progress(path, stage="train") if stop_after is None or rank else Watched(path, stop_after=stop_after)
    try:
        train(
            recipe,
            data=data,
            out=work / "out",
            scratch=work / "scratch",
            progress=progress,
            place=Place(rank=rank, num_ranks=num_ranks, local_rank=rank, num_local_ranks=num_ranks),
        )
    except Interrupted:
        answers.put((rank, "interrupted"))
    else:
        answers.put((rank, "done"))


def together(recipe, data: Path, work: Path, *, num_ranks: int = 2, stop_after: int | None = None) -> set[str]:
    """Run all ranks; returns how they ended."""
    work.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answers = CONTEXT.Queue()
    processes = [
        CONTEXT.Process(target=_work, args=(rank, num_ranks, port, recipe, data, work, stop_after, answers))
        for rank in range(num_ranks)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0] * num_ranks
    return {answers.get(timeout=10)[1] for _ in processes}


def history(work: Path) -> list[dict]:
    return json.loads((work / "out" / "history.json").read_text())


@pytest.mark.slow
def test_two_ranks_take_the_course_of_one(data, recipe, tmp_path):
    exact = recipe.model_copy(update={"precision": "fp32", "learning_rate": 0.002})
    alone = tmp_path / "alone"
    alone.mkdir()
    train(exact, data=data, out=alone / "out", scratch=alone / "scratch", progress=Progress(alone / "p", stage="train"))
    assert together(exact, data, tmp_path / "both") == {"done"}

    one, two = history(alone), history(tmp_path / "both")
    assert [point["step"] for point in one] == [point["step"] for point in two]
    assert [point["loss"] for point in two] == pytest.approx([point["loss"] for point in one], rel=2e-3)
    measured = [point["validation_loss"] for point in one if point["validation_loss"] is not None]
    assert [p["validation_loss"] for p in two if p["validation_loss"] is not None] == pytest.approx(measured, rel=2e-3)


@pytest.mark.slow
def test_a_stop_that_one_rank_hears_stops_all_and_they_go_on_to_the_same_end(data, recipe, tmp_path):
    assert together(recipe, data, tmp_path / "calm") == {"done"}
    assert together(recipe, data, tmp_path / "stopped", stop_after=9) == {"interrupted"}
    assert not (tmp_path / "stopped" / "out" / "model").exists()
    assert together(recipe, data, tmp_path / "stopped") == {"done"}
    files = ("model/model.safetensors", "history.json")
    assert all(
        (tmp_path / "calm" / "out" / name).read_bytes() == (tmp_path / "stopped" / "out" / name).read_bytes()
        for name in files
    )


def test_more_processes_than_rows(data, recipe, tmp_path):
    with pytest.raises(TooManyRanks, match="8 rows of 32 tokens; 9 processes"):
        train(
            recipe,
            data=data,
            out=tmp_path / "out",
            scratch=tmp_path / "scratch",
            progress=Progress(tmp_path / "p", stage="train"),
            place=Place(rank=0, num_ranks=9),
        )
