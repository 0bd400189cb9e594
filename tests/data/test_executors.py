"""Where steps run changes nothing about what they make."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fucina.compute.record import Interrupted, Progress
from fucina.data import ingest
from fucina.data.executors import LocalExecutor
from fucina.data.pipeline import prepare
from fucina.data.recipe import PrepareRecipe
from fucina.data.sources import SourceMissing, resolve

ON_RAY = """
import sys
from pathlib import Path
from fucina.compute.record import Progress
from fucina.data.on_ray import RayExecutor
from fucina.data.pipeline import prepare
from fucina.data.recipe import PrepareRecipe

work, address = Path(sys.argv[1]), sys.argv[2]
recipe = PrepareRecipe.model_validate_json((work / "recipe.json").read_bytes())
executor = RayExecutor(address)
progress = Progress(work / "progress.ndjson", stage="prepare")
prepare(recipe, workdir=work, out=work / "out", scratch=work / "scratch", progress=progress, executor=executor)
"""


def _square(item, checkpoint):
    checkpoint()
    return item * item


@pytest.mark.parametrize("num_threads", [1, 2, 7])
def test_results_come_in_the_order_of_the_items(num_threads):
    heard = []

    results = LocalExecutor(num_threads).map(
        _square, range(50), checkpoint=lambda: None, done=lambda item, result: heard.append((item, result))
    )

    assert results == [item * item for item in range(50)]
    assert sorted(heard) == [(item, item * item) for item in range(50)]


def test_no_more_items_than_threads_are_under_way():
    under_way, most, lock = 0, 0, threading.Lock()
    barrier = threading.Barrier(3, timeout=30)

    def step(item, checkpoint):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        barrier.wait()
        with lock:
            under_way -= 1

    LocalExecutor(3).map(step, range(12), checkpoint=lambda: None, done=lambda item, result: None)

    assert most == 3


def test_an_error_or_a_stop_comes_through():
    def fails(item, checkpoint):
        raise SourceMissing(f"{item}", hint="")

    def stop():
        raise Interrupted

    with pytest.raises(SourceMissing):
        LocalExecutor(2).map(fails, range(5), checkpoint=lambda: None, done=lambda item, result: None)
    with pytest.raises(Interrupted):
        LocalExecutor(2).map(_square, range(5), checkpoint=stop, done=lambda item, result: None)


@pytest.fixture
def recipe(tmp_path, jsonl, italian, english, monkeypatch) -> PrepareRecipe:
    monkeypatch.setattr(ingest, "SHARD_RECORDS", 5)
    for number in range(3):
        jsonl(tmp_path / "corpus" / f"it{number}.jsonl", italian[number * 9 : number * 9 + 12])
    jsonl(tmp_path / "corpus" / "en.jsonl", [*english[:16], english[0]])
    return PrepareRecipe(sources=resolve([("corpus/*.jsonl", "CC0-1.0", "")], base=tmp_path), vocabulary_size=400)


def test_threads_change_no_byte(tmp_path, recipe, tree_digests):
    found = []
    for num_threads in (1, 2, 5):
        work = tmp_path / f"threads-{num_threads}"
        work.mkdir()
        prepare(
            recipe,
            workdir=work,
            out=work / "out",
            scratch=work / "scratch",
            progress=Progress(work / "progress.ndjson", stage="prepare"),
            executor=LocalExecutor(num_threads),
        )
        found.append(tree_digests(work / "out"))

    assert found[0] == found[1] == found[2]
    assert "decisions.parquet" in found[0]


@pytest.fixture(scope="module")
def cluster():
    """Two raylets on this machine; ended with everything that they started."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kill", [False, True], ids=["undisturbed", "a worker killed"])
def test_two_raylets_give_the_bytes_of_threads(tmp_path, recipe, tree_digests, cluster, kill):
    local = tmp_path / "local"
    local.mkdir()
    prepare(
        recipe,
        workdir=local,
        out=local / "out",
        scratch=local / "scratch",
        progress=Progress(local / "progress.ndjson", stage="prepare"),
    )
    work = tmp_path / "ray"
    work.mkdir()
    (work / "recipe.json").write_text(recipe.model_dump_json())
    command = [sys.executable, "-c", ON_RAY, str(work), cluster.address]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as child:
        killed = _kill_a_worker(child) if kill else 0
        _, errors = child.communicate(timeout=240)

    assert child.returncode == 0, errors.decode()
    assert killed == int(kill)
    assert tree_digests(work / "out") == tree_digests(local / "out")


def _kill_a_worker(child: subprocess.Popen) -> int:
    """Kill the first worker of our own raylets that is found running a step; 1 if there was one."""
    while child.poll() is None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "cmdline").read_bytes().startswith(b"ray::_run") and _is_ours(folder):
                    os.kill(int(folder.name), signal.SIGKILL)
                    return 1
            except OSError:
                continue
    return 0


def _is_ours(folder: Path) -> bool:
    """Whether a process descends from this one."""
    while folder.name not in ("0", "1"):
        parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
        if parent == str(os.getpid()):
            return True
        folder = Path("/proc") / parent
    return False
