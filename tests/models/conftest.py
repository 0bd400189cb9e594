"""A small data set and a short run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fucina.compute.record import Progress
from fucina.models.recipe import TrainRecipe
from tests.models.shards import chain_documents, write_split, write_tokenizer


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `prepare` leaves, small: two shards to train on, one to validate."""
    folder = tmp_path_factory.mktemp("prepared")
    write_split(folder, "train", [chain_documents(60, seed=1), chain_documents(40, seed=2)])
    write_split(folder, "validation", [chain_documents(8, seed=3)])
    write_tokenizer(folder / "tokenizer")
    return folder


@pytest.fixture
def recipe() -> TrainRecipe:
    """A run of 24 updates that takes about a second."""
    return TrainRecipe(
        size="0.1M",
        num_tokens=24 * 256,
        sequence_length=32,
        batch_tokens=256,
        learning_rate=0.02,
        num_checkpoints=6,
        num_evaluations=4,
        num_threads=1,
    )


@pytest.fixture
def progress(tmp_path: Path) -> Callable[[], Progress]:
    """Progress of a stage that writes below the test's own folder."""
    return lambda: Progress(tmp_path / "progress.ndjson", stage="train")
