"""Who may write in a working directory: the process that was started last, of the newest generation.

A node that is cut off keeps running its job after the scheduler has given it up. The hub numbers each placement of a
job with a *generation*; every start of a generation takes the next number. A start is a file of its own, made only if
it does not exist and never changed, so that two processes on two nodes cannot both believe to be the last.
"""

import os
from pathlib import Path
from typing import NamedTuple, Self

from fucina.errors import FactoryError

FOLDER = "lease"


class Fenced(FactoryError):
    """Another process has taken the working directory over; this one must not write any more."""

    code = "fenced"


class Turn(NamedTuple):
    """One start of a job; later ones compare greater."""

    generation: int
    """Of the placement, given by the hub."""
    start: int
    """Within the generation, from 1."""

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.generation:08d}.{self.start:08d}"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The turn of a file, None for a file that is none of ours."""
        generation, _, start = name.partition(".")
        return cls(int(generation), int(start)) if generation.isdecimal() and start.isdecimal() else None


class Lease:
    """The right to write in `workdir`, as long as nobody came later."""

    def __init__(self, folder: Path, turn: Turn) -> None:
        self._folder = folder
        self.turn = turn

    def check(self) -> None:
        """Raises Fenced when another process came later; call it before anything is written that others read."""
        last = last_turn(self._folder)
        if last != self.turn:
            now = f"start {last.start} of generation {last.generation} has taken over" if last else "its lease is gone"
            raise Fenced(
                f"This process is start {self.turn.start} of generation {self.turn.generation}; {now}.",
                hint="Nothing is to be done: the other one goes on from the last checkpoint.",
            )


def take(workdir: Path, *, generation: int) -> Lease:
    """Become the one writer of `workdir`. Raises Fenced when a newer generation was here before."""
    folder = workdir / FOLDER
    folder.mkdir(exist_ok=True)
    while True:
        last = last_turn(folder)
        if last is not None and last.generation > generation:
            raise Fenced(
                f"This process is of generation {generation}; generation {last.generation} has taken over.",
                hint="Nothing is to be done: the job runs elsewhere.",
            )
        start = last.start + 1 if last is not None and last.generation == generation else 1
        turn = Turn(generation, start)
        try:
            os.close(os.open(folder / turn.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            continue
        lease = Lease(folder, turn)
        lease.check()
        return lease


def last_turn(folder: Path) -> Turn | None:
    """The newest start, None before the first."""
    turns = [turn for name in os.listdir(folder) if (turn := Turn.parse(name)) is not None]  # noqa: PTH208 - once a second
    return max(turns, default=None)
