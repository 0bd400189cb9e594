"""A small job that looks around on a compute node and writes down what it saw."""

import secrets
import shutil
import time
from pathlib import Path

from fucina.agent.identity import acting_as, find_user
from fucina.compute.slurm.transport import quote
from fucina.network.spec import ContainerRuntime, SlurmSite

ANSWER = "answer"
ASKED = "asked"
LATE_S = 10.0
"""A shared file system may show a file so much later elsewhere."""
INTERNET = ("1.1.1.1", "9.9.9.9")
"""Public name servers, by number, so that a missing name service is not taken for a missing network."""


class Probe:
    """The folder of one probe, made and read with the rights of the user that its job runs as."""

    def __init__(self, folder: Path, *, user: str) -> None:
        self.folder = folder
        self.token = secrets.token_hex(16)
        self._user = user

    def prepare(self) -> str:
        """Make the folder; returns the token that the job must find there."""
        self.folder.mkdir(parents=True)
        if self._user:
            owner = find_user(self._user)
            shutil.chown(self.folder, owner.pw_uid, owner.pw_gid)
        with acting_as(self._user):
            (self.folder / ASKED).write_text(self.token, encoding="utf-8")
        return self.token

    def answer(self) -> dict[str, str] | None:
        """What the job saw, and this machine's time when it was found; None while it has not ended."""
        with acting_as(self._user):
            try:
                text = (self.folder / ANSWER).read_text(encoding="utf-8", errors="replace")
            except OSError:
                return None
        lines = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
        return lines | {"heard_at": str(time.time())}

    def answer_later(self) -> dict[str, str] | None:
        """The same, with time for the file system to show it."""
        until = time.monotonic() + LATE_S
        while time.monotonic() < until:
            if found := self.answer():
                return found
            time.sleep(0.2)
        return None

    def log(self) -> str:
        """The end of what the job printed."""
        with acting_as(self._user):
            try:
                return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-400:].strip()
            except OSError:
                return ""

    def remove(self) -> None:
        """Leave nothing behind."""
        with acting_as(self._user):
            shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def probe_script(slurm: SlurmSite, *, programs: str) -> str:
    """A script that writes `name=value` lines; the last step renames the file, so that it is whole or not there.

    `programs` is a folder that comes first on the path.
    """
    lines = ["#!/bin/bash"]
    lines += [f"module load {quote(module)}" for module in slurm.modules]
    lines += slurm.prelude
    if programs:
        lines.append(f'export PATH={quote(programs)}:"$PATH"')
    run = "fucina version"
    image = slurm.image
    if image and slurm.container is ContainerRuntime.APPTAINER:
        run = f"apptainer exec {quote(image)} fucina version"
    elif image and slurm.container is ContainerRuntime.PYXIS:
        run = f"srun --ntasks=1 --container-image={quote(image)} fucina version"
    tries = " || ".join(f"timeout 3 bash -c 'echo > /dev/tcp/{host}/53'" for host in INTERNET)
    lines += [
        "{",
        'echo "host=$(hostname)"',
        f'echo "token=$(cat {ASKED})"',
        'echo "clock=$(date +%s)"',
        f'echo "fucina=$({run} 2>&1 | tail -1)"',
        'echo "devices=${CUDA_VISIBLE_DEVICES:-${ROCR_VISIBLE_DEVICES:-${SLURM_JOB_GPUS:-}}}"',
        f"if {{ {tries}; }} 2>/dev/null; then echo internet=yes; else echo internet=no; fi",
        f"}} > .{ANSWER}",
        f"mv .{ANSWER} {ANSWER}",
    ]
    return "\n".join([*lines, ""])
