import multiprocessing
import os
from pathlib import Path

import pytest

from fucina.compute.lease import Fenced, Turn, last_turn, take


def test_the_last_start_of_the_newest_generation_may_write(tmp_path):
    first = take(tmp_path, generation=1)
    first.check()
    second = take(tmp_path, generation=1)
    second.check()
    with pytest.raises(Fenced, match="start 1 of generation 1; start 2 of generation 1"):
        first.check()
    third = take(tmp_path, generation=2)
    third.check()
    assert third.turn == Turn(2, 1)
    with pytest.raises(Fenced, match="generation 2 has taken over"):
        second.check()


def test_an_older_generation_does_not_start_again(tmp_path):
    newest = take(tmp_path, generation=7)
    with pytest.raises(Fenced, match="of generation 6; generation 7"):
        take(tmp_path, generation=6)
    newest.check()


def test_what_is_no_lease_is_passed_over(tmp_path):
    (tmp_path / "lease").mkdir()
    for name in (".nfs0001", "notes.txt", "1", "x.1"):
        (tmp_path / "lease" / name).touch()
    assert take(tmp_path, generation=1).turn == Turn(1, 1)


def test_a_lease_that_somebody_removed_is_lost(tmp_path):
    lease = take(tmp_path, generation=1)
    (tmp_path / "lease" / lease.turn.name).unlink()
    with pytest.raises(Fenced, match="its lease is gone"):
        lease.check()


def _take_many(workdir: str, answers) -> None:
    won = []
    for _ in range(50):
        try:
            won.append(take(Path(workdir), generation=3).turn)
        except Fenced:
            continue
    answers.put(won)


def test_no_two_processes_take_the_same_turn(tmp_path):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [context.Process(target=_take_many, args=(os.fspath(tmp_path), answers)) for _ in range(3)]
    for process in processes:
        process.start()
    turns = [turn for _ in processes for turn in answers.get(timeout=60)]
    for process in processes:
        process.join()
    assert len(set(turns)) == len(turns) >= 50
    assert last_turn(tmp_path / "lease") == max(Turn(*turn) for turn in os_turns(tmp_path))


def os_turns(workdir):
    return [Turn.parse(path.name) for path in (workdir / "lease").iterdir()]
