"""Runs `sacct` on this machine and hands on its rows while it prints them."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from fucina.accounting.sacct import ENVIRONMENT
from fucina.errors import Unavailable
from fucina.network.spec import SlurmSite


class SacctFailed(Unavailable):
    """Slurm's accounting does not answer."""

    code = "sacct_failed"


class SacctSource(Protocol):
    """Whatever prints what `sacct` would print with these options."""

    def __call__(self, options: Sequence[str]) -> Iterator[bytes]:
        """Its lines. Raises SacctFailed, at the latest after the last line."""
        ...


class LocalSacct:
    """`sacct` of this machine; lines are never all in memory."""

    def __init__(self, site: SlurmSite) -> None:
        self._program = str(site.bin / "sacct") if site.bin else "sacct"
        self._environment = os.environ | ENVIRONMENT
        if site.conf is not None:
            self._environment |= {"SLURM_CONF": str(site.conf)}

    def __call__(self, options: Sequence[str]) -> Iterator[bytes]:
        """The lines that it prints. Raises SacctFailed."""
        with tempfile.TemporaryFile() as said:
            try:
                process = subprocess.Popen(  # noqa: S603 - a list, no shell
                    [self._program, *options],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    env=self._environment,
                )
            except OSError as error:
                raise SacctFailed(
                    f"{self._program} cannot be started: {error.strerror}.",
                    hint="Set slurm.bin in the site's file, or run this where Slurm's commands are.",
                ) from error
            whole = False
            try:
                yield from process.stdout or ()
                whole = True
            finally:
                if not whole:
                    process.kill()
                if process.stdout is not None:
                    process.stdout.close()
                process.wait()
            if process.returncode:
                said.seek(0)
                text = said.read(2000).decode("utf-8", "replace").strip()
                raise SacctFailed(
                    f"sacct ended with {process.returncode}: {text or 'no message'}",
                    hint="Look whether slurmdbd runs; what was read before is kept, and the import goes on from there.",
                )


def file_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file that `sacct` wrote."""
    with path.open("rb") as file:
        yield from file
