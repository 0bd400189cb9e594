"""The `fucina` command for jobs of other Unix users, who may read neither this checkout nor its interpreter."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import fucina
from fucina.compute.environment import pack, unpack

SYSTEM_PYTHON = Path(f"/usr/bin/python3.{sys.version_info.minor}")


@pytest.fixture(scope="session")
def site_programs() -> Iterator[Path]:
    """A folder with `fucina` that everybody can run: on this checkout where it can be read, else unpacked elsewhere."""
    if not SYSTEM_PYTHON.exists():
        pytest.skip(f"{SYSTEM_PYTHON} does not exist; jobs of other users need it.")
    with tempfile.TemporaryDirectory(prefix="fucina-programs-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        libraries = os.pathsep.join([str(Path(fucina.__file__).parent.parent), *_site_packages()])
        _write(folder / "fucina", f'PYTHONPATH="{libraries}" exec {SYSTEM_PYTHON} -m fucina.cli "$@"')
        if not _runs(folder / "fucina"):
            pack(folder / "environment.tar.zst", extras=["data", "train", "eval"])
            packed = unpack(folder / "environment.tar.zst", folder / "environment")
            _write(folder / "fucina", f'FUCINA_PYTHON={SYSTEM_PYTHON} exec {packed} "$@"')
            assert _runs(folder / "fucina")
        yield folder


def _site_packages() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def _write(path: Path, command: str) -> None:
    path.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
    path.chmod(0o755)


def _runs(command: Path) -> bool:
    """Whether a user without rights can run it."""
    done = subprocess.run(
        ["runuser", "-u", "nobody", "--", str(command), "version"], capture_output=True, check=False, cwd="/"
    )
    return done.returncode == 0
