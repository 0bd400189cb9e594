"""Steps as arrays of Slurm jobs, on nodes that see the same files; nothing but files goes from process to process.

For each step the driver submits one array, whose tasks run `fucina data work`: a task goes through `prepare` from the
beginning, finds every former step done, does its share of this one, and ends. Afterwards the driver does the step
itself, which finds the files there; what a lost task has left undone is made then.

Partition, account, time limit and the like come from the environment that sbatch reads (SBATCH_PARTITION and so on).
"""

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fucina.compute.slurm.transport import quote_argv
from fucina.data.executors import Checkpoint, Item, LocalExecutor, Result, ShareDone
from fucina.errors import Unavailable

_POLL_S = 1.0
_JOB = re.compile(r"^\d+")


class SlurmRefused(Unavailable):
    """sbatch is not there or takes no job."""

    code = "slurm_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which part of which step a task does."""

    step: str
    """Its `step_name`."""
    index: int
    num_shares: int


def step_name(step: object) -> str:
    """What tells a step from the others of a run."""
    return type(step).__name__.strip("_").lower()


class ShareExecutor:
    """Inside a task: the former steps are done, this one in part, and then there is an end."""

    replaying = True

    def __init__(self, share: Share) -> None:
        self._share = share

    def map(
        self,
        step: Callable[[Item, Checkpoint], Result],
        items: Sequence[Item],
        *,
        checkpoint: Checkpoint,
        done: Callable[[Item, Result], None],
    ) -> list[Result]:
        """See Executor.

        Raises ShareDone after its part of its step.
        """
        local = LocalExecutor(1)
        if step_name(step) != self._share.step:
            return local.map(step, items, checkpoint=checkpoint, done=done)
        own = [item for place, item in enumerate(items) if place % self._share.num_shares == self._share.index]
        local.map(step, own, checkpoint=checkpoint, done=done)
        raise ShareDone


class SlurmExecutor:
    """One array for each step that has more than one item."""

    replaying = False

    def __init__(self, command: Sequence[str], *, num_tasks: int, folder: Path) -> None:
        """`command` begins a task's argument list, `folder` is for its logs and as its working directory."""
        self._command = tuple(command)
        self._num_tasks = num_tasks
        self._folder = folder

    def map(
        self,
        step: Callable[[Item, Checkpoint], Result],
        items: Sequence[Item],
        *,
        checkpoint: Checkpoint,
        done: Callable[[Item, Result], None],
    ) -> list[Result]:
        """See Executor.

        Raises SlurmRefused.
        """
        if len(items) > 1:
            self._submit(step_name(step), num_shares=min(self._num_tasks, len(items)), checkpoint=checkpoint)
        return LocalExecutor(1).map(step, items, checkpoint=checkpoint, done=done)

    def _submit(self, name: str, *, num_shares: int, checkpoint: Checkpoint) -> None:
        """Run the array of a step and wait for its end; it is cancelled when the run is told to stop."""
        argv = [
            "sbatch", "--parsable", "--wait", f"--array=0-{num_shares - 1}", f"--job-name=fucina-data-{name}",
            "--ntasks=1", "--requeue", "--open-mode=append", f"--chdir={self._folder}",
            f"--output={self._folder}/array-{name}-%a.log",
        ]  # fmt: skip
        task = [*self._command, "--step", name, "--shares", str(num_shares)]
        script = f"#!/bin/sh\nexec {quote_argv(task)}\n".encode()
        answer = self._folder / f"array-{name}.job"
        complaints = self._folder / f"array-{name}.err"
        try:
            with answer.open("wb") as out, complaints.open("wb") as err:
                submitted = subprocess.Popen(  # noqa: S603 - an argument list of ours
                    argv, stdin=subprocess.PIPE, stdout=out, stderr=err
                )
        except OSError as error:
            raise SlurmRefused(
                f"sbatch cannot be run: {error.strerror}.", hint="Start this where Slurm's commands are, or without."
            ) from error
        with submitted:
            try:
                _feed(submitted, script)
                _wait(submitted, checkpoint)
            except BaseException:
                _cancel(answer)
                submitted.kill()
                raise
        complaint = complaints.read_text(encoding="utf-8", errors="replace").strip()
        if not _JOB.match(answer.read_text(encoding="utf-8")):
            reason = complaint.splitlines()[-1] if complaint else "no reason"
            raise SlurmRefused(
                f"Slurm takes no array of {num_shares} tasks: {reason}.",
                hint="Set SBATCH_PARTITION, SBATCH_ACCOUNT and SBATCH_TIMELIMIT as the site wants them.",
            )


def _wait(submitted: "subprocess.Popen[bytes]", checkpoint: Checkpoint) -> None:
    while True:
        checkpoint()
        try:
            submitted.wait(timeout=_POLL_S)
            return
        except subprocess.TimeoutExpired:
            continue


def _feed(submitted: "subprocess.Popen[bytes]", script: bytes) -> None:
    if submitted.stdin:
        try:
            submitted.stdin.write(script)
            submitted.stdin.close()
        except BrokenPipeError:
            # It has ended with a complaint, which is read later.
            return


def _cancel(answer: Path) -> None:
    """Cancel the array whose number sbatch wrote, if it came so far."""
    job = _JOB.match(answer.read_text(encoding="utf-8"))
    if job:
        argv = ["scancel", job.group()]
        subprocess.run(argv, capture_output=True, timeout=60, check=False)  # noqa: S603 - an argument list of ours
