"""Real prose for the tests of the data room, and one way to run `prepare` on it."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fucina.compute.record import Progress, StageResult
from fucina.data.card import DatasetCard, read_card
from fucina.data.pipeline import prepare
from fucina.data.recipe import PrepareRecipe
from fucina.data.sources import resolve

EXAMPLE = Path(__file__).parents[2] / "examples" / "penna-nuova"


def _texts(name: str) -> list[str]:
    with gzip.open(EXAMPLE / "corpus" / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"][:1500] for line, _ in zip(lines, range(30), strict=False)]


@pytest.fixture(scope="session")
def italian() -> list[str]:
    return _texts("it.jsonl.gz")


@pytest.fixture(scope="session")
def english() -> list[str]:
    return _texts("en.jsonl.gz")


class Prepared(NamedTuple):
    out: Path
    result: StageResult
    card: DatasetCard


Run = Callable[..., Prepared]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Prepare the files that match a pattern under `tmp_path`."""
    attempts = 0

    def prepare_pattern(*patterns: str, **fields: object) -> Prepared:
        nonlocal attempts
        attempts += 1
        workdir = tmp_path / f"attempt-{attempts}"
        workdir.mkdir()
        sources = resolve([(pattern, "CC0-1.0", "made for a test") for pattern in patterns], base=tmp_path)
        recipe = PrepareRecipe.model_validate({"sources": sources, "vocabulary_size": 400, "num_canaries": 4, **fields})
        progress = Progress(workdir / "progress.ndjson", stage="prepare")
        out = workdir / "out"
        result = prepare(recipe, workdir=workdir, out=out, scratch=workdir / "scratch", progress=progress)
        return Prepared(out, result, read_card(out))

    return prepare_pattern


def write_jsonl(path: Path, texts: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": f"{path.stem}-{number}", "text": text}) for number, text in enumerate(texts)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def jsonl() -> Callable[[Path, list[str]], Path]:
    return write_jsonl


@pytest.fixture(scope="session")
def tree_digests() -> Callable[[Path], dict[str, str]]:
    return digests
