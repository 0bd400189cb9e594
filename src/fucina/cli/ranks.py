"""The training stage as several processes: `torchrun` on each node, one process an accelerator."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from fucina.config import Settings
from fucina.errors import BadInput
from fucina.line.run_stage import STOP_SIGNALS
from fucina.line.spec import StageName
from fucina.line.stage import ERROR_FILE, EXIT_BAD_INPUT, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, RECORD_FILE


class NoRendezvous(BadInput):
    """Several nodes, and no place to meet."""

    code = "no_rendezvous"


def run_ranks(workdir: Path, settings: Settings) -> int:
    """Start this node's processes and wait for them; returns the exit code of the stage. A wish to stop reaches all.

    Raises NoRendezvous.
    """
    command = torchrun_command(workdir, settings)
    process = subprocess.Popen(command)  # noqa: S603 - our own module, a list, no shell
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        process.send_signal(signal.SIGTERM)

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    code = process.wait()
    if code == 0 or (workdir / RECORD_FILE).is_file():
        return EXIT_OK
    if told:
        return EXIT_INTERRUPTED
    return EXIT_BAD_INPUT if (workdir / ERROR_FILE).is_file() else EXIT_FAILED


def torchrun_command(workdir: Path, settings: Settings) -> list[str]:
    """The arguments that start this node's processes. Raises NoRendezvous."""
    meeting = ["--standalone"]
    if settings.num_nodes > 1:
        if not settings.rendezvous:
            raise NoRendezvous(
                f"{settings.num_nodes} nodes are to train together and have no place to meet.",
                hint="Set FUCINA_RENDEZVOUS to host:port of the first node.",
            )
        meeting = [
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={settings.rendezvous}",
            f"--rdzv-id={os.environ.get('SLURM_JOB_ID', 'fucina')}.{os.environ.get('SLURM_RESTART_COUNT', '0')}",
        ]
    each = f"--nproc-per-node={settings.num_ranks_per_node}"
    stage = ["-m", "fucina.cli", "stage", str(StageName.TRAIN), str(workdir)]
    return [sys.executable, "-m", "torch.distributed.run", *meeting, f"--nnodes={settings.num_nodes}", each, *stage]
