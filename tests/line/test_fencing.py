"""A job that its scheduler gave up may still run on a node that was cut off: two processes, one working directory."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from fucina.line.stage import EXIT_FENCED, EXIT_OK
from tests.line.factory import tiny_project, wait_for

pytestmark = [pytest.mark.line, pytest.mark.slow]


def environment(home, generation: int) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("FUCINA_")}
    return mine | {
        "FUCINA_HOME": str(home),
        "FUCINA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "FUCINA_GENERATION": str(generation),
    }


def start(workdir, home, *, generation: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fucina.cli", "stage", workdir.name, str(workdir)],
        env=environment(home, generation),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and what it said."""
    _, said = process.communicate(timeout=300)
    return process.returncode, said


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The five working directories, `prepare` done."""
    folder = tmp_path_factory.mktemp("fencing")
    project = tiny_project(folder / "project")
    home = folder / "home"
    subprocess.run(
        [sys.executable, "-m", "fucina.cli", "workdirs", str(project), str(folder / "work")],
        env=environment(home, 1),
        check=True,
        capture_output=True,
    )
    assert ended(start(folder / "work" / "prepare", home, generation=1)) == (EXIT_OK, "")
    return folder


def outputs(workdir) -> dict[str, str]:
    return json.loads((workdir / "record.json").read_text())["outputs"]


@pytest.mark.parametrize("later", [1, 2], ids=["the same placement, started again", "another placement"])
def test_the_process_that_was_cut_off_writes_no_more(prepared, tmp_path, later):
    shutil.copytree(prepared / "work", tmp_path / "work")
    alone, shared = tmp_path / "work", tmp_path / "shared"
    shutil.copytree(alone, shared)
    home = prepared / "home"
    assert ended(start(alone / "train", home, generation=1)) == (EXIT_OK, "")

    cut_off = start(shared / "train", home, generation=1)
    lines = shared / "train" / "progress.ndjson"
    wait_for(lambda: lines.is_file() and lines.read_bytes().count(b"\n") >= 2)
    relaunched = start(shared / "train", home, generation=later)

    code, said = ended(cut_off)
    assert (code, "has taken over" in said) == (EXIT_FENCED, True)
    assert ended(relaunched)[0] == EXIT_OK
    assert outputs(shared / "train") == outputs(alone / "train")
    assert not (shared / "train" / "error.json").exists()


def test_a_stale_start_of_an_older_placement_writes_nothing(prepared, tmp_path):
    shutil.copytree(prepared / "work", tmp_path / "work")
    train = tmp_path / "work" / "train"
    assert ended(start(train, prepared / "home", generation=2))[0] == EXIT_OK
    (train / "record.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in train.rglob("*")}

    assert ended(start(train, prepared / "home", generation=1))[0] == EXIT_FENCED
    assert {path: path.stat().st_mtime_ns for path in train.rglob("*")} == before
