import os
import sys
import threading

import pytest
import torch

from fucina.models.threads import Split, Workers, keep_memory, set_threads, split_threads, usable_threads


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_zero_takes_what_the_process_may_use() -> None:
    assert usable_threads(0) == len(os.sched_getaffinity(0))
    assert usable_threads(3) == 3


def test_torch_gets_as_many_as_asked() -> None:
    assert set_threads(1) == 1
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("num_threads", "num_portions", "split"),
    [(1, 1, (1, 1)), (2, 2, (2, 1)), (1, 4, (1, 1)), (2, 1, (1, 2)), (16, 4, (4, 4)), (7, 2, (2, 3)), (5, 8, (5, 1))],
)
def test_portions_come_before_threads_in_an_operation(num_threads, num_portions, split) -> None:
    assert split_threads(num_threads, num_portions=num_portions) == split


def test_workers_answer_in_order_side_by_side() -> None:
    workers = Workers(Split(num_workers=2, num_threads_each=1))
    both_there = threading.Barrier(2, timeout=60)

    def work(task: int) -> tuple[int, int]:
        both_there.wait()
        return task * task, torch.get_num_threads()

    assert workers.map(work, range(6)) == [(n * n, 1) for n in range(6)]
    workers.close()


@pytest.mark.parametrize("num_workers", [1, 2])
def test_an_error_in_a_worker_is_raised(num_workers: int) -> None:
    workers = Workers(Split(num_workers=num_workers, num_threads_each=1))

    with pytest.raises(ZeroDivisionError):
        workers.map(lambda task: 1 // task, [1, 0, 2])
    workers.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_memory_is_kept_where_the_c_library_can() -> None:
    assert keep_memory()
