"""Slurm's commands on this machine."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from fucina.compute.slurm.transport import TIMEOUT_S, Completed, LostAnswer, Unreachable, as_user
from fucina.network.spec import SlurmSite

_PATH = "/usr/local/bin:/usr/bin:/bin"


def slurm_environment(site: SlurmSite) -> dict[str, str]:
    """What every command of this site needs to know; nothing of the agent's own environment goes with it."""
    environment = {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C.UTF-8"}
    if site.conf:
        environment["SLURM_CONF"] = str(site.conf)
    return environment


class CliTransport:
    """Child processes of the agent. Implements `Transport`."""

    def __init__(self, *, environment: Mapping[str, str], bin_folder: Path | None = None) -> None:
        path = os.environ.get("PATH", _PATH)
        self._environment = {"PATH": f"{bin_folder}:{path}" if bin_folder else path, **environment}

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", user: str = "") -> Completed:
        """Run one command, as `user` when the agent is root. Raises Unreachable, LostAnswer."""
        try:
            done = subprocess.run(  # noqa: S603 - a list, no shell
                as_user(user, argv),
                input=stdin,
                capture_output=True,
                check=False,
                timeout=TIMEOUT_S,
                env=self._environment,
                cwd="/",
            )
        except FileNotFoundError as error:
            raise Unreachable(
                f"{argv[0]} is not installed here.",
                hint="Set `bin` in the site file to the folder of Slurm's commands.",
            ) from error
        except OSError as error:
            raise Unreachable(f"{argv[0]} cannot be started: {error}", hint="Look at this machine's limits.") from error
        except subprocess.TimeoutExpired as error:
            raise LostAnswer(
                f"{argv[0]} did not answer within {TIMEOUT_S:.0f} s.",
                hint="Look at slurmctld and at this machine's load.",
            ) from error
        return Completed(rc=done.returncode, out=done.stdout, err=done.stderr.decode("utf-8", errors="replace"))

    def close(self) -> None:
        """Nothing is kept open."""
