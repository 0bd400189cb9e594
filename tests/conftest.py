"""Every test has a home of its own; no setting of the machine reaches one."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest

from tests.s3_server import s3, s3_endpoint  # noqa: F401 - fixtures
from tests.site_programs import site_programs  # noqa: F401 - a fixture
from tests.slurm_lab import slurm_lab  # noqa: F401 - a fixture

HOME = tempfile.mkdtemp(prefix="fucina-test-")
for _name in [name for name in os.environ if name.startswith("FUCINA_") and name != "FUCINA_TEST_DATABASE_URL"]:
    del os.environ[_name]
os.environ["FUCINA_HOME"] = HOME
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
if "FUCINA_TEST_DATABASE_URL" in os.environ:
    os.environ["FUCINA_DATABASE_URL"] = os.environ["FUCINA_TEST_DATABASE_URL"]
os.environ["DJANGO_SETTINGS_MODULE"] = "fucina.hub.settings"
django.setup()

EXAMPLE = Path(__file__).parent.parent / "examples" / "penna-nuova"


@pytest.fixture
def example() -> Path:
    """The example project's folder."""
    return EXAMPLE


@pytest.fixture(autouse=True)
def _denormal_numbers() -> Iterator[None]:
    """A stage has the processor round them to zero; in one process for many tests that must not outlive the test."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)
