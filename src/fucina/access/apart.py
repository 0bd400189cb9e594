"""The solver in a process of its own, for doors that must not load it: JSON in, JSON out.

`python -m fucina.access.apart assign` and `... choose` are what is started.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from pydantic import TypeAdapter

from fucina.access.entries import Choice, Entry
from fucina.access.referees import Assignment, Pairs, Paper, Referee, check_pool
from fucina.errors import Unavailable

LIMIT_S = 600.0
"""No call that was measured took a tenth of it."""

_POOL: TypeAdapter[tuple[tuple[Paper, ...], tuple[Referee, ...], Pairs]] = TypeAdapter(
    tuple[tuple[Paper, ...], tuple[Referee, ...], Pairs]
)
_FIELD: TypeAdapter[tuple[tuple[Entry, ...], dict[str, int], float | None]] = TypeAdapter(
    tuple[tuple[Entry, ...], dict[str, int], float | None]
)
_ASSIGNMENT = TypeAdapter(Assignment)
_CHOICE = TypeAdapter(Choice)


class SolverFailed(Unavailable):
    """The solver ended without an answer."""

    code = "solver_failed"


def assign(papers: Sequence[Paper], referees: Sequence[Referee], conflicts: Pairs) -> Assignment:
    """As `assignment.assign`. Raises BadPool, SolverFailed."""
    check_pool(papers, referees)
    asked = _POOL.dump_json((tuple(papers), tuple(referees), conflicts))
    return _ASSIGNMENT.validate_json(_solve("assign", asked))


def choose(entries: Sequence[Entry], limits: Mapping[str, int], *, smallest_share: float | None) -> Choice:
    """As `awards.choose`. Raises SolverFailed."""
    asked = _FIELD.dump_json((tuple(entries), dict(limits), smallest_share))
    return _CHOICE.validate_json(_solve("choose", asked))


def _solve(word: str, asked: bytes) -> bytes:
    command = [sys.executable, "-m", "fucina.access.apart", word]
    try:
        done = subprocess.run(command, input=asked, capture_output=True, check=False, timeout=LIMIT_S)  # noqa: S603 - our words
    except subprocess.TimeoutExpired as error:
        raise SolverFailed(f"There was no answer in {LIMIT_S:.0f} s.", hint="Try with fewer applications.") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SolverFailed(f"The solver failed: {last[:300]}", hint="Tell the operator.")
    return done.stdout


def main(word: str, asked: bytes) -> bytes:
    """Solve one question in this process."""
    solver: Any
    if word == "assign":
        solver = import_module("fucina.access.assignment")
        return _ASSIGNMENT.dump_json(solver.assign(*_POOL.validate_json(asked)))
    solver = import_module("fucina.access.awards")
    entries, limits, smallest_share = _FIELD.validate_json(asked)
    return _CHOICE.dump_json(solver.choose(entries, limits, smallest_share=smallest_share))


if __name__ == "__main__":
    sys.stdout.buffer.write(main(sys.argv[1], sys.stdin.buffer.read()))
