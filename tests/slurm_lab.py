"""Two real Slurm clusters for the tests that need them, started once in a session."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab
from lab.machine import why_not


@pytest.fixture(scope="session")
def slurm_lab() -> Iterator[Lab]:
    """The running lab: the one that FUCINA_LAB names if it is up, else one in a temporary folder."""
    if named := os.environ.get("FUCINA_LAB"):
        lab = Lab(Path(named))
        if lab.is_up():
            lab.wait_ready()
            yield lab
            return
    root = Path(tempfile.mkdtemp(prefix="fucina-lab-"))
    root.chmod(0o755)
    lab = Lab(root)
    if reason := why_not(lab.layout):
        root.rmdir()
        pytest.skip(" ".join(reason).strip())
    try:
        yield lab.up()
    finally:
        lab.down(wipe=True)
        (root / "lock").unlink(missing_ok=True)
        root.rmdir()
