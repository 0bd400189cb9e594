import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fucina.compute.record import Interrupted
from fucina.data.executors import ShareDone
from fucina.data.on_slurm import Share, ShareExecutor, SlurmExecutor, SlurmRefused, step_name
from lab.daemons import wait_until

RECIPE = "sources: [{path: 'set/*.jsonl', licence: CC0-1.0}]\nvocabulary_size: 400\nnum_canaries: 4\n"


class Note:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, item, _checkpoint):
        self.seen.append(item)
        return item * 10


class Other(Note):
    pass


def _map(executor, step, items):
    return executor.map(step, items, checkpoint=lambda: None, done=lambda _item, _result: None)


def test_shares_part_the_items_of_their_step_and_end_there():
    seen = []
    for index in range(3):
        step, former = Note(), Other()
        executor = ShareExecutor(Share(step="note", index=index, num_shares=3))
        assert _map(executor, former, range(4)) == [0, 10, 20, 30]
        with pytest.raises(ShareDone):
            _map(executor, step, range(7))
        seen.append(step.seen)
    assert seen == [[0, 3, 6], [1, 4], [2, 5]]
    assert step_name(Note()) == "note"


def _stub(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)


@pytest.fixture
def commands(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_no_sbatch_and_a_refusal_are_explained(tmp_path, commands, monkeypatch):
    executor = SlurmExecutor(["true"], num_tasks=2, folder=tmp_path)
    _stub(commands, "sbatch", "import sys; sys.exit('sbatch: error: Invalid account')")
    with pytest.raises(SlurmRefused, match=r"no array of 2 tasks: sbatch: error: Invalid account\."):
        _map(executor, Note(), range(4))
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(SlurmRefused, match="No such file"):
        _map(executor, Note(), range(4))


def test_what_a_lost_task_leaves_is_done_by_the_driver(tmp_path, commands):
    """Tasks that fail do no harm: sbatch --wait then ends with their exit code."""
    _stub(commands, "sbatch", "import sys; sys.stdin.read(); print('17', flush=True); sys.exit(1)")
    step = Note()
    assert _map(SlurmExecutor(["true"], num_tasks=2, folder=tmp_path), step, range(4)) == [0, 10, 20, 30]


def test_one_item_needs_no_array(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert _map(SlurmExecutor(["true"], num_tasks=2, folder=tmp_path), Note(), [5]) == [50]


def test_an_interrupted_run_cancels_its_array(tmp_path, commands):
    told = tmp_path / "told"
    _stub(
        commands,
        "sbatch",
        "import signal, sys\nsys.stdin.read()\nprint('4711;alpha', flush=True)\nsignal.pause()\n",
    )
    _stub(commands, "scancel", f"import sys; open({str(told)!r}, 'w').write(' '.join(sys.argv[1:]))")
    answer = tmp_path / "array-note.job"

    def stop_when_submitted() -> None:
        if answer.exists() and answer.read_text():
            raise Interrupted

    executor = SlurmExecutor(["true"], num_tasks=2, folder=tmp_path)
    with pytest.raises(Interrupted):
        executor.map(Note(), range(4), checkpoint=stop_when_submitted, done=lambda _item, _result: None)
    assert told.read_text() == "4711"


@pytest.fixture
def shared_folder(slurm_lab):
    """A folder that the nodes reach, too."""
    folder = Path(tempfile.mkdtemp(prefix="data-array-", dir=slurm_lab.layout.root))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.slurm
def test_an_array_on_a_real_cluster_gives_the_digests_of_threads(
    slurm_lab, shared_folder, italian, english, jsonl, tree_digests
):
    work = shared_folder
    for name, texts in (("it", italian), ("en", english), ("both", [*english, *italian, "short"])):
        jsonl(work / "set" / f"{name}.jsonl", texts)
    (work / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    cluster = next(iter(slurm_lab.clusters.values()))
    environment = os.environ | {"SLURM_CONF": str(cluster.conf), "OMP_NUM_THREADS": "1"}
    prepare = [sys.executable, "-m", "fucina.cli", "data", "prepare", "recipe.yaml", "--format", "json", "--out"]
    for words in (["threads", "--threads", "1"], ["array", "--slurm", "2"]):
        done = subprocess.run(
            [*prepare, *words], cwd=work, env=environment, capture_output=True, text=True, timeout=400, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["num_records"] == 121

    assert tree_digests(work / "array") == tree_digests(work / "threads")
    ours = []

    def all_are_over():
        argv = ["sacct", "-X", "-n", "-P", "--format=jobname,state,workdir"]
        listed = cluster.run_as("root", argv).stdout.splitlines()
        ours[:] = [line.split("|") for line in listed if line.endswith(str(work / "array" / ".scratch"))]
        names = {name for name, state, _ in ours if state not in {"PENDING", "RUNNING"}}
        return names >= {f"fucina-data-{step}" for step in ("readsource", "judge", "encode")}

    wait_until("the ends in slurmdbd", all_are_over, within_s=60)
    assert {state for _, state, _ in ours} == {"COMPLETED"}
