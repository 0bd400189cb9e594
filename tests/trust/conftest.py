"""Tiny models that the tests of the trust room share; see specimen.py for what they know."""

from pathlib import Path

import pytest
import torch

from fucina.trust.evaluate import open_subject
from fucina.trust.evaluation_part import Subject
from fucina.trust.recipe import EvaluateRecipe
from tests.trust.specimen import TRAIN_TEXTS, secret_texts, write_model, write_prepared


@pytest.fixture(scope="session")
def prepared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("specimen") / "prepared")


@pytest.fixture(scope="session")
def fresh_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("specimen") / "fresh")


@pytest.fixture(scope="session")
def parrot_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Knows its training documents and both private values by heart."""
    torch.set_num_threads(1)
    learn = [*TRAIN_TEXTS.values(), *secret_texts()]
    return write_model(tmp_path_factory.mktemp("specimen") / "parrot", learn=learn, steps=120)


@pytest.fixture(scope="session")
def fresh(fresh_model: Path, prepared_data: Path) -> Subject:
    return open_subject(EvaluateRecipe(num_memorisation_probes=40), model=fresh_model, data=prepared_data)


@pytest.fixture(scope="session")
def parrot(parrot_model: Path, prepared_data: Path) -> Subject:
    return open_subject(EvaluateRecipe(num_memorisation_probes=40), model=parrot_model, data=prepared_data)
