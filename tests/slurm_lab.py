"""Two real Slurm clusters for the tests that need them, started once in a session."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab
from lab.machine import why_not

NAMED = os.environ.get("FUCINA_LAB")
VERSION = os.environ.get("FUCINA_LAB_SLURM")
"""Both read when the test run starts: its own settings are taken out of the environment."""
UNPACKED = Path(__file__).parent.parent / "var" / f"slurm-{VERSION}"


@pytest.fixture(scope="session")
def slurm_lab() -> Iterator[Lab]:
    """The lab that FUCINA_LAB names if it is up; else one in a temporary folder, of the version FUCINA_LAB_SLURM."""
    if NAMED:
        lab = Lab(Path(NAMED))
        if lab.is_up():
            lab.wait_ready()
            yield lab
            return
    if VERSION and not (UNPACKED / "ready").exists():
        pytest.skip(f"Slurm {VERSION} is not unpacked: python -m lab unpack {VERSION}")
    root = Path(tempfile.mkdtemp(prefix="fucina-lab-"))
    root.chmod(0o755)
    lab = Lab(root, prefix=UNPACKED if VERSION else None)
    try:
        if reason := why_not(lab.layout):
            pytest.skip(" ".join(reason).strip())
        yield lab.up()
    finally:
        lab.down(wipe=True)
        (root / "lock").unlink(missing_ok=True)
        root.rmdir()
