import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fucina.compute.record import Progress
from fucina.data.card import read_canaries, read_card
from fucina.data.pipeline import prepare
from fucina.data.preflight import preflight
from fucina.data.recipe import PrepareRecipe
from fucina.data.sources import resolve

CHILD = """
import os, signal, sys
from pathlib import Path
from fucina.compute.record import Progress
from fucina.data import ingest, shards
from fucina.data.pipeline import prepare
from fucina.data.recipe import PrepareRecipe

workdir, event, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
ingest.SHARD_RECORDS = 8

def count_down():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

class Reporter(Progress):
    def report(self, **fields):
        super().report(**fields)
        if event == "report":
            count_down()

real_fsync = shards.os.fsync

def fsync(descriptor):
    # Half of the file is gone, as after a power cut before the data reached the disk.
    if event == "fsync" and left == 1:
        os.truncate(f"/proc/self/fd/{descriptor}", os.fstat(descriptor).st_size // 2)
    real_fsync(descriptor)
    if event == "fsync":
        count_down()

shards.os.fsync = fsync
recipe = PrepareRecipe.model_validate_json((workdir / "recipe.json").read_bytes())
progress = Reporter(workdir / "progress.ndjson", stage="prepare")
prepare(recipe, workdir=workdir, out=workdir / "out", scratch=workdir / "scratch", progress=progress)
"""


def _child(workdir: Path, event: str, count: int) -> int:
    command = [sys.executable, "-c", CHILD, str(workdir), event, str(count)]
    return subprocess.run(command, check=False, timeout=120).returncode


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, jsonl, italian, english) -> PrepareRecipe:
    base = tmp_path_factory.mktemp("corpus")
    jsonl(base / "it.jsonl", italian[:16])
    jsonl(base / "en.jsonl", [*english[:16], english[0]])
    return PrepareRecipe(sources=resolve([("*.jsonl", "CC0-1.0", "")], base=base), vocabulary_size=400)


@pytest.fixture(scope="module")
def expected(tmp_path_factory, recipe, tree_digests) -> dict[str, str]:
    """Digests of a run that nothing disturbed."""
    workdir = tmp_path_factory.mktemp("whole")
    (workdir / "recipe.json").write_text(recipe.model_dump_json())
    assert _child(workdir, "none", 0) == 0
    return tree_digests(workdir / "out")


@pytest.mark.slow
@pytest.mark.parametrize(("event", "count"), [("report", 1), ("report", 14), ("fsync", 2), ("fsync", 9), ("fsync", 30)])
def test_killed_and_started_again_it_ends_with_the_same_bytes(tmp_path, recipe, expected, tree_digests, event, count):
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())

    assert _child(tmp_path, event, count) == -signal.SIGKILL
    assert _child(tmp_path, "none", 0) == 0

    assert tree_digests(tmp_path / "out") == expected
    assert "card.json" in expected


@pytest.mark.slow
def test_the_example_is_prepared_with_every_planted_value_found(example, tmp_path):
    recipe = PrepareRecipe(
        sources=resolve([("corpus/*.jsonl.gz", "public-domain", "ELTeC")], base=example), languages=("it", "en")
    )
    preflight(recipe, workdir=tmp_path)
    progress = Progress(tmp_path / "progress.ndjson", stage="prepare")

    prepare(recipe, workdir=tmp_path, out=tmp_path / "out", scratch=tmp_path / "scratch", progress=progress)

    card = read_card(tmp_path / "out")
    assert card.num_documents == 529
    assert sum(card.redactions.values()) == 225
    rejected = pq.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
    assert len(rejected) == 60
    assert all(row["id"].startswith("junk-") for row in rejected)
    assert all(canary.redacted for canary in read_canaries(tmp_path / "out"))
    assert 0.2 < card.tokens_per_character < 0.35
